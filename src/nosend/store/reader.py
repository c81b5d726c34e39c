"""Asking a database that other processes write, and now and then replace. Standard library only."""

from __future__ import annotations

import os
import sqlite3
from time import monotonic
from typing import TYPE_CHECKING, Any

from nosend.errors import StoreUnavailableError
from nosend.store import address, forking
from nosend.store.troubles import in_words, refuse_missing, worded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BUSY_SECONDS = 10.0
_AT_ONCE = 1_000  # rows of a walk
_LOOK_AGAIN = 0.01  # seconds; to look before each answer takes a quarter of the time of all answers


class _Line:
    """A connection, the file it goes to, and the process it belongs to; threads take turns by its lock."""

    def __init__(self, inherited: _Line | None) -> None:
        self.pid = os.getpid()
        self.lock = forking.lock()
        self.file: tuple[int, int] | None = None
        self.looked_at = 0.0
        self.db: sqlite3.Connection | None = None
        # SQLite forbids even to close a connection that came over a fork, so it is held and left alone
        # (sqlite.org/howtocorrupt.html, 2.6)
        self._inherited = inherited


class Reader:
    """Reads a database file by its name: one object for all threads, and for the workers that a process forks.

    Each question sees what was committed before it. When another file has taken the name (a backup was restored) that
    one is asked, a hundredth of a second later at most; `check` is handed each connection before it is used, and raises
    when the file will not do. What SQLite reports is raised as StoreRefusedError or StoreUnavailableError.
    """

    def __init__(self, path: str, check: Callable[[sqlite3.Connection], None]) -> None:
        self.path = path
        self._check = check
        self._closed = False
        self._line = _Line(None)
        self.query("SELECT 1")

    def query(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Give all rows that a statement finds."""
        line = self._line
        if line.pid != os.getpid():
            line = self._line = _Line(line)
        with line.lock:
            if self._closed:
                raise StoreUnavailableError(f"database {self.path!r} was closed: open it again to ask it")
            now = monotonic()
            if line.db is None or now > line.looked_at + _LOOK_AGAIN:
                line.looked_at = now
                if line.db is None or line.file is None or line.file != self._file():
                    line.db = self._open(line)
            try:
                return line.db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise worded(self.path, error) from error

    def walk(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Go through all rows as they are at the first one; on a connection of its own, so that nobody else waits."""
        lock = forking.lock()
        with lock:
            db = self._connect()
        try:
            with in_words(self.path):
                with lock:
                    found = db.execute(statement)
                    part = found.fetchmany(_AT_ONCE)
                while part:
                    yield from part
                    with lock:
                        part = found.fetchmany(_AT_ONCE)
        finally:
            with lock:
                db.close()

    def close(self) -> None:
        """Close the file."""
        line = self._line
        self._closed = True
        if line.pid == os.getpid():
            with line.lock:
                if line.db:
                    line.db.close()

    def _open(self, line: _Line) -> sqlite3.Connection:
        line.file = None
        while True:
            file, db = self._file(), self._connect()
            if file == self._file():
                break
            db.close()  # replaced between the two looks: which of them it goes to is not known
        if line.db:
            line.db.close()
        line.file = file
        return db

    def _connect(self) -> sqlite3.Connection:
        refuse_missing(self.path)
        with in_words(self.path):
            ro = address.of(self.path, "mode=ro")
            db = sqlite3.connect(ro, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)
            try:
                self._check(db)
            except BaseException:
                db.close()
                raise
        return db

    def _file(self) -> tuple[int, int] | None:
        """Tell which file has the name now; one that is open still, though deleted, keeps its number for itself."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 - a third of the time of Path.stat
        except OSError:
            return None
        return found.st_dev, found.st_ino
