"""The verb `review`: list what waits for a person, show one mail, accept or reject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nosend import identifiers
from nosend.cli.terminal import Session, database_option, rewrite_exports, tell, tell_troubles
from nosend.errors import ConfigError, UnknownKeyError
from nosend.identifiers import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.model import Letter
    from nosend.store.review import Decided, Review


@click.group(invoke_without_command=True)
@database_option
@click.pass_context
def review(context: click.Context, database: str | None) -> None:
    """List what a person should look at, a line each: suspects and what could not be judged, with the reason.

    Each line begins with the mail's number: `show` prints the mail, `accept` lists what it says, `reject` keeps it
    off the list. A decision stands, whatever nosend thinks of the mail later; the opposite one undoes it.
    """
    context.obj.given_database = database
    if context.invoked_subcommand is not None:
        return
    from nosend.store.overview import Overview  # noqa: PLC0415 - each verb loads what it needs

    with Overview(context.obj.database(database)) as overview:
        empty = True
        for mail in overview.waiting():
            empty = False
            place = mail.folder if mail.uid is None else f"{mail.folder} UID {mail.uid}"
            found = f"{mail.id} {mail.verdict} {mail.written_at or '-'} {mail.account} [{one_line(place)}]"
            click.echo(f"{found} {mail.sender}: {mail.subject} | {mail.why}")
    if empty:
        tell("nothing waits")


@review.command()
@click.argument("mail", type=int)
@click.pass_obj
def show(session: Session, mail: int) -> None:
    """Print one mail decoded, with the matched sentence marked: >>> so <<<."""
    from nosend import config, letter, verdict  # noqa: PLC0415 - each verb loads what it needs
    from nosend.store.overview import Overview  # noqa: PLC0415

    settings = session.settings_or_none
    with Overview(session.database(session.given_database)) as overview:
        kept = overview.kept(mail)
    click.echo(f"mail {mail} of {kept.account}: {kept.verdict} {kept.rule}\n{one_line(kept.why)}\n")
    if not kept.raw:
        tell("its bytes are not kept" if kept.raw is None else "the server gave no bytes of it")
        return
    rules = verdict.rules.load(config.packs.sources(settings.packs if settings else None))
    matched = kept.why.partition(" | but ")[0]
    try:
        lines = list(_lines(letter.read(kept.raw, rules.marks), matched)) if kept.readable else None
    except Exception:  # noqa: BLE001 - whatever it is that breaks in a mail, a person can see its bytes
        lines = None
    if lines is None:
        tell("it cannot be decoded; these are its first bytes")
        lines = [one_line(line) for line in kept.raw[:4_000].decode("utf-8", "replace").splitlines()]
    for line in lines:
        click.echo(line)


def _lines(letter: Letter, matched: str, indent: str = "") -> Iterator[str]:
    from nosend.letter import header  # noqa: PLC0415 - as above

    for name, value in letter.headers:
        if name.lower() in _SHOWN:
            line = one_line(f"{name}: {header.decode(value)}")
            yield indent + _marked(line, line if _is_matched(name, line, one_line(value), matched) else "")
    yield ""
    for paragraph in letter.paragraphs:
        yield indent + _marked(" ".join("".join(c if c.isprintable() else " " for c in paragraph).split()), matched)
    for link in letter.links:
        line = one_line(f"link: {link}")
        if any(identifiers.aliases_in((link,))) or line == matched:
            yield indent + _marked(line, matched)
    for cut in letter.cuts:
        yield f"{indent}(not read: {cut})"
    for inner in letter.inside:
        yield f"\n{indent}  {inner.how}:"
        yield from _lines(inner, matched, indent + "    ")


def _is_matched(name: str, line: str, value: str, matched: str) -> bool:
    """Tell whether a header field spoke: all of a marker's fields stand in one line, as they were written."""
    if line.casefold() == matched.casefold():
        return True
    field, _, told = matched.partition(": ")
    return name.lower() == field.lower() == _MARKER and value != "" and value in told.split(", ")


_MARKER = "x-space-notification-type"
_SHOWN = frozenset(
    "from sender reply-to to cc delivered-to date subject message-id authentication-results resent-from"
    f" {_MARKER} x-marketplace-id".split()
)


def _marked(line: str, matched: str) -> str:
    """Put marks around what matched, where it stands in a line."""
    found = line.find(matched) if matched else -1
    if found < 0:
        return line
    end = found + len(matched)
    marks = click.style(f">>> {line[found:end]} <<<", fg="red", bold=True)
    return f"{line[:found]}{marks}{line[end:]}"


_ALL_LIKE = click.option(
    "--all-like", is_flag=True, help="And every other waiting mail of the same sender that the same rule spoke of."
)


@review.command()
@click.argument("mails", nargs=-1, required=True, type=int, metavar="MAIL...")
@click.option(
    "--order", "orders", multiple=True, metavar="ID", help="The order it is about, if it does not name just one."
)
@click.option("--account", metavar="NAME", help="The seller account to list it under, if another than it tells.")
@_ALL_LIKE
@click.pass_obj
def accept(
    session: Session, mails: tuple[int, ...], orders: tuple[str, ...], account: str | None, all_like: bool
) -> int:
    """Say that mails are opt-out notices: what they say is listed, with your decision as the source."""
    keys = [identifiers.parse_key(order) for order in orders]
    wrong = [order for order, key in zip(orders, keys, strict=True) if key.kind != "order"]
    if wrong:
        raise UnknownKeyError(f"--order {wrong[0]!r} is no order id: 123-1234567-1234567")
    if orders and (len(mails) > 1 or all_like):
        raise UnknownKeyError("--order belongs to one mail: accept the others by themselves")
    if account is not None and not (account.strip() and account.isprintable()):
        raise UnknownKeyError(f"--account {account!r} is no label for a seller account")
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs

    with _review(session) as ledger:
        chosen = _chosen(ledger, mails, all_like=all_like)
        decided = ledger.accept(chosen, now(), [key.value for key in keys], account)
    _told(decided, "accepted", "`nosend review reject {}` takes off what they say")
    return _exported(session)


@review.command()
@click.argument("mails", nargs=-1, required=True, type=int, metavar="MAIL...")
@_ALL_LIKE
@click.pass_obj
def reject(session: Session, mails: tuple[int, ...], all_like: bool) -> int:
    """Say that mails are no opt-out notices: what they said goes off the list and stays off."""
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs

    with _review(session) as ledger:
        decided = ledger.reject(_chosen(ledger, mails, all_like=all_like), now())
    _told(decided, "rejected", "`nosend review accept {}` lists what they say")
    return _exported(session)


def _review(session: Session) -> Review:
    from nosend.store.review import Review  # noqa: PLC0415 - each verb loads what it needs

    path = session.database(session.given_database)
    if not path.exists():
        raise ConfigError(f"database {str(path)!r} does not exist: `nosend sync` makes it")
    return Review(path)


def _exported(session: Session) -> int:
    return tell_troubles(rewrite_exports(session, session.database(session.given_database)))


def _chosen(ledger: Review, mails: tuple[int, ...], *, all_like: bool) -> tuple[int, ...]:
    return tuple(dict.fromkeys(one for mail in mails for one in (ledger.alike(mail) if all_like else (mail,))))


def _told(decided: Decided, done: str, opposite: str) -> None:
    tell(*decided.left_out)
    counts = f"{decided.added} entries added, {decided.removed} removed"
    numbers = " ".join(map(str, decided.mails))
    tell(f"{len(decided.mails)} mails {done}, {counts}; {opposite.format(numbers)}")
