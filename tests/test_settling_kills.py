"""kill -9 while notices are marked or moved: nothing is lost, nothing doubled, and every notice ends in its folder."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from between import Between
from conftest import Shell
from servers import Dovecot
from test_settling import KEYWORD, NOT_ONES, NOTICES, SERVERS, bodies, inside, states
from test_sync import noise, notice
from test_watch import configure


def command(verb: str) -> list[str]:
    return [sys.executable, "-m", "nosend", verb]


def later(nosend: Shell) -> None:
    """Let what was begun be long ago."""
    db = sqlite3.connect(nosend.folder / "nosend.db")
    with db:
        db.execute("UPDATE ledger SET settled_at = '2026-01-01T00:00:00Z' WHERE settled_at IS NOT NULL")
    db.close()


def killed(nosend: Shell, between: Between, step: str, *, answered: bool) -> None:
    with subprocess.Popen(command("sync"), cwd=nosend.folder, env=nosend.env, stderr=subprocess.DEVNULL) as running:
        between.kill(running, step, answered=answered)
        assert running.wait(60) == -9, "it was killed at that step"


STEPS = [
    ("MOVE", "CREATE"), ("MOVE", "UID MOVE"),
    ("COPY", "STATUS"), ("COPY", "UID COPY"), ("COPY", "UID STORE"), ("COPY", "UID EXPUNGE"),
]  # fmt: skip


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("way", "step"), STEPS)
def test_killed_at_a_step_the_next_run_finishes_and_doubles_nothing(
    nosend: Shell, dovecot: Dovecot, way: str, step: str, answered: bool
) -> None:
    user = f"kill-{way}-{step.replace(' ', '')}-{answered}".lower()
    dovecot.fill(user, [*NOT_ONES, *NOTICES])
    with Between(dovecot.port, *SERVERS[way]) as between:
        nosend.configure(user, between.port, move_notices_to="Opt-outs")
        killed(nosend, between, step, answered=answered)
        assert nosend.rows("SELECT count(*) FROM blacklist") == [(3,)], "recorded before anything is touched"
        nosend("sync")
        if (step, answered) == ("UID COPY", False):  # nothing tells whether the server is at it still
            later(nosend)
            nosend("sync")
    assert inside(dovecot, user, "INBOX") == bodies(NOT_ONES)
    assert inside(dovecot, user, "Opt-outs") == bodies(NOTICES)
    assert states(nosend) in ({"moved Opt-outs": 3}, {"gone": 3})


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
def test_killed_while_marking(nosend: Shell, dovecot: Dovecot, answered: bool) -> None:
    user = f"kill-mark-{int(answered)}"
    dovecot.fill(user, NOTICES)
    with Between(dovecot.port) as between:
        nosend.configure(user, between.port, mark_notices=KEYWORD)
        killed(nosend, between, "UID STORE", answered=answered)
        assert states(nosend) == {"": 3}
        nosend("sync")
    flags = [flags for _, flags in dovecot.snapshot(user).values()]
    assert flags == [(KEYWORD.encode(),)] * 3
    assert states(nosend) == {f"marked {KEYWORD}": 3}


def test_a_copy_that_may_be_under_way_is_waited_for(nosend: Shell, dovecot: Dovecot) -> None:
    """The server may go on after its client is gone: a copy begun anew at once would be doubled by it."""
    dovecot.fill("underway", NOTICES)
    with Between(dovecot.port, "MOVE") as between:
        nosend.configure("underway", between.port, move_notices_to="Opt-outs")
        killed(nosend, between, "UID COPY", answered=False)
        with dovecot.client("underway") as client:
            client.append("Opt-outs", notice(2))  # alike, but for its size: it was written with other ends of lines
            nosend("sync")
            assert len(between.said("UID COPY")) == 1
            client.select_folder("INBOX")
            client.copy([1, 3], "Opt-outs")  # now the server is through with a part of it
        nosend("sync")
        assert len(between.said("UID COPY")) == 1
    assert inside(dovecot, "underway", "INBOX") == bodies([])
    assert inside(dovecot, "underway", "Opt-outs") == bodies(NOTICES)


def test_alike_mails_have_a_copy_each(nosend: Shell, dovecot: Dovecot) -> None:
    """The same notice came twice, and one copy of it lay in the folder before: nothing is taken for the other."""
    dovecot.fill("alike", [notice(1)])
    with Between(dovecot.port, "MOVE") as between:
        nosend.configure("alike", between.port, move_notices_to="Opt-outs")
        nosend("sync")
        dovecot.fill("alike", [notice(1)])
        killed(nosend, between, "UID COPY", answered=False)
        nosend("sync")
        assert inside(dovecot, "alike", "INBOX") == bodies([notice(1)])
        later(nosend)
        nosend("sync")
    assert inside(dovecot, "alike", "Opt-outs") == bodies([notice(1)] * 2)


def test_a_folder_that_is_deleted_meanwhile_is_made_again(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("deleted", [notice(1)])
    nosend.configure("deleted", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    dovecot.fill("deleted", [notice(2)])
    with Between(dovecot.port, "MOVE") as between:
        nosend.configure("deleted", between.port, move_notices_to="Opt-outs")
        killed(nosend, between, "UID COPY", answered=True)
        with dovecot.client("deleted") as client:
            client.delete_folder("Opt-outs")  # and the copy with it
        nosend("sync")
        assert inside(dovecot, "deleted", "INBOX") == bodies([notice(2)]), "the original is not expunged"
        later(nosend)
        nosend("sync")
    assert inside(dovecot, "deleted", "Opt-outs") == bodies([notice(2)])


# kill -9 at random moments, while mails arrive


class Deliveries:
    """Delivers mails into a user's INBOX as a mail server does: written in tmp/, renamed into new/."""

    def __init__(self, server: Dovecot, user: str, mails: list[bytes]) -> None:
        self._inbox = server.maildir(user)
        self._owner = server.account
        self._mails = mails
        self.count = 0

    def deliver(self, upto: float, until: float, running: subprocess.Popen[bytes]) -> None:
        """Deliver until so many have been delivered, spread over the time that is left, and wait for its end."""
        while self.count < min(upto, len(self._mails)):
            left = max(0.0, until - time.monotonic())
            time.sleep(left / (upto - self.count + 1))
            self._deliver(self._mails[self.count])
            self.count += 1
        while running.poll() is None and time.monotonic() < until:
            time.sleep(0.01)

    def _deliver(self, mail: bytes) -> None:
        name = f"{int(time.time())}.M{self.count}P{os.getpid()}.localhost"
        file = self._inbox / "tmp" / name
        file.write_bytes(mail)
        if os.getuid() == 0:
            os.chown(file, self._owner.pw_uid, self._owner.pw_gid)
        file.rename(self._inbox / "new" / name)


def listed(nosend: Shell) -> list[tuple]:
    return nosend.rows(
        "SELECT kind, value, account, marketplace, opted_out_at, last_notice_at, notices, source, why FROM blacklist"
        " ORDER BY kind, value"
    )


def killed_while_mails_arrive(nosend: Shell, server: Dovecot, way: str, *, verb: str, kills: int, mails: int) -> None:
    """Kill `nosend VERB`, started again and again, at random moments while mails are delivered; then let it end."""
    arriving = [notice(n) if n % 4 == 0 else noise(n) for n in range(mails)]
    server.fill(f"calm-{verb}-{kills}", arriving)
    nosend.configure(f"calm-{verb}-{kills}", server.port)
    nosend("sync")
    began = time.monotonic()
    nosend("sync")
    longest = (1.5 if verb == "sync" else 4.0) * (time.monotonic() - began)  # most are killed at their work
    wanted = listed(nosend)
    assert len(wanted) == len(range(0, mails, 4))
    for name in ("nosend.db", "nosend.db-wal", "nosend.db-shm"):
        (nosend.folder / name).unlink(missing_ok=True)

    user, chance = f"random-{verb}-{kills}", random.Random(20261123)
    deliveries = Deliveries(server, user, arriving)
    killed = ended = halfway = 0
    with Between(server.port, *SERVERS[way.upper()]) as between:
        configure(nosend, user, between.port, {"poll_seconds": 5}, move_notices_to="Opt-outs", timeout=1)
        while killed < kills:
            upto = mails * (killed + 1) / kills
            with subprocess.Popen(command(verb), cwd=nosend.folder, env=nosend.env, stderr=subprocess.DEVNULL) as one:
                deliveries.deliver(upto, time.monotonic() + chance.uniform(0.2, longest), one)
                one.send_signal(signal.SIGKILL)
            if one.returncode == -signal.SIGKILL:
                killed += 1
                if verb == "sync":  # until one ends, however busy the machine is
                    longest *= 1.02
                halfway += any(how == "" or how.startswith("copying") for how in settled(nosend))
            else:
                assert one.returncode in {0, 75}, one.returncode
                longest /= 1.05
                ended += 1
        assert deliveries.count == mails
        deadline = time.monotonic() + 90
        while set(settled(nosend)) - {"moved Opt-outs", "gone"} or not ended or nosend("sync", code=None).returncode:
            assert time.monotonic() < deadline, settled(nosend)
            ended += nosend("sync", code=None).returncode == 0
            time.sleep(0.5)
        nosend("sync")
    print(f"{verb}, {way}: {killed} kills, {halfway} with notices under way, {ended} runs to their end, {mails} mails")
    assert listed(nosend) == wanted
    assert inside(server, user, "INBOX") == bodies([raw for n, raw in enumerate(arriving) if n % 4])
    assert inside(server, user, "Opt-outs") == bodies([raw for n, raw in enumerate(arriving) if n % 4 == 0])
    assert halfway or kills < 100, "some kill hit it while notices were under way"


def settled(nosend: Shell) -> list[str]:
    """Give how the notices are settled; none before the database is made."""
    if nosend.rows("SELECT name FROM pragma_table_info('ledger') WHERE name = 'settled'"):
        return list(states(nosend))
    return []


RUNS = [("watch", "move"), ("sync", "copy")]


@pytest.mark.parametrize(("verb", "way"), RUNS)
def test_twelve_kills_while_mails_arrive(nosend: Shell, dovecot: Dovecot, verb: str, way: str) -> None:
    killed_while_mails_arrive(nosend, dovecot, way, verb=verb, kills=12, mails=300)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("verb", "way"), RUNS)
def test_three_hundred_kills_while_five_thousand_mails_arrive(
    nosend: Shell, dovecot: Dovecot, verb: str, way: str
) -> None:
    killed_while_mails_arrive(nosend, dovecot, way, verb=verb, kills=300, mails=5_000)
