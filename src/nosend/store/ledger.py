"""The writing side: what was read goes into the database, a batch in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Self

from nosend.model import Action, Authenticity, Event, Kind, Mail, Place, Sender
from nosend.store import entries, file, keeping, rows, told
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType

    from nosend.model import Judged
    from nosend.store.told import Condition


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder was read.

    `origin` is the mailbox (user and host) that the UIDs belong to. `attempts` counts how often a batch up to
    UID `in_hand` was begun and not finished: a mail in it may kill the process. `last_uid` is the highest UID that the
    folder may hold, 0 when the server does not tell.
    """

    account: str
    folder: str
    origin: str
    uidvalidity: int
    uid: int = 0
    in_hand: int = 0
    attempts: int = 0
    last_uid: int = 0


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

        Doing it twice changes nothing: a mail is known by its place, a notice by its mailbox, Message-ID (or
        SHA-256) and order id. What a person decided about a mail stands.
        """
        with file.transaction(self._path, self._db) as db:
            recorded = Recorded()
            for found in mails:
                judged = _as_known(db, found)
                if _write_ledger_row(db, judged, now):
                    recorded += _for_a_person(judged)
                recorded += _write_opt_outs(db, judged, now)
            if cursor:
                db.execute(_PUT_CURSOR, rows.values(cursor))
        return recorded

    def stale(self, account: str, judged_by: str) -> tuple[int, ...]:
        """Give those waiting mails of a mailbox that were judged by something else, and whose bytes are kept.

        A mail that no attempt got through, `rows.TRIES` times, is left out until something changes again.
        """
        with in_words(self._path):
            found = self._db.execute(_STALE, (account, judged_by, judged_by, rows.TRIES)).fetchall()
        return tuple(ident for (ident,) in found)

    def begin_again(self, ident: int, judged_by: str) -> Mail:
        """Count an attempt at a waiting mail and its copies in the mailbox, before it is judged, and give it."""
        with file.transaction(self._path, self._db) as db:
            db.execute(
                f"UPDATE ledger SET tries = iif(trying = :by, tries + 1, 1), trying = :by WHERE {_SAME_BYTES}",
                {"by": judged_by, "id": ident},
            )
            return _mail(db, ident)

    def record_again(self, ident: int, judged: Judged, now: datetime) -> Recorded:
        """Write down what a waiting mail is now, in one transaction; its other copies in the mailbox with it.

        One that cannot be judged any more stays what it was.
        """
        with file.transaction(self._path, self._db) as db:
            found = _as_known(db, judged)
            row = _verdict_row(found) if found.verdict else {"judged_by": found.judged_by}
            changes = ", ".join(f"{name} = :{name}" for name in row)
            db.execute(
                f"UPDATE ledger SET {changes}, trying = '', tries = 0 WHERE {rows.WAITS} AND {_SAME_BYTES}",
                {**row, "id": ident},
            )
            return _write_opt_outs(db, found, now)

    def passed_over(self, cursor: Cursor, judged_by: str) -> tuple[int, ...]:
        """Give the newest mails of a folder in which other rules knew no cause: their UIDs, at most 1,000.

        Nothing of them is kept: to judge them again they have to be read again.
        """
        told = {**rows.values(cursor), "judged_by": judged_by}
        with in_words(self._path):
            found = self._db.execute(_PASSED_OVER, told).fetchall()
        return tuple(sorted(uid for (uid,) in found))

    def begin_passed_over(self, cursor: Cursor, uids: Sequence[int], judged_by: str) -> None:
        """Count an attempt at mails that were passed over, before they are read again and judged."""
        told = {**rows.values(cursor), "judged_by": judged_by}
        with file.transaction(self._path, self._db) as db:
            db.executemany(_TRY_PASSED_OVER, ({**told, "uid": uid} for uid in uids))

    def rebuild(self, now: datetime) -> tuple[int, int]:
        """Drop the entries and fold all events again. Gives how many entries there are, and how many differ.

        A difference is logged as a change, so that consumers of the changes stay in step.
        """
        with file.transaction(self._path, self._db) as db:
            return entries.rebuild(db, now)

    def expire(self, now: datetime, age: timedelta, size: int) -> int:
        """Drop kept bytes that are older than `age`, and the oldest over `size` bytes in all.

        First those that a person or a later judgement has dealt with. Gives how many of the others had to go.
        """
        with file.transaction(self._path, self._db) as db:
            return keeping.expire(db, now, age, size)

    def round_begun(self, account: str) -> None:
        """Remember that there is such a mailbox, which may not have been read to its end yet."""
        with file.transaction(self._path, self._db) as db:
            db.execute("INSERT INTO rounds (account, trouble) VALUES (?, '') ON CONFLICT DO NOTHING", (account,))

    def round_done(self, account: str, now: datetime, trouble: str = "") -> None:
        """Remember how a mailbox fared: a success, or a trouble and since when it lasts."""
        with file.transaction(self._path, self._db) as db:
            db.execute(_PUT_ROUND, {"account": account, "at": rows.stamp(now), "trouble": trouble})

    def told(self) -> tuple[Condition, ...]:
        """Give what `on_change_command` was told and is not over."""
        with in_words(self._path):
            return told.read(self._db)

    def tell(self, condition: Condition, *, over: bool = False) -> None:
        """Remember that `on_change_command` was told a condition, or that it is over."""
        with file.transaction(self._path, self._db) as db:
            (told.forget if over else told.write)(db, condition)


def _as_known(db: sqlite3.Connection, judged: Judged) -> Judged:
    """See to it that the same bytes in one mailbox are known by one key.

    A mail that was set aside is known by its bytes, until a later nosend can read its Message-ID. What was said of it
    before stands: nothing that a person decided comes back, nothing counts twice.
    """
    same = (judged.mail.place.account, judged.sha256)
    found = db.execute(_KNOWN_KEY, same).fetchone() if judged.mail.raw else None
    key, is_said = found or (judged.key, False)
    if is_said or judged.verdict is None:
        return replace(judged, key=key)
    if key != judged.key:
        db.execute("UPDATE ledger SET key = ? WHERE account = ? AND sha256 = ?", (judged.key, *same))
    return judged


def _write_ledger_row(db: sqlite3.Connection, judged: Judged, now: datetime) -> bool:
    """Write the row of a mail, and its bytes if a person may want them; tell whether the mail is new to the mailbox."""
    mail, verdict = judged.mail, judged.verdict
    known = db.execute(
        "SELECT 1 FROM ledger WHERE key = ? AND account = ?", (judged.key, mail.place.account)
    ).fetchone()
    row = {
        **rows.values(mail.place),
        **_verdict_row(judged),
        "sha256": judged.sha256,
        "size": mail.size,
        "received_at": mail.received_at and rows.stamp(mail.received_at),
        "read_at": rows.stamp(now),
    }
    columns = ", ".join(row)
    changes = f"DO UPDATE SET ({columns}) = ({', '.join(f'excluded.{name}' for name in row)})"
    db.execute(
        f"INSERT INTO ledger ({columns}) VALUES ({entries.places(row)})"
        # another mail at a known place: the mailbox was exchanged for one that counts its UIDs alike
        f" ON CONFLICT (account, folder, uidvalidity, uid) WHERE uid IS NOT NULL {changes}"
        f" WHERE ledger.key != excluded.key OR {_READ_AT_LAST} OR {_JUDGED_AGAIN}"
        # the same file again, by other rules or with other trust
        f" ON CONFLICT (account, folder, sha256) WHERE uid IS NULL {changes}"
        " WHERE ledger.judged_by != excluded.judged_by",
        row,
    )
    if verdict is None or verdict.kind is Kind.SUSPECT:
        kept = (judged.sha256, mail.raw, rows.stamp(now))
        db.execute("INSERT OR IGNORE INTO kept (sha256, raw, kept_at) VALUES (?, ?, ?)", kept)
    return known is None


def _verdict_row(judged: Judged) -> dict[str, str | int | None]:
    """Write what was found in a mail, as columns of the ledger."""
    verdict = judged.verdict
    return {
        "key": judged.key,
        "verdict": verdict.kind if verdict else rows.SET_ASIDE,
        "rule": verdict.rule if verdict else "",
        "rule_version": verdict.version if verdict else 0,
        "why": verdict.why if verdict else judged.trouble,
        "orders": " ".join(["", *verdict.orders, ""]) if verdict else "",
        "buyer": verdict.buyer if verdict else None,
        "marketplace": verdict.marketplace if verdict else None,
        "sender": judged.sender,
        "subject": judged.subject,
        "written_at": rows.stamp(judged.written_at) if judged.written_at else None,
        "seller": judged.account or judged.mail.place.account,
        "sent_by": verdict.sender if verdict else Sender.OTHER,
        "authenticity": verdict.authenticity if verdict else Authenticity.UNKNOWN,
        "judged_by": judged.judged_by,
    }


def _mail(db: sqlite3.Connection, ident: int) -> Mail:
    account, folder, uidvalidity, uid, received_at, size, raw = db.execute(_KEPT_MAIL, (ident,)).fetchone()
    received = datetime.fromisoformat(received_at) if received_at else None
    return Mail(raw, Place(account, folder, uidvalidity, uid), received, size)


def _for_a_person(judged: Judged) -> Recorded:
    if judged.verdict is None:
        return Recorded(set_aside=1)
    return Recorded(suspects=int(judged.verdict.kind is Kind.SUSPECT))


def _write_opt_outs(db: sqlite3.Connection, judged: Judged, now: datetime) -> Recorded:
    """Write the events of a mail and fold them; of a mail that a person decided about nothing is written."""
    verdict, mail = judged.verdict, judged.mail
    recorded = Recorded()
    if verdict is None or not verdict.opt_outs or entries.is_decided(db, mail.place.account, judged.key):
        return recorded
    now = now.replace(microsecond=0)  # as the database keeps it, so that `rebuild` folds the same
    for one in verdict.opt_outs:
        event = Event(
            mailbox=mail.place.account,
            key=judged.key,
            account=one.account or mail.place.account,
            action=Action.OPT_OUT,
            order_id=one.order_id,
            buyer=one.buyer,
            marketplace=one.marketplace,
            source="forward" if verdict.sender is Sender.FORWARDER else "notice",
            why=f"{verdict.rule}: {verdict.why}",
            opted_out_at=one.written_at or judged.written_at or now,
            recorded_at=now,
        )
        if entries.write_event(db, event):
            added, renewed = entries.fold(db, event, now)
            recorded += Recorded(listed=added, renewed=renewed)
    return recorded


_READ_AT_LAST = f"(ledger.verdict = '{rows.SET_ASIDE}' AND excluded.verdict != '{rows.SET_ASIDE}')"
_JUDGED_AGAIN = f"(ledger.rule = '{rows.PASSED_OVER}' AND ledger.judged_by != excluded.judged_by)"
_IN_FOLDER = "account = :account AND folder = :folder AND uidvalidity = :uidvalidity"
_PASSED_OVER = f"""
    SELECT uid FROM ledger WHERE {_IN_FOLDER} AND uid IS NOT NULL AND rule = '{rows.PASSED_OVER}'
    AND judged_by != :judged_by AND NOT (trying = :judged_by AND tries >= {rows.TRIES}) ORDER BY uid DESC LIMIT 1000
"""
_TRY_PASSED_OVER = f"""
    UPDATE ledger SET tries = iif(trying = :judged_by, tries + 1, 1), trying = :judged_by
    WHERE {_IN_FOLDER} AND uid = :uid
"""
_CURSOR = rows.columns(Cursor)
_PUT_CURSOR = f"INSERT OR REPLACE INTO cursors ({', '.join(_CURSOR)}) VALUES ({entries.places(_CURSOR)})"
_PUT_ROUND = """
    INSERT INTO rounds (account, finished_at, last_success_at, trouble, trouble_since)
    VALUES (:account, :at, iif(:trouble = '', :at, NULL), :trouble, iif(:trouble = '', NULL, :at))
    ON CONFLICT DO UPDATE SET
        finished_at = :at,
        trouble = :trouble,
        last_success_at = iif(:trouble = '', :at, last_success_at),
        trouble_since = iif(:trouble = '', NULL, coalesce(trouble_since, :at))
"""
_SAME_BYTES = "(account, sha256) = (SELECT account, sha256 FROM ledger WHERE id = :id)"
_KNOWN_KEY = """
    SELECT key, EXISTS (SELECT 1 FROM events WHERE events.mailbox = ledger.account AND events.key = ledger.key) AS said
    FROM ledger WHERE account = ? AND sha256 = ? ORDER BY said DESC, id LIMIT 1
"""
# of a set-aside mail without bytes there is nothing to judge
_STALE = f"""
    SELECT min(ledger.id) FROM ledger JOIN kept USING (sha256)
    WHERE {rows.WAITS} AND account = ? AND judged_by != ? AND length(raw) > 0
    AND NOT (trying = ? AND tries >= ?)
    GROUP BY sha256 ORDER BY 1
"""
_KEPT_MAIL = """
    SELECT account, folder, uidvalidity, uid, received_at, size, raw FROM ledger JOIN kept USING (sha256) WHERE id = ?
"""
