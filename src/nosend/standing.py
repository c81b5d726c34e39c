"""Events -> entries. The one place that decides what stands on the blacklist; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nosend.model import Action, Entry, Event

if TYPE_CHECKING:
    from collections.abc import Sequence


def keys(event: Event) -> tuple[tuple[str, str], ...]:
    """Give the (kind, value) of each entry that an event bears on: the order, and the buyer when known."""
    order = ("order", event.order_id)
    return (order, ("buyer", event.buyer)) if event.buyer else (order,)


def heard(events: Sequence[Event]) -> tuple[Event, ...]:
    """Give those events of one mail that count, `events` being all of them in the order they were recorded.

    A person's last word stands: after a rejection nothing counts but what is accepted later, each order as it was
    accepted last. Without a word of a person what the mail said counts.
    """
    if all(event.action is Action.OPT_OUT for event in events):
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
            notices=1,
            source=event.source,
            why=event.why,
        )
    earlier = (event.opted_out_at, event.why, event.source) < (entry.opted_out_at, entry.why, entry.source)
    return replace(
        entry,
        marketplace=entry.marketplace or event.marketplace,
        opted_out_at=min(entry.opted_out_at, event.opted_out_at),
        last_notice_at=max(entry.last_notice_at, event.opted_out_at),
        notices=entry.notices + 1,
        source=event.source if earlier else entry.source,
        why=event.why if earlier else entry.why,
    )
