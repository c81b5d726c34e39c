"""The version of the tables, which SQLite keeps as `user_version`: how many migrations were applied.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.errors import StoreRefusedError, StoreUnavailableError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

VERSION = 12  # how many migrations `schema` has
WITH_HASHES = 11  # from which on aliases may be kept as hashes


def of(db: sqlite3.Connection) -> int:
    """Give the version of a database; 0 before the first nosend that wrote it down."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def write(db: sqlite3.Connection) -> None:
    """Write down that a database has today's tables."""
    db.execute(f"PRAGMA user_version = {VERSION}")


def refuse_newer(path: str | Path, db: sqlite3.Connection) -> None:
    """Refuse a database that a newer nosend wrote: what its tables mean is not known, to readers neither."""
    if of(db) > VERSION:
        raise StoreRefusedError(
            f"database {str(path)!r} was written by a newer nosend: upgrade this one (pip install -U nosend)"
        )


def refuse_older(path: str | Path, db: sqlite3.Connection) -> None:
    """Refuse a database that no nosend of today has written to yet."""
    if of(db) < VERSION:
        raise StoreUnavailableError(
            f"database {str(path)!r} was written by an older nosend: `nosend sync` brings it up to date"
        )
