"""privacy: what is kept about a buyer, and taking it out: report, forget, purge."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from nosend.cli.lists import exported
from nosend.cli.terminal import Session, database_option, tell
from nosend.errors import ConfigError
from nosend.identifiers import parse_key

if TYPE_CHECKING:
    from pathlib import Path

    from nosend.store.privacy import Forgotten, Privacy


@click.group()
def privacy() -> None:
    """Answer a buyer's request, and keep names no longer than needed. docs/privacy.md tells what is kept where."""


@privacy.command()
@click.argument("key")
@database_option
@click.pass_obj
def report(session: Session, key: str, database: str | None) -> None:
    """Print all that is kept about a buyer as one JSON object, by table. KEY: the alias, or one of the orders."""
    from nosend.store.privacy import Stored  # noqa: PLC0415 - each verb loads what it needs

    with Stored(session.database(database)) as stored:
        found = stored.report(parse_key(key))
    click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    if not any(found.values()):
        tell(f"nothing is kept about {key}")


@privacy.command()
@click.argument("key")
@database_option
@click.pass_obj
def forget(session: Session, key: str, database: str | None) -> int:
    """Take out the alias, the names and the bytes of mails of one buyer, for good. KEY: the alias, or an order.

    The orders that are on the list stay on it, by id and date. Orders that become known later are not found to be this
    buyer's any more. What lies in the mailbox, in backups and with other tools is not touched.
    """
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs

    wanted = parse_key(key)
    with _opened(session.database(database)) as store:
        done = store.forget(wanted, now())
        return _ended(session, database, store, done)


@privacy.command()
@click.option(
    "--older-than",
    "days",
    required=True,
    metavar="DAYS",
    type=click.IntRange(1, 36_500),
    help="What is older than so many days, by the date of the mail.",
)
@database_option
@click.pass_obj
def purge(session: Session, days: int, database: str | None) -> int:
    """Take out the names and bytes of old mails, and the aliases of buyers of whom nothing is newer, for good.

    Order ids and dates stay, and so do the entries of orders. For cron: doing it again costs little.
    """
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs

    with _opened(session.database(database)) as store:
        done = store.purge(now() - timedelta(days=days), now())
        return _ended(session, database, store, done)


def _opened(path: Path) -> Privacy:
    from nosend.store.privacy import Privacy  # noqa: PLC0415 - each verb loads what it needs

    if not path.exists():
        raise ConfigError(f"database {str(path)!r} does not exist: `nosend sync` makes it")
    return Privacy(path)


def _ended(session: Session, database: str | None, store: Privacy, done: Forgotten) -> int:
    tell(
        f"taken out: {done.buyers} aliases, the names in {done.mails} mails and {done.events} records, the bytes of "
        f"{done.bytes_of} mails; {done.entries} entries of buyers removed, orders stay"
    )
    code = exported(session, database)
    store.wipe()
    return code
