"""The verbs that read the list: check, list, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nosend import permission
from nosend.cli import answer
from nosend.cli.terminal import KIND, Session, database_option, tell
from nosend.errors import UnknownKeyError
from nosend.identifiers import one_line
from nosend.store.beside import Beside
from nosend.store.blacklist import Blacklist

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.entry import Entry
    from nosend.store.overview import Overview


@click.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option(
    "--purpose",
    metavar="P",
    help=f"What the message is for. Critical: {', '.join(permission.CRITICAL)}. "
    f"Not critical: {', '.join(permission.NOT_CRITICAL)}.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, a key each.")
@database_option
@click.pass_obj
def check(session: Session, keys: tuple[str, ...], purpose: str | None, as_json: bool, database: str | None) -> int:
    """Tell whether messages may be sent; a KEY is an order id or a buyer alias.

    Exit 0: all may be sent. 1: at least one must not. Anything else is no permission.
    """
    codes = {0}
    with Beside(session.database(database)) as blacklist:
        for key in keys:
            try:
                answered = answer.ask(blacklist, key, purpose)
            except UnknownKeyError as error:  # the other keys get their answer all the same
                tell(str(error))
                codes.add(error.exit_code)
                continue
            click.echo(answer.as_json(answered) if as_json else answer.as_text(answered, _styled))
            if answered.suspected:
                tell(f"{key}: a suspect mail names it, a person should look: `nosend review`")
            codes.add(0 if answered.decision.may_send else 1)
        tell_what_is_missing(blacklist)
    return max(codes)


def tell_what_is_missing(blacklist: Beside) -> None:
    """Say which mailboxes were never read to their end: what is not listed may stand there."""
    if unread := blacklist.never_read():
        tell(f"the list is not whole, never read to its end: {', '.join(unread)}: `nosend status` tells more")


@click.command("list")
@click.option("--kind", type=KIND, default="both", show_default=True)
@database_option
@click.pass_obj
def list_(session: Session, kind: str, database: str | None) -> None:
    """List the entries, a line each: kind, value, account, marketplace, since when, notices."""
    with Blacklist(session.database(database)) as blacklist:
        empty = True
        for entry in _of_kind(blacklist, kind):
            empty = False
            account, since = f"{entry.account:15} {entry.marketplace or '-':3}", f"{entry.opted_out_at:%Y-%m-%d}"
            click.echo(f"{entry.kind:5} {entry.value:45} {account} {since} {entry.notices:4}")
    if empty:
        tell("nothing is listed")


@click.command()
@click.argument("key")
@database_option
@click.pass_obj
def show(session: Session, key: str, database: str | None) -> None:
    """Show one KEY (order id or buyer alias) with its history: every notice, its rule and sentence."""
    with _overview(session, database) as overview:
        answered = answer.ask(overview, key)
        history = overview.history(answered.decision.key)
    click.echo(answer.as_text(answered, _styled))
    if answered.suspected:
        tell("a suspect mail names it, a person should look: `nosend review`")
    for notice in history:
        about = f": order {notice.order_id}" if notice.order_id else ""
        about += f", buyer {notice.buyer}" if notice.buyer else ""
        click.echo(f"\n  {notice.opted_out_at} {notice.source} ({notice.action}) for {notice.account}{about}")
        click.echo(f"    {notice.why}\n    recorded {notice.recorded_at}")
        for place in notice.places:
            click.echo(f"    in {one_line(place)}")


def _styled(said: str, may_send: bool) -> str:
    return click.style(said, fg="green" if may_send else "red", bold=True)


def _of_kind(blacklist: Blacklist, kind: str) -> Iterator[Entry]:
    return (entry for entry in blacklist if kind in {"both", entry.kind})


def _overview(session: Session, database: str | None) -> Overview:
    from nosend.store.overview import Overview  # noqa: PLC0415 - `check` does not need it

    return Overview(session.database(database))
