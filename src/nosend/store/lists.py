"""What a person says of keys, and what other tools' lists and order reports tell: the writing side."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nosend import identifiers, standing
from nosend.errors import UnknownKeyError
from nosend.model import Action, Event
from nosend.store import converting, entries, file, rows
from nosend.store.ledger import Ledger
from nosend.store.spool import spooled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from nosend.reports.lists import Listed
    from nosend.store.hashing import Names


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: keys listed for the first time or again, and how many entries that added.

    `known` were listed by an import of that source already, `barred` a person had removed or allowed; `unknown` counts
    the lines that list nothing that nosend knows, the first of which is line `first_unknown`.
    """

    keys: int = 0
    added: int = 0
    known: int = 0
    barred: int = 0
    unknown: int = 0
    first_unknown: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What order reports told: orders whose buyer was not known, was known, and those that are another buyer's.

    `added` counts the entries that follow, because the buyer had opted out.
    """

    new: int = 0
    known: int = 0
    contradicting: int = 0
    added: int = 0


@dataclass(frozen=True, slots=True)
class Undone:
    """An import that was undone: its source, when it was made, and how many entries are off the list by that."""

    source: str
    imported_at: str
    removed: int


class Lists(Ledger):
    """The writing side for people and for files. Each method is one transaction."""

    def say(
        self, action: Action, keys: Sequence[identifiers.Key], account: str, why: str, now: datetime
    ) -> entries.Folded:
        """Write down that a person adds, removes, allows or disallows keys of a seller account, and why."""
        with file.transaction(self._path, self._db) as db:
            names = converting.names(self._path, db)
            speaker = _Speaker(account, "person", names.text(why), now.replace(microsecond=0), names)
            events = [speaker.says(action, key) for key in keys]
            for event in events:
                entries.write_event(db, event)
            return entries.refold(db, {(*key, account) for event in events for key in standing.keys(event)}, now)

    def take_in(self, listed: Iterable[Listed], account: str, source: str, now: datetime) -> Imported:
        """List what another tool's list names. Doing it twice changes nothing; what a person said stands.

        The list is read to its end first, so that nobody waits for who writes it.
        """
        changed: set[entries.Key] = set()
        known = barred = unknown = first_unknown = 0
        with spooled(listed) as read, file.transaction(self._path, self._db) as db:
            names = converting.names(self._path, db)
            speaker = _Speaker(account, source, f"imported from {source}", now.replace(microsecond=0), names)
            for one in read:
                if not one.keys:
                    unknown, first_unknown = unknown + 1, first_unknown or one.line
                for named in one.keys:
                    event = speaker.says(Action.IMPORT, named, one.opted_out_at)
                    (key,) = standing.keys(event)
                    asked = rows.values(event) | {"at": one.opted_out_at and rows.stamp(one.opted_out_at)}
                    if (*key, account) in changed or db.execute(_IS_IMPORTED[key[0]], asked).fetchone():
                        known += 1
                    elif db.execute(_IS_BARRED[key[0]], asked).fetchone():
                        barred += 1
                    else:
                        entries.write_event(db, event)
                        changed.add((*key, account))
            folded = entries.refold(db, changed, now)
        return Imported(len(changed), folded.added, known, barred, unknown, first_unknown)

    def undo(self, now: datetime) -> Undone:
        """Take back the last import that was not undone. Raises UnknownKeyError when there is none."""
        with file.transaction(self._path, self._db) as db:
            found = db.execute(_LAST_IMPORT).fetchone()
            if not found:
                raise UnknownKeyError("there is no import that could be undone: `nosend import` makes one")
            batch, account, source, imported_at = found
            keys = entries.keys_of_mail(db, "", batch)
            why = f"the import from {source} was undone"
            names = converting.names(self._path, db)
            speaker = _Speaker(account, "person", why, now.replace(microsecond=0), names, batch)
            entries.write_event(db, speaker.says(Action.REJECT))
            return Undone(source, imported_at, entries.refold(db, keys, now).removed)

    def know(self, orders: Iterable[tuple[str, str]], account: str, source: str, now: datetime) -> Known:
        """Write down whose orders are: (order id, buyer alias). What was known of an order before stands.

        They are read to their end first, as a list is.
        """
        new: set[entries.Key] = set()
        known = contradicting = 0
        with spooled(orders) as read, file.transaction(self._path, self._db) as db:
            names = converting.names(self._path, db)
            for order, alias in read:
                buyer = names.kept(alias)
                one = {"account": account, "order": order, "buyer": buyer, "source": source, "at": rows.stamp(now)}
                if db.execute(_PUT_ORDER, one).rowcount == 1:
                    new.add(("order", order, account))
                elif db.execute(_IS_OF, one).fetchone():
                    known += 1
                else:
                    contradicting += 1
            concerned = {
                key for key in new if db.execute(_IS_CONCERNED, {"account": account, "order": key[1]}).fetchone()
            }
            return Known(len(new), known, contradicting, entries.refold(db, concerned, now).added)

    def accounts_of(self, key: identifiers.Key) -> tuple[str, ...]:
        """Give the seller accounts in which anything is known of a key."""
        column = "order_id" if key.kind == "order" else "buyer"
        with file.reading(self._path, self._db) as db:
            value = converting.names(self._path, db).kept(key.value)
            found = db.execute(_ACCOUNTS_OF.format(column=column), (value,) * 2).fetchall()
        return tuple(name for (name,) in found)

    def accounts(self) -> tuple[str, ...]:
        """Give all seller accounts that anything is known of."""
        with file.reading(self._path, self._db) as db:
            return tuple(name for (name,) in db.execute(_ACCOUNTS).fetchall())


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Who says something outside of a mail. What one says belongs together: an import is undone as a whole."""

    account: str
    source: str
    why: str
    now: datetime
    names: Names
    key: str = field(default_factory=lambda: f"said:{uuid.uuid4().hex}")

    def says(self, action: Action, key: identifiers.Key | None = None, at: datetime | None = None) -> Event:
        kind, value = key or ("", "")
        return Event(
            mailbox="",
            key=self.key,
            account=self.account,
            action=action,
            order_id=value if kind == "order" else "",
            buyer=self.names.kept(value) if kind == "buyer" else None,
            marketplace=identifiers.marketplace_of_alias(value) if kind == "buyer" else None,
            source=self.source,
            why=self.why,
            opted_out_at=min(at or self.now, self.now),
            recorded_at=self.now,
        )


# an import was undone: a rejection of it; both actions are named, as the index of decisions names them
_UNDONE = """
    EXISTS (
        SELECT 1 FROM events undone
        WHERE undone.key = events.key AND undone.action IN ('accept', 'reject') AND undone.action = 'reject'
    )
"""
# what an event names, by the kind of key: all that name a buyer alone have the same order_id, ''
_SAME_KEY = {
    "order": "order_id = :order_id AND +buyer IS NULL AND account = :account",
    "buyer": "buyer = :buyer AND +order_id = '' AND account = :account",
}
_IS_IMPORTED = {
    kind: f"""
        SELECT 1 FROM events
        WHERE {same_key} AND action = 'import' AND source = :source AND NOT {_UNDONE}
        AND (:at IS NULL OR opted_out_at >= :at)
    """
    for kind, same_key in _SAME_KEY.items()
}
# a removal holds against a list that does not tell that the opt-out is newer
_IS_BARRED = {
    kind: f"""
        SELECT 1 FROM events
        WHERE action = 'remove' AND (:at IS NULL OR opted_out_at >= :at) AND (({same_key}) OR (
            account = :account
            AND buyer = (SELECT buyer FROM orders WHERE orders.account = :account AND order_id = :order_id)
        ))
    """
    for kind, same_key in _SAME_KEY.items()
}
_LAST_IMPORT = f"""
    SELECT key, account, source, recorded_at FROM events
    WHERE action = 'import' AND NOT {_UNDONE} ORDER BY id DESC LIMIT 1
"""
_PUT_ORDER = """
    INSERT INTO orders (account, order_id, buyer, source, known_at) VALUES (:account, :order, :buyer, :source, :at)
    ON CONFLICT DO NOTHING
"""
_IS_OF = "SELECT 1 FROM orders WHERE account = :account AND order_id = :order AND buyer = :buyer"
_IS_CONCERNED = """
    SELECT 1 FROM orders WHERE account = :account AND order_id = :order AND (
        EXISTS (SELECT 1 FROM events WHERE events.account = :account AND events.order_id = :order)
        OR EXISTS (SELECT 1 FROM entries WHERE kind = 'buyer' AND value = orders.buyer AND entries.account = :account)
    )
"""
_ACCOUNTS_OF = """
    SELECT account FROM events WHERE {column} = ? UNION SELECT account FROM orders WHERE {column} = ? ORDER BY 1
"""
_ACCOUNTS = """
    SELECT account FROM rounds UNION SELECT account FROM entries UNION SELECT account FROM orders ORDER BY 1
"""
