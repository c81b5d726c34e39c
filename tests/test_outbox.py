"""The outbox: what each sink gets next, in which order, when again, and when no more. A real database, given times."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from conftest import Shell
from nosend import delivery
from nosend.entry import Change
from nosend.errors import ConfigError
from nosend.export.sinks import Answer, Outcome
from nosend.model import Place
from nosend.store.deliveries import Deliveries
from nosend.store.outbox import Outbox
from nosend.store.parcel import Failure, Parcel
from samples import NOW, judged, order

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)


class Box:
    """An outbox whose clock stands at NOW until it is set on."""

    def __init__(self, path: Path) -> None:
        self.path, self.outbox, self.now, self._count = path, Outbox(path), NOW, 0

    def change(self, *orders: int) -> None:
        """Change the list: a notice about each of these orders; the first adds it, the later ones renew it."""
        mails = []
        for number in orders:
            self._count += 1
            mails.append(judged(number, key=f"<{self._count}@x>", place=Place("shop", "INBOX", 7, self._count)))
        self.outbox.record(mails, NOW)

    def claim(self, by: str = "me", sink: str = "crm") -> Parcel:
        """Give what is sent next, which there is."""
        parcel = self.look(by, sink)
        assert parcel
        return parcel

    def look(self, by: str = "me", sink: str = "crm") -> Parcel | None:
        return self.outbox.claim(sink, by, self.now, self.now + LEASE)

    def next(self) -> int:
        """Give the number of the change that is sent next; 0 when nothing is due. It arrives."""
        parcel = self.look()
        if parcel:
            self.outbox.delivered(parcel)
        return parcel.change.seq if parcel else 0

    def fail(self, *, again: float = 1, rest: float = 0, final: bool = False) -> int:
        """Let the next attempt fail; give the number of its change."""
        parcel = self.claim()
        failure = Failure("answered 500", self.now + again * SECOND, self.now + rest * SECOND, final)
        self.outbox.failed(parcel, failure, self.now, self.now - delivery.DAYS)
        return parcel.change.seq

    def drain(self) -> list[int]:
        return list(iter(self.next, 0))

    def parked(self) -> list[int]:
        with Deliveries(self.path) as deliveries:
            return [one.change.seq for one in deliveries.undelivered() if one.parked_at]


@pytest.fixture
def box(tmp_path: Path):
    box = Box(tmp_path / "nosend.db")
    box.outbox.know(["crm"])
    yield box
    box.outbox.close()


def test_a_sink_gets_what_changes_from_then_on_in_order(box: Box) -> None:
    box.change(1, 2, 1)
    box.outbox.know(["crm", "new"])
    box.change(3)
    assert box.drain() == [1, 2, 3, 4]
    parcel = box.claim(sink="new")
    assert parcel.change == Change(4, NOW, "added", "order", order(3), "shop")
    assert box.drain() == [], "nothing twice"


def test_the_entry_goes_with_a_change_as_the_view_gives_it(box: Box) -> None:
    box.change(1)
    parcel = box.claim()
    with closing(sqlite3.connect(box.path)) as db:
        db.row_factory = sqlite3.Row
        assert parcel.entry == dict(db.execute("SELECT * FROM blacklist").fetchone())
        db.execute("DELETE FROM entries")
        db.commit()
    box.now += LEASE
    parcel = box.claim()
    assert parcel.entry is None, "it has gone since"


def test_a_claim_keeps_others_away_until_it_runs_out(box: Box) -> None:
    box.change(1, 2)
    first = box.claim("one")
    assert box.look("another") is None
    with Outbox(box.path) as elsewhere:
        assert elsewhere.claim("crm", "a third", box.now, box.now + LEASE) is None
    box.now += LEASE
    second = box.claim("another")
    assert second.change == first.change, "sent again, with the same number"
    box.outbox.delivered(first)
    box.outbox.failed(first, Failure("late", box.now, box.now), box.now, box.now - delivery.DAYS)
    assert box.look("one") is None, "who is late changes nothing"
    box.outbox.delivered(second)
    assert box.drain() == [2]


def test_what_was_claimed_and_given_back_is_due_at_once(box: Box) -> None:
    box.change(1)
    box.claim("one")
    box.outbox.release("one")
    assert box.drain() == [1]


def test_a_change_that_fails_gives_way_to_other_keys_and_its_own_wait_behind_it(box: Box) -> None:
    box.change(1, 2, 1, 3, 1)
    assert box.fail(again=5) == 1
    assert box.drain() == [2, 4]
    box.now += 5 * SECOND
    assert box.drain() == [1, 3, 5]


def test_what_was_never_tried_goes_before_what_failed(box: Box) -> None:
    """Else one that always fails would take the turn of the others after each rest."""
    box.change(1, 2, 3)
    assert [box.fail(again=0), box.fail(again=0)] == [1, 2]
    assert box.next() == 3
    box.now += SECOND
    assert [box.fail(again=0), box.next(), box.next()] == [1, 2, 1], "then what was tried longest ago"


def test_a_sink_rests(box: Box) -> None:
    box.change(1, 2)
    box.fail(rest=60)
    box.now += 59 * SECOND
    assert box.next() == 0
    box.now += SECOND
    assert box.drain() == [2, 1]


def test_a_refused_change_is_parked_with_the_later_ones_of_its_key(box: Box) -> None:
    box.change(1, 1, 2, 1)
    assert box.fail(final=True) == 1
    assert box.drain() == [3]
    box.change(1, 2)
    assert box.drain() == [6]
    assert box.parked() == [1, 2, 4, 5]
    box.now += 100 * delivery.DAYS
    assert box.drain() == [], "not by itself"
    assert box.outbox.retry(["crm"]) == 4
    assert box.drain() == [1, 2, 4, 5], "in order"


def test_what_waits_behind_a_change_is_parked_with_it(box: Box) -> None:
    box.change(1, 1)
    box.fail()
    assert box.drain() == []
    box.now += SECOND
    box.fail(final=True)
    assert box.parked() == [1, 2]


def test_after_three_days_in_vain_a_change_is_parked(box: Box) -> None:
    box.change(1, 2, 1)
    assert [box.fail(), box.fail()] == [1, 2]
    box.now += delivery.DAYS - SECOND
    assert [box.fail(), box.parked()] == [1, []]
    box.now += SECOND
    assert box.fail() == 2
    assert box.parked() == [1, 2, 3], "also the one that it was not the turn of"
    box.change(3)
    assert box.drain() == [4]


def test_after_a_success_the_sink_is_well(box: Box) -> None:
    box.change(1, 2)
    box.fail()
    with Deliveries(box.path) as deliveries:
        (told,) = deliveries.sinks()
    assert (told.waiting, told.parked, told.why, told.failing_since) == (2, 0, "answered 500", "2025-03-09T08:00:00Z")
    assert box.next() == 2
    with Deliveries(box.path) as deliveries:
        (told,) = deliveries.sinks()
    assert (told.waiting, told.parked, told.why, told.failing_since) == (1, 0, "", None)
    box.now += SECOND
    parcel = box.claim()
    assert (parcel.attempts, parcel.failures) == (1, 0)


def test_a_sink_that_is_gone_gets_nothing_until_retry(box: Box) -> None:
    box.change(1, 2)
    parcel = box.claim()
    box.outbox.park(parcel, "answered 410", box.now)
    box.now += 100 * delivery.DAYS
    assert box.drain() == []
    box.outbox.retry()
    assert box.drain() == [1, 2]


def test_all_is_sent_again_from_a_number_on(box: Box) -> None:
    box.change(1, 2, 1, 3)
    box.fail(final=True)
    assert box.drain() == [2, 4]
    box.outbox.retry(["crm"], 1)
    assert box.drain() == [1, 2, 3, 4], "what was parked before that number is due, too"
    box.change(5)
    parcel = box.claim()
    box.outbox.retry(["crm"], 0)
    box.outbox.delivered(parcel)
    assert box.drain() == [1, 2, 3, 4, 5], "what was under way moves nothing on"


def test_wrong_retries_are_told(box: Box) -> None:
    with pytest.raises(ConfigError, match="sink 'x' is not known: there is crm"):
        box.outbox.retry(["x"])
    with pytest.raises(ConfigError, match="--since 1: the last change is 0"):
        box.outbox.retry(["crm"], 1)


def test_a_sink_that_nobody_made_known_gets_nothing(box: Box) -> None:
    box.change(1)
    assert box.look(sink="other") is None


def test_back_off_grows_from_a_second_to_an_hour() -> None:
    assert [delivery.delay(n) for n in (0, 1, 2, 3, 12, 13, 1_000)] == [0, 1, 2, 4, 2048, 3600, 3600]


@pytest.mark.parametrize(
    ("failures", "wait", "least", "most"),
    [(0, 0, 0, 0), (1, 0, 0.5, 1), (4, 0, 4, 8), (0, 60, 61, 61), (20, 60, 1800, 3600), (0, 10**9, 86_401, 86_401)],
)
def test_the_sink_rests_from_the_second_failure_in_a_row_on_or_as_it_asks(
    failures: int, wait: float, least: float, most: float
) -> None:
    parcel = Parcel("crm", None, None, attempts=2, failures=failures, claimed_by="me")  # type: ignore[arg-type]
    found = delivery.failure(parcel, Answer(Outcome.FAILED, "x", wait), NOW)
    assert least * SECOND <= found.sink_due - NOW <= most * SECOND
    assert 2 * SECOND <= found.change_due - NOW <= 4 * SECOND


# The verbs.


def test_the_verbs_list_and_send_again(nosend: Shell) -> None:
    path = nosend.folder / "nosend.db"
    words = ("outbox", "--database", path)
    assert "does not exist" in nosend(*words, code=2).stderr
    assert "does not exist" in nosend(*words, "retry", code=2).stderr
    box = Box(path)
    box.outbox.know(["crm"])
    assert (nosend(*words).stdout, nosend(*words).stderr) == ("", "nosend: nothing waits for another attempt\n")
    box.change(1, 1, 2)
    box.fail(final=True)
    box.fail(again=60)
    assert nosend(*words).stdout.splitlines() == [
        f"crm 1 added order {order(1)} shop | parked since 2025-03-09T08:00:00Z | 1 attempts | answered 500",
        f"crm 2 renewed order {order(1)} shop | parked since 2025-03-09T08:00:00Z | 0 attempts | waits for change 1",
        f"crm 3 added order {order(2)} shop | due 2025-03-09T08:01:00Z | 1 attempts | answered 500",
    ]
    told = "sink crm: 1 changes wait, 2 parked: `nosend outbox` lists them"
    assert told in nosend("status", "--database", path).stdout
    (sink,) = json.loads(nosend("status", "--json", "--database", path).stdout)["sinks"]
    assert (sink["name"], sink["waiting"], sink["parked"], sink["why"]) == ("crm", 1, 2, "answered 500")
    assert nosend(*words, "retry", "crm").stderr == "nosend: 2 parked changes are due now\n"
    assert box.drain() == [1, 2, 3]
    nosend(*words, "retry", "crm", "--since", "2")
    assert box.drain() == [3]
    assert "--since needs the name of a sink" in nosend(*words, "retry", "--since", "0", code=2).stderr
    assert "sink 'x' is not known: there is crm" in nosend(*words, "retry", "x", code=2).stderr
    box.outbox.close()


ONE_OF_TWO = """
import sys
import time
from pathlib import Path
from test_outbox import Box
box = Box(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(2_000):
    if parcel := box.look(sys.argv[2]):
        print(parcel.change.seq)
        box.outbox.delivered(parcel)
        time.sleep(0.001)
"""


def test_two_processes_at_once_send_each_change_once(box: Box) -> None:
    box.change(*(n % 7 for n in range(300)))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_OF_TWO, str(box.path), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
        )
        for name in "ab"
    ]  # fmt: skip
    for one in both:
        assert one.stdout
        assert one.stdin
        assert one.stdout.readline() == "ready\n"
    for one in both:
        one.stdin.write("go\n")
        one.stdin.flush()
    sent = [list(map(int, one.communicate()[0].split())) for one in both]
    assert sorted(sent[0] + sent[1]) == list(range(1, 301))
    assert all(one == sorted(one) and one for one in sent), "each had a part of it, in order"
