"""filter: rows of another tool, only those that may be sent."""

from __future__ import annotations

import sys
from typing import Any

import click

from nosend.cli.reading import tell_what_is_missing
from nosend.cli.terminal import Session, database_option
from nosend.store.beside import Beside


@click.command("filter")
@click.option("--blocked", is_flag=True, help="Give the rows that must not be sent instead.")
@click.option("--column", metavar="NAME", help="The column with the keys; else the only one of a usual name.")
@click.option("--purpose", metavar="P", help="What the messages are for, as of `check`.")
@click.option(
    "--annotate", is_flag=True, help="Give all rows (or the blocked), with answer and reason in a last column."
)
@database_option
@click.pass_obj
def filter_(session: Session, /, column: str | None, database: str | None, **wanted: Any) -> None:
    """Copy rows from standard input to standard output, only those that may be sent.

    Takes CSV with a header (comma, semicolon or tab), or plain lines, an order id or a buyer alias each; UTF-8 or
    windows-1252. Rows are written byte for byte as they came. Rows without a key are left out, and told with exit 2.
    """
    from nosend import filter as sieve  # noqa: PLC0415 - other verbs do not need it
    from nosend.filter import table  # noqa: PLC0415

    path = session.database(database)
    with Beside(path) as blacklist:
        tell_what_is_missing(blacklist)
        rows = table.read(sys.stdin.buffer, column)  # type: ignore[arg-type]  # a file or a pipe has peek()
        try:
            for piece in sieve.sift(rows, blacklist, sieve.Wanted(**wanted)):
                sys.stdout.buffer.write(piece.encode("latin-1"))
        finally:
            sys.stdout.buffer.flush()
