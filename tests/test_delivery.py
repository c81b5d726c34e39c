"""From the list to the sinks, with real receivers: all arrives, in order for each key, and intake never waits."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook

from nosend import delivery
from nosend.export import cloudevent, sinks
from nosend.model import Place
from nosend.store.deliveries import Deliveries
from nosend.store.outbox import Outbox
from receiver import DIE, GARBAGE, HANG, SECRET, Receiver
from samples import NOW, judged
from servers import free_port
from test_sync import notice, order
from test_watch import configure, watch  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from conftest import Shell
    from nosend.export.cloudevent import Envelope
    from nosend.export.sinks import Answer, Attempt
    from servers import Dovecot

KEYS = 20


def change(outbox: Outbox, first: int, count: int) -> None:
    """Let some changes be made, of KEYS orders in turn, a batch of ten in a transaction."""
    for start in range(first, first + count, 10):
        numbers = range(start, min(start + 10, first + count))
        outbox.record([judged(n % KEYS, key=f"<{n}@x>", place=Place("shop", "INBOX", 7, n + 1)) for n in numbers], NOW)


def assert_all_arrived(receiver: Receiver, count: int) -> None:
    """All arrived, a change has one id and no other has it, no key's changes came out of order, all were signed."""
    assert set(receiver.arrived()) == set(range(1, count + 1))
    ids: dict[int, set[str]] = {}
    last: dict[str, int] = {}
    for request in receiver.requests:
        event = Webhook(SECRET).verify(request.body, request.headers)
        assert request.headers["webhook-id"] == event["id"]
        ids.setdefault(request.seq, set()).add(event["id"])
        assert request.seq >= last.get(event["subject"], 0), "no later change of a key overtakes"
        last[event["subject"]] = request.seq
    assert {len(one) for one in ids.values()} == {1}
    assert len(set.union(*ids.values())) == count


def until(what, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Sending:
    """A courier of this process to a receiver, with less patience than `delivery.SECONDS`."""

    def __init__(self, outbox: Outbox, receiver: Receiver, seconds: float) -> None:
        self._url, self._seconds, self._key = receiver.url, seconds, cloudevent.key_of(SECRET)
        sink = delivery_sink("crm", receiver.url)
        self.courier = delivery.Courier(sink, outbox, self._send, stays=True)

    def _send(self, envelope: Envelope, attempt: Attempt) -> Answer:
        return sinks.post(self._url, envelope, lambda: self._key, attempt._replace(seconds=self._seconds))

    def __enter__(self) -> None:
        self.courier.start()

    def __exit__(self, *_: object) -> None:
        self.courier.end()
        self.courier.cut()
        self.courier.join(10)
        assert not self.courier.is_alive()


def delivery_sink(name: str, url: str):
    from nosend.config import Sink  # noqa: PLC0415 - beside its one use

    return Sink(name, (), url)


def over_all_troubles(path: Path, count: int, deaths: int) -> None:
    """Make changes while the receiver hangs, answers this and that, dies and comes back; all must arrive."""
    chance = random.Random(20260910)
    with Outbox(path) as outbox, Receiver() as receiver:
        outbox.know(["crm"])
        receiver.answer = lambda number, event: HANG
        with Sending(outbox, receiver, 0.3):
            change(outbox, 0, 10)
            assert receiver.begun.wait(20)
            change(outbox, 10, count // 2 - 10)
            with Deliveries(path) as deliveries:
                (told,) = deliveries.sinks()
            assert (receiver.arrived(), told.waiting) == ([], count // 2), "intake went on while it hung"
            troubles = [500, 503, 429, 302, HANG, GARBAGE, DIE]
            receiver.answer = lambda number, event: chance.choice(troubles) if number % 9 == 0 else 200
            for death in range(deaths):
                until(lambda wanted=(death + 1) * 5: len(receiver.arrived()) >= wanted)
                receiver.stop()
                change(outbox, count // 2 + death * (count // 2 // deaths), count // 2 // deaths)
                time.sleep(0.5)
                receiver.start()
            until(lambda: len(set(receiver.arrived())) == count, 1_000)
        assert_all_arrived(receiver, count)
        with Deliveries(path) as deliveries:
            assert list(deliveries.undelivered()) == []


def test_every_change_arrives_in_order_over_all_troubles(tmp_path: Path) -> None:
    over_all_troubles(tmp_path / "nosend.db", 120, 2)


@pytest.mark.soak
def test_two_thousand_changes_arrive_in_order_over_all_troubles(tmp_path: Path) -> None:
    over_all_troubles(tmp_path / "nosend.db", 2_000, 10)


# kill -9.


def with_sink(nosend: Shell, *sinks: str, user: str = "nobody", port: int = 0) -> None:
    """Write a configuration with these sinks; without a port the mailbox cannot be reached."""
    configure(nosend, user, port or free_port())
    with (nosend.folder / "config.toml").open("a") as file:
        file.write("".join(sinks))
    nosend.env["CRM"] = SECRET


def hook(receiver: Receiver, name: str = "crm") -> str:
    return f'[[sink]]\nname = "{name}"\nurl = "{receiver.url}"\nsecret = {{ env = "CRM" }}\n'


def killed_syncs(nosend: Shell, count: int, kills: int) -> None:
    chance = random.Random(20260910)
    database = nosend.folder / "nosend.db"
    with Receiver() as receiver:
        receiver.answer = lambda number, event: 500 if number % 7 == 3 else 200
        with_sink(nosend, hook(receiver))
        with Outbox(database) as outbox:
            outbox.know(["crm"])
            change(outbox, 0, count)
        command = [sys.executable, "-m", "nosend", "sync"]
        killed = 0
        while killed < kills and len(set(receiver.arrived())) < count:
            receiver.begun.clear()
            with subprocess.Popen(command, cwd=nosend.folder, env=nosend.env, stderr=subprocess.DEVNULL) as running:
                while running.poll() is None and not receiver.begun.wait(0.1):
                    pass
                time.sleep(chance.uniform(0, 0.1))
                running.send_signal(signal.SIGKILL)
            killed += running.returncode == -signal.SIGKILL
            claims_run_out(database)
        assert killed == kills
        while len(set(receiver.arrived())) < count:
            nosend("sync", code=None)
        assert_all_arrived(receiver, count)


def claims_run_out(database: Path) -> None:
    """Let the half minute be over in which nobody else sends what a killed process was sending."""
    with closing(sqlite3.connect(database, timeout=20)) as db:
        db.execute("UPDATE sinks SET claimed_until = ''")
        db.commit()


def test_killed_while_it_sends_the_next_run_sends_it_again_with_the_same_id(nosend: Shell) -> None:
    killed_syncs(nosend, 150, 4)


@pytest.mark.soak
def test_forty_killed_syncs_over_two_thousand_changes(nosend: Shell) -> None:
    killed_syncs(nosend, 2_000, 40)


# `nosend watch`.


def test_the_list_grows_while_a_receiver_hangs_and_the_end_is_clean(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    dovecot.fill("hangs", [notice(1)])
    with Receiver() as receiver, Receiver() as other:
        receiver.answer = lambda number, event: HANG
        with_sink(nosend, hook(receiver), hook(other, "other"), user="hangs", port=dovecot.port)
        running = watch()
        assert receiver.begun.wait(20)
        for number in (2, 3):
            dovecot.fill("hangs", [notice(number)])
            running.until_listed(order(number))
        assert len(receiver.requests) == 1, "it was listed while the first attempt hung"
        running.until(lambda: len(other.arrived()) == 3)
        running.end()
        receiver.answer = lambda number, event: 200
        assert nosend("sync").stderr == ""
        assert [one.seq for one in receiver.requests] == [1, 1, 2, 3], "what was cut off is sent again"
        assert_all_arrived(receiver, 3)
        assert_all_arrived(other, 3)
    assert "hush" not in running.told()
    assert order(1) not in running.told()


def test_sinks_are_read_again_and_a_new_one_gets_what_changes_from_then_on(
    nosend: Shell,
    dovecot: Dovecot,
    watch,  # noqa: F811
) -> None:
    dovecot.fill("reload", [notice(1)])
    with Receiver() as receiver:
        with_sink(nosend, user="reload", port=dovecot.port)
        del nosend.env["CRM"]
        running = watch()
        running.until_listed(order(1))
        with_sink(nosend, hook(receiver), user="reload", port=dovecot.port)
        running.process.send_signal(signal.SIGHUP)
        running.until_told("configuration read again")
        with_sink(nosend, hook(receiver).replace("url", "uri"), user="reload", port=dovecot.port)
        running.process.send_signal(signal.SIGHUP)
        running.until_told("unknown key 'uri'")
        dovecot.fill("reload", [notice(2)])
        running.until_listed(order(2))
        running.until_told("the environment variable CRM of secret env is not set")
        running.end()
        assert receiver.requests == [], "without its secret nothing is sent"
        with_sink(nosend, hook(receiver), user="reload", port=dovecot.port)
        nosend("outbox", "retry")
        nosend("sync")
        assert receiver.arrived() == [2]


# `nosend sync`.

TELL = """
import json, os, sys
event = json.load(sys.stdin)
with open("told", "a") as file:
    print(json.dumps([event["data"], sorted({"CRM", "NOSEND_PASSWORD", "PATH"} & set(os.environ))]), file=file)
sys.exit(int(open("code").read()))
"""


@pytest.fixture
def shop(nosend: Shell, dovecot: Dovecot, request: pytest.FixtureRequest) -> Shell:
    """A mailbox of the test's name with two notices."""
    dovecot.fill(request.node.name, [notice(1), notice(2)])
    with_sink(nosend, user=request.node.name, port=dovecot.port)
    return nosend


def add_sinks(shop: Shell, *sinks: str) -> None:
    with (shop.folder / "config.toml").open("a") as file:
        file.write("".join(sinks))


def test_a_command_is_told_after_the_round(shop: Shell) -> None:
    (shop.folder / "tell.py").write_text(TELL)
    command = json.dumps([sys.executable, "tell.py"])
    with Receiver() as receiver:
        add_sinks(shop, f'[[sink]]\nname = "tell"\ncommand = {command}\n', hook(receiver))
        (shop.folder / "code").write_text("65")
        told = shop("sync", code=75).stderr
    assert told == "nosend: sink 'tell': 2 changes were refused and are parked: `nosend outbox` lists them\n"
    (shop.folder / "code").write_text("0")
    assert shop("sync").stderr == ""
    shop("outbox", "retry", "tell")
    assert shop("sync").stderr == ""
    lines = [json.loads(line) for line in (shop.folder / "told").read_text().splitlines()]
    assert [(data["seq"], names) for data, names in lines] == [(n, ["PATH"]) for n in (1, 2, 1, 2)]
    (entry,) = (data["entry"] for data, _ in lines[:1])
    (listed,) = shop.rows("SELECT value, opted_out_at, notices FROM blacklist WHERE value = ?", entry["value"])
    assert (entry["value"], entry["opted_out_at"], entry["notices"]) == listed


def test_a_receiver_that_is_away_or_gone_is_told_and_holds_up_no_other(shop: Shell) -> None:
    with Receiver() as receiver, Receiver() as gone, Receiver() as away:
        gone.answer = lambda number, event: 410
        away.stop()
        add_sinks(shop, hook(away, "away"), hook(gone, "gone"), hook(receiver))
        told = shop("sync", code=75).stderr
        away_told = "nosend: sink 'away': cannot be reached (Connection refused): what waits is sent again later\n"
        gone_told = (
            "nosend: sink 'gone': answered 410: it wants nothing more; `nosend outbox retry gone` begins again\n"
        )
        assert told == away_told + gone_told
        assert receiver.arrived() == [1, 2]
        status = shop("status").stdout
        assert "sink away: 2 changes wait\n  in trouble since" in status
        assert "answered 410: it wants nothing more; sent to no more: `nosend outbox retry`" in status
        assert "sink crm: 0 changes wait\n" in status
        time.sleep(1)
        assert shop("sync", code=75).stderr == away_told, "it is tried again"
        assert len(gone.requests) == 1, "nothing is sent there any more"
        gone.answer = lambda number, event: 204
        away.start()
        shop("outbox", "retry")
        assert shop("sync").stderr == ""
        assert [one.arrived() for one in (away, gone)] == [[1, 2], [1, 2]]
        assert "hush" not in told + status


@pytest.mark.soak
def test_a_round_waits_for_a_receiver_that_hangs_no_longer_than_an_attempt_lasts(shop: Shell) -> None:
    with Receiver() as receiver, Receiver() as other:
        receiver.answer = lambda number, event: HANG
        add_sinks(shop, hook(receiver), hook(other, "other"))
        told = shop("sync", code=75).stderr
        assert told == "nosend: sink 'crm': did not answer in 15 s: what waits is sent again later\n"
        assert (len(receiver.requests), other.arrived()) == (1, [1, 2])


def test_sigterm_while_a_receiver_hangs_ends_the_round_with_zero(shop: Shell) -> None:
    with Receiver() as receiver:
        receiver.answer = lambda number, event: HANG
        add_sinks(shop, hook(receiver))
        command = [sys.executable, "-m", "nosend", "sync"]
        with subprocess.Popen(command, cwd=shop.folder, env=shop.env, stderr=subprocess.PIPE) as running:
            assert receiver.begun.wait(20)
            running.terminate()
            assert running.communicate() == (None, b"")
        assert running.returncode == 0
        receiver.answer = lambda number, event: 200
        assert shop("sync").stderr == ""
        assert [one.seq for one in receiver.requests] == [1, 1, 2], "no claim was left behind"


def test_doctor_tells_of_a_command_that_is_not_there(shop: Shell) -> None:
    add_sinks(shop, '[[sink]]\nname = "tell"\ncommand = ["nowhere/tell"]\n')
    assert "command of sink 'tell': 'nowhere/tell' is no program" in shop("doctor", code=None).stdout
