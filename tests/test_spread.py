"""An opt-out for one order blocks the buyer's other orders, in one seller account; what a person says wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from nosend.model import Action, Event
from nosend.standing import entries, stands

BUYER = "abc123def456ghi@marketplace.amazon.it"
FIRST, SECOND, THIRD = (f"111-0000001-000000{n}" for n in range(1, 4))
START = datetime(2026, 9, 10, 12, tzinfo=UTC)
KNOWN = START - timedelta(days=5)
ORDERS = dict.fromkeys((FIRST, SECOND, THIRD), KNOWN)


def said(action: Action, order: str = "", buyer: str | None = None, day: int = 0, **changes) -> Event:
    at = START + timedelta(days=day)
    event = Event("", f"{action}-{day}", "shop", action, order, buyer, "IT", "person", f"day {day}", at, at)
    return replace(event, **changes)


def listed(*events: Event, orders: dict = ORDERS) -> set[str]:
    return {value for _, value in entries(BUYER, orders, events)}


NOTICE = said(Action.OPT_OUT, FIRST, source="notice")


def test_a_notice_for_one_order_blocks_the_buyer_and_all_known_orders() -> None:
    found = entries(BUYER, ORDERS, [NOTICE])
    assert {value for _, value in found} == {BUYER, FIRST, SECOND, THIRD}
    assert found["order", FIRST].why == "day 0"
    other = found["order", SECOND]
    assert other.why == f"order of buyer {BUYER}, who opted out on 2026-09-10 by notice for order {FIRST}"
    assert (other.source, other.opted_out_at, other.listed_at) == ("buyer", START, START)


def test_an_order_that_becomes_known_later_is_listed_then() -> None:
    later = START + timedelta(days=9)
    assert entries(BUYER, {FIRST: KNOWN, SECOND: later}, [NOTICE])["order", SECOND].listed_at == later


def test_what_only_notices_say_of_an_order_is_not_spread() -> None:
    assert listed(NOTICE, orders={FIRST: KNOWN, SECOND: None}) == {BUYER, FIRST}


def test_a_notice_that_names_another_buyer_is_not_this_ones() -> None:
    assert listed(replace(NOTICE, buyer="zzz123def456ghi@marketplace.amazon.it")) == {FIRST}


def test_what_is_added_or_imported_lists_what_it_names() -> None:
    assert listed(said(Action.ADD, FIRST)) == {FIRST}
    assert listed(said(Action.IMPORT, SECOND)) == {SECOND}
    assert listed(said(Action.ADD, buyer=BUYER)) == {BUYER, FIRST, SECOND, THIRD}


def test_a_removed_buyer_is_off_with_all_orders_until_a_newer_notice() -> None:
    removal = said(Action.REMOVE, buyer=BUYER, day=3)
    assert listed(NOTICE, removal) == set()
    assert listed(NOTICE, removal, replace(NOTICE, key="again")) == set(), "an old notice read again"
    assert listed(NOTICE, removal, said(Action.OPT_OUT, SECOND, day=4)) == {BUYER, FIRST, SECOND, THIRD}


def test_a_removed_order_is_off_alone_until_a_newer_notice() -> None:
    removal = said(Action.REMOVE, FIRST, day=3)
    assert listed(NOTICE, removal) == {BUYER, SECOND, THIRD}
    assert listed(NOTICE, removal, said(Action.OPT_OUT, SECOND, day=4)) == {BUYER, FIRST, SECOND, THIRD}


def test_a_persons_word_counts_after_a_removal_an_import_that_is_older_does_not() -> None:
    removal = said(Action.REMOVE, FIRST, day=3)
    assert listed(removal, said(Action.ADD, FIRST, day=1)) == {FIRST}
    assert listed(removal, said(Action.ACCEPT, FIRST, day=1)) == {FIRST, BUYER, SECOND, THIRD}
    assert listed(removal, said(Action.IMPORT, FIRST, day=1)) == set()
    assert listed(removal, said(Action.IMPORT, FIRST, day=4)) == {FIRST}


def test_an_allowance_wins_over_everything_until_it_is_withdrawn() -> None:
    allowance = said(Action.ALLOW, buyer=BUYER, day=-3)
    assert listed(allowance, NOTICE, said(Action.ADD, FIRST, day=5)) == set()
    assert listed(allowance, NOTICE, said(Action.DISALLOW, buyer=BUYER, day=5)) == {BUYER, FIRST, SECOND, THIRD}
    assert listed(NOTICE, said(Action.ALLOW, SECOND, day=5)) == {BUYER, FIRST, THIRD}
    assert listed(said(Action.ALLOW, FIRST, day=-1), NOTICE) == {BUYER, SECOND, THIRD}


ACTIONS = [action for action in Action if action is not Action.REJECT]
EVENTS = st.builds(
    said, st.sampled_from(ACTIONS), st.sampled_from([FIRST, SECOND]), st.none(), st.integers(-5, 5)
) | st.builds(said, st.sampled_from(ACTIONS), st.just(""), st.just(BUYER), st.integers(-5, 5))


@given(st.lists(EVENTS, max_size=8))
@settings(deadline=None)
def test_whatever_is_said_a_listed_buyer_blocks_each_known_order_no_person_took_off(events: list[Event]) -> None:
    found = entries(BUYER, ORDERS, events)
    if ("buyer", BUYER) in found:
        for order in ORDERS:
            words = stands([e for e in events if e.order_id == order or (e.buyer and not e.order_id)])
            assert ("order", order) in found or words.allowance or words.removal
    assert all(entry.last_notice_at >= entry.opted_out_at for entry in found.values())
