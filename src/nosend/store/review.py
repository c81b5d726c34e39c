"""What a person decides about mails: each decision is an event, and undone by the opposite."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from nosend.errors import UnknownKeyError
from nosend.model import Action, Event
from nosend.store import entries, file, rows
from nosend.store.ledger import Ledger
from nosend.store.troubles import in_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Decided:
    """What decisions changed: mails decided about, entries added and removed; mails left out, each with the reason."""

    mails: int = 0
    added: int = 0
    removed: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """What the ledger knows of a mail that somebody decides about. Ids stand in `orders` with a space around each."""

    mailbox: str
    key: str
    seller: str
    orders: str
    buyer: str | None
    marketplace: str | None
    why: str
    written_at: str | None
    read_at: str


class Review(Ledger):
    """The writing side for a person's decisions. Mails are named by their number in the ledger."""

    def alike(self, ident: int) -> tuple[int, ...]:
        """Give the waiting mails that the same rule spoke of and the same sender sent, with this one.

        Raises UnknownKeyError when there is no such mail.
        """
        with in_words(self._path):
            _row(self._db, ident)
            found = self._db.execute(_ALIKE, {"id": ident}).fetchall()
        return tuple(dict.fromkeys((ident, *(one for (one,) in found))))

    def accept(
        self, idents: Sequence[int], now: datetime, orders: Sequence[str] = (), account: str | None = None
    ) -> Decided:
        """List what mails say, for a person says that they are notices; one transaction.

        `orders` are needed for a mail that does not name just one. Of several mails those that lack an order are
        left out; a single one raises UnknownKeyError, with what to give, as does a number that is no mail's.
        """
        written: list[Event] = []
        left_out: list[str] = []
        with file.transaction(self._path, self._db) as db:
            for ident in idents:
                row = _row(db, ident)
                named = tuple(orders) or tuple(row.orders.split())
                if not orders and len(named) != 1:
                    told = f"names {len(named)} orders ({', '.join(named)})" if named else "names no order"
                    left_out.append(f"mail {ident} {told}: say which with --order")
                    continue
                written += [_accepted(row, order, account, now) for order in named]
            if left_out and len(idents) == 1:
                raise UnknownKeyError(left_out[0])
            return _decided(db, written, now, tuple(left_out))

    def reject(self, idents: Sequence[int], now: datetime) -> Decided:
        """Take off the list what mails said, and keep it off, for a person says that they are no notices.

        One transaction. Raises UnknownKeyError for a number that is no mail's.
        """
        with file.transaction(self._path, self._db) as db:
            return _decided(db, [_rejected(_row(db, ident), now) for ident in idents], now)


def _decided(
    db: sqlite3.Connection, written: Iterable[Event], now: datetime, left_out: tuple[str, ...] = ()
) -> Decided:
    mails: set[tuple[str, str]] = set()
    keys: set[tuple[str, str, str]] = set()
    for event in written:
        mails.add((event.mailbox, event.key))
        if not entries.is_said(db, event):
            entries.write_event(db, event)
    for mailbox, key in mails:
        keys |= entries.keys_of_mail(db, mailbox, key)
    added, removed = entries.refold(db, keys, now)
    return Decided(len(mails), added, removed, left_out)


def _row(db: sqlite3.Connection, ident: int) -> _Row:
    found = db.execute(_ROW, (ident,)).fetchone()
    if not found:
        raise UnknownKeyError(f"there is no mail {ident}: `nosend review` lists them with their numbers")
    return _Row(*found)


def _accepted(row: _Row, order: str, account: str | None, now: datetime) -> Event:
    return Event(
        mailbox=row.mailbox,
        key=row.key,
        account=account or row.seller,
        action=Action.ACCEPT,
        order_id=order,
        buyer=row.buyer,
        marketplace=row.marketplace,
        source="person",
        why=f"accepted by a person: {row.why}",
        opted_out_at=datetime.fromisoformat(row.written_at or row.read_at),
        recorded_at=now,
    )


def _rejected(row: _Row, now: datetime) -> Event:
    return Event(
        mailbox=row.mailbox,
        key=row.key,
        account=row.seller,
        action=Action.REJECT,
        order_id="",
        buyer=None,
        marketplace=None,
        source="person",
        why="rejected by a person",
        opted_out_at=now,
        recorded_at=now,
    )


_ROW = f"SELECT account, {', '.join(rows.columns(_Row)[1:])} FROM ledger WHERE id = ?"
_ALIKE = f"""
    SELECT min(ledger.id) FROM ledger, (SELECT rule, sender FROM ledger WHERE id = :id) one
    WHERE ledger.rule = one.rule AND ledger.rule != '' AND ledger.sender = one.sender AND {rows.WAITS}
    GROUP BY account, key ORDER BY 1
"""
