"""Whether the database can be written, for `doctor`. Nothing in it is changed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from nosend.errors import StoreRefusedError
from nosend.store import address
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_SECONDS = 10.0
_SIZE = 100_000  # bytes that are written and rolled back


def try_to_write(path: Path) -> None:
    """Write to an existing database in a transaction that is rolled back.

    Raises StoreRefusedError when this user cannot, StoreUnavailableError when another process holds it.
    """
    if not os.access(path.parent, os.W_OK):
        raise StoreRefusedError(
            f"database {str(path)!r}: this user may not write in its folder, as SQLite's WAL must: chown it, or run "
            "nosend as its owner"
        )
    with in_words(path):
        rw = address.of(path, "mode=rw")
        with contextlib.closing(sqlite3.connect(rw, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("CREATE TABLE probe_of_doctor (bytes BLOB)")
            db.execute("INSERT INTO probe_of_doctor VALUES (zeroblob(?))", (_SIZE,))
            db.execute("ROLLBACK")
