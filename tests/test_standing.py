"""Events become entries: one for the order, one for the buyer; the order of events does not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from nosend.entry import Entry
from nosend.model import Action, Event
from nosend.standing import fold, heard, keys, rejected

ORDER = "123-4567890-1234567"
ALIAS = "abc123def456ghi@marketplace.amazon.it"
START = datetime(2026, 9, 10, 12, tzinfo=UTC)
EVENT = Event(
    "inbox",
    "<1@x>",
    "shop",
    Action.OPT_OUT,
    ORDER,
    ALIAS,
    "IT",
    "notice",
    "the sentence",
    START,
    START + timedelta(hours=1),
)
KEY = ("order", ORDER)


def later(days: int, **changes) -> Event:
    at = START + timedelta(days=days)
    return replace(EVENT, **{"opted_out_at": at, "recorded_at": at, "why": f"day {days}"} | changes)


def folded(events: tuple[Event, ...]) -> Entry | None:
    return reduce(lambda entry, event: fold(entry, event, KEY), events, None)


def test_an_event_bears_on_the_order_and_on_a_known_buyer() -> None:
    assert keys(EVENT) == (("order", ORDER), ("buyer", ALIAS))
    assert keys(replace(EVENT, buyer=None)) == (("order", ORDER),)


def test_a_rejection_is_about_all_that_the_mail_said() -> None:
    said = [EVENT, replace(EVENT, action=Action.REJECT, order_id="", buyer=None)]
    assert (heard(said), rejected(said)) == ((), (EVENT,))


def test_the_first_event_makes_an_entry() -> None:
    made = Entry("order", ORDER, "shop", "IT", START, START + timedelta(hours=1), START, 1, "notice", "the sentence")
    assert fold(None, EVENT, KEY) == made
    assert fold(None, EVENT, ("buyer", ALIAS)) == made._replace(kind="buyer", value=ALIAS)


def test_a_later_event_renews_an_earlier_one_explains() -> None:
    first = fold(None, EVENT, KEY)
    assert fold(first, later(3), KEY) == first._replace(last_notice_at=START + timedelta(days=3), notices=2)
    assert fold(first, later(-3, source="forward"), KEY) == first._replace(
        opted_out_at=START - timedelta(days=3), notices=2, source="forward", why="day -3"
    )


def test_a_marketplace_told_later_is_kept() -> None:
    unknown = fold(None, replace(EVENT, marketplace=None), KEY)
    assert unknown.marketplace is None
    assert fold(unknown, later(1), KEY).marketplace == "IT"
    assert fold(fold(None, EVENT, KEY), later(1, marketplace=None), KEY).marketplace == "IT"


EVENTS = st.builds(
    later,
    st.integers(-3, 3),
    source=st.sampled_from(["notice", "forward"]),
    why=st.sampled_from(["a", "b"]),
    marketplace=st.sampled_from([None, "IT"]),
    recorded_at=st.just(START),
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_the_order_of_events_does_not_matter_but_for_listed_at(events: list[Event]) -> None:
    """`rebuild` folds by the time of recording, mails come in any order: both must give one list."""
    told = {folded(order) for order in permutations(events)}
    assert len(told) == 1
    assert told.pop().notices == len(events)


def test_listed_at_is_when_the_first_folded_event_was_recorded() -> None:
    assert folded((later(2), later(1))).listed_at == later(2).recorded_at
    assert folded((later(1), later(2))).listed_at == later(1).recorded_at


# What counts of a mail after what a person said of it.


ACTIONS = st.sampled_from([Action.OPT_OUT, Action.ACCEPT, Action.REJECT])


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 2)), max_size=8))
def test_after_a_rejection_only_what_is_accepted_later_counts(said: list[tuple[Action, int]]) -> None:
    events = [later(0, action=action, order_id=str(n), why=str(at)) for at, (action, n) in enumerate(said)]
    told = heard(events)
    if all(event.action is Action.OPT_OUT for event in events):
        assert told == tuple(events)
        return
    rejections = [at for at, event in enumerate(events) if event.action is Action.REJECT]
    since = events[rejections[-1] + 1 :] if rejections else events
    accepted = {event.order_id: event for event in since if event.action is Action.ACCEPT}
    assert sorted(told, key=events.index) == sorted(accepted.values(), key=events.index)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 2)), max_size=8), st.integers(1, 2))
def test_without_its_last_rejections_a_mail_counts_as_before(said: list[tuple[Action, int]], rejections: int) -> None:
    events = [
        later(0, action=action, order_id=str(n), why=str(at))
        for at, (action, n) in enumerate([*said, (Action.ACCEPT, 0)])
    ]
    rejection = replace(events[0], action=Action.REJECT, order_id="")
    assert rejected([*events, *[rejection] * rejections]) == heard(events)
    assert heard([*events, *[rejection] * rejections]) == ()
