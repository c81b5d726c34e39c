"""The writing side: what was read goes into the database, a batch in one transaction.

`BEGIN IMMEDIATE` throughout: a deferred transaction that reads before it writes fails at once with "database
is locked" when another connection wrote in between, whatever the timeout.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlite_utils import Database

from nosend import standing
from nosend.errors import NosendError, StoreRefusedError, StoreUnavailableError
from nosend.model import Event, Kind, Sender
from nosend.store import rows
from nosend.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

    from nosend.model import Entry, Judged

_BUSY_SECONDS = 10.0
_OLDEST_SQLITE = (3, 37)  # STRICT tables
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
    """What a batch changed."""

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
    """The database, open for writing. Made with mode 0600 when it does not exist.

    Raises StoreRefusedError for a path that cannot be nosend's database, StoreUnavailableError when another
    process holds it for longer than ten seconds or the disk is full; nothing is half-written then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._create_file()
        with self._troubles():
            self._db = Database(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None))
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    # Set-up

    def _create_file(self) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreRefusedError(f"SQLite {sqlite3.sqlite_version} is too old: Python's must be 3.37 or later")
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except IsADirectoryError as error:
            raise StoreRefusedError(f"database {str(self._path)!r} is a folder: name a file in it") from error
        except FileNotFoundError as error:
            raise StoreRefusedError(f"database {str(self._path)!r}: its folder does not exist, make it first") from error
        except PermissionError as error:
            raise StoreRefusedError(f"database {str(self._path)!r}: this user may not write there") from error
        except OSError as error:
            raise StoreUnavailableError(f"database {str(self._path)!r} cannot be made: {error.strerror}") from error

    def _prepare(self) -> None:
        known = {migration.name for migration in migrations.pending(Database(memory=True))}
        applied = {migration.name for migration in migrations.applied(self._db)}
        if not applied and self._db.table_names():
            raise StoreRefusedError(f"database {str(self._path)!r} belongs to another program: name a file of its own")
        if applied - known:
            raise StoreRefusedError(
                f"database {str(self._path)!r} was written by a newer nosend: upgrade this one (pip install -U nosend)"
            )
        if self._db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            self._db.execute("PRAGMA journal_mode = WAL")
        if applied != known:
            with self._transaction():
                migrations.apply(self._db)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._db.conn
        with self._troubles():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise trouble(self._path, error) from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # What `service` needs

    def cursor(self, account: str, folder: str, origin: str, uidvalidity: int) -> Cursor:
        """Say how far a folder was read; from the start when it is another mailbox or another UIDVALIDITY."""
        with self._troubles():
            found = self._db.execute(
                "SELECT origin, uidvalidity, uid, in_hand, attempts FROM cursors WHERE account = ? AND folder = ?",
                (account, folder),
            ).fetchone()
        if found and found[:2] == (origin, uidvalidity):
            return Cursor(account, folder, *found)
        return Cursor(account, folder, origin, uidvalidity)

    def begin(self, cursor: Cursor, upto: int) -> None:
        """Count an attempt at the mails up to a UID, before they are judged, so that a crash counts as well."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO cursors (account, folder, origin, uidvalidity, uid, in_hand, attempts) VALUES (?, ?, ?, ?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET origin = excluded.origin, uidvalidity = excluded.uidvalidity,"
                " uid = excluded.uid, in_hand = max(excluded.in_hand, ?), attempts = ?",
                (cursor.account, cursor.folder, cursor.origin, cursor.uidvalidity, cursor.uid, upto, cursor.in_hand, cursor.attempts + 1),
            )

    def record(self, mails: Sequence[Judged], now: datetime, cursor: Cursor | None = None) -> Recorded:
        """Write down what was read and how far: ledger, events, entries, changes and cursor in one transaction.

        Doing it twice changes nothing: a mail is known by its place, a notice by its account, Message-ID (or
        SHA-256) and order id.
        """
        with self._transaction() as db:
            recorded = Recorded()
            for judged in mails:
                if _write_ledger_row(db, judged, now):
                    recorded += _first_seen(judged)
                event = _event(judged, now)
                if event and _write_event(db, event, judged.key):
                    added = _fold(db, event)
                    _log_changes(db, event.account, added, now)
                    actions = [action for action, _, _ in added]
                    recorded += Recorded(listed=actions.count("added"), renewed=actions.count("renewed"))
            if cursor:
                _write_cursor(db, cursor)
        return recorded

    def rebuild(self, now: datetime) -> tuple[int, int]:
        """Drop the entries and fold all events again. Gives how many entries there are, and how many differ.

        A difference is logged as a change, so that consumers of the changes stay in step.
        """
        with self._transaction() as db:
            db.execute("CREATE TEMP TABLE before AS SELECT * FROM entries")
            db.execute("DELETE FROM entries")
            for event in _events(db):
                _fold(db, event)
            differing = db.execute(_DIFFERENCE).fetchall()
            for action, kind, value, account in differing:
                _log_changes(db, account, [(action, kind, value)], now)
            db.execute("DROP TABLE before")
            (count,) = db.execute("SELECT count(*) FROM entries").fetchone()
        return count, len(differing)

    def round_done(self, account: str, now: datetime, trouble: str = "") -> None:
        """Remember how a mailbox fared: a success, or a trouble and since when it lasts."""
        at = rows.stamp(now)
        with self._transaction() as db:
            db.execute(
                "INSERT INTO rounds (account, finished_at, last_success_at, trouble, trouble_since)"
                " VALUES (:account, :at, iif(:trouble = '', :at, NULL), :trouble, iif(:trouble = '', NULL, :at))"
                " ON CONFLICT DO UPDATE SET finished_at = :at, trouble = :trouble,"
                " last_success_at = iif(:trouble = '', :at, last_success_at),"
                " trouble_since = iif(:trouble = '', NULL, coalesce(trouble_since, :at))",
                {"account": account, "at": at, "trouble": trouble},
            )


def trouble(path: Path, error: sqlite3.Error) -> NosendError:
    """Say in words what SQLite's error means for the user."""
    text, name = str(error), repr(str(path))
    if "locked" in text or "busy" in text:
        return StoreUnavailableError(f"database {name} is held by another process: try again later")
    if "full" in text or "I/O" in text:
        return StoreUnavailableError(f"database {name} cannot be written ({text}): make room, nothing was half-written")
    if "readonly" in text or "unable to open" in text:
        return StoreRefusedError(f"database {name}: this user may not write there ({text})")
    if isinstance(error, sqlite3.DatabaseError) and ("not a database" in text or "malformed" in text):
        return StoreRefusedError(f"database {name} is no SQLite database ({text}): name another file, or restore a backup")
    return StoreUnavailableError(f"database {name}: {text}")


# Rows


def _write_ledger_row(db: sqlite3.Connection, judged: Judged, now: datetime) -> bool:
    """Write the row of a mail; tell whether that mail was not yet known in that account."""
    place, verdict = judged.mail.place, judged.verdict
    known = db.execute("SELECT 1 FROM ledger WHERE key = ? AND account = ?", (judged.key, place.account)).fetchone()
    values = (
        place.account, place.folder, place.uidvalidity, place.uid,
        judged.key, judged.sha256, judged.mail.size,
        verdict.kind if verdict else SET_ASIDE, verdict.rule if verdict else "", verdict.version if verdict else 0,
        verdict.why if verdict else judged.trouble, judged.sender, judged.subject,
        judged.written_at and rows.stamp(judged.written_at), judged.mail.received_at and rows.stamp(judged.mail.received_at),
        rows.stamp(now),
    )  # fmt: skip
    db.execute(
        "INSERT INTO ledger (account, folder, uidvalidity, uid, key, sha256, size, verdict, rule, rule_version, why,"
        " sender, subject, written_at, received_at, read_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        # another mail at a known place: the mailbox was exchanged for one that counts its UIDs alike
        " ON CONFLICT (account, folder, uidvalidity, uid) WHERE uid IS NOT NULL DO UPDATE SET key = excluded.key,"
        " sha256 = excluded.sha256, size = excluded.size, verdict = excluded.verdict, rule = excluded.rule,"
        " rule_version = excluded.rule_version, why = excluded.why, sender = excluded.sender, subject = excluded.subject,"
        " written_at = excluded.written_at, received_at = excluded.received_at, read_at = excluded.read_at"
        " WHERE ledger.key != excluded.key"
        " ON CONFLICT (account, folder, sha256) WHERE uid IS NULL DO NOTHING",
        values,
    )
    if verdict is None or verdict.kind is Kind.SUSPECT:
        db.execute("INSERT OR IGNORE INTO kept (sha256, raw) VALUES (?, ?)", (judged.sha256, judged.mail.raw))
    return known is None


def _first_seen(judged: Judged) -> Recorded:
    return Recorded(
        suspects=int(judged.verdict is not None and judged.verdict.kind is Kind.SUSPECT),
        set_aside=int(judged.verdict is None),
    )


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


_EVENT_COLUMNS = "account, order_id, buyer, marketplace, source, why, opted_out_at, recorded_at"


def _write_event(db: sqlite3.Connection, event: Event, key: str) -> bool:
    done = db.execute(
        f"INSERT INTO events (key, {_EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",  # noqa: S608 - ours
        (key, event.account, event.order_id, event.buyer, event.marketplace, event.source, event.why,
         rows.stamp(event.opted_out_at), rows.stamp(event.recorded_at)),
    )  # fmt: skip
    return done.rowcount == 1


def _events(db: sqlite3.Connection) -> Iterator[Event]:
    for *values, opted_out_at, recorded_at in db.execute(f"SELECT {_EVENT_COLUMNS} FROM events ORDER BY id"):  # noqa: S608 - ours
        yield Event(*values, rows.moment(opted_out_at), rows.moment(recorded_at))


_ENTRY_COLUMNS = ", ".join(rows.COLUMNS)
_ENTRY_PLACES = ", ".join(f":{name}" for name in rows.COLUMNS)


def _fold(db: sqlite3.Connection, event: Event) -> list[tuple[str, str, str]]:
    """Fold an event into its entries; gives (action, kind, value) of each."""
    changes = []
    for kind, value in standing.keys(event):
        before = _entry(db, kind, value, event.account)
        after = standing.fold(before, event, (kind, value))
        db.execute(f"INSERT OR REPLACE INTO entries ({_ENTRY_COLUMNS}) VALUES ({_ENTRY_PLACES})", rows.row(after))  # noqa: S608 - ours
        changes.append(("renewed" if before else "added", kind, value))
    return changes


def _entry(db: sqlite3.Connection, kind: str, value: str, account: str) -> Entry | None:
    found = db.execute(
        f"SELECT {_ENTRY_COLUMNS} FROM entries WHERE value = ? AND kind = ? AND account = ?",  # noqa: S608 - ours
        (value, kind, account),
    ).fetchone()
    return rows.entry(found) if found else None


def _log_changes(db: sqlite3.Connection, account: str, changes: list[tuple[str, str, str]], now: datetime) -> None:
    db.executemany(
        "INSERT INTO change_log (at, action, kind, value, account) VALUES (?, ?, ?, ?, ?)",
        [(rows.stamp(now), action, kind, value, account) for action, kind, value in changes],
    )


def _write_cursor(db: sqlite3.Connection, cursor: Cursor) -> None:
    """Move a cursor; never back, if another run was further along."""
    db.execute(
        "INSERT INTO cursors (account, folder, origin, uidvalidity, uid, in_hand, attempts) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET uid = iif(origin = excluded.origin AND uidvalidity = excluded.uidvalidity,"
        " max(uid, excluded.uid), excluded.uid), origin = excluded.origin, uidvalidity = excluded.uidvalidity,"
        " in_hand = excluded.in_hand, attempts = excluded.attempts",
        (cursor.account, cursor.folder, cursor.origin, cursor.uidvalidity, cursor.uid, cursor.in_hand, cursor.attempts),
    )


_DIFFERENCE = """
    SELECT 'added', kind, value, account FROM entries e
    WHERE NOT EXISTS (SELECT 1 FROM before b WHERE b.value = e.value AND b.kind = e.kind AND b.account = e.account)
    UNION ALL
    SELECT 'removed', kind, value, account FROM before b
    WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE b.value = e.value AND b.kind = e.kind AND b.account = e.account)
    UNION ALL
    SELECT 'renewed', kind, value, account FROM (SELECT * FROM entries EXCEPT SELECT * FROM before) e
    WHERE EXISTS (SELECT 1 FROM before b WHERE b.value = e.value AND b.kind = e.kind AND b.account = e.account)
    ORDER BY 3, 2, 4
"""
