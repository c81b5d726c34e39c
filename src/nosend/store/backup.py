"""A copy of the database as it is at one moment, while others write to it. Standard library only."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from nosend.errors import ConfigError, StoreUnavailableError
from nosend.store import address, version
from nosend.store.troubles import in_words, refuse_missing

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_SECONDS = 10.0
_OURS = "SELECT 1 FROM blacklist LIMIT 1"
_COUNTED = ("entries", "events")
_FORMAT, _ROLLBACK_JOURNAL = 18, b"\1\1"  # where the file's format stands (sqlite.org/fileformat2.html, 1.3.3)


def copy(database: Path, target: Path) -> tuple[int, int]:
    """Copy a database into an empty file, by SQLite's online backup, and check the copy.

    Nobody waits for it, in WAL mode, and what is committed meanwhile is not in it. The copy is one file, without WAL.
    Gives how many entries and events it holds. Raises StoreRefusedError for what is not nosend's,
    StoreUnavailableError when it cannot be read or written, or the copy is damaged.
    """
    refuse_missing(database)
    ro = address.of(database, "mode=ro")
    with in_words(database), contextlib.closing(sqlite3.connect(ro, uri=True, timeout=_BUSY_SECONDS)) as source:
        source.execute(_OURS)
        version.refuse_newer(database, source)
        with in_words(target), contextlib.closing(sqlite3.connect(target)) as made:
            made.execute("PRAGMA journal_mode = OFF")  # whoever is killed leaves nothing beside it
            made.execute("PRAGMA synchronous = OFF")  # the file is synced as a whole, before it gets its name
            source.backup(made)
    with target.open("r+b") as stream:  # else whoever opens it, be it read-only, makes a WAL beside it
        stream.seek(_FORMAT)
        stream.write(_ROLLBACK_JOURNAL)
    with in_words(target), contextlib.closing(_opened(target)) as made:
        found = made.execute("PRAGMA integrity_check(1)").fetchall()
        if found != [("ok",)]:
            raise StoreUnavailableError(
                f"the copy of database {str(database)!r} is damaged ({found[0][0]}): the backup is not kept"
            )
        entries, events = (made.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _COUNTED)
    return entries, events


def refuse_to_replace(target: Path, database: Path) -> None:
    """Refuse a place where a backup must not be put: the database, one that is in use, a file of something else.

    An older backup may be replaced. Raises ConfigError.
    """
    name = repr(str(target))
    if not target.exists() or not target.is_file():
        return
    if target.samefile(database):
        raise ConfigError(f"{name} is the database itself: name another file for its backup")
    if target.with_name(f"{target.name}-wal").exists():
        raise ConfigError(f"{name} is a database in use (it has a WAL beside it): name another file for the backup")
    try:
        with contextlib.closing(_opened(target)) as db:
            db.execute(_OURS)
    except sqlite3.Error as error:
        raise ConfigError(f"{name} is there and is no backup of nosend's: name another file") from error


def _opened(file: Path) -> sqlite3.Connection:
    """Open a file that nobody writes to."""
    return sqlite3.connect(address.of(file, "immutable=1"), uri=True)
