"""What was done with recognised notices in their mailbox. Works inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.model import Action, Kind, Notice
from nosend.store import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from nosend.model import Place

_BATCH = 500


def unsettled(db: sqlite3.Connection, place: Place, done: Sequence[str], after: int) -> tuple[Notice, ...]:
    """Give the notices of a folder with a UID above `after` that are not settled as one of `done`: the first 500.

    What a person rejected is no notice.
    """
    folder = (place.account, place.folder, place.uidvalidity)
    found = [
        rows.read(Notice, row)
        for state in _states(db, folder)
        if state not in done
        for row in db.execute(_UNSETTLED, (*folder, state, after, _BATCH))
    ]
    return tuple(sorted(found, key=lambda notice: notice.uid)[:_BATCH])


def _states(db: sqlite3.Connection, folder: tuple[str, str, int | None]) -> Iterator[str]:
    """Give each state that a folder's notices are in, from one to the next in the index: there are few."""
    found = db.execute(_STATE.format(beyond=">="), (*folder, "")).fetchone()
    while found:
        yield found[0]
        found = db.execute(_STATE.format(beyond=">"), (*folder, *found)).fetchone()


def settle(db: sqlite3.Connection, place: Place, uids: Sequence[int], settled: str, at: str) -> None:
    """Write down what was done with notices of a folder."""
    folder = (place.account, place.folder, place.uidvalidity)
    db.executemany(_SETTLE, ((settled, at, *folder, uid) for uid in uids))


_NOTICES = f"account = ? AND folder = ? AND uidvalidity = ? AND verdict = '{Kind.OPT_OUT}' AND uid IS NOT NULL"
_STATE = f"SELECT settled FROM ledger WHERE {_NOTICES} AND settled {{beyond}} ? ORDER BY settled LIMIT 1"
_LAST_WORD = f"""
    SELECT action FROM events WHERE events.mailbox = ledger.account AND events.key = ledger.key
    AND action IN ('{Action.ACCEPT}', '{Action.REJECT}') ORDER BY id DESC LIMIT 1
"""
_UNSETTLED = f"""
    SELECT {", ".join(rows.columns(Notice))} FROM ledger WHERE {_NOTICES} AND settled = ? AND uid > ?
    AND ({_LAST_WORD}) IS NOT '{Action.REJECT}' ORDER BY uid LIMIT ?
"""
_SETTLE = f"UPDATE ledger SET settled = ?, settled_at = ? WHERE {_NOTICES} AND uid = ?"
