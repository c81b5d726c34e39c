"""The writing side: what was read goes into the database, a batch in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from nosend.store import converting, entries, file, hashing, keeping, passed, recording, rows, settled, told, wiping
from nosend.store.recording import Recorded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from pathlib import Path
    from types import TracebackType

    from nosend.model import Judged, Mail, Notice, Place
    from nosend.store.told import Condition


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder was read.

    `origin` is the mailbox (user and host) that the UIDs belong to. `attempts` counts how often a batch up to
    UID `in_hand` was begun and not finished: a mail in it may kill the process. `last_uid` is the highest UID that the
    folder may hold, 0 when the server does not tell. `since` is the day (ISO 8601) from which on mails are looked at in
    a first look that is not through, else empty. `modseq` is what the server told when the folder was read to its end,
    where it tells no next UID.
    """

    account: str
    folder: str
    origin: str
    uidvalidity: int
    uid: int = 0
    in_hand: int = 0
    attempts: int = 0
    last_uid: int = 0
    since: str = ""
    modseq: int = 0


class Ledger:
    """The database, open for writing; see `file.open_for_writing` for what can go wrong. Threads may share it.

    Every method is one transaction, and raises StoreUnavailableError with nothing written when the database is
    held by another process or the disk is full.
    """

    def __init__(self, path: Path, patience: float = file.BUSY_SECONDS) -> None:
        """`patience` is how many seconds another process's transaction is waited for."""
        self._path = path
        self._db = file.open_for_writing(path, patience)
        self._inode = path.stat().st_ino

    def close(self) -> None:
        """Close the database, after the transaction of another thread."""
        with self._db.lock:
            self._db.close()

    def is_in_place(self) -> bool:
        """Tell whether the file that is open still is the one of that name: else nobody reads what is written."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cursor(self, account: str, folder: str, origin: str, uidvalidity: int) -> Cursor:
        """Say how far a folder was read; from the start when it is another mailbox or another UIDVALIDITY."""
        with file.reading(self._path, self._db) as db:
            found = db.execute(
                f"SELECT {', '.join(_CURSOR[2:])} FROM cursors WHERE account = ? AND folder = ?", (account, folder)
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
            recorded, names = Recorded(), converting.names(self._path, db)
            for found in mails:
                judged = recording.as_kept(recording.as_known(db, found), names)
                if recording.write_row(db, judged, now, with_bytes=not names.are_hashes):
                    recorded += recording.for_a_person(judged)
                recorded += recording.write_opt_outs(db, judged, now)
            if cursor:
                db.execute(_PUT_CURSOR, rows.values(cursor))
        return recorded

    def stale(self, account: str, judged_by: str) -> tuple[int, ...]:
        """Give those waiting mails of a mailbox that were judged by something else, and whose bytes are kept.

        A mail that no attempt got through, `rows.TRIES` times, is left out until something changes again.
        """
        with file.reading(self._path, self._db) as db:
            found = db.execute(_STALE, (account, judged_by, judged_by, rows.TRIES)).fetchall()
        return tuple(ident for (ident,) in found)

    def begin_again(self, ident: int, judged_by: str) -> Mail:
        """Count an attempt at a waiting mail and its copies in the mailbox, before it is judged, and give it."""
        with file.transaction(self._path, self._db) as db:
            db.execute(
                f"UPDATE ledger SET tries = iif(trying = :by, tries + 1, 1), trying = :by WHERE {_SAME_BYTES}",
                {"by": judged_by, "id": ident},
            )
            return recording.kept_mail(db, ident)

    def record_again(self, ident: int, judged: Judged, now: datetime) -> Recorded:
        """Write down what a waiting mail is now, in one transaction; its other copies in the mailbox with it.

        One that cannot be judged any more stays what it was.
        """
        with file.transaction(self._path, self._db) as db:
            found = recording.as_kept(recording.as_known(db, judged), converting.names(self._path, db))
            row = recording.verdict_row(found) if found.verdict else {"judged_by": found.judged_by}
            changes = ", ".join(f"{name} = :{name}" for name in row)
            db.execute(
                f"UPDATE ledger SET {changes}, trying = '', tries = 0 WHERE {rows.WAITS} AND {_SAME_BYTES}",
                {**row, "id": ident},
            )
            return recording.write_opt_outs(db, found, now)

    def passed_over(self, cursor: Cursor, judged_by: str) -> tuple[int, ...]:
        """Give the newest mails of a folder in which other rules knew no cause: their UIDs, at most 1,000.

        Nothing of them is kept: to judge them again they have to be read again.
        """
        with file.reading(self._path, self._db) as db:
            return passed.over(db, rows.values(cursor), judged_by)

    def begin_passed_over(self, cursor: Cursor, uids: Sequence[int], judged_by: str) -> None:
        """Count an attempt at mails that were passed over, before they are read again and judged."""
        with file.transaction(self._path, self._db) as db:
            passed.begin(db, rows.values(cursor), uids, judged_by)

    def unsettled(self, place: Place, done: Sequence[str], after: int) -> tuple[Notice, ...]:
        """Give the notices of a folder above a UID that are not settled as one of `done`, at most 500."""
        with file.reading(self._path, self._db) as db:
            return settled.unsettled(db, place, done, after)

    def settle(self, place: Place, uids: Sequence[int], how: str, now: datetime) -> None:
        """Write down what was done with notices in their folder."""
        with file.transaction(self._path, self._db) as db:
            settled.settle(db, place, uids, how, rows.stamp(now))

    def keep_hashes(self, now: datetime) -> bool:
        """Keep aliases as hashes from now on, and those that are there; gives whether they were kept as they are.

        There is no way back. Makes the key beside the database; raises StoreRefusedError when it is needed and not
        there.
        """
        with file.reading(self._path, self._db) as db:
            names = converting.names(self._path, db)
        names.must_be_known()
        if not names.are_hashes:
            key = hashing.make_key(self._path)
            with file.transaction(self._path, self._db) as db:
                converting.to_hashes(self._path, db, key, now)
        return not names.are_hashes

    def wipe(self) -> None:
        """See to it that the file holds no bytes of what was taken out of its tables.

        Raises StoreUnavailableError when that cannot be done now.
        """
        with self._db.lock:
            wiping.wipe(self._path, self._db)

    def rebuild(self, now: datetime) -> tuple[int, int]:
        """Drop the entries and fold all events again. Gives how many entries there are, and how many differ.

        A difference is logged as a change, so that consumers of the changes stay in step.
        """
        with file.transaction(self._path, self._db) as db:
            return entries.rebuild(db, now)

    def end_entries(self, now: datetime, days: int) -> int:
        """Take off the entries whose last notice is `days` old, 0 is none. Gives how many that were."""
        with file.transaction(self._path, self._db) as db:
            return entries.expire(db, now, days)

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

    def round_done(self, account: str, now: datetime, trouble: str = "", *, whole: bool = True) -> None:
        """Remember how a mailbox fared: a success, or a trouble and since when it lasts.

        Not `whole`: something was left for later; that is a success only of a mailbox that was read to its end before.
        """
        told = {"account": account, "at": rows.stamp(now), "trouble": trouble, "whole": whole}
        with file.transaction(self._path, self._db) as db:
            db.execute(_PUT_ROUND, told)

    def told(self) -> tuple[Condition, ...]:
        """Give what `on_change_command` was told and is not over."""
        with file.reading(self._path, self._db) as db:
            return told.read(db)

    def tell(self, condition: Condition, *, over: bool = False) -> None:
        """Remember that `on_change_command` was told a condition, or that it is over."""
        with file.transaction(self._path, self._db) as db:
            (told.forget if over else told.write)(db, condition)


_CURSOR = rows.columns(Cursor)
_PUT_CURSOR = f"INSERT OR REPLACE INTO cursors ({', '.join(_CURSOR)}) VALUES ({entries.places(_CURSOR)})"
_PUT_ROUND = """
    INSERT INTO rounds (account, finished_at, last_success_at, trouble, trouble_since)
    VALUES (:account, :at, iif(:trouble = '' AND :whole, :at, NULL), :trouble, iif(:trouble = '', NULL, :at))
    ON CONFLICT DO UPDATE SET
        finished_at = :at,
        trouble = :trouble,
        last_success_at = iif(:trouble = '' AND (:whole OR last_success_at IS NOT NULL), :at, last_success_at),
        trouble_since = iif(:trouble = '', NULL, coalesce(trouble_since, :at))
"""
_SAME_BYTES = "(account, sha256) = (SELECT account, sha256 FROM ledger WHERE id = :id)"
# of a set-aside mail without bytes there is nothing to judge
_STALE = f"""
    SELECT min(ledger.id) FROM ledger JOIN kept USING (sha256)
    WHERE {rows.WAITS} AND account = ? AND judged_by != ? AND length(raw) > 0
    AND NOT (trying = ? AND tries >= ?)
    GROUP BY sha256 ORDER BY 1
"""
