"""What a person decides about mails: each decision is an event, stands, and is undone by the opposite."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import letters
from conftest import Shell
from nosend.errors import UnknownKeyError
from nosend.model import Authenticity, Judged, Kind, OptOut, Place
from nosend.store import rows as written
from nosend.store.overview import Overview
from nosend.store.review import Decided, Review
from nosend.verdict import OPTED_OUT
from samples import AT, DAY, NOW, buyer, dump, judged, notice, order, rows
from servers import Dovecot
from test_cli import HOSTILE, RAW, control_characters, on_terminal

LATER = NOW + DAY
LIST = ("--database", "nosend.db")
BLACKLIST = "SELECT * FROM blacklist ORDER BY value, kind, account"
SHORT = "SELECT value, account, notices, source FROM blacklist ORDER BY kind DESC, value, account"
CHANGES = "SELECT action, kind, value, account FROM changes ORDER BY seq"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nosend.db"


def suspect(number: int = 1, *, orders: tuple[str, ...] | None = None, rule: str = "", fails: bool = False, **more):
    """Make a suspect about order `number`, or about others, or none; its number in the ledger follows the call."""
    mail = judged(number, kind=Kind.SUSPECT, **more)
    assert mail.verdict
    verdict = replace(mail.verdict, rule=rule or mail.verdict.rule)
    if orders is not None:
        verdict = replace(verdict, orders=orders)
    if fails:
        verdict = replace(verdict, authenticity=Authenticity.FAIL)
    return replace(mail, verdict=verdict)


def digest(*numbers: int) -> Judged:
    """Make a mail that brings several notices, each with a buyer, an account and a date of its own."""
    mail = judged(numbers[0])
    assert mail.verdict
    told = tuple(OptOut(order(n), buyer(n), "US", f"shop-{n}", AT - n * DAY) for n in numbers)
    verdict = replace(mail.verdict, orders=tuple(map(order, numbers)), buyer=None, opt_outs=told)
    return replace(mail, verdict=verdict)


def record(path: Path, *mails: Judged, now: datetime = NOW) -> None:
    with Review(path) as ledger:
        ledger.record(mails, now)


def accept(path: Path, *numbers: int, now: datetime = LATER, **more) -> Decided:
    with Review(path) as ledger:
        return ledger.accept(numbers, now, **more)


def reject(path: Path, *numbers: int, now: datetime = LATER) -> Decided:
    with Review(path) as ledger:
        return ledger.reject(numbers, now)


def rebuilt(path: Path) -> list[str]:
    with Review(path) as ledger:
        ledger.rebuild(LATER + DAY)
    return dump(path)


def waiting(path: Path) -> list[int]:
    with Overview(path) as overview:
        return [mail.id for mail in overview.waiting()]


# Accept and reject.


def test_accepting_a_suspect_lists_what_it_names_with_the_person_as_source(path: Path) -> None:
    record(path, suspect(alias=buyer()))
    assert rows(path, BLACKLIST) == []
    assert accept(path, 1) == Decided(mails=(1,), added=2)
    told = ("shop", "US", "2025-03-01T12:00:00Z", "2025-03-10T08:00:00Z", "2025-03-01T12:00:00Z", 1, "person")
    why = "accepted by a person: the buyer has chosen to opt out"
    assert rows(path, BLACKLIST) == [("order", order(), *told, why, None), ("buyer", buyer(), *told, why, None)]
    assert rows(path, CHANGES) == [("added", "order", order(), "shop"), ("added", "buyer", buyer(), "shop")]
    assert rows(path, "SELECT source, action, order_id FROM events") == [("person", "accept", order())]
    assert waiting(path) == []


def test_rejecting_a_notice_takes_it_off_the_list(path: Path) -> None:
    record(path, judged(alias=buyer()))
    assert reject(path, 1) == Decided(mails=(1,), removed=2)
    assert rows(path, BLACKLIST) == []
    assert rows(path, "SELECT source, action FROM events ORDER BY id") == [("notice", "opt_out"), ("person", "reject")]
    assert {change[:3] for change in rows(path, CHANGES)[2:]} == {
        ("removed", "order", order()),
        ("removed", "buyer", buyer()),
    }


@pytest.mark.parametrize("mail", [suspect(), judged(), judged(kind=None)], ids=["suspect", "notice", "set aside"])
def test_a_rejected_mail_waits_no_more_and_lists_nothing(path: Path, mail: Judged) -> None:
    record(path, mail)
    reject(path, 1)
    assert (waiting(path), rows(path, BLACKLIST)) == ([], [])


@pytest.mark.parametrize("decide", [accept, reject])
@pytest.mark.parametrize("mail", [suspect(alias=buyer()), judged(alias=buyer())], ids=["suspect", "notice"])
def test_deciding_twice_the_same_changes_nothing(path: Path, mail: Judged, decide) -> None:
    record(path, mail)
    decide(path, 1)
    before = dump(path)
    assert decide(path, 1, now=LATER + DAY) == Decided(mails=(1,))
    assert dump(path) == before


def test_an_accepted_mail_is_undone_by_a_rejection_and_that_by_an_acceptance(path: Path) -> None:
    record(path, suspect())
    for _ in range(2):
        accept(path, 1)
        assert rows(path, SHORT) == [(order(), "shop", 1, "person")]
        reject(path, 1)
        assert rows(path, SHORT) == []
    assert [change[0] for change in rows(path, CHANGES)] == ["added", "removed"] * 2


@pytest.mark.parametrize("mail", [judged(alias=buyer()), digest(1, 2, 3)], ids=["notice", "digest"])
def test_accepting_a_rejected_notice_gives_back_what_it_had_listed(path: Path, mail: Judged) -> None:
    """Every order with its buyer, account and date; only who says so is new."""
    what = "SELECT kind, value, account, marketplace, opted_out_at, last_notice_at, notices FROM blacklist ORDER BY 2"
    record(path, mail)
    before = rows(path, what)
    reject(path, 1)
    accept(path, 1)
    assert rows(path, what) == before
    assert rows(path, "SELECT DISTINCT source FROM blacklist") == [("person",)]


def test_accepting_what_was_accepted_with_an_order_needs_it_no_more(path: Path) -> None:
    record(path, suspect(orders=()))
    accept(path, 1, orders=[order(5)])
    reject(path, 1)
    accept(path, 1)
    assert rows(path, SHORT) == [(order(5), "shop", 1, "person")]


def test_a_rejection_takes_back_all_that_was_accepted_of_a_mail(path: Path) -> None:
    record(path, suspect(orders=()))
    accept(path, 1, orders=[order(5)])
    accept(path, 1, orders=[order(6)])
    assert [row[0] for row in rows(path, SHORT)] == [order(5), order(6)]
    reject(path, 1)
    accept(path, 1, orders=[order(7)])
    assert [row[0] for row in rows(path, SHORT)] == [order(7)]


def test_the_account_of_the_last_acceptance_counts(path: Path) -> None:
    record(path, suspect(alias=buyer()))
    accept(path, 1, account="shop-it")
    accept(path, 1, account="shop-us")
    assert rows(path, SHORT) == [(order(), "shop-us", 1, "person"), (buyer(), "shop-us", 1, "person")]
    accept(path, 1, account="shop-it")
    assert rows(path, SHORT) == [(order(), "shop-it", 1, "person"), (buyer(), "shop-it", 1, "person")]
    assert accept(path, 1, account="shop-it", now=LATER + DAY) == Decided(mails=(1,))


def test_accepting_a_mail_that_is_listed_already_makes_the_person_its_source(path: Path) -> None:
    record(path, judged())
    assert accept(path, 1) == Decided(mails=(1,))
    assert rows(path, SHORT) == [(order(), "shop", 1, "person")]
    assert [change[0] for change in rows(path, CHANGES)] == ["added", "renewed"]


def test_a_person_may_accept_what_is_taken_for_another_notice(path: Path) -> None:
    other = judged(kind=Kind.OTHER_NOTICE)
    assert other.verdict
    record(path, replace(other, verdict=replace(other.verdict, orders=())))
    accept(path, 1, orders=[order(5)])
    assert rows(path, SHORT) == [(order(5), "shop", 1, "person")]


# Which order.


@pytest.mark.parametrize(
    ("orders", "told"),
    [((), "names no order"), ((order(1), order(2)), f"names 2 orders ({order(1)}, {order(2)})")],
    ids=["none", "two"],
)
def test_a_mail_that_does_not_name_one_order_needs_it_told(path: Path, orders: tuple[str, ...], told: str) -> None:
    record(path, suspect(orders=orders, alias=buyer()))
    before = dump(path)
    with pytest.raises(UnknownKeyError) as caught:
        accept(path, 1)
    assert str(caught.value) == f"mail 1 {told}: say which with --order"
    assert dump(path) == before
    accept(path, 1, orders=[order(2)])
    assert [row[0] for row in rows(path, SHORT)] == [order(2), buyer()]


def test_of_several_mails_those_without_an_order_are_left_out_and_told(path: Path) -> None:
    record(path, suspect(1), suspect(2, orders=()), suspect(3))
    left_out = ("mail 2 names no order: say which with --order",)
    assert accept(path, 1, 2, 3) == Decided(mails=(1, 3), added=2, left_out=left_out)
    assert waiting(path) == [2]


def test_when_all_are_left_out_nothing_is_decided(path: Path) -> None:
    record(path, suspect(1, orders=()), suspect(2, orders=()))
    with pytest.raises(UnknownKeyError, match=r"mail 1 names no order.*\n.*mail 2 names no order"):
        accept(path, 1, 2)


@pytest.mark.parametrize("number", [0, -1, 99, 2**63, 2**80])
@pytest.mark.parametrize("decide", [accept, reject])
def test_one_wrong_number_leaves_all_undecided(path: Path, decide, number: int) -> None:
    record(path, suspect())
    before = dump(path)
    with pytest.raises(UnknownKeyError, match=f"^there is no mail {number}: `nosend review` lists them"):
        decide(path, 1, number)
    assert dump(path) == before


# A second read, a new notice, a second notice.

ELSEWHERE = [Place("shop", "Archive", 7, 1), Place("shop", "INBOX", 8, 1), Place("shop", "/mails/1.eml")]
READ_AGAIN = pytest.mark.parametrize("place", ELSEWHERE, ids=["other folder", "new UIDVALIDITY", "scanned"])


@READ_AGAIN
@pytest.mark.parametrize("kind", [Kind.OPT_OUT, Kind.SUSPECT])
def test_a_rejected_mail_read_again_stays_off_the_list(path: Path, kind: Kind, place: Place) -> None:
    """Even when nosend has learnt meanwhile to take it for a notice."""
    record(path, judged(kind=kind, alias=buyer()))
    reject(path, 1)
    changes = rows(path, CHANGES)
    record(path, judged(place=place, alias=buyer()), now=LATER + DAY)
    assert (rows(path, BLACKLIST), rows(path, CHANGES), waiting(path)) == ([], changes, [])
    assert rows(path, "SELECT count(*) FROM ledger") == [(2,)]


@READ_AGAIN
def test_an_accepted_mail_read_again_counts_once(path: Path, place: Place) -> None:
    record(path, suspect(orders=()))
    accept(path, 1, orders=[order(5)])
    before = rows(path, BLACKLIST), rows(path, CHANGES)
    record(path, judged(place=place), now=LATER + DAY)
    assert (rows(path, BLACKLIST), rows(path, CHANGES)) == before


@READ_AGAIN
@pytest.mark.parametrize("decide", [accept, reject])
def test_a_decision_about_a_mail_that_was_set_aside_stands_when_it_can_be_read(
    path: Path, place: Place, decide
) -> None:
    """Set aside it is known by its bytes, read by its Message-ID: it is the same mail."""
    set_aside = judged(kind=None)
    record(path, replace(set_aside, key=f"sha256:{set_aside.sha256}"))
    decide(path, 1, **({"orders": [order()]} if decide is accept else {}))
    before = rows(path, BLACKLIST), rows(path, CHANGES)
    record(path, judged(place=place), now=LATER + DAY)
    assert (rows(path, BLACKLIST), rows(path, CHANGES), waiting(path)) == (*before, [])


@READ_AGAIN
def test_a_mail_that_was_set_aside_and_is_read_elsewhere_waits_no_more(path: Path, place: Place) -> None:
    set_aside = judged(kind=None)
    unread = replace(set_aside, key=f"sha256:{set_aside.sha256}")
    record(path, unread)
    assert waiting(path) == [1]
    record(path, judged(place=place))
    assert (waiting(path), rows(path, SHORT)) == ([], [(order(), "shop", 1, "notice")])
    record(path, replace(unread, mail=replace(unread.mail, place=Place("shop", "Third", 7, 9))))
    assert waiting(path) == [], "nor when it breaks the reader in a third place"
    reject(path, 3)
    assert rows(path, SHORT) == []


@pytest.mark.parametrize("kind", [Kind.OPT_OUT, Kind.SUSPECT])
def test_a_new_notice_about_a_rejected_order_lists_it(path: Path, kind: Kind) -> None:
    record(path, judged(kind=kind))
    reject(path, 1)
    record(path, judged(key="<new@x>", day=3, place=Place("shop", "INBOX", 7, 9)), now=LATER)
    assert rows(path, "SELECT value, opted_out_at, notices FROM blacklist") == [(order(), "2025-03-04T12:00:00Z", 1)]
    reject(path, 1, now=LATER + DAY)
    assert len(rows(path, SHORT)) == 1, "the old rejection says nothing about the new mail"


@pytest.mark.parametrize(("rejected", "stays"), [(1, "2025-03-04T12:00:00Z"), (2, "2025-03-01T12:00:00Z")])
def test_of_two_notices_the_one_that_is_not_rejected_makes_the_entry(path: Path, rejected: int, stays: str) -> None:
    """For the order and for the buyer: one notice, with its dates, its reason and since when it is listed."""
    second = judged(key="<new@x>", day=3, place=Place("shop", "INBOX", 7, 9), alias=buyer(), why="day 3")
    record(path, judged(alias=buyer(), why="day 0"))
    record(path, second, now=NOW + timedelta(hours=1))
    assert [row[2] for row in rows(path, SHORT)] == [2, 2]
    reject(path, rejected)
    listed_at, why = {1: ("2025-03-09T09:00:00Z", "day 3"), 2: ("2025-03-09T08:00:00Z", "day 0")}[rejected]
    told = ("shop", "US", stays, listed_at, stays, 1, "notice", f"marker: {why}", None)
    assert rows(path, BLACKLIST) == [("order", order(), *told), ("buyer", buyer(), *told)]
    assert sorted(rows(path, CHANGES)[4:]) == [
        ("renewed", "buyer", buyer(), "shop"),
        ("renewed", "order", order(), "shop"),
    ]


def test_a_buyer_stays_listed_by_the_notice_about_another_order(path: Path) -> None:
    record(path, judged(1, alias=buyer()), judged(2, alias=buyer()))
    reject(path, 1)
    assert rows(path, SHORT) == [(order(2), "shop", 1, "notice"), (buyer(), "shop", 1, "notice")]
    assert sorted(rows(path, CHANGES)[4:]) == [
        ("removed", "order", order(1), "shop"),
        ("renewed", "buyer", buyer(), "shop"),
    ]


def test_a_decision_in_one_account_says_nothing_in_another(path: Path) -> None:
    record(path, judged(place=Place("shop-it", "INBOX", 7, 1)), judged(place=Place("shop-us", "INBOX", 7, 1)))
    reject(path, 1)
    assert rows(path, SHORT) == [(order(), "shop-us", 1, "notice")]


def test_a_decision_about_one_copy_is_about_the_mail(path: Path) -> None:
    record(path, suspect(), suspect(place=Place("shop", "Archive", 7, 1)))
    assert waiting(path) == [1], "each mail waits once"
    assert accept(path, 2, 1) == Decided(mails=(2,), added=1)
    assert waiting(path) == []
    reject(path, 1)
    assert rows(path, SHORT) == []


# All like this one.


def test_all_like_a_mail_are_the_waiting_ones_of_its_rule_and_sender(path: Path) -> None:
    one = suspect(9)
    proven = replace(one, verdict=replace(one.verdict, authenticity=Authenticity.PASS))
    others = {
        "alike": suspect(2),
        "in another folder": suspect(2, place=Place("shop", "Archive", 7, 2)),
        "in another account": suspect(3, place=Place("shop-it", "INBOX", 7, 1)),
        "another rule": suspect(4, rule="de.opt-out"),
        "another sender": replace(suspect(5), sender="somebody@shop.example"),
        "decided": suspect(6),
        "listed": judged(7),
        "listed by another copy": suspect(7, place=Place("shop", "Archive", 7, 7)),
        "failed authentication": suspect(8, fails=True),
        "proven": proven,
    }
    record(path, suspect(1), *others.values())
    reject(path, 2 + list(others).index("decided"))
    with Review(path) as ledger:
        named = dict(enumerate(["itself", *others], 1))
        assert [named[n] for n in ledger.alike(1)] == ["itself", "alike", "in another account"]
        assert [named[n] for n in ledger.alike(10)] == ["failed authentication"]
        assert [named[n] for n in ledger.alike(7)] == ["decided", "itself", "alike", "in another account"]


def test_what_was_set_aside_is_like_nothing(path: Path) -> None:
    """No rule spoke of it."""
    record(path, judged(1, kind=None), judged(2, kind=None))
    with Review(path) as ledger:
        assert ledger.alike(1) == (1,)
        with pytest.raises(UnknownKeyError, match="there is no mail 3"):
            ledger.alike(3)


# What a decision is about stays the same however often it is folded.


def test_rebuild_keeps_every_decision(path: Path) -> None:
    record(path, judged(1, alias=buyer()), suspect(2), suspect(3), digest(4, 5))
    accept(path, 2, account="shop-it")
    reject(path, 1, 4)
    accept(path, 4, orders=[order(5)])
    before = dump(path)
    assert len(rows(path, SHORT)) == 3
    assert rebuilt(path) == before


@pytest.mark.parametrize("day", [0, -1], ids=["at the same moment", "after the clock was set back"])
def test_rebuild_gives_what_was_there_whatever_the_clock_said(path: Path, day: int) -> None:
    mails = [judged(key=f"<{n}@x>", place=Place("shop", "INBOX", 7, n), why=f"mail {n}") for n in range(3)]
    told = [replace(mail, verdict=_of(mail, "CA" if n else "US")) for n, mail in enumerate(mails)]
    for n, mail in enumerate(reversed(told)):
        record(path, mail, now=NOW + n * day * DAY)
    accept(path, 2, now=NOW + 4 * day * DAY)
    reject(path, 1, now=NOW + 5 * day * DAY)
    before = dump(path)
    assert rebuilt(path) == before


def _of(mail: Judged, marketplace: str):
    assert mail.verdict
    return replace(mail.verdict, opt_outs=tuple(replace(one, marketplace=marketplace) for one in mail.verdict.opt_outs))


def test_rebuild_gives_what_was_there_of_mails_without_a_date(path: Path) -> None:
    """They count from when they were read, in whole seconds, as the database keeps them."""
    for n, why in enumerate(("b", "a")):
        undated = replace(judged(key=f"<{n}@x>", place=Place("shop", "INBOX", 7, n), why=why), written_at=None)
        record(path, undated, now=NOW.replace(microsecond=300_000 * (n + 1)))
    before = dump(path)
    assert rebuilt(path) == before


# Any sequence of notices, acceptances and rejections, against a model that knows nothing of folding.


@dataclass
class Model:
    """Keeps what counts of each mail in a dict, by order, and makes the list of it from scratch."""

    counts: dict[int, dict[str, tuple]] = field(default_factory=dict)  # mail -> order -> what is said of it
    said: dict[int, dict[str, tuple]] = field(default_factory=dict)  # the same, without the last rejection
    known: dict[int, tuple[str, ...]] = field(default_factory=dict)  # the orders that a suspect names
    decided: set[int] = field(default_factory=set)
    clock: int = 0

    def read(self, mail: int, kind: Kind, orders: tuple[str, ...]) -> None:
        self.known.setdefault(mail, orders)
        if kind is Kind.OPT_OUT and mail not in self.decided:
            counting = self.counts.setdefault(mail, {})
            for one in orders:
                counting.setdefault(one, self.fact(mail, "notice"))
            self.said[mail] = dict(counting)

    def accept(self, mail: int, orders: tuple[str, ...]) -> bool:
        named = orders or tuple(self.said.get(mail, ())) or self.known[mail]
        if self.known[mail] and set(orders) - set(self.known[mail]):
            return False
        if not orders and not self.said.get(mail) and len(named) != 1:
            return False
        counting = self.counts.get(mail, {}) if mail in self.decided else {}
        before = counting.copy()
        for one in named:
            counting.pop(one, None)
            counting[one] = before.get(one) or self.fact(mail, "person")
        self.counts[mail] = counting
        self.said[mail] = dict(counting)
        self.decided.add(mail)
        return True

    def reject(self, mail: int) -> None:
        self.counts[mail] = {}
        self.decided.add(mail)

    def fact(self, mail: int, source: str) -> tuple:
        """Say when it was recorded, when the mail was written, who says so, and why."""
        self.clock += 1
        why = {"notice": "marker: ", "person": "accepted by a person: "}[source] + f"mail {mail}"
        return self.clock, AT + mail * DAY, why, source, buyer(mail % 2)

    def entries(self) -> set[tuple]:
        facts: dict[tuple[str, str], list[tuple]] = {}
        for counting in self.counts.values():
            for one, fact in counting.items():
                facts.setdefault(("order", one), []).append(fact)
                facts.setdefault(("buyer", fact[4]), []).append(fact)
        return {
            (kind, value, len(told), *_bounds(told), *min(fact[1:4] for fact in told)[1:])
            for (kind, value), told in facts.items()
        }


def _bounds(told: list[tuple]) -> tuple[str, str]:
    dates = [fact[1] for fact in told]
    return written.stamp(min(dates)), written.stamp(max(dates))


ORDERS = st.lists(st.sampled_from([order(n) for n in range(3)]), max_size=3, unique=True).map(tuple)
MAILS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("read"), MAILS, st.sampled_from([Kind.OPT_OUT, Kind.SUSPECT]), st.integers(0, 2)),
    st.tuples(st.just("accept"), MAILS, ORDERS),
    st.tuples(st.just("reject"), MAILS),
)
SAYS = st.fixed_dictionaries(dict.fromkeys(range(4), ORDERS))  # what each mail says, whenever it is read


def _mail(number: int, kind: Kind, orders: tuple[str, ...], folder: int) -> Judged:
    mail = judged(
        key=f"<{number}@x>", place=Place("shop", f"folder {folder}", 7, number), day=number, why=f"mail {number}"
    )
    assert mail.verdict
    alias = buyer(number % 2)
    told = tuple(OptOut(one, alias, "US") for one in orders) if kind is Kind.OPT_OUT else ()
    return replace(mail, verdict=replace(mail.verdict, kind=kind, orders=orders, buyer=alias, opt_outs=told))


def _carry_out(ledger: Review, path: Path, model: Model, says: dict[int, tuple[str, ...]], step: tuple, now) -> None:
    """Take one step in the ledger and in the model, where there is such a mail yet."""
    what, number, *rest = step
    if what == "read":
        kind, folder = rest
        kind = kind if says[number] else Kind.SUSPECT  # an opt-out names an order
        ledger.record([_mail(number, kind, says[number], folder)], now)
        model.read(number, kind, says[number])
        return
    known = rows(path, "SELECT id FROM ledger WHERE key = ? LIMIT 1", f"<{number}@x>")
    if not known:
        return
    if what == "reject":
        ledger.reject(known[0], now)
        model.reject(number)
        return
    before = dump(path)
    try:
        ledger.accept(known[0], now, rest[0])
    except UnknownKeyError:
        assert not model.accept(number, rest[0])
        assert dump(path) == before
    else:
        assert model.accept(number, rest[0])


@settings(
    derandomize=True, max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SAYS, st.lists(STEPS, min_size=1, max_size=12))
def test_any_sequence_gives_the_list_of_a_naive_model_and_of_rebuild(
    tmp_path_factory: pytest.TempPathFactory, says: dict[int, tuple[str, ...]], steps: list[tuple]
) -> None:
    path = tmp_path_factory.mktemp("any") / "nosend.db"
    model = Model()
    with Review(path) as ledger:
        for minute, step in enumerate(steps):
            before, seq = _entries(path), len(rows(path, CHANGES))
            _carry_out(ledger, path, model, says, step, NOW + timedelta(minutes=minute))
            listed = rows(path, "SELECT kind, value, notices, opted_out_at, last_notice_at, why, source FROM blacklist")
            assert set(listed) == model.entries()
            assert len(listed) == len(model.entries())
            told = [change[:3] for change in rows(path, CHANGES)[seq:]]
            if step[0] == "read":  # which may tell two orders of one buyer: added, then renewed
                told = list({change[1:]: change for change in reversed(told)}.values())
            assert sorted(told) == _difference(before, _entries(path))
        before = dump(path)
        assert ledger.rebuild(LATER)[1] == 0
    assert dump(path) == before
    assert _replayed(path) == {(kind, value) for kind, value, *_ in model.entries()}


def _entries(path: Path) -> dict[tuple, tuple]:
    return {row[:2]: row for row in rows(path, BLACKLIST)}


def _difference(before: dict[tuple, tuple], after: dict[tuple, tuple]) -> list[tuple]:
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    words = ("renewed" if key in before and key in after else "added" if key in after else "removed" for key in keys)
    return sorted((word, *key) for word, key in zip(words, keys, strict=True))


def _replayed(path: Path) -> set[tuple[str, str]]:
    """Go through the changes as a consumer does: what is added is not there, what is removed or renewed is."""
    there: set[tuple[str, str]] = set()
    for action, kind, value, _ in rows(path, CHANGES):
        assert ((kind, value) in there) == (action != "added"), (action, kind, value)
        (there.discard if action == "removed" else there.add)((kind, value))
    return there


# The verb.


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mail 1: a notice. 2: a suspect about two orders. 3: without an order. 4 and 5: alike. 6: forwarded."""
    folder = tmp_path_factory.mktemp("scanned")
    two = notice(2, alias=buyer(2)).replace(b"</p>", f" And {order(20)}.</p>".encode())
    none = notice(3).replace(order(3).encode(), b"(none)")
    forward = letters.mail(letters.forwarded(), From=letters.STRANGER, Subject="Fwd: please look")
    mails = [notice(1, alias=buyer(1)), two, none, *(_unknown(n) for n in (4, 5)), forward]
    for number, raw in enumerate(mails, 1):
        (folder / f"{number}.eml").write_bytes(raw)
    words = [sys.executable, "-m", "nosend", "scan", "--account", "shop", *LIST, "."]
    subprocess.run(words, cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return folder / "nosend.db"


@pytest.fixture
def shop(nosend: Shell, scanned: Path) -> Shell:
    """A shell in a folder with that database, and no configuration."""
    shutil.copy(scanned, nosend.folder / "nosend.db")
    return nosend


def _unknown(number: int) -> bytes:
    """Write a delivery failure in words that no pack knows."""
    return letters.mail(
        f"Sorry, order {order(number)} cannot be written about any more.", Message_ID=f"<unknown-{number}@x>",
        Date="Sat, 01 Mar 2025 12:00:00 +0000", From=letters.AMAZON,
    )  # fmt: skip


def review(shell: Shell, *words: object, code: int = 0):
    return shell("review", *LIST, *map(str, words), code=code)


def test_review_lists_what_waits_a_line_each_with_the_reason(shop: Shell) -> None:
    lines = review(shop).stdout.splitlines()
    amazon, told = "auto-communication@amazon.com", "X-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES"
    failed, other = "Your message to a buyer could not be delivered", "Your message could not be delivered"
    at, untrusted = "2025-03-01T12:00:00Z", "forwarded by somebody who is not in trusted_forwarders"
    assert sorted(re.sub(r"\[/.*/", "[", line) for line in lines) == [
        f"2 suspect {at} shop [2.eml] {amazon}: {other} | {told} | but 2 different order ids",
        f"3 suspect {at} shop [3.eml] {amazon}: {other} | {told} | but no order id",
        f"4 suspect {at} shop [4.eml] {amazon}: {failed} | Subject: {failed} | but no rule knows its words",
        f"5 suspect {at} shop [5.eml] {amazon}: {failed} | Subject: {failed} | but no rule knows its words",
        f"6 suspect - shop [6.eml] {letters.STRANGER}: Fwd: please look | {letters.SENTENCE} | but {untrusted}",
    ]


def test_each_decision_tells_what_it_did_and_how_it_is_undone(shop: Shell) -> None:
    before = shop.rows(SHORT)
    done = review(shop, "accept", 4, 6)
    assert done.stdout == ""
    assert (
        done.stderr
        == "nosend: 2 mails accepted, 2 entries added, 0 removed; `nosend review reject 4 6` takes off what they say\n"
    )
    assert shop.rows("SELECT value FROM blacklist WHERE source = 'person' ORDER BY 1") == [
        (order(4),),
        (letters.ORDER,),
    ]
    done = review(shop, *_undo(done.stderr))
    assert (
        done.stderr
        == "nosend: 2 mails rejected, 0 entries added, 2 removed; `nosend review accept 4 6` lists what they say\n"
    )
    assert shop.rows(SHORT) == before
    review(shop, *_undo(done.stderr))
    assert len(shop.rows(SHORT)) == len(before) + 2


def _undo(said: str) -> list[str]:
    return re.findall(r"`nosend review (.*)`", said)[0].split()


@pytest.mark.parametrize("verb", ["accept", "reject"])
def test_all_like_takes_the_other_suspects_of_rule_and_sender_and_can_be_undone(shop: Shell, verb: str) -> None:
    done = review(shop, verb, 4, "--all-like")
    assert f"nosend: 2 mails {verb}ed, " in done.stderr
    listed = {value for (value,) in shop.rows("SELECT value FROM blacklist")} & {order(4), order(5)}
    assert listed == ({order(4), order(5)} if verb == "accept" else set())
    assert [line.split()[0] for line in review(shop).stdout.splitlines()] == ["6", "2", "3"]
    review(shop, *_undo(done.stderr))
    assert {value for (value,) in shop.rows("SELECT value FROM blacklist")} & {order(4), order(5)} == (
        set() if verb == "accept" else {order(4), order(5)}
    )


def test_the_order_and_the_account_can_be_told(shop: Shell) -> None:
    review(shop, "accept", 3, "--order", f"[{order(30)}]", "--account", "shop-it")
    review(shop, "accept", 2, "--order", order(2), "--order", order(20))
    assert shop.rows("SELECT value, account FROM blacklist WHERE source = 'person' ORDER BY 1") == [
        (order(2), "shop"),
        (order(20), "shop"),
        (order(30), "shop-it"),
        (buyer(2), "shop"),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("accept", 99), "there is no mail 99: `nosend review` lists them with their numbers"),
        (("reject", 99), "there is no mail 99: `nosend review` lists them with their numbers"),
        (("show", 99), "there is no mail 99: `nosend review` lists them with their numbers"),
        (("accept", 4, 99), "there is no mail 99: `nosend review` lists them with their numbers"),
        (("accept", 10**30), f"there is no mail {10**30}: `nosend review` lists them with their numbers"),
        (("show", 10**30), f"there is no mail {10**30}: `nosend review` lists them with their numbers"),
        (("accept", 99, "--all-like"), "there is no mail 99: `nosend review` lists them with their numbers"),
        (("accept", 3), "mail 3 names no order: say which with --order"),
        (("accept", 2), f"mail 2 names 2 orders ({order(2)}, {order(20)}): say which with --order"),
        (("accept", 3, "--order", "123"), "'123' is neither an order id (123-1234567-1234567) nor a buyer alias"),
        (("accept", 3, "--order", buyer(3)), f"--order {buyer(3)!r} is no order id: 123-1234567-1234567"),
        (("accept", 3, "--order", order(3), "--order", "x\n\x1b[2J"), "'x\\n\\x1b[2J' is neither an order id"),
        (("accept", 3, 4, "--order", order(3)), "--order belongs to one mail: accept the others by themselves"),
        (("accept", 4, "--all-like", "--order", order(3)), "--order belongs to one mail: accept the others"),
        (("accept", 4, "--account", " "), "--account ' ' is no label for a seller account"),
        (("accept", 4, "--account", "a\x1b[2Jb"), "--account 'a\\x1b[2Jb' is no label for a seller account"),
    ],
)
def test_wrong_decisions_are_told_in_a_line_and_nothing_is_written(shop: Shell, words: tuple, told: str) -> None:
    before = shop.dump()
    done = review(shop, *words, code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.stderr.startswith(f"nosend: {told}")
    assert shop.dump() == before


@pytest.mark.parametrize("words", [("accept", "4"), ("reject", "4"), ("show", "4"), ()], ids=str)
def test_a_database_that_is_missing_is_told_and_not_made(nosend: Shell, words: tuple[str, ...]) -> None:
    done = nosend("review", "--database", "missing.db", *words, code=2)
    assert done.stderr.startswith("nosend: database 'missing.db' does not exist: ")
    assert list(nosend.folder.iterdir()) == []


def test_check_and_show_tell_what_a_person_decided(shop: Shell) -> None:
    review(shop, "accept", 4)
    why = "accepted by a person: Subject: Your message to a buyer could not be delivered | but no rule knows its words"
    assert why in shop("check", *LIST, order(4), code=1).stdout
    assert "source: person" in shop("check", *LIST, order(4), code=1).stdout
    assert f"person (accept) for shop: order {order(4)}\n    {why}\n" in shop("show", *LIST, order(4)).stdout
    review(shop, "reject", 1, 4, 5)
    for key in (order(1), buyer(1), order(4), order(5)):
        shop("check", *LIST, key, code=0)
        shown = shop("show", *LIST, key).stdout
        assert shown.startswith(f"{key}: send: not on the blacklist\n")
        assert "person (reject) for shop\n    rejected by a person\n" in shown
    assert "person" not in shop("show", *LIST, order(2)).stdout


def test_a_key_that_only_a_rejected_mail_names_is_suspected_no_more(shop: Shell) -> None:
    assert "a suspect mail names it" in shop("check", *LIST, order(4)).stderr
    review(shop, "reject", 4)
    assert shop("check", *LIST, order(4)).stderr == ""


def test_decisions_outlast_every_way_to_read_the_mails_again(nosend: Shell, dovecot: Dovecot) -> None:
    """A new UIDVALIDITY, another folder, a scan of the files with other line ends; and `rebuild`."""
    mails = [notice(1, alias=buyer(1)), _unknown(4), _unknown(5)]
    dovecot.fill("decided", mails)
    nosend.configure("decided", dovecot.port)
    nosend("sync")
    nosend("review", "reject", "1", "3")
    nosend("review", "accept", "2")
    before = nosend.rows(BLACKLIST), nosend.rows(CHANGES)
    assert [row[1] for row in before[0]] == [order(4)]
    nosend("rebuild")
    doveadm = ["doveadm", "-c", str(dovecot.configuration), "mailbox", "update", "--uid-validity", "4242"]
    subprocess.run([*doveadm, "-u", "decided", "INBOX"], check=True, capture_output=True)
    dovecot.fill("decided", mails, folder="Archive")
    nosend.configure("decided", dovecot.port, folders=["INBOX", "Archive"])
    nosend("sync")
    for number, raw in enumerate(mails):
        (nosend.folder / f"{number}.eml").write_bytes(raw)
    nosend("scan", ".")
    nosend("rebuild")
    assert (nosend.rows(BLACKLIST), nosend.rows(CHANGES)) == before
    assert nosend.rows("SELECT count(*) FROM ledger") == [(12,)]
    assert nosend("review").stdout == ""
    dovecot.fill("decided", [notice(1, ident="<new@x>")])
    nosend("sync")
    assert [row[1] for row in nosend.rows(BLACKLIST)] == [order(1), order(4)]


# show


SHOWN = {
    "marker": (notice(1), ">>> X-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES <<<"),
    "marker in small letters": (
        notice(1).replace(b"X-Space-N", b"x-space-n"),
        ">>> x-space-notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES <<<",
    ),
    "encoded marker": (
        notice(1, X_Space_Notification_Type=f"=?utf-8?q?{OPTED_OUT.replace('_', '=5F')}?="),
        ">>> X-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES <<<",
    ),
    "two markers": (
        notice(1, X_Space_Notification_Type="ELSE\nX-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES"),
        ">>> X-Space-Notification-Type: ELSE <<<\n>>> X-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES <<<",
    ),
    "sentence": (letters.mail(f"Hello.\n\n{letters.SENTENCE} Bye."), f">>> {letters.SENTENCE} <<< Bye."),
    "wrapped sentence": (letters.mail(letters.SENTENCE.replace(" for", "\nfor")), f">>> {letters.SENTENCE} <<<"),
    "subject": (_unknown(1), ">>> Subject: Your message to a buyer could not be delivered <<<"),
    "subject in small letters": (
        _unknown(1).replace(b"Subject:", b"subject:"),
        ">>> subject: Your message to a buyer could not be delivered <<<",
    ),
    "long subject": (letters.mail("x", Subject=f"{letters.SUBJECT} {'x' * 700}"), f">>> Subject: {letters.SUBJECT} xx"),
    "link": (
        letters.mail("See https://x.example/?nt=BUYER_OPTED_OUT_BSM_MESSAGES here", Subject="Hello"),
        ">>> link: https://x.example/?nt=BUYER_OPTED_OUT_BSM_MESSAGES <<<",
    ),
    "long link": (
        letters.mail(f"See https://x.example/?nt=BUYER_OPTED_OUT_BSM_MESSAGES&{'x' * 700} here", Subject="Hello"),
        ">>> link: https://x.example/?nt=BUYER_OPTED_OUT_BSM_MESSAGES&xx",
    ),
    "forwarded": (
        letters.mail(letters.forwarded(), From=letters.STRANGER, Subject="Fwd: x"),
        f"""  forwarded:
    from: {letters.AMAZON}
    date: Thu, 2 Feb 2023
    subject: {letters.SUBJECT}
    to: <{letters.STRANGER}>

    >>> {letters.SENTENCE} <<<""",
    ),
    "attached": (
        letters.multipart(
            f"Content-Type: message/rfc822\n\n{letters.mail().decode()}", From=letters.STRANGER, Subject="Fwd: x"
        ),
        f"  attached:\n    From: {letters.AMAZON}\n    Subject: {letters.SUBJECT}\n\n    >>> {letters.SENTENCE} <<<",
    ),
    "quoted printable": (
        letters.mail(
            letters.SENTENCE.replace("the buyer", "the=20bu=\nyer"), Content_Transfer_Encoding="quoted-printable"
        ),
        f">>> {letters.SENTENCE} <<<",
    ),
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list under a policy that makes every one of them a suspect, so that its bytes are kept."""
    folder = tmp_path_factory.mktemp("shown")
    for number, (raw, _) in enumerate(SHOWN.values(), 100):
        (folder / f"{number}.eml").write_bytes(raw.replace(b"\n", f"\nMessage-ID: <{number}@x>\n".encode(), 1))
    Shell(folder, {}).configure("me", 1, authenticity="require")
    words = [sys.executable, "-m", "nosend", "scan", "."]
    subprocess.run(words, cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize("name", SHOWN)
def test_show_prints_the_letter_decoded_with_what_matched_marked(nosend: Shell, shown: Path, name: str) -> None:
    nosend.folder = shown
    number, marked = 1 + list(SHOWN).index(name), SHOWN[name][1]
    told = "\n".join(line.rstrip() for line in nosend("review", "show", str(number)).stdout.splitlines())
    assert told.startswith(f"mail {number} of shop: suspect ")
    assert marked in told
    assert told.count(">>>") == marked.count(">>>")


def test_show_tells_that_the_bytes_are_not_kept(shop: Shell) -> None:
    """Of a notice they never were; of a suspect they expired."""
    db = sqlite3.connect(shop.folder / "nosend.db")
    with db:
        db.execute("DELETE FROM kept")
    db.close()
    for number, head in ((1, "mail 1 of shop: opt_out marker"), (4, "mail 4 of shop: suspect failure-subject")):
        done = review(shop, "show", number)
        assert done.stdout.splitlines()[0] == head
        assert done.stderr == "nosend: its bytes are not kept\n"
    review(shop, "accept", 4)
    assert (order(4),) in shop.rows("SELECT value FROM blacklist"), "a decision needs no bytes"


BREAKS = """
import os, sys
from nosend import cli, letter
letter.read = lambda raw, *more: {how}
cli.run()
"""


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("(_ for _ in ()).throw(RecursionError('deep'))", Kind.SUSPECT),
        ("(_ for _ in ()).throw(MemoryError())", Kind.SUSPECT),
        ("os._exit(9)", None),
    ],
    ids=["breaks", "too large", "kills"],
)
def test_show_prints_the_bytes_of_a_mail_that_cannot_be_decoded(nosend: Shell, how: str, kind: Kind | None) -> None:
    """Also of one that was set aside because it kills the process: it is not decoded again."""
    hostile = judged(kind=kind)
    raw = f"Subject: {RAW}\n\nhello {order(1)}\n".encode()
    record(nosend.folder / "nosend.db", replace(hostile, mail=replace(hostile.mail, raw=raw)))
    words = [sys.executable, "-c", BREAKS.format(how=how), "review", *LIST, "show", "1"]
    done = subprocess.run(words, cwd=nosend.folder, env=nosend.env, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "nosend: it cannot be decoded; these are its first bytes\n"
    assert f"\n\nhello {order(1)}\n" in done.stdout
    assert control_characters(done.stdout) == set()


def test_show_does_not_decode_what_killed_the_process_when_it_was_judged_again(nosend: Shell) -> None:
    record(nosend.folder / "nosend.db", suspect())
    with Review(nosend.folder / "nosend.db") as ledger:
        for _ in range(written.TRIES):
            ledger.begin_again(1, "new rules")
    words = [sys.executable, "-c", BREAKS.format(how="os._exit(9)"), "review", *LIST, "show", "1"]
    done = subprocess.run(words, cwd=nosend.folder, env=nosend.env, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "mail 1")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hostile mails, also with hostile texts and inside forwards; all suspects, and what was set aside."""
    folder = tmp_path_factory.mktemp("hostile")
    for number, headers in enumerate(HOSTILE.values()):
        raw = notice(number, **headers).replace(b"<p>", f"<p>{RAW}".encode())
        (folder / f"{number}.eml").write_bytes(raw)
        inside = letters.multipart(
            f'Content-Type: message/rfc822; name="{RAW}"\n\n{raw.decode()}', From=letters.STRANGER
        )
        (folder / f"{number}-inside.eml").write_bytes(inside)
        text = letters.mail(
            letters.forwarded(f"{RAW} {letters.SENTENCE} {RAW}", sender=RAW), Message_ID=f"<{number}@x>"
        )
        (folder / f"{number}-text.eml").write_bytes(text)
    (folder / "config.toml").write_text(
        '[[mailbox]]\naccount="shop"\nhost="localhost"\nusername="me"\npassword_env="X"\nauthenticity="require"\n'
    )
    subprocess.run([sys.executable, "-m", "nosend", "scan", "."], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    record(folder / "nosend.db", judged(999, kind=None))
    return folder


def test_hostile_mails_say_nothing_to_the_terminal(nosend: Shell, hostile: Path) -> None:
    """Neither in the list, nor shown one by one, nor in what a decision about them tells."""
    nosend.folder = hostile
    numbers = [n for (n,) in nosend.rows("SELECT id FROM ledger WHERE verdict IN ('suspect', 'set_aside')")]
    assert len(numbers) > 15
    shown = on_terminal(nosend, "review", NO_COLOR="1")[1]
    for number in numbers[::3]:
        shown += on_terminal(nosend, "review", "show", str(number), NO_COLOR="1")[1]
    shown += on_terminal(nosend, "review", "accept", *map(str, numbers), NO_COLOR="1")[1]
    shown += on_terminal(nosend, "show", order(5), NO_COLOR="1")[1]
    assert control_characters(shown.replace("\r\n", "\n")) == set()
