"""Events -> entries in SQL: what is folded when an event is written, folded again after a decision, or rebuilt.

All functions work inside the caller's transaction.
"""

from __future__ import annotations

from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING

from nosend import standing
from nosend.model import Action, Event
from nosend.store import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    Key = tuple[str, str, str]  # kind, value, account: what an entry is known by
    Numbered = tuple[int, Event]  # events are folded in the order of their numbers, whatever the clock said

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
    """Tell whether a person's last word about a mail, or about an order of it, is the same already."""
    query = "SELECT action, order_id, account FROM events WHERE mailbox = ? AND key = ? AND " + _DECISIONS
    for action, order_id, account in db.execute(f"{query} ORDER BY id DESC", (event.mailbox, event.key)):
        if Action.REJECT in {action, event.action}:
            return bool(event.action == action)
        if order_id == event.order_id:
            return bool(event.account == account)
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
        for _, event in _events(db, _OF_MAIL, mailbox, key)
        for kind, value in standing.keys(event)
    }


def rejected(db: sqlite3.Connection, mailbox: str, key: str) -> dict[str, Event]:
    """Give what accepting a mail brings back, by order: what counts of it, or did before a person rejected it."""
    said = [event for _, event in _events(db, _OF_MAIL, mailbox, key)]
    return {event.order_id: event for event in standing.rejected(said)}


def refold(db: sqlite3.Connection, keys: Iterable[Key], now: datetime) -> tuple[int, int]:
    """Fold all events of some entries again, and log what changed. Gives how many were added and removed."""
    added = removed = 0
    for kind, value, account in sorted(keys):
        column = "order_id" if kind == "order" else "buyer"
        mails = f"(mailbox, key) IN (SELECT mailbox, key FROM events WHERE {column} = ? AND account = ?)"
        before = db.execute(_GET_ENTRY, (kind, value, account)).fetchone()
        entry = None
        for _, event in _heard(_events(db, mails, value, account)):
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
    undecided = _events(db, f"NOT EXISTS ({_DECIDED_OF_ROW})")
    decided = _heard(_events(db, f"EXISTS ({_DECIDED_OF_ROW})"))
    for _, event in merge(undecided, decided, key=itemgetter(0)):
        fold(db, event, None)
    differing = db.execute(_DIFFERENCE).fetchall()
    for change in differing:
        log_change(db, now, *change)
    db.execute("DROP TABLE before")
    (count,) = db.execute("SELECT count(*) FROM entries").fetchone()
    return count, len(differing)


def _events(db: sqlite3.Connection, condition: str, *values: str) -> Iterator[Numbered]:
    query = f"SELECT id, {_EVENT} FROM events WHERE {condition} ORDER BY id"
    return ((number, rows.read(Event, tuple(row))) for number, *row in db.execute(query, values))


def _heard(said: Iterable[Numbered]) -> list[Numbered]:
    """Leave out what does not count after what a person decided, mail by mail."""
    mails: dict[tuple[str, str], list[Event]] = {}
    numbers: dict[Event, int] = {}
    for number, event in said:
        mails.setdefault((event.mailbox, event.key), []).append(event)
        numbers[event] = number  # of two that are equal the later: the word that stands was said last
    heard = (event for events in mails.values() for event in standing.heard(events))
    return sorted(((numbers[event], event) for event in heard), key=itemgetter(0))


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
_OF_MAIL = "mailbox = ? AND key = ?"
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
