"""The list and its changes as they were at one moment, whatever is committed meanwhile. Standard library only."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from nosend.errors import UnknownChangeError
from nosend.store import rows
from nosend.store.blacklist import Blacklist
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from nosend.model import Entry

_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    """One numbered difference of the list, as the view `changes` shows it; `at` is RFC 3339, in UTC."""

    seq: int
    at: str
    action: str
    kind: str
    value: str
    account: str


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
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
            )
        try:
            with in_words(path):
                self._db.execute("BEGIN")
                self.seq, self._first, self.changed_at = self._db.execute(_POSITION).fetchone()
        except BaseException:
            self.close()
            raise

    def entries(self) -> Iterator[Entry]:
        """Go through all entries, ordered by value, kind and account."""
        with in_words(self._path):
            for row in self._db.execute(f"SELECT {_ENTRY} FROM blacklist e ORDER BY value, kind, account"):
                yield rows.entry(row)

    def changes(self, since: int, limit: int) -> list[Change]:
        """Give the first `limit` changes after number `since`, oldest first. Raises UnknownChangeError."""
        self._must_be_known(since)
        with in_words(self._path):
            return [Change(*row) for row in self._db.execute(_CHANGES, (since, limit))]

    def latest(self, since: int) -> Iterator[tuple[Change, Entry | None]]:
        """Give the last change of each entry that has changed since, by number, and what the entry is now, if it is.

        Raises UnknownChangeError, at once.
        """
        self._must_be_known(since)
        return self._latest(since)

    def _latest(self, since: int) -> Iterator[tuple[Change, Entry | None]]:
        with in_words(self._path):
            for row in self._db.execute(_LATEST, (since,)):
                change, entry = row[: len(_CHANGE)], row[len(_CHANGE) :]
                yield Change(*change), rows.entry(entry) if entry[0] else None

    def _must_be_known(self, since: int) -> None:
        """Refuse a number after which changes may be missing."""
        if since > self.seq:
            raise UnknownChangeError(
                f"there is no change {since}: the last of database {str(self._path)!r} is {self.seq}. Was the database "
                "replaced? Take the whole list (`nosend export`)"
            )
        if since < self._first - 1:
            raise UnknownChangeError(
                f"the changes after {since} are not kept any more: the log begins with {self._first}. Take the whole "
                "list (`nosend export`)"
            )

    def close(self) -> None:
        """End the transaction and close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_CHANGE = rows.columns(Change)
_ENTRY = ", ".join(f"e.{name}" for name in rows.COLUMNS)
# AUTOINCREMENT keeps the last number even when its change is not kept
_POSITION = """
    WITH last (seq) AS (SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change_log'), 0))
    SELECT seq, coalesce((SELECT min(seq) FROM changes), seq + 1), (SELECT at FROM changes WHERE seq = last.seq)
    FROM last
"""
_CHANGES = f"SELECT {', '.join(_CHANGE)} FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
# with max() SQLite takes the other columns from the row that has it
_LATEST = f"""
    SELECT c.*, {_ENTRY}
    FROM (
        SELECT max(seq) AS seq, at, action, kind, value, account
        FROM changes WHERE seq > ? GROUP BY value, kind, account
    ) c LEFT JOIN blacklist e ON e.value = c.value AND e.kind = c.kind AND e.account = c.account
    ORDER BY c.seq
"""
