"""The verbs that hand the list to other tools: export, changes."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nosend.cli.intake import Terminated, terminated
from nosend.cli.terminal import KIND, Session, database_option
from nosend.errors import ConfigError
from nosend.store import rows
from nosend.store.blacklist import Blacklist
from nosend.store.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOKS_AFTER = 1_000  # milliseconds
_SINCE = click.IntRange(0, 2**63 - 1)


def _split(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(value.split(",")) if value is not None else ()


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "jsonl", "txt"]),
    help="Else by the ending of FILE, else csv. txt: one value a line.",
)
@click.option("--kind", type=KIND, default="both", show_default=True)
@click.option(
    "--columns",
    metavar="NAME[=SHOWN],...",
    callback=_split,
    help="The columns of a csv, and how they are called in it: order_id=Order-ID,opted_out_at=Date.",
)
@click.option(
    "--since",
    type=_SINCE,
    metavar="SEQ",
    help="Only what has changed after that change: a JSON object a line, removals included.",
)
@click.option("--output", "-o", metavar="FILE", help="Replace FILE whole, or not at all; else standard output.")
@database_option
@click.pass_obj
def export(session: Session, /, since: int | None, output: str | None, database: str | None, **content: Any) -> None:
    """Write the blacklist for another tool, ordered by value.

    A new FILE gets mode 0600, an old one keeps its own. In csv a cell that a spreadsheet would take for a
    formula begins with an apostrophe. The columns are those of the view `blacklist`, and order_id and buyer: the
    value of an entry of that kind.

    With --since each entry that was added, renewed or removed is told once: its last change, and as `entry` what it
    is now, null when it is not on the list. The last seq is the SEQ of the next time.
    """
    path = session.database(database)
    if since is not None:
        _export_since(path, since, output, content)
        return
    from nosend.config.exports import content_of  # noqa: PLC0415 - `check` does not need them
    from nosend.export import formats  # noqa: PLC0415

    wanted = content_of(output or "-", **content)
    with Blacklist(path) as blacklist:
        _put(formats.text(formats.chosen(blacklist.rows(), wanted), wanted), output)


def _export_since(path: Path, since: int, output: str | None, content: dict[str, Any]) -> None:
    if content["columns"] or content["form"] not in {None, "jsonl"}:
        raise ConfigError("--since writes JSON lines: leave out --columns, and --format other than jsonl")
    with Snapshot(path) as snapshot:
        lines = (
            _line(rows.values(change) | {"entry": rows.values(entry) if entry else None})
            for change, entry in snapshot.latest(since)
            if content["kind"] in {"both", change.kind}
        )
        _put(lines, output)


def _put(pieces: Iterable[str], output: str | None) -> None:
    """Write text to a file, whole, or to standard output."""
    from nosend.export import files  # noqa: PLC0415 - as above

    if output and output != "-":
        files.replace(Path(output), pieces)
    else:
        for piece in pieces:
            sys.stdout.buffer.write(piece.encode())


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False) + "\n"


@click.command()
@click.option("--since", type=_SINCE, required=True, metavar="SEQ", help="After that change; 0: from the first.")
@click.option("--follow", is_flag=True, help="Wait for new ones, until SIGTERM or Ctrl-C, or the reader has gone.")
@database_option
@click.pass_obj
def changes(session: Session, since: int, follow: bool, database: str | None) -> None:
    """Tell how the list changed, a JSON object a line, oldest first: seq, at, action, kind, value, account.

    Exit 2 when the changes after SEQ are not known, or not any more: take the whole list then, `nosend export`.
    """
    signal.signal(signal.SIGTERM, terminated)
    reader = select.poll()
    reader.register(sys.stdout, 0)  # nothing is asked: that the reader has gone is told anyway
    with Blacklist(session.database(database)) as blacklist, contextlib.suppress(Terminated):
        while True:
            for change in blacklist.changes(since):
                sys.stdout.buffer.write(_line(rows.values(change)).encode())
                since = change.seq
            sys.stdout.buffer.flush()
            if not follow:
                return
            if reader.poll(_LOOKS_AFTER):
                raise BrokenPipeError
