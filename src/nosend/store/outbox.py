"""The outbox: which change each sink gets next, and what became of it. The table `changes` is the queue itself.

Changes of one key (kind and value) go out in their order: while one waits or is parked the later ones stay behind it,
those of other keys do not. An attempt is claimed first, so that two processes do not send at once; who is killed
meanwhile has sent nothing as far as the outbox knows, and the change is sent again when the claim has run out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.entry import Change
from nosend.errors import ConfigError
from nosend.store import changelog, file, rows
from nosend.store.ledger import Ledger
from nosend.store.parcel import Parcel

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from nosend.store.parcel import Failure

    _Next = tuple[Change, int]  # and how often it was tried


class Outbox(Ledger):
    """The writing side for what is sent to sinks. Threads may share it."""

    def know(self, names: Iterable[str]) -> None:
        """Remember sinks that were not known: they get what changes from now on."""
        with file.transaction(self._path, self._db) as db:
            db.executemany(_KNOW, [(name,) for name in names])

    def claim(self, sink: str, by: str, now: datetime, until: datetime) -> Parcel | None:
        """Give what a sink gets next, for nobody else until `until`; None when nothing is due, or another is at it.

        First what was never tried, then what was tried longest ago.
        """
        at = {"sink": sink, "now": rows.stamp(now), "by": by, "until": rows.stamp(until)}
        with file.reading(self._path, self._db) as db:
            if not db.execute(_ANYTHING_DUE, at).fetchone():
                return None
        with file.transaction(self._path, self._db) as db:
            if not (found := db.execute(_CLAIM, at).fetchall()):
                return None
            ((cursor, failures),) = found
            if not (chosen := _next(db, at, cursor)):
                db.execute(_RELEASE, at)
                return None
            change, attempts = chosen
            return Parcel(sink, change, _entry(db, change), attempts, failures, by)

    def delivered(self, parcel: Parcel) -> None:
        """Write down that a parcel arrived."""
        at = {"sink": parcel.sink, "by": parcel.claimed_by, "seq": parcel.change.seq}
        with file.transaction(self._path, self._db) as db:
            if db.execute(_DELIVERED, at).rowcount:
                db.execute("DELETE FROM outbox WHERE sink = :sink AND seq = :seq", at)

    def failed(self, parcel: Parcel, failure: Failure, now: datetime, oldest: datetime) -> None:
        """Write down that a parcel did not arrive; what was tried in vain since `oldest` or longer is parked.

        Behind a parked change the later ones of its key are parked, too.
        """
        at = {
            "sink": parcel.sink,
            "by": parcel.claimed_by,
            "seq": parcel.change.seq,
            "now": rows.stamp(now),
            "oldest": rows.stamp(oldest),
            "why": failure.why,
            "final": failure.is_final,
            "change_due": rows.stamp(failure.change_due),
            "sink_due": rows.stamp(failure.sink_due),
        }
        with file.transaction(self._path, self._db) as db:
            if db.execute(_FAILED, at).rowcount:  # else the claim had run out, and another has tried
                db.execute(_TRIED, at)
                db.execute(_PARK_OLD, at)
                db.execute(_PARK_BEHIND, at)

    def park(self, parcel: Parcel, why: str, now: datetime) -> None:
        """Send nothing more to the sink of a parcel, until `retry`; the parcel waits with all that follows."""
        at = {"sink": parcel.sink, "by": parcel.claimed_by, "now": rows.stamp(now), "why": why}
        with file.transaction(self._path, self._db) as db:
            db.execute(_PARK_SINK, at)

    def release(self, by: str) -> None:
        """Give back what somebody has claimed whose attempts are over, whatever became of them."""
        with file.transaction(self._path, self._db) as db:
            db.execute("UPDATE sinks SET claimed_by = '', claimed_until = '' WHERE claimed_by = ?", (by,))

    def retry(self, names: Iterable[str] = (), since: int | None = None) -> int:
        """Let what is parked, and what waits, be sent at once; of these sinks, or of all. Gives how many were parked.

        With `since` all changes after that number are sent (again). Raises ConfigError for a sink that is not known,
        and for a number that no change has had yet.
        """
        with file.transaction(self._path, self._db) as db:
            known = [name for (name,) in db.execute("SELECT name FROM sinks ORDER BY name")]
            chosen = list(names) or known
            for name in chosen:
                if name not in known:
                    raise ConfigError(
                        f"sink {name!r} is not known: there is {', '.join(known) or 'none'}; a new one is known from "
                        "the next `nosend sync` on"
                    )
            (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM change_log").fetchone()
            if since is not None and since > last:
                raise ConfigError(f"--since {since}: the last change is {last}")
            return sum(_retry(db, name, since) for name in chosen)


def _retry(db: sqlite3.Connection, sink: str, since: int | None) -> int:
    if since is not None:
        db.execute("DELETE FROM outbox WHERE sink = ? AND seq > ?", (sink, since))
        # what is under way will not move the cursor: its claim is gone
        db.execute("UPDATE sinks SET seq = ?, claimed_by = '', claimed_until = '' WHERE name = ?", (since, sink))
    (count,) = db.execute("SELECT count(parked_at) FROM outbox WHERE sink = ?", (sink,)).fetchone()
    db.execute(_RETRY_CHANGES, (sink,))
    db.execute(_RETRY_SINK, (sink,))
    return int(count)


def _next(db: sqlite3.Connection, at: dict[str, str], cursor: int) -> _Next | None:
    found = db.execute(_WAITING, at).fetchone()
    waiting = (rows.read(Change, found[:-2]), found[-2]) if found else None
    if waiting and found[-1] == "":  # never tried: it stood behind another
        return waiting
    return _new(db, at["sink"], cursor) or waiting


def _new(db: sqlite3.Connection, sink: str, cursor: int) -> _Next | None:
    """Give the next change after the cursor; those that must wait for an earlier one of their key go to the outbox."""
    while found := db.execute(_NEXT, (cursor,)).fetchone():
        change = rows.read(Change, found)
        before = db.execute(_BEFORE, (sink, change.value, change.kind)).fetchone()
        if before is None:
            return change, 0
        db.execute(_HOLD, (sink, change.seq, *before))
        db.execute("UPDATE sinks SET seq = ? WHERE name = ?", (change.seq, sink))
        cursor = change.seq
    return None


def _entry(db: sqlite3.Connection, change: Change) -> dict[str, str | int | None] | None:
    if change.action not in {"added", "renewed"}:
        return None
    found = db.execute(_ENTRY, (change.kind, change.value, change.account)).fetchone()
    return dict(zip(rows.COLUMNS, found, strict=True)) if found else None


_CHANGE = ", ".join(changelog.COLUMNS)
_KNOW = (
    "INSERT INTO sinks (name, seq) SELECT ?, coalesce(max(seq), 0) FROM change_log WHERE true ON CONFLICT DO NOTHING"
)
_FREE = """
    sinks.name = :sink AND sinks.parked_at IS NULL AND sinks.due_at <= :now AND sinks.claimed_until <= :now
"""
_ANYTHING_DUE = f"""
    SELECT 1 FROM sinks WHERE {_FREE} AND (
        EXISTS (SELECT 1 FROM change_log WHERE change_log.seq > sinks.seq)
        OR EXISTS (SELECT 1 FROM outbox WHERE sink = :sink AND parked_at IS NULL AND due_at <= :now)
    )
"""
_CLAIM = f"UPDATE sinks SET claimed_by = :by, claimed_until = :until WHERE {_FREE} RETURNING seq, failures"
_RELEASE = "UPDATE sinks SET claimed_by = '', claimed_until = '' WHERE name = :sink AND claimed_by = :by"
_WAITING = f"""
    SELECT {", ".join(f"c.{name}" for name in changelog.COLUMNS)}, attempts, tried_at
    FROM outbox o JOIN change_log c USING (seq)
    WHERE sink = :sink AND parked_at IS NULL AND due_at <= :now AND NOT EXISTS (
        SELECT 1 FROM change_log e JOIN outbox b ON b.sink = o.sink AND b.seq = e.seq
        WHERE e.value = c.value AND e.kind = c.kind AND e.seq < c.seq
    )
    ORDER BY tried_at, o.seq LIMIT 1
"""
_NEXT = f"SELECT {_CHANGE} FROM change_log WHERE seq > ? ORDER BY seq LIMIT 1"
_BEFORE = """
    SELECT max(b.parked_at), min(b.seq) FROM change_log e JOIN outbox b ON b.sink = ? AND b.seq = e.seq
    WHERE e.value = ? AND e.kind = ? HAVING count(*)
"""
_HOLD = "INSERT INTO outbox (sink, seq, parked_at, why) VALUES (?, ?, ?, 'waits for change ' || ?)"
_ENTRY = f"SELECT {', '.join(rows.COLUMNS)} FROM blacklist WHERE kind = ? AND value = ? AND account = ?"
_OURS = "WHERE name = :sink AND claimed_by = :by"
_DELIVERED = f"""
    UPDATE sinks SET seq = max(seq, :seq), failures = 0, failing_since = NULL, due_at = '', why = '',
        claimed_by = '', claimed_until = ''
    {_OURS}
"""
_FAILED = f"""
    UPDATE sinks SET seq = max(seq, :seq), failures = failures + 1, failing_since = coalesce(failing_since, :now),
        due_at = :sink_due, why = :why, claimed_by = '', claimed_until = ''
    {_OURS}
"""
_TRIED = """
    INSERT INTO outbox (sink, seq, attempts, first_at, tried_at, due_at, parked_at, why)
    VALUES (:sink, :seq, 1, :now, :now, :change_due, iif(:final, :now, NULL), :why)
    ON CONFLICT DO UPDATE SET attempts = attempts + 1, first_at = coalesce(first_at, :now), tried_at = :now,
        due_at = :change_due, parked_at = iif(:final, :now, NULL), why = :why
"""
_PARK_OLD = """
    UPDATE outbox SET parked_at = :now WHERE sink = :sink AND parked_at IS NULL AND first_at <= :oldest
"""
_PARK_BEHIND = """
    UPDATE outbox SET parked_at = :now WHERE sink = :sink AND parked_at IS NULL AND EXISTS (
        SELECT 1 FROM change_log c JOIN change_log e ON e.value = c.value AND e.kind = c.kind AND e.seq < c.seq
        JOIN outbox b ON b.sink = outbox.sink AND b.seq = e.seq AND b.parked_at IS NOT NULL
        WHERE c.seq = outbox.seq
    )
"""
_PARK_SINK = f"""
    UPDATE sinks SET parked_at = :now, failing_since = coalesce(failing_since, :now), why = :why,
        claimed_by = '', claimed_until = ''
    {_OURS}
"""
_RETRY_CHANGES = """
    UPDATE outbox SET attempts = 0, first_at = NULL, tried_at = '', due_at = '', parked_at = NULL WHERE sink = ?
"""
_RETRY_SINK = """
    UPDATE sinks SET failures = 0, failing_since = NULL, due_at = '', parked_at = NULL, why = '' WHERE name = ?
"""
