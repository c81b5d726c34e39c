"""What `status`, `show` and `review` tell of the database. Reads only; standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nosend.store import rows
from nosend.store.blacklist import Blacklist
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.identifiers import Key


# suspects and set aside mails, but for those that were listed since, when their forwarder was trusted
_WAITING = """
    FROM ledger WHERE verdict IN ('suspect', 'set_aside')
    AND NOT EXISTS (SELECT 1 FROM events WHERE events.account = ledger.account AND events.key = ledger.key)
"""


@dataclass(frozen=True, slots=True)
class Round:
    """How one mailbox fared: times as text (RFC 3339, UTC), empty or None when there was none."""

    account: str
    finished_at: str | None
    last_success_at: str | None
    trouble: str
    trouble_since: str | None


@dataclass(frozen=True, slots=True)
class Notice:
    """One fact in the history of a key, with the mail it came in."""

    opted_out_at: str
    recorded_at: str
    account: str
    order_id: str
    buyer: str | None
    source: str
    why: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that a person should look at; `verdict` is `suspect` or `set_aside`."""

    id: int
    verdict: str
    written_at: str | None
    account: str
    folder: str
    uid: int | None
    sender: str
    subject: str
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Folder:
    """How far one folder was read."""

    account: str
    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class State:
    """How it is: mailboxes, folders, mails by account and verdict (in two folders counts once), entries by kind.

    `waiting` counts the mails a person should look at, by account.
    """

    mailboxes: tuple[Round, ...]
    folders: tuple[Folder, ...]
    mails: dict[str, dict[str, int]]
    waiting: dict[str, int]
    entries: dict[str, int]


class Overview(Blacklist):
    """The reading side with the tables behind the list; also of a database that is still empty."""

    _must_have_been_read = False

    def state(self) -> State:
        """Tell how it is."""
        rounds = self._query(f"SELECT {', '.join(rows.columns(Round))} FROM rounds ORDER BY account")
        folders = self._query(f"SELECT {', '.join(rows.columns(Folder))} FROM cursors ORDER BY account, folder")
        mails: dict[str, dict[str, int]] = {}
        for account, verdict, count in self._query(
            "SELECT account, verdict, count(DISTINCT key) FROM ledger GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            mails.setdefault(account, {})[verdict] = count
        waiting: dict[str, int] = {}
        for one in self.waiting():
            waiting[one.account] = waiting.get(one.account, 0) + 1
        return State(
            tuple(Round(*row) for row in rounds),
            tuple(Folder(*row) for row in folders),
            mails,
            waiting,
            self.counts(),
        )

    def never_read(self) -> tuple[str, ...]:
        """Give the accounts whose mailbox was never read to its end: what is not listed may stand there."""
        return tuple(
            name for (name,) in self._query("SELECT account FROM rounds WHERE last_success_at IS NULL ORDER BY 1")
        )

    def is_suspected(self, key: Key) -> bool:
        """Tell whether a mail that waits for a person names this key."""
        column = "' ' || buyer || ' '" if key.kind == "buyer" else "orders"
        return bool(self._query(f"SELECT 1 {_WAITING} AND instr({column}, ' ' || ? || ' ') LIMIT 1", key.value))

    def history(self, key: Key) -> tuple[Notice, ...]:
        """Give every notice that bears on a key, oldest first, with the places of its mail."""
        column = "order_id" if key.kind == "order" else "buyer"
        found = self._query(
            "SELECT opted_out_at, recorded_at, account, order_id, buyer, source, why, key FROM events"
            f" WHERE {column} = ? ORDER BY opted_out_at, id",
            key.value,
        )
        return tuple(Notice(*(*row[:-1], self._places(row[2], row[-1]))) for row in found)

    def waiting(self) -> Iterator[Waiting]:
        """Go through suspects and what was set aside, oldest first, each mail once."""
        found = self._query(
            "SELECT min(id), verdict, written_at, account, folder, uid, sender, subject, rule, why"
            f" {_WAITING} GROUP BY account, key ORDER BY written_at, id"
        )
        return (Waiting(*row) for row in found)

    def _places(self, account: str, key: str) -> tuple[str, ...]:
        found = self._query("SELECT folder, uid FROM ledger WHERE key = ? AND account = ? ORDER BY id", key, account)
        return tuple(folder if uid is None else f"{folder} UID {uid}" for folder, uid in found)

    def _query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with in_words(self._path):
            return self._db.execute(statement, values).fetchall()
