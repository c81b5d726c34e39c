"""The writing side: what was read goes into the database, a batch in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from nosend import standing
from nosend.model import Event, Kind, Sender
from nosend.store import file, rows
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from nosend.model import Judged

SET_ASIDE = "set_aside"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder was read.

    `origin` is the mailbox (user and host) that the UIDs belong to. `attempts` counts how often a batch up to
    UID `in_hand` was begun and not finished: a mail in it may kill the process.
    """

    account: str
    folder: str
    origin: str
    uidvalidity: int
    uid: int = 0
    in_hand: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch changed: entries added and renewed, mails for a person to look at."""

    listed: int = 0
    renewed: int = 0
    suspects: int = 0
    set_aside: int = 0

    def __add__(self, other: Recorded) -> Recorded:
        """Add up two batches."""
        return Recorded(
            self.listed + other.listed,
            self.renewed + other.renewed,
            self.suspects + other.suspects,
            self.set_aside + other.set_aside,
        )


class Ledger:
    """The database, open for writing; see `file.open_for_writing` for what can go wrong.

    Every method is one transaction, and raises StoreUnavailableError with nothing written when the database is
    held by another process or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = file.open_for_writing(path)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cursor(self, account: str, folder: str, origin: str, uidvalidity: int) -> Cursor:
        """Say how far a folder was read; from the start when it is another mailbox or another UIDVALIDITY."""
        with in_words(self._path):
            found = self._db.execute(
                "SELECT origin, uidvalidity, uid, in_hand, attempts FROM cursors WHERE account = ? AND folder = ?",
                (account, folder),
            ).fetchone()
        if found and found[:2] == (origin, uidvalidity):
            return Cursor(account, folder, *found)
        return Cursor(account, folder, origin, uidvalidity)

    def begin(self, cursor: Cursor, upto: int) -> None:
        """Count an attempt at the mails up to a UID, before they are judged, so that a crash counts as well."""
        begun = rows.values(cursor) | {"in_hand": max(upto, cursor.in_hand), "attempts": cursor.attempts + 1}
        with file.transaction(self._path, self._db) as db:
            db.execute(_PUT_CURSOR, begun)

    def record(self, mails: Sequence[Judged], now: datetime, cursor: Cursor | None = None) -> Recorded:
        """Write down what was read and how far: ledger, events, entries, changes and cursor in one transaction.

        Doing it twice changes nothing: a mail is known by its place, a notice by its account, Message-ID (or
        SHA-256) and order id.
        """
        with file.transaction(self._path, self._db) as db:
            recorded = Recorded()
            for judged in mails:
                if _write_ledger_row(db, judged, now):
                    recorded += _for_a_person(judged)
                event = _event(judged, now)
                if event and _write_event(db, event, judged.key):
                    recorded += _fold(db, event, now)
            if cursor:
                db.execute(_PUT_CURSOR, rows.values(cursor))
        return recorded

    def rebuild(self, now: datetime) -> tuple[int, int]:
        """Drop the entries and fold all events again. Gives how many entries there are, and how many differ.

        A difference is logged as a change, so that consumers of the changes stay in step.
        """
        with file.transaction(self._path, self._db) as db:
            db.execute("CREATE TEMP TABLE before AS SELECT * FROM entries")
            db.execute("DELETE FROM entries")
            for event in _events(db):
                _fold(db, event, None)
            differing = db.execute(_DIFFERENCE).fetchall()
            for change in differing:
                _log_change(db, now, *change)
            db.execute("DROP TABLE before")
            (count,) = db.execute("SELECT count(*) FROM entries").fetchone()
        return count, len(differing)

    def round_begun(self, account: str) -> None:
        """Remember that there is such a mailbox, which may not have been read to its end yet."""
        with file.transaction(self._path, self._db) as db:
            db.execute("INSERT INTO rounds (account, trouble) VALUES (?, '') ON CONFLICT DO NOTHING", (account,))

    def round_done(self, account: str, now: datetime, trouble: str = "") -> None:
        """Remember how a mailbox fared: a success, or a trouble and since when it lasts."""
        with file.transaction(self._path, self._db) as db:
            db.execute(_PUT_ROUND, {"account": account, "at": rows.stamp(now), "trouble": trouble})


def _write_ledger_row(db: sqlite3.Connection, judged: Judged, now: datetime) -> bool:
    """Write the row of a mail, and its bytes if a person may want them; tell whether the mail is new to the account."""
    mail, verdict = judged.mail, judged.verdict
    known = db.execute(
        "SELECT 1 FROM ledger WHERE key = ? AND account = ?", (judged.key, mail.place.account)
    ).fetchone()
    row = {
        **rows.values(mail.place),
        "key": judged.key,
        "sha256": judged.sha256,
        "size": mail.size,
        "verdict": verdict.kind if verdict else SET_ASIDE,
        "rule": verdict.rule if verdict else "",
        "rule_version": verdict.version if verdict else 0,
        "why": verdict.why if verdict else judged.trouble,
        "orders": " ".join(["", *verdict.orders, ""]) if verdict else "",
        "buyer": verdict.buyer if verdict else None,
        "sender": judged.sender,
        "subject": judged.subject,
        "written_at": judged.written_at and rows.stamp(judged.written_at),
        "received_at": mail.received_at and rows.stamp(mail.received_at),
        "read_at": rows.stamp(now),
    }
    columns = ", ".join(row)
    db.execute(
        f"INSERT INTO ledger ({columns}) VALUES ({_places(row)})"
        # another mail at a known place: the mailbox was exchanged for one that counts its UIDs alike
        f" ON CONFLICT (account, folder, uidvalidity, uid) WHERE uid IS NOT NULL DO UPDATE SET ({columns}) ="
        f" ({', '.join(f'excluded.{name}' for name in row)}) WHERE ledger.key != excluded.key"
        " ON CONFLICT (account, folder, sha256) WHERE uid IS NULL DO NOTHING",
        row,
    )
    if verdict is None or verdict.kind is Kind.SUSPECT:
        db.execute("INSERT OR IGNORE INTO kept (sha256, raw) VALUES (?, ?)", (judged.sha256, mail.raw))
    return known is None


def _for_a_person(judged: Judged) -> Recorded:
    if judged.verdict is None:
        return Recorded(set_aside=1)
    return Recorded(suspects=int(judged.verdict.kind is Kind.SUSPECT))


def _event(judged: Judged, now: datetime) -> Event | None:
    verdict = judged.verdict
    if verdict is None or verdict.kind is not Kind.OPT_OUT:
        return None
    return Event(
        account=judged.mail.place.account,
        order_id=verdict.orders[0],
        buyer=verdict.buyer,
        marketplace=verdict.marketplace,
        source="forward" if verdict.sender is Sender.FORWARDER else "notice",
        why=f"{verdict.rule}: {verdict.why}",
        opted_out_at=judged.written_at or now,
        recorded_at=now,
    )


def _write_event(db: sqlite3.Connection, event: Event, key: str) -> bool:
    row = {"key": key, **rows.values(event)}
    done = db.execute(f"INSERT INTO events ({', '.join(row)}) VALUES ({_places(row)}) ON CONFLICT DO NOTHING", row)
    return done.rowcount == 1


def _events(db: sqlite3.Connection) -> Iterator[Event]:
    columns = ", ".join(rows.columns(Event))
    return (rows.read(Event, row) for row in db.execute(f"SELECT {columns} FROM events ORDER BY id"))


def _fold(db: sqlite3.Connection, event: Event, now: datetime | None) -> Recorded:
    """Fold an event into its entries; with `now` the changes are logged."""
    recorded = Recorded()
    for key in standing.keys(event):
        found = db.execute(_GET_ENTRY, (*key, event.account)).fetchone()
        before = rows.entry(found) if found else None
        db.execute(_PUT_ENTRY, rows.values(standing.fold(before, event, key)))
        if now:
            _log_change(db, now, "renewed" if before else "added", *key, event.account)
        recorded += Recorded(renewed=1) if before else Recorded(listed=1)
    return recorded


def _log_change(db: sqlite3.Connection, now: datetime, *change: str) -> None:
    """Log (action, kind, value, account)."""
    db.execute(
        "INSERT INTO change_log (at, action, kind, value, account) VALUES (?, ?, ?, ?, ?)",
        (rows.stamp(now), *change),
    )


def _places(names: Iterable[str]) -> str:
    return ", ".join(f":{name}" for name in names)


_GET_ENTRY = f"SELECT {', '.join(rows.COLUMNS)} FROM entries WHERE kind = ? AND value = ? AND account = ?"
_PUT_ENTRY = f"INSERT OR REPLACE INTO entries ({', '.join(rows.COLUMNS)}) VALUES ({_places(rows.COLUMNS)})"
_PUT_CURSOR = (
    f"INSERT OR REPLACE INTO cursors ({', '.join(rows.columns(Cursor))}) VALUES ({_places(rows.columns(Cursor))})"
)
_PUT_ROUND = """
    INSERT INTO rounds (account, finished_at, last_success_at, trouble, trouble_since)
    VALUES (:account, :at, iif(:trouble = '', :at, NULL), :trouble, iif(:trouble = '', NULL, :at))
    ON CONFLICT DO UPDATE SET
        finished_at = :at,
        trouble = :trouble,
        last_success_at = iif(:trouble = '', :at, last_success_at),
        trouble_since = iif(:trouble = '', NULL, coalesce(trouble_since, :at))
"""
_SAME = "b.value = e.value AND b.kind = e.kind AND b.account = e.account"
_DIFFERENCE = f"""
    SELECT 'added', kind, value, account FROM entries e WHERE NOT EXISTS (SELECT 1 FROM before b WHERE {_SAME})
    UNION ALL
    SELECT 'removed', kind, value, account FROM before b WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE {_SAME})
    UNION ALL
    SELECT 'renewed', kind, value, account FROM (SELECT * FROM entries EXCEPT SELECT * FROM before) e
    WHERE EXISTS (SELECT 1 FROM before b WHERE {_SAME})
    ORDER BY 3, 2, 4
"""
