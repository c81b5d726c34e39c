"""The verbs by which people write the list: add, remove, allow, disallow, import, undo."""

from __future__ import annotations

import contextlib
import getpass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nosend.cli.terminal import Session, database_option, rewrite_exports, tell, tell_troubles
from nosend.errors import ConfigError, UnknownKeyError
from nosend.identifiers import one_line, parse_key
from nosend.model import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nosend.store.lists import Lists

Verb = TypeVar("Verb", bound="Callable[..., Any]")

account_option = click.option("--account", metavar="NAME", help="The seller account; else the only one.")


def columns_option(names: str) -> Callable[[Verb], Verb]:
    """Add --columns to a verb that reads tables."""
    return click.option(
        "--columns",
        metavar="COLUMN=NAME,...",
        callback=lambda context, parameter, value: _columns(value, names.split(), context, parameter),
        help=f"What the file calls its columns, where it is not clear: {', '.join(names.split())}.",
    )


@contextlib.contextmanager
def naming(file: str) -> Iterator[None]:
    """Name the file in what is told of its faults."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def _columns(value: str | None, names: list[str], context: click.Context, parameter: click.Parameter) -> dict[str, str]:
    pairs = dict(one.strip().partition("=")[::2] for one in (value or "").split(",") if one.strip())
    wrong = [name for name, called in pairs.items() if name not in names or not called]
    if wrong:
        told = f"{wrong[0]!r} is no column with a name: write {names[0]}=NAME, of {', '.join(names)}"
        raise click.BadParameter(told, context, parameter)
    return pairs


def _by_a_person(verb: Verb) -> Verb:
    options = (
        click.argument("keys", nargs=-1, required=True, metavar="KEY..."),
        click.option("--reason", required=True, metavar="TEXT", help="Why; it is shown with the entry."),
        click.option("--by", metavar="NAME", help="Who says so; else who is logged in."),
        account_option,
        database_option,
        click.pass_obj,
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


@click.command()
@_by_a_person
def add(session: Session, **given: Any) -> int:
    """List KEYs (order ids or buyer aliases) yourself. A buyer's known orders are listed with them."""
    return _say(session, Action.ADD, "added", given)


@click.command()
@_by_a_person
def remove(session: Session, **given: Any) -> int:
    """Take KEYs off the list; a buyer with all orders.

    That is remembered: an old notice that is read again, or a list that is imported again, does not bring them back. A
    notice newer than the removal does.
    """
    return _say(session, Action.REMOVE, "removed", given)


@click.command()
@_by_a_person
def allow(session: Session, **given: Any) -> int:
    """Let KEYs be messaged whatever any notice says, from now on; a buyer with all orders."""
    return _say(session, Action.ALLOW, "allowed", given)


@click.command()
@_by_a_person
def disallow(session: Session, **given: Any) -> int:
    """Withdraw what `allow` said: what the notices say counts again."""
    return _say(session, Action.DISALLOW, "no longer allowed", given)


def _say(session: Session, action: Action, done: str, given: dict[str, Any]) -> int:
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs
    from nosend.store.entries import Folded  # noqa: PLC0415

    wanted = list(dict.fromkeys(map(parse_key, given["keys"])))
    who, reason = one_line(_who() if given["by"] is None else given["by"]), one_line(given["reason"])
    if not reason or not who:
        raise ConfigError("--reason and --by must not be empty: whoever looks at the entry in a year will ask")
    account, folded = given["account"], Folded()
    with _lists(session, given["database"]) as lists:
        where: dict[str, list[Any]] = {}
        for key in wanted:
            known = () if action is Action.ADD else lists.accounts_of(key)
            for name in (account,) if account or not known else known:
                where.setdefault(chosen_account(session, lists, name), []).append(key)
        for name, of_account in where.items():
            folded += lists.say(action, of_account, name, f"{done} by {who}: {reason}", now())
    counts = f"{folded.added} entries added, {folded.removed} removed"
    tell(f"{len(wanted)} keys {done} for {', '.join(where)}: {counts}; `nosend show KEY` tells the history")
    return exported(session, given["database"])


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--source", required=True, metavar="NAME", help="What the list is called: it stands with each entry.")
@columns_option("order_id buyer opted_out_at")
@account_option
@database_option
@click.pass_obj
def import_(session: Session, /, file: Any, source: str, columns: dict[str, str], **given: str | None) -> int:
    """List whom another tool's list names: CSV, or an order id or alias a line; - is standard input.

    Importing it again lists only what is new in it. What a person removed stays off, unless the list tells a later
    date. `nosend undo` takes the last import back.
    """
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs
    from nosend.reports import lists as reports  # noqa: PLC0415

    name = one_line(source)
    if not name or name in {"notice", "forward", "person", "buyer"}:
        raise ConfigError(f"--source {source!r} cannot be the name of a list: call it as the tool is called")
    with _lists(session, given["database"]) as lists, naming(file.name):
        chosen = chosen_account(session, lists, given["account"])
        done = lists.take_in(reports.read(file, columns), chosen, name, now())
    told = f"{done.keys} keys listed, {done.added} entries added; {done.known} were known from {name}"
    tell(f"{told}, {done.barred} were removed by a person and stay off")
    if done.unknown:
        tell(f"{done.unknown} lines name no order id and no buyer alias, the first is line {done.first_unknown}")
    nothing_read = done.unknown and not (done.keys or done.known or done.barred)
    return max(2 if nothing_read else 0, exported(session, given["database"]))


@click.command()
@database_option
@click.pass_obj
def undo(session: Session, database: str | None) -> int:
    """Take back the last import; again for the one before it."""
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs

    with _lists(session, database) as lists:
        undone = lists.undo(now())
    tell(f"the import from {undone.source} of {undone.imported_at} is undone: {undone.removed} entries removed")
    return exported(session, database)


def exported(session: Session, database: str | None) -> int:
    """Bring the exports up to date and tell what went wrong; gives the exit code."""
    return tell_troubles(rewrite_exports(session, session.database(database)))


def _lists(session: Session, database: str | None) -> Lists:
    from nosend.store.lists import Lists  # noqa: PLC0415 - each verb loads what it needs

    return session.opened(Lists, session.database(database))


def chosen_account(session: Session, lists: Lists, given: str | None) -> str:
    """Take the account that is named, if it is known, or the only one. Raises UnknownKeyError with those there are."""
    settings = session.settings_or_none
    configured = [mailbox.account for mailbox in settings.mailboxes] if settings else []
    if given in configured:
        return str(given)
    known = list(dict.fromkeys((*configured, *lists.accounts())))
    if given is None and len(known) == 1:
        return str(known[0])
    if given is None or (known and given not in known):
        told = "which seller account is it?" if given is None else f"--account {given!r} is not known:"
        raise UnknownKeyError(f"{told} name one of {', '.join(known) or 'your own with --account'}")
    return given
