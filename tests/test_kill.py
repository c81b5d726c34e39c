"""kill -9 at any line: the next run loses nothing and doubles nothing. And mails that kill the process."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from conftest import MAILS, Shell
from faults import contents
from servers import Dovecot
from test_sync import noise, notice, order

SYNC = [sys.executable, "-m", "nosend", "sync"]


def killed_syncs(nosend: Shell, dovecot: Dovecot, user: str, kills: int, mails: int) -> None:
    """Kill `kills` syncs at random moments over a mailbox of `mails`, then compare with an undisturbed run."""
    fixtures = [mail.read_bytes() for mail in MAILS]
    rest = [notice(n) if n % 3 == 0 else noise(n) for n in range(mails - len(fixtures))]
    dovecot.fill(user, fixtures + rest)
    nosend.configure(user, dovecot.port)
    database = nosend.folder / "nosend.db"

    began = time.monotonic()
    nosend("sync")
    undisturbed = time.monotonic() - began
    wanted = contents(nosend)
    database.unlink()

    chance = random.Random(20260910)
    killed = 0
    while killed < kills:
        with subprocess.Popen(SYNC, cwd=nosend.folder, env=nosend.env, stderr=subprocess.DEVNULL) as running:
            time.sleep(chance.uniform(0, undisturbed))
            running.send_signal(signal.SIGKILL)
        if running.returncode == -signal.SIGKILL:
            killed += 1
        else:  # it was through: from the start again, the first look is where the most happens
            for name in ("nosend.db", "nosend.db-wal", "nosend.db-shm"):
                database.with_name(name).unlink(missing_ok=True)
    nosend("sync")
    assert contents(nosend) == wanted


def test_killed_syncs_end_in_the_same_blacklist(nosend: Shell, dovecot: Dovecot) -> None:
    killed_syncs(nosend, dovecot, "kills", kills=8, mails=700)


@pytest.mark.soak
def test_fifty_killed_syncs_over_two_thousand_mails(nosend: Shell, dovecot: Dovecot) -> None:
    killed_syncs(nosend, dovecot, "fifty", kills=50, mails=2_000)


# A mail that kills the process: the attempt is counted before it is judged


DEADLY = """
import os, sys, pathlib
from nosend import config, judging, service
from nosend.store.ledger import Ledger
real = judging.verdict.read
judging.verdict.read = lambda raw, *more: os._exit(9) if b"<notice-3@" in raw else real(raw, *more)
settings = config.load(pathlib.Path("config.toml"))
with Ledger(settings.database) as ledger:
    service.sync(settings, ledger, os.environ, lambda *_: None)
"""


def test_a_mail_that_kills_the_process_is_set_aside_and_the_round_goes_on(nosend: Shell, dovecot: Dovecot) -> None:
    """As a fault in a C library would: the process is gone without a word, again and again."""
    dovecot.fill("deadly", [notice(n) for n in range(6)])
    nosend.configure("deadly", dovecot.port)
    codes = []
    for _ in range(12):
        done = subprocess.run([sys.executable, "-c", DEADLY], cwd=nosend.folder, env=nosend.env, check=False)
        codes.append(done.returncode)
        if done.returncode == 0:
            break
    assert codes == [9, 9, 9, 9, 9, 0]
    assert nosend.rows("SELECT uid, verdict FROM ledger WHERE verdict != 'opt_out'") == [(4, "set_aside")]
    assert nosend.rows("SELECT value FROM blacklist") == [(order(n),) for n in range(6) if n != 3]
    assert nosend.rows("SELECT raw FROM kept")[0][0].replace(b"\r\n", b"\n") == notice(3)
    assert nosend.rows("SELECT uid, in_hand, attempts FROM cursors") == [(6, 0, 0)]
    assert "died" in nosend("review").stdout


BROKEN = DEADLY.replace("os._exit(9)", "(_ for _ in ()).throw(RecursionError('deep'))")


def test_a_mail_that_breaks_the_reader_is_set_aside_at_once(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("broken", [notice(n) for n in range(6)])
    nosend.configure("broken", dovecot.port)
    done = subprocess.run(
        [sys.executable, "-c", BROKEN], cwd=nosend.folder, env=nosend.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert nosend.rows("SELECT uid, verdict, why FROM ledger WHERE verdict != 'opt_out'") == [
        (4, "set_aside", "broke the reader: RecursionError")
    ]
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(5,)]


def test_sigterm_rolls_the_batch_back_and_ends_with_zero(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("term", [notice(n) for n in range(1_200)])
    nosend.configure("term", dovecot.port)
    with subprocess.Popen(SYNC, cwd=nosend.folder, env=nosend.env) as running:
        while not (nosend.folder / "nosend.db").exists() or _listed(nosend) == 0:
            time.sleep(0.02)
        running.terminate()
        assert running.wait(10) == 0
    assert 0 < _listed(nosend) < 1_200
    nosend("sync")
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(1_200, 1_200)]


def _listed(nosend: Shell) -> int:
    tables = nosend.rows("SELECT count(*) FROM sqlite_master WHERE name = 'blacklist'")
    return nosend.rows("SELECT count(*) FROM blacklist")[0][0] if tables == [(1,)] else 0


def test_full_disk_leaves_the_old_database_whole(nosend: Shell, dovecot: Dovecot) -> None:
    """A limit on the size of files stands for the full disk: writing fails in the middle of a batch."""
    dovecot.fill("full", [notice(n) for n in range(50)])
    nosend.configure("full", dovecot.port)
    nosend("sync")
    before = contents(nosend)
    dovecot.fill("full", [notice(n) for n in range(50, 900)])
    limited = ["sh", "-c", 'ulimit -f 200; exec "$@"', "sh", *SYNC]
    done = subprocess.run(limited, cwd=nosend.folder, env=nosend.env, capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert "nothing was half-written" in done.stderr
    assert "Traceback" not in done.stderr
    after = contents(nosend)
    assert after["blacklist"][: len(before["blacklist"])] == before["blacklist"]
    ((uid,),) = nosend.rows("SELECT uid FROM cursors")
    assert len(after["blacklist"]) == uid, "entries and cursor moved together"
    nosend("sync")
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(900, 900)]
