"""The list and its changes as they were at one moment, whatever is committed meanwhile. Standard library only."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Self

from nosend.entry import Change
from nosend.store import address, changelog, rows
from nosend.store.blacklist import Blacklist
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from nosend.entry import Entry

_BUSY_SECONDS = 10.0


class Snapshot:
    """One read transaction on a database; raises what `Blacklist` raises.

    `seq` is the number of the last change that is in it, 0 before the first; `changed_at` is when that was, None when
    the log does not hold it. Not to be kept open for long: as long as it is, SQLite's WAL grows.
    """

    def __init__(self, path: Path) -> None:
        Blacklist(path).close()  # refuses what is no list, and one into which nothing was read
        self._path = path
        with in_words(path):
            self._db = sqlite3.connect(
                address.of(path, "mode=ro"), uri=True, timeout=_BUSY_SECONDS, isolation_level=None
            )
        try:
            with in_words(path):
                self._db.execute("BEGIN")
                self.seq, self._first, self.changed_at = self._db.execute(changelog.POSITION).fetchone()
        except BaseException:
            self.close()
            raise

    def rows(self) -> Iterator[rows.Row]:
        """Go through all entries, ordered by value, kind and account, each as the plain values of its row."""
        with in_words(self._path):
            yield from self._db.execute(f"SELECT {_ENTRY} FROM blacklist e ORDER BY value, kind, account")

    def latest(self, since: int) -> Iterator[tuple[Change, Entry | None]]:
        """Give the last change of each entry that has changed since, by number, and what the entry is now, if it is.

        Raises UnknownChangeError, at once.
        """
        changelog.must_be_known(self._path, since, self._first, self.seq)
        return self._latest(since)

    def _latest(self, since: int) -> Iterator[tuple[Change, Entry | None]]:
        with in_words(self._path):
            for row in self._db.execute(_LATEST, (since,)):
                change, entry = row[: len(changelog.COLUMNS)], row[len(changelog.COLUMNS) :]
                yield rows.read(Change, change), rows.entry(entry) if entry[0] else None

    def close(self) -> None:
        """End the transaction and close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_ENTRY = ", ".join(f"e.{name}" for name in rows.COLUMNS)
# with max() SQLite takes the other columns from the row that has it
_LATEST = f"""
    SELECT c.*, {_ENTRY}
    FROM (
        SELECT max(seq) AS seq, at, action, kind, value, account
        FROM changes WHERE seq > ? GROUP BY value, kind, account
    ) c LEFT JOIN blacklist e ON e.value = c.value AND e.kind = c.kind AND e.account = c.account
    ORDER BY c.seq
"""
