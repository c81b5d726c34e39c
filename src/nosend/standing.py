"""Events -> entries. The one place that decides what stands on the blacklist; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nosend.entry import Entry
from nosend.identifiers import is_forgotten
from nosend.model import Action, Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    Key = tuple[str, str]  # kind and value

_NOTICES = frozenset({Action.OPT_OUT, Action.ACCEPT})  # an opt-out, which is the buyer's for every order
_WORDS = frozenset({Action.REMOVE, Action.ALLOW, Action.DISALLOW})  # of a person, about a key that may be listed


def keys(event: Event) -> tuple[Key, ...]:
    """Give the (kind, value) of each key that an event names: the order, the buyer, or both."""
    named = (("order", event.order_id), ("buyer", event.buyer))
    return tuple((kind, value) for kind, value in named if value)


def heard(events: Sequence[Event]) -> tuple[Event, ...]:
    """Give those events of one mail, or of one import, that count; `events` are in the order they were recorded.

    A person's last word stands: after a rejection nothing counts but what is accepted later, each order as it was
    accepted last. Without a word of a person what the mail said counts.
    """
    if all(event.action not in {Action.ACCEPT, Action.REJECT} for event in events):
        return tuple(events)
    accepted: dict[str, Event] = {}
    for event in events:
        if event.action is Action.REJECT:
            accepted = {}
        elif event.action is Action.ACCEPT:
            accepted[event.order_id] = event
    return tuple(accepted.values())


def rejected(events: Sequence[Event]) -> tuple[Event, ...]:
    """Give those events of one mail that would count without its last rejection: what accepting it brings back."""
    said = list(events)
    while said and said[-1].action is Action.REJECT:
        said.pop()
    return heard(said)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands: the events that list it, and the person's removal and allowance that are in force."""

    counted: tuple[Event, ...] = ()
    removal: Event | None = None
    allowance: Event | None = None

    def entry(self, key: Key) -> Entry | None:
        """Give the entry of `key` as these events make it; None: it is not listed."""
        entry = None
        for event in () if self.allowance else self.counted:
            entry = fold(entry, event, key)
        return entry

    def bars(self, told_at: datetime) -> bool:
        """Tell whether what was told at that time does not list the key: a person allowed it, or removed it since."""
        return self.allowance is not None or (self.removal is not None and told_at <= self.removal.opted_out_at)


def stands(events: Sequence[Event]) -> Standing:
    """Say how a key stands after all events that bear on it, in the order they were recorded.

    A removal takes off what was recorded before it, and keeps off notices and imports that are not newer than it: an
    old mail that is read again brings nothing back. What a person adds or accepts after it counts. An allowance wins
    over everything until it is withdrawn.
    """
    counted: list[Event] = []
    removal = allowance = None
    for event in events:
        if event.action is Action.REMOVE:
            counted, removal = [], event
        elif event.action is Action.ALLOW:
            allowance = event
        elif event.action is Action.DISALLOW:
            allowance = None
        elif event.action in {Action.ADD, Action.ACCEPT} or not Standing(removal=removal).bars(event.opted_out_at):
            counted.append(event)
    return Standing(tuple(counted), removal, allowance)


def entries(buyer: str | None, orders: Mapping[str, datetime | None], events: Sequence[Event]) -> dict[Key, Entry]:
    """Give what is listed of one buyer and all orders of theirs in one seller account; without a buyer, of the orders.

    `orders` tells since when an order is known to be the buyer's by an order report or sent mail, None where only
    notices say so. `events` are all that count (`heard`) of these keys, in the order they were recorded. An opt-out
    that came in a notice for one order is the buyer's; what a person added or imported lists the key that it names.
    A buyer who is listed blocks their known orders; one whose alias was forgotten does so without an entry. What a
    person said of the buyer holds for all orders, what was said of one order for that order alone.
    """
    of_buyer = [event for event in events if _is_of_buyer(event, buyer, orders)]
    standing = stands(of_buyer)
    whole = standing.entry(("buyer", buyer)) if buyer else None
    words = [event for event in of_buyer if event.action in _WORDS]
    listed = {("buyer", buyer): whole} if buyer and whole and not is_forgotten(buyer) else {}
    said: dict[str, list[Event]] = {order: [] for order in orders}
    for event in events:
        if event.order_id in said:
            said[event.order_id].append(event)
        elif event in words:
            for of_order in said.values():
                of_order.append(event)
    for order, known_at in orders.items():
        own = stands(said[order])
        entry = own.entry(("order", order))
        if not entry and whole and known_at and not own.bars(whole.last_notice_at):
            entry = _inherited(whole, _cause(standing.counted), order, known_at)
        if entry:
            listed["order", order] = entry
    return listed


def ending(entry: Entry, days: int) -> Entry:
    """Let an entry end so many days after its last notice; 0: never."""
    return entry._replace(expires_at=entry.last_notice_at + timedelta(days=days) if days else None)


def _is_of_buyer(event: Event, buyer: str | None, orders: Mapping[str, datetime | None]) -> bool:
    if event.buyer or not buyer:
        return event.buyer == buyer and bool(buyer)
    return event.action in _NOTICES and orders.get(event.order_id) is not None


def _cause(counted: Sequence[Event]) -> Event:
    """Give the event that an entry tells the reason of."""
    return min(counted, key=lambda event: (event.opted_out_at, event.why, event.source))


def _inherited(whole: Entry, cause: Event, order: str, known_at: datetime) -> Entry:
    """Make the entry of an order of a listed buyer."""
    told = f"by notice for order {cause.order_id}" if cause.action in _NOTICES else f"({whole.why})"
    buyer = "a buyer who was forgotten" if is_forgotten(whole.value) else f"buyer {whole.value}"
    why = f"order of {buyer}, who opted out on {whole.opted_out_at:%Y-%m-%d} {told}"
    listed_at = max(whole.listed_at, known_at)
    return whole._replace(kind="order", value=order, listed_at=listed_at, source="buyer", why=why)


def fold(entry: Entry | None, event: Event, key: tuple[str, str]) -> Entry:
    """Give the entry of `key` after an event; `entry` is what stood before, or None.

    Several notices for one order are one entry with a count. An entry dates from its earliest notice and tells
    that one's reason. The order of events does not matter but for `listed_at`, when the first of them was recorded,
    and for the marketplace, of which the first that is known counts.
    """
    if entry is None:
        return Entry(
            kind=key[0],
            value=key[1],
            account=event.account,
            marketplace=event.marketplace,
            opted_out_at=event.opted_out_at,
            listed_at=event.recorded_at,
            last_notice_at=event.opted_out_at,
            notices=int(event.action in _NOTICES),
            source=event.source,
            why=event.why,
        )
    earlier = (event.opted_out_at, event.why, event.source) < (entry.opted_out_at, entry.why, entry.source)
    return entry._replace(
        marketplace=entry.marketplace or event.marketplace,
        opted_out_at=min(entry.opted_out_at, event.opted_out_at),
        last_notice_at=max(entry.last_notice_at, event.opted_out_at),
        notices=entry.notices + int(event.action in _NOTICES),
        source=event.source if earlier else entry.source,
        why=event.why if earlier else entry.why,
    )
