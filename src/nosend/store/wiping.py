"""What was taken out of the tables leaves the file, too, where SQLite keeps its bytes until it needs the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.errors import StoreUnavailableError
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


def owe(db: sqlite3.Connection) -> None:
    """Remember, in the caller's transaction, that bytes of what it takes out may be left."""
    db.execute("UPDATE policy SET remnants = 1")


def wipe(path: Path, db: sqlite3.Connection) -> None:
    """Write the file anew without such bytes, and empty its WAL, if that is owed; outside of a transaction.

    Raises StoreUnavailableError, and it stays owed, when the disk is full or somebody reads the database all the time.
    """
    with in_words(path):
        if db.execute("SELECT remnants FROM policy").fetchone() == (0,):
            return
        db.execute("VACUUM")
        (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # waits as long as for any lock
    if busy:
        raise StoreUnavailableError(
            f"database {str(path)!r} is being read: what was forgotten is in none of its tables, but bytes of it are "
            "left in the file. The next `nosend sync` tries again"
        )
    with in_words(path):
        db.execute("UPDATE policy SET remnants = 0")
