"""Events -> entries in SQL: what is folded when an event is written, folded again after a decision, or rebuilt.

All functions work inside the caller's transaction.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from nosend import standing
from nosend.model import Action, Event
from nosend.store import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    Key = tuple[str, str, str]  # kind, value, account: what an entry is known by

_EVENT = ", ".join(rows.columns(Event))


def write_event(db: sqlite3.Connection, event: Event) -> bool:
    """Write an event; a notice that is known already changes nothing, and False is given."""
    row = rows.values(event)
    done = db.execute(f"INSERT INTO events ({_EVENT}) VALUES ({places(row)}) ON CONFLICT DO NOTHING", row)
    return done.rowcount == 1


def is_decided(db: sqlite3.Connection, mailbox: str, key: str) -> bool:
    """Tell whether a person accepted or rejected a mail."""
    return db.execute(_DECIDED, (mailbox, key)).fetchone() is not None


def is_said(db: sqlite3.Connection, event: Event) -> bool:
    """Tell whether a person's last word about a mail is the same already."""
    query = "SELECT action, order_id, account FROM events WHERE mailbox = ? AND key = ? AND " + _DECISIONS
    for action, *rest in db.execute(f"{query} ORDER BY id DESC", (event.mailbox, event.key)):
        if action == event.action and (action == Action.REJECT or rest == [event.order_id, event.account]):
            return True
        if action == Action.REJECT or event.action is Action.REJECT:
            return False
    return False


def fold(db: sqlite3.Connection, event: Event, now: datetime | None) -> tuple[int, int]:
    """Fold an event into its entries; with `now` the changes are logged. Gives how many were added and renewed."""
    added = renewed = 0
    for kind, value in standing.keys(event):
        key = kind, value, event.account
        found = db.execute(_GET_ENTRY, key).fetchone()
        before = rows.entry(found) if found else None
        db.execute(_PUT_ENTRY, rows.values(standing.fold(before, event, (kind, value))))
        if now:
            log_change(db, now, "renewed" if before else "added", *key)
        added, renewed = added + (before is None), renewed + (before is not None)
    return added, renewed


def keys_of_mail(db: sqlite3.Connection, mailbox: str, key: str) -> set[Key]:
    """Give the entries on which anything that was ever said of a mail bears."""
    return {
        (kind, value, event.account)
        for event in _events(db, "mailbox = ? AND key = ?", mailbox, key)
        for kind, value in standing.keys(event)
    }


def refold(db: sqlite3.Connection, keys: Iterable[Key], now: datetime) -> tuple[int, int]:
    """Fold all events of some entries again, and log what changed. Gives how many were added and removed."""
    added = removed = 0
    for kind, value, account in sorted(keys):
        column = "order_id" if kind == "order" else "buyer"
        mails = f"(mailbox, key) IN (SELECT mailbox, key FROM events WHERE {column} = ? AND account = ?)"
        before = db.execute(_GET_ENTRY, (kind, value, account)).fetchone()
        entry = None
        for event in _heard(_events(db, mails, value, account)):
            if event.account == account and (kind, value) in standing.keys(event):
                entry = standing.fold(entry, event, (kind, value))
        db.execute(_DROP_ENTRY, (kind, value, account))
        if entry:
            db.execute(_PUT_ENTRY, rows.values(entry))
        if entry and not before:
            log_change(db, now, "added", kind, value, account)
            added += 1
        elif before and not entry:
            log_change(db, now, "removed", kind, value, account)
            removed += 1
        elif entry and before and entry != rows.entry(before):
            log_change(db, now, "renewed", kind, value, account)
    return added, removed


def rebuild(db: sqlite3.Connection, now: datetime) -> tuple[int, int]:
    """Drop the entries and fold all events again. Gives how many entries there are, and how many differ."""
    db.execute("CREATE TEMP TABLE before AS SELECT * FROM entries")
    db.execute("DELETE FROM entries")
    undecided = f"NOT EXISTS ({_DECIDED_OF_ROW})"
    decided = list(_heard(_events(db, f"EXISTS ({_DECIDED_OF_ROW})")))
    for event in _in_order(_events(db, undecided), decided):
        fold(db, event, None)
    differing = db.execute(_DIFFERENCE).fetchall()
    for change in differing:
        log_change(db, now, *change)
    db.execute("DROP TABLE before")
    (count,) = db.execute("SELECT count(*) FROM entries").fetchone()
    return count, len(differing)


def _in_order(undecided: Iterator[Event], decided: list[Event]) -> Iterator[Event]:
    """Merge two runs of events by the time they were recorded, so that an entry is listed since its first."""
    waiting = iter(sorted(decided, key=lambda event: event.recorded_at))
    next_one = next(waiting, None)
    for event in undecided:
        while next_one and next_one.recorded_at < event.recorded_at:
            yield next_one
            next_one = next(waiting, None)
        yield event
    if next_one:
        yield next_one
    yield from waiting


def _events(db: sqlite3.Connection, condition: str, *values: str) -> Iterator[Event]:
    query = f"SELECT {_EVENT} FROM events WHERE {condition} ORDER BY id"
    return (rows.read(Event, row) for row in db.execute(query, values))


def _heard(events: Iterable[Event]) -> Iterator[Event]:
    """Leave out what a person rejected, mail by mail; the order is that in which they were recorded."""
    by_mail = sorted(events, key=lambda event: (event.mailbox, event.key))  # stable: each mail's stay in order
    heard = [one for _, said in groupby(by_mail, lambda e: (e.mailbox, e.key)) for one in standing.heard(list(said))]
    return iter(sorted(heard, key=lambda event: event.recorded_at))


def log_change(db: sqlite3.Connection, now: datetime, *change: str) -> None:
    """Log (action, kind, value, account)."""
    db.execute(
        "INSERT INTO change_log (at, action, kind, value, account) VALUES (?, ?, ?, ?, ?)",
        (rows.stamp(now), *change),
    )


def places(names: Iterable[str]) -> str:
    """Write the named places of a statement."""
    return ", ".join(f":{name}" for name in names)


_DECISIONS = f"action IN ('{Action.ACCEPT}', '{Action.REJECT}')"
_DECIDED = f"SELECT 1 FROM events WHERE mailbox = ? AND key = ? AND {_DECISIONS} LIMIT 1"
_DECIDED_OF_ROW = f"SELECT 1 FROM events d WHERE d.mailbox = events.mailbox AND d.key = events.key AND d.{_DECISIONS}"
_OF_KEY = "WHERE kind = ? AND value = ? AND account = ?"
_GET_ENTRY = f"SELECT {', '.join(rows.COLUMNS)} FROM entries {_OF_KEY}"
_DROP_ENTRY = f"DELETE FROM entries {_OF_KEY}"
_PUT_ENTRY = f"INSERT OR REPLACE INTO entries ({', '.join(rows.COLUMNS)}) VALUES ({places(rows.COLUMNS)})"
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
