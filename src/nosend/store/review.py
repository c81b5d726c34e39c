"""What a person decides about mails: each decision is an event, and undone by the opposite."""

from __future__ import annotations

from dataclasses import dataclass, replace
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

    _Decision = tuple[int, tuple[Event, ...]]  # a mail's number, and what a person said of it


@dataclass(frozen=True, slots=True)
class Decided:
    """What decisions changed: the numbers of the mails decided about, entries added and removed.

    `left_out` are the mails that nothing could be decided about, each with the reason.
    """

    mails: tuple[int, ...] = ()
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

        A mail whose authentication failed was not sent by him whose name it bears: it is like no other than such.
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

        Of a rejected mail it is what had been listed of it. `orders` are needed for a mail that does not name just
        one; those that lack an order are left out. Raises UnknownKeyError for a number that is no mail's, for an order
        that a mail does not name though it names some, and when all are left out, with what to give.
        """
        decided: list[_Decision] = []
        left_out: list[str] = []
        with file.transaction(self._path, self._db) as db:
            for ident in idents:
                row = _row(db, ident)
                before = entries.rejected(db, row.mailbox, row.key)
                read = tuple(row.orders.split())
                if read and (wrong := [order for order in orders if order not in read]):
                    raise UnknownKeyError(f"mail {ident} names {', '.join(read)}, not {', '.join(wrong)}")
                named = tuple(orders) or tuple(before) or read
                if not orders and not before and len(named) != 1:
                    told = f"names {len(named)} orders ({', '.join(named)})" if named else "names no order"
                    left_out.append(f"mail {ident} {told}: say which with --order")
                    continue
                events = (_accepted(row, order, before.get(order), now) for order in named)
                decided.append((ident, tuple(replace(event, account=account or event.account) for event in events)))
            if left_out and not decided:
                raise UnknownKeyError("\n".join(left_out))
            return _write(db, decided, now, tuple(left_out))

    def reject(self, idents: Sequence[int], now: datetime) -> Decided:
        """Take off the list what mails said, and keep it off, for a person says that they are no notices.

        One transaction. Raises UnknownKeyError for a number that is no mail's.
        """
        with file.transaction(self._path, self._db) as db:
            return _write(db, [(ident, (_rejected(_row(db, ident), now),)) for ident in idents], now)


def _write(
    db: sqlite3.Connection, decided: Iterable[_Decision], now: datetime, left_out: tuple[str, ...] = ()
) -> Decided:
    """Write decisions and fold again what they bear on; copies of one mail are one mail, known by its first number."""
    mails: dict[tuple[str, str], int] = {}
    for ident, events in decided:
        for event in events:
            mails.setdefault((event.mailbox, event.key), ident)
            if not entries.is_said(db, event):
                entries.write_event(db, event)
    keys = {entry for mail in mails for entry in entries.keys_of_mail(db, *mail)}
    folded = entries.refold(db, keys, now)
    return Decided(tuple(mails.values()), folded.added, folded.removed, left_out)


def _row(db: sqlite3.Connection, ident: int) -> _Row:
    found = db.execute(_ROW, (rows.ident(ident),)).fetchone()
    if not found:
        raise UnknownKeyError(f"there is no mail {ident}: `nosend review` lists them with their numbers")
    return _Row(*found)


def _accepted(row: _Row, order: str, before: Event | None, now: datetime) -> Event:
    """Say that a mail is a notice about an order; what was said of the order before it was rejected is true again."""
    return Event(
        mailbox=row.mailbox,
        key=row.key,
        account=before.account if before else row.seller,
        action=Action.ACCEPT,
        order_id=order,
        buyer=before.buyer if before else row.buyer,
        marketplace=before.marketplace if before else row.marketplace,
        source="person",
        why=f"accepted by a person: {row.why}",
        opted_out_at=before.opted_out_at if before else datetime.fromisoformat(row.written_at or row.read_at),
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
    SELECT min(ledger.id) FROM ledger, (SELECT rule, sender, sent_by, authenticity FROM ledger WHERE id = :id) one
    WHERE ledger.rule = one.rule AND ledger.rule != '' AND ledger.sender = one.sender AND ledger.sender != ''
    AND ledger.sent_by = one.sent_by AND ledger.authenticity = one.authenticity AND {rows.WAITS}
    GROUP BY account, key ORDER BY 1
"""
