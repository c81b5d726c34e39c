"""Mails in which the rules knew no cause: nothing of them is kept, so that other rules need them read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nosend.store import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence


def over(db: sqlite3.Connection, cursor: Mapping[str, Any], judged_by: str) -> tuple[int, ...]:
    """Give the UIDs of the newest mails of a folder that other rules passed over, at most 1,000, oldest first."""
    found = db.execute(_PASSED_OVER, {**cursor, "judged_by": judged_by}).fetchall()
    return tuple(sorted(uid for (uid,) in found))


def begin(db: sqlite3.Connection, cursor: Mapping[str, Any], uids: Sequence[int], judged_by: str) -> None:
    """Count an attempt at mails of a folder."""
    db.executemany(_TRY_PASSED_OVER, ({**cursor, "judged_by": judged_by, "uid": uid} for uid in uids))


_IN_FOLDER = "account = :account AND folder = :folder AND uidvalidity = :uidvalidity"
_PASSED_OVER = f"""
    SELECT uid FROM ledger WHERE {_IN_FOLDER} AND uid IS NOT NULL AND rule = '{rows.PASSED_OVER}'
    AND judged_by != :judged_by AND NOT (trying = :judged_by AND tries >= {rows.TRIES}) ORDER BY uid DESC LIMIT 1000
"""
_TRY_PASSED_OVER = f"""
    UPDATE ledger SET tries = iif(trying = :judged_by, tries + 1, 1), trying = :judged_by
    WHERE {_IN_FOLDER} AND uid = :uid
"""
