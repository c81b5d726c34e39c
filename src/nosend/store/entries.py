"""Events -> entries in SQL: whatever bears on a key, its buyer and their orders is folded again, or all is rebuilt.

All functions work inside the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nosend import standing
from nosend.model import Action, Event
from nosend.store import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from nosend.entry import Entry

    Key = tuple[str, str, str]  # kind, value, account: what an entry is known by
    Entries = dict[tuple[str, str], Entry]  # of one account, by kind and value

_EVENT = ", ".join(rows.columns(Event))
_ACTION = rows.columns(Event).index("action")


@dataclass(frozen=True, slots=True)
class Folded:
    """How many entries were added, renewed and removed."""

    added: int = 0
    renewed: int = 0
    removed: int = 0

    def __add__(self, other: Folded) -> Folded:
        """Add up two."""
        return Folded(self.added + other.added, self.renewed + other.renewed, self.removed + other.removed)


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


def keys_of_mail(db: sqlite3.Connection, mailbox: str, key: str) -> set[Key]:
    """Give the keys on which anything that was ever said of a mail, or in an import, bears."""
    return {
        (kind, value, event.account)
        for _, event in _events(db, _OF_MAIL, (mailbox, key))
        for kind, value in standing.keys(event)
    }


def rejected(db: sqlite3.Connection, mailbox: str, key: str) -> dict[str, Event]:
    """Give what accepting a mail brings back, by order: what counts of it, or did before a person rejected it."""
    said = [event for _, event in _events(db, _OF_MAIL, (mailbox, key))]
    return {event.order_id: event for event in standing.rejected(said)}


def refold(db: sqlite3.Connection, keys: Iterable[Key], now: datetime) -> Folded:
    """Fold again what bears on some keys, their buyers and all orders of those, and log what changed."""
    folded = Folded()
    for group in sorted({_group(db, key) for key in keys}):
        before, after = _fold_again(db, group, now)
        for key in sorted(before.keys() | after.keys(), key=lambda key: (key[0] == "buyer", key[1])):
            old, new = before.get(key), after.get(key)
            if old == new:
                continue
            log_change(db, now, "removed" if not new else "renewed" if old else "added", *key, group[0])
            folded += Folded(int(not old), int(bool(old and new)), int(not new))
    return folded


def rebuild(db: sqlite3.Connection, now: datetime) -> tuple[int, int]:
    """Drop the entries and fold all events again. Gives how many entries there are, and how many differ."""
    db.execute("CREATE TEMP TABLE before AS SELECT * FROM entries")
    db.execute("CREATE INDEX temp.before_key ON before (value, kind, account)")
    db.execute("DELETE FROM entries")
    db.execute(f"CREATE TEMP TABLE groups AS {_ALL_GROUPS}")
    for group in db.execute("SELECT account, kind, value FROM groups ORDER BY 1, 2, 3"):
        _fold_again(db, group, now)
    differing = db.execute(_DIFFERENCE).fetchall()
    for change in differing:
        log_change(db, now, *change)
    db.execute("DROP TABLE before")
    db.execute("DROP TABLE groups")
    (count,) = db.execute("SELECT count(*) FROM entries").fetchone()
    return count, len(differing)


def expire_days(db: sqlite3.Connection) -> int:
    """Give the days after its last notice after which an entry ends; 0: never."""
    return int(db.execute("SELECT expire_days FROM policy").fetchone()[0])


def expire(db: sqlite3.Connection, now: datetime, days: int) -> int:
    """Take off, and log, what has ended; other `days` than before hold for all entries. Gives how many have ended."""
    if days != expire_days(db):
        db.execute("UPDATE policy SET expire_days = ?", (days,))
        rebuild(db, now)
    ended = db.execute("SELECT kind, value, account FROM entries WHERE expires_at <= ?", (rows.stamp(now),)).fetchall()
    for key in ended:
        db.execute(_DROP_ENTRY, key)
        log_change(db, now, "expired", *key)
    return len(ended)


def _group(db: sqlite3.Connection, key: Key) -> Key:
    """Give what is folded together with a key, by its account: a buyer with all orders, or an order of nobody known."""
    kind, value, account = key
    buyer = db.execute(_BUYER_OF, {"account": account, "order": value}).fetchone() if kind == "order" else (value,)
    return (account, "buyer", buyer[0]) if buyer else (account, "order", value)


def _fold_again(db: sqlite3.Connection, group: Key, now: datetime) -> tuple[Entries, Entries]:
    """Write the entries of a group as its events make them, but for ended ones; gives those before and after."""
    account, kind, value = group
    buyer = value if kind == "buyer" else None
    named = {"account": account, "value": value}
    orders: dict[str, datetime | None] = {value: None}
    if buyer:
        known = db.execute(_ORDERS_OF, named).fetchall()
        orders = {order: datetime.fromisoformat(at) if at else None for order, at in known}
    made = standing.entries(buyer, orders, _counted(db, _OF_BUYER if buyer else _OF_ORDER, named))
    days = expire_days(db)
    lasting = {key: standing.ending(entry, days) for key, entry in made.items()}
    after = {key: entry for key, entry in lasting.items() if not entry.expires_at or entry.expires_at > now}
    before = {}
    for key in ([("buyer", value)] if buyer else []) + [("order", order) for order in orders]:
        row = db.execute(_GET_ENTRY, (*key, account)).fetchone()
        if row:
            before[key] = rows.entry(row)
        if row and key not in after:
            db.execute(_DROP_ENTRY, (*key, account))
        elif key in after and before.get(key) != after[key]:
            db.execute(_PUT_ENTRY, rows.values(after[key]))
    return before, after


def _counted(db: sqlite3.Connection, condition: str, named: dict[str, str]) -> list[Event]:
    """Give those events of a group that count after what a person decided about their mails and imports."""
    said = dict(_events(db, condition, named))
    mails: dict[tuple[str, str], dict[int, Event]] = {}
    for number, event in said.items():
        mails.setdefault((event.mailbox, event.key), {})[number] = event
    heard: set[int] = set()
    for mail, events in mails.items():
        whole = events | dict(_events(db, _DECISIONS_OF_MAIL, mail))
        numbers = {id(event): number for number, event in whole.items()}  # two events may be equal
        heard |= {numbers[id(event)] for event in standing.heard([whole[number] for number in sorted(whole)])}
    return [said[number] for number in sorted(said.keys() & heard)]


def _events(db: sqlite3.Connection, condition: str, values: Any) -> Iterator[tuple[int, Event]]:
    found = db.execute(f"SELECT id, {_EVENT} FROM events WHERE {condition} ORDER BY id", values).fetchall()
    return ((number, _event(row)) for number, *row in found)


def _event(row: list[Any]) -> Event:
    row[_ACTION] = Action(row[_ACTION])
    return rows.read(Event, tuple(row))


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
_OF_MAIL = "mailbox = ? AND key = ?"
_DECISIONS_OF_MAIL = f"mailbox = ? AND key = ? AND {_DECISIONS}"
# whose an order is: reports and sent mail say so, else the first notice that names a buyer
_TOLD_BUYER = """
    SELECT buyer FROM events told WHERE told.order_id = {order} AND told.account = {account} AND told.buyer IS NOT NULL
    ORDER BY told.id LIMIT 1
"""
_BUYER_OF = f"""
    SELECT buyer FROM orders WHERE account = :account AND order_id = :order
    UNION ALL SELECT * FROM ({_TOLD_BUYER.format(order=":order", account=":account")})
    LIMIT 1
"""
_IN_ORDERS = "EXISTS (SELECT 1 FROM orders WHERE orders.account = events.account AND orders.order_id = events.order_id)"
_ORDERS_OF = f"""
    SELECT order_id, known_at FROM orders WHERE account = :account AND buyer = :value
    UNION ALL
    SELECT DISTINCT order_id, NULL FROM events
    WHERE account = :account AND buyer = :value AND order_id != '' AND NOT {_IN_ORDERS}
    AND ({_TOLD_BUYER.format(order="events.order_id", account="events.account")}) = :value
"""
_OF_ORDER = "order_id = :value AND account = :account"
_OF_BUYER = f"""
    id IN (
        SELECT id FROM events WHERE buyer = :value AND account = :account
        UNION SELECT id FROM events WHERE account = :account AND order_id IN (SELECT order_id FROM ({_ORDERS_OF}))
    )
"""
_ALL_GROUPS = f"""
    SELECT account, 'buyer' AS kind, buyer AS value FROM events WHERE buyer IS NOT NULL
    UNION
    SELECT account, 'buyer', buyer FROM orders WHERE EXISTS (
        SELECT 1 FROM events WHERE events.order_id = orders.order_id AND events.account = orders.account
    )
    UNION
    SELECT account, 'order', order_id FROM events WHERE order_id != '' AND NOT {_IN_ORDERS}
    AND ({_TOLD_BUYER.format(order="events.order_id", account="events.account")}) IS NULL
"""
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
