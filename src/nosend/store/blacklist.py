"""The reading side: what mailers ask before each message. Standard library only, opens in a millisecond."""

from __future__ import annotations

import os
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self

from nosend import identifiers, permission
from nosend.entry import Change
from nosend.errors import StoreRefusedError, StoreUnavailableError
from nosend.store import changelog, rows, version
from nosend.store.hashing import Names
from nosend.store.reader import Reader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from nosend.entry import Entry

_COLUMNS = ", ".join(rows.COLUMNS)
_OF_KEY = f"SELECT {_COLUMNS} FROM blacklist WHERE value = ? AND kind = ?"
_ALL = f"SELECT {_COLUMNS} FROM blacklist ORDER BY value, kind, account"
_AMONG = "SELECT value FROM blacklist WHERE value IN (SELECT value FROM json_each(?))"
_LATER = f"SELECT {', '.join(changelog.COLUMNS)} FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
_OLDEST_FIRST = itemgetter(rows.COLUMNS.index("opted_out_at"), rows.COLUMNS.index("account"))
_IS_LISTED = "SELECT 1 FROM blacklist WHERE value = ? AND kind = ? LIMIT 1"
_FINGERPRINT = "SELECT fingerprint FROM policy"
_AT_ONCE = 10_000  # keys and changes in one statement
_WHOLE = 4  # a look-up takes as long as reading so many entries in their order
_ANYTHING_READ = """
    SELECT EXISTS (SELECT 1 FROM ledger) OR EXISTS (SELECT 1 FROM rounds WHERE last_success_at IS NOT NULL)
"""


class Blacklist:
    """The blacklist in a database that nosend keeps; reads only, sees each commit of a running sync at once.

    Keys are order ids and buyer aliases in any spelling (`identifiers.parse_key`); anything else raises
    UnknownKeyError, since "not listed" would be false comfort. A file that is missing or not nosend's raises
    StoreRefusedError, one into which no mail was ever read StoreUnavailableError: never take an error for
    permission.

    One object serves all threads of a process, and the workers that it forks. When another file has taken the place of
    the database (a backup was restored), questions go to that one, a hundredth of a second later at most.
    """

    _must_have_been_read = True

    def __init__(self, path: str | Path) -> None:
        self._path = os.fspath(path)
        self._reader = Reader(self._path, self._check_that_it_is_one)

    def _check_that_it_is_one(self, db: sqlite3.Connection) -> None:
        db.execute("SELECT 1 FROM blacklist LIMIT 1")
        version.refuse_newer(self._path, db)
        can_hash = version.of(db) >= version.WITH_HASHES
        self._names = Names(self._path, db.execute(_FINGERPRINT).fetchone()[0] if can_hash else None)
        if self._must_have_been_read and db.execute(_ANYTHING_READ).fetchall() != [(1,)]:
            raise StoreUnavailableError(
                f"database {self._path!r} cannot answer yet, for no mail was ever read into it: "
                "who is not on its list may have opted out. Run `nosend sync`"
            )

    def check(self, key: str, purpose: str | None = None) -> permission.Decision:
        """Decide whether a message may be sent about this order or to this buyer.

        `purpose` is one of `permission.PURPOSES`; None counts as not critical.
        """
        wanted = identifiers.parse_key(key)
        return permission.decide(wanted, self.entries(wanted), purpose)

    def entries(self, key: identifiers.Key) -> tuple[Entry, ...]:
        """Give the entries of one key, one for each account, oldest opt-out first."""
        found = self._of_key(_OF_KEY, key)
        if len(found) > 1:  # sorted here: SQLite takes as long to begin a sort as to find the row
            found.sort(key=_OLDEST_FIRST)
        return tuple([self._entry(row) for row in found]) if found else ()

    def blocked(self, keys: Iterable[str]) -> set[str]:
        """Give those of the keys, as they were written, that are on the list.

        Made for a million at once: many keys cost one reading of the list; no more of it is held than keys are asked.
        """
        asked = list(keys)
        while True:
            names = self._names
            listed = self._blocked(asked, names)
            if self._are_current(names):
                return listed

    def _blocked(self, asked: list[str], names: Names) -> set[str]:
        if not names.are_hashes and identifiers.are_plain(asked):
            return self._listed(asked)
        written: dict[str, list[str]] = {}
        for key in asked:
            written.setdefault(names.kept(identifiers.parse_key(key).value), []).append(key)
        return set(chain.from_iterable(written[value] for value in self._listed([*written])))

    def _listed(self, values: list[str]) -> set[str]:
        limit = len(values) * _WHOLE
        ((entries,),) = self._query("SELECT count(*) FROM (SELECT 1 FROM entries LIMIT ?)", limit)
        if entries < limit:
            listed = chain.from_iterable(self._reader.walk("SELECT value FROM blacklist"))
            return set(listed).intersection(values) if entries < len(values) else set(values).intersection(listed)
        ordered = sorted({*values})  # neighbours lie on the same pages
        import json  # noqa: PLC0415 - loading it takes as long as a hundred answers

        parts = (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))
        return {value for part in parts for (value,) in self._query(_AMONG, json.dumps(part))}

    def changes(self, since: int = 0) -> Iterator[Change]:
        """Go through the changes of the list after the one numbered `since`, oldest first; 0: all of them.

        Who keeps the `seq` of the last one and asks from there misses none. Raises UnknownChangeError, at once, when
        the changes after `since` are not known, or not any more.
        """
        ((last, first, _),) = self._query(changelog.POSITION)
        changelog.must_be_known(self._path, since, first, last)
        return self._changes(since)

    def _changes(self, since: int) -> Iterator[Change]:
        while found := self._query(_LATER, since, _AT_ONCE):
            yield from (rows.read(Change, row) for row in found)
            since = found[-1][0]

    def __contains__(self, key: str) -> bool:
        return bool(self._of_key(_IS_LISTED, identifiers.parse_key(key)))

    def __iter__(self) -> Iterator[Entry]:
        """Go through all entries as they are now, ordered by value, kind and account."""
        return map(self._entry, self._reader.walk(_ALL))

    def rows(self) -> Iterator[rows.Row]:
        """Go through all entries as `__iter__` does, each as the plain values of its row."""
        return self._reader.walk(_ALL)

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """Count the entries of each kind."""
        found = self._query("SELECT kind, count(*) FROM blacklist GROUP BY kind")
        return {"order": 0, "buyer": 0, **dict(found)}

    def close(self) -> None:
        """Close the file; the blacklist cannot be asked any more."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _of_key(self, statement: str, key: identifiers.Key) -> list[tuple[Any, ...]]:
        """Ask about a key by the name by which it is kept at that moment."""
        kind, value = key
        if kind == "order":
            return self._reader.query(statement, value, kind)
        while True:
            names = self._names
            found = self._reader.query(statement, names.kept(value), kind)
            if found or self._are_current(names):
                return found

    def _are_current(self, names: Names) -> bool:
        """Tell whether buyers are kept by these names still; another process may begin to keep hashes."""
        if self._names.fingerprint is None and self._query("PRAGMA user_version")[0][0] < version.WITH_HASHES:
            now = None
        else:
            ((now,),) = self._query(_FINGERPRINT)
        if self._names.fingerprint != now:
            self._names = Names(self._path, now)
        return names.fingerprint == now

    def _query(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        return self._reader.query(statement, *values)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        try:
            return rows.entry(row)
        except (TypeError, ValueError) as error:  # a view of that name, with something else in it
            raise StoreRefusedError(f"database {self._path!r} is not nosend's ({error})") from error
