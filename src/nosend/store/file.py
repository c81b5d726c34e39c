"""The database file: made, opened, brought up to date; its transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from nosend.errors import StoreRefusedError, StoreUnavailableError
from nosend.store import version
from nosend.store.schema import migrations
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS = 10.0
_OLDEST_SQLITE = (3, 37)  # STRICT tables


class Connection(sqlite3.Connection):
    """A connection that threads share: `transaction` and `reading` hold its lock."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.lock = threading.Lock()


def open_for_writing(path: Path, patience: float = BUSY_SECONDS) -> Connection:
    """Open nosend's database, made with mode 0600 when it does not exist and migrated when it is older.

    Raises StoreRefusedError for a path that cannot be nosend's database, StoreUnavailableError when another
    process holds it for longer than `patience` seconds or the disk is full.
    """
    _make(path)
    with in_words(path):
        connection = sqlite3.connect(
            path, timeout=patience, isolation_level=None, check_same_thread=False, factory=Connection
        )
        try:
            _prepare(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _make(path: Path) -> None:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreRefusedError(f"SQLite {sqlite3.sqlite_version} is too old: Python's must be 3.37 or later")
    name = repr(str(path))
    try:
        # A file that exists is not opened here: closing it would drop the locks of this process's other connections,
        # and other processes would throw away what they have committed (POSIX; sqlite.org/howtocorrupt.html, 2.2).
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreRefusedError(f"database {name}: its folder does not exist, make it first") from error
    except PermissionError as error:
        raise StoreRefusedError(f"database {name}: this user may not write there") from error
    except OSError as error:
        raise StoreUnavailableError(f"database {name} cannot be made: {error.strerror}") from error
    if path.is_dir():
        raise StoreRefusedError(f"database {name} is a folder: name a file in it")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreRefusedError(f"database {name}: this user may not write there")


def _prepare(path: Path, connection: Connection) -> None:
    database = Database(connection)
    connection.execute("BEGIN")  # all look-ups see the same moment: another process may be making the tables
    foreign = not migrations.applied(database) and database.table_names()
    found = version.of(connection)
    connection.execute("COMMIT")
    if foreign:
        raise StoreRefusedError(f"database {str(path)!r} belongs to another program: name a file of its own")
    version.refuse_newer(path, connection)
    _use_wal(connection)
    if found != version.VERSION:
        with transaction(path, connection):
            migrations.apply(database)
            version.write(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL once; SQLite does not wait by itself while another process writes at that moment."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def reading(path: Path, connection: Connection) -> Iterator[Connection]:
    """Read while no other thread of this process is in a transaction."""
    with connection.lock, in_words(path):
        yield connection


@contextlib.contextmanager
def transaction(path: Path, connection: Connection) -> Iterator[Connection]:
    """Run one `BEGIN IMMEDIATE` transaction: all of it or nothing.

    A deferred transaction that reads before it writes fails at once with "database is locked" when another
    connection wrote in between, whatever the timeout.
    """
    with connection.lock, in_words(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
