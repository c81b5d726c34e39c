"""How long the bytes of suspects and set-aside mails are kept. Works inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.store import rows

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime, timedelta


def expire(db: sqlite3.Connection, now: datetime, age: timedelta, size: int) -> int:
    """Drop bytes that are older than `age`, then the oldest over `size` bytes; those still waiting go last.

    Gives how many went that nobody had reviewed. `status` tells beforehand when that is near.
    """
    unreviewed = 0
    oldest = rows.stamp(now - age)
    (total,) = db.execute("SELECT coalesce(sum(length(raw)), 0) FROM kept").fetchone()
    for digest, length, kept_at, waits in db.execute(_BY_AGE).fetchall():
        if kept_at >= oldest and total <= size:
            continue
        db.execute("DELETE FROM kept WHERE sha256 = ?", (digest,))
        total -= length
        unreviewed += waits
    return unreviewed


_BY_AGE = f"""
    SELECT sha256, length(raw), kept_at, waits FROM (
        SELECT sha256, raw, kept_at, EXISTS (SELECT 1 FROM ledger WHERE ledger.sha256 = kept.sha256 AND {rows.WAITS})
            AS waits
        FROM kept
    ) ORDER BY waits, kept_at, sha256
"""
