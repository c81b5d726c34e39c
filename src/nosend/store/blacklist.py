"""The reading side: what mailers ask before each message. Standard library only, opens in a millisecond."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nosend import identifiers, permission
from nosend.errors import StoreRefusedError, StoreUnavailableError
from nosend.store import rows
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from nosend.model import Entry

_COLUMNS = ", ".join(rows.COLUMNS)
_BUSY_SECONDS = 10.0
_ANYTHING_READ = """
    SELECT EXISTS (SELECT 1 FROM ledger) OR EXISTS (SELECT 1 FROM rounds WHERE last_success_at IS NOT NULL)
"""


class Blacklist:
    """The blacklist in a database that nosend keeps; reads only, sees each commit of a running sync at once.

    Keys are order ids and buyer aliases in any spelling (`identifiers.parse_key`); anything else raises
    UnknownKeyError, since "not listed" would be false comfort. A file that is missing or not nosend's raises
    StoreRefusedError, one into which no mail was ever read StoreUnavailableError: never take an error for
    permission.
    """

    _must_have_been_read = True

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        if not self._path.is_file():
            what = "is not a file" if self._path.exists() else "does not exist"
            raise StoreRefusedError(f"database {str(path)!r} {what}: name the file that `nosend sync` writes")
        with in_words(self._path):
            self._db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            self._check_that_it_is_one()
        except BaseException:
            self.close()
            raise

    def _check_that_it_is_one(self) -> None:
        with in_words(self._path):
            self._db.execute("SELECT 1 FROM blacklist LIMIT 1")
            read = self._db.execute(_ANYTHING_READ).fetchone() == (1,)
        if self._must_have_been_read and not read:
            raise StoreUnavailableError(
                f"database {str(self._path)!r} is empty because no mail was ever read into it, "
                "which does not mean that messages may be sent: run `nosend sync`"
            )

    def check(self, key: str, purpose: str | None = None) -> permission.Decision:
        """Decide whether a message may be sent about this order or to this buyer.

        `purpose` is one of `permission.PURPOSES`; None counts as not critical.
        """
        permission.check_purpose(purpose)
        wanted = identifiers.parse_key(key)
        return permission.decide(wanted, self.entries(wanted), purpose)

    def entries(self, key: identifiers.Key) -> tuple[Entry, ...]:
        """Give the entries of one key, one for each account, oldest opt-out first."""
        return tuple(
            self._entries("WHERE value = ? AND kind = ? ORDER BY opted_out_at, account", (key.value, key.kind))
        )

    def blocked(self, keys: Iterable[str]) -> set[str]:
        """Give those of the keys, as they were written, that are on the list."""
        return {key for key in keys if key in self}

    def __contains__(self, key: str) -> bool:
        wanted = identifiers.parse_key(key)
        query = "SELECT 1 FROM blacklist WHERE value = ? AND kind = ?"
        with in_words(self._path):
            return self._db.execute(query, (wanted.value, wanted.kind)).fetchone() is not None

    def __iter__(self) -> Iterator[Entry]:
        """Go through all entries, ordered by value, kind and account."""
        return self._entries("ORDER BY value, kind, account", ())

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """Count the entries of each kind."""
        with in_words(self._path):
            found = self._db.execute("SELECT kind, count(*) FROM blacklist GROUP BY kind").fetchall()
        return {"order": 0, "buyer": 0, **dict(found)}

    def close(self) -> None:
        """Close the file; the blacklist cannot be asked any more."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _entries(self, clause: str, values: tuple[str, ...]) -> Iterator[Entry]:
        with in_words(self._path):
            for row in self._db.execute(f"SELECT {_COLUMNS} FROM blacklist {clause}", values):
                try:
                    entry = rows.entry(row)
                except (TypeError, ValueError) as error:  # a view of that name, with something else in it
                    raise StoreRefusedError(f"database {str(self._path)!r} is not nosend's ({error})") from error
                yield entry
