"""backup: a copy of the database, while nosend runs."""

from __future__ import annotations

from pathlib import Path

import click

from nosend.cli.terminal import Session, database_option, tell


@click.command()
@click.argument("file")
@database_option
@click.pass_obj
def backup(session: Session, file: str, database: str | None) -> None:
    """Copy the database to FILE, while nosend runs, and check the copy. FILE is replaced whole, or not at all.

    FILE may be an older backup; anything else that is there is refused. It gets mode 0600. To restore it: stop nosend,
    remove nosend.db-wal and nosend.db-shm, copy FILE over nosend.db, run `nosend sync`.
    """
    from nosend.export import files  # noqa: PLC0415 - each verb loads what it needs
    from nosend.store import backup as store  # noqa: PLC0415

    path, target = session.database(database), Path(file)
    store.refuse_to_replace(target, path)
    with files.replacing(target) as temporary:
        entries, events = store.copy(path, temporary)
    tell(f"{file}: {entries} entries, {events} events, checked")
