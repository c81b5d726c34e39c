"""The daemon: real command, real Dovecot, real signals."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nosend.config.secret import Secret
from nosend.errors import ConfigError, MailboxBusyError, MailboxRefusedError, MailboxUnreachableError
from nosend.monitor.heartbeat import Heartbeat
from nosend.monitor.systemd import Systemd
from nosend.store.ledger import Ledger
from nosend.store.lock import one_round
from nosend.verdict import rules
from nosend.watch.worker import LONGEST_DELAY, Order, Worker, delay
from proxy import Proxy
from servers import PASSWORD, Scripted, free_port
from test_imap import mailbox
from test_sync import noise, notice, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Shell
    from servers import Dovecot


class Watching:
    """A running `nosend watch`."""

    def __init__(self, nosend: Shell, *words: str, env: dict[str, str] | None = None) -> None:
        self._nosend = nosend
        self.log = nosend.folder / "watch.log"
        command = [sys.executable, "-m", "nosend", *words, "watch"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=nosend.folder, env=nosend.env | (env or {}), stderr=log)

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def until(self, what: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, f"it ended: {self.told()}"
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.02)

    def until_told(self, words: str, times: int = 1, seconds: float = 20.0) -> None:
        self.until(lambda: self.told().count(words) >= times, seconds)

    def until_listed(self, *orders: str, seconds: float = 20.0) -> None:
        def listed() -> bool:
            with contextlib.suppress(sqlite3.OperationalError):  # the view is not made yet
                found = {value for (value,) in self._nosend.rows("SELECT value FROM blacklist")}
                return found >= set(orders)
            return False

        self.until(listed, seconds)

    def poll_now(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    def end(self, number: int = signal.SIGTERM) -> None:
        begun_at = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(15) == 0, self.told()
        assert time.monotonic() - begun_at < 10
        assert "Traceback" not in self.told()


@pytest.fixture
def watch(nosend: Shell) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def start(*words: str, **options) -> Watching:
        started.append(Watching(nosend, *words, **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def configure(nosend: Shell, user: str, port: int, top: dict[str, object] | None = None, **keys: object) -> None:
    """Write config.toml; `top` are keys above the mailbox."""
    nosend.configure(user, port, **keys)
    file = nosend.folder / "config.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in (top or {}).items()]
    file.write_text("\n".join([*lines, file.read_text()]))


def add_mailbox(nosend: Shell, account: str, user: str, port: int) -> None:
    with (nosend.folder / "config.toml").open("a") as file:
        file.write(
            f'[[mailbox]]\naccount = "{account}"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
            f'username = "{user}"\npassword_env = "NOSEND_PASSWORD"\ntimeout = 20\n'
        )


def test_what_is_there_and_what_comes_is_listed_and_the_end_is_clean(nosend: Shell, dovecot: Dovecot, watch) -> None:
    dovecot.fill("watch-idle", [notice(1), noise(2)])
    configure(nosend, "watch-idle", dovecot.port, {"poll_seconds": 290})
    running = watch()
    running.until_listed(order(1))
    for number in (3, 4):
        time.sleep(1.5)  # it waits by now, for 290 seconds
        dovecot.fill("watch-idle", [notice(number)])
        running.until_listed(order(number))
    running.end()
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(3,)]
    assert "watches 1 mailboxes" in running.told()
    assert nosend("sync").stderr == "", "the next run goes on where it ended"
    assert nosend.rows("SELECT count(*) FROM ledger") == [(3,)]


def test_without_idle_the_clock_does_it(nosend: Shell, dovecot: Dovecot, watch) -> None:
    """The server's CAPABILITY is changed on the way."""
    with Proxy(dovecot.port) as proxy:
        proxy.replace = lambda data: data.replace(b" IDLE", b"")
        configure(nosend, "watch-poll", proxy.port, {"poll_seconds": 5})
        dovecot.maildir("watch-poll")
        running = watch()
        running.until((nosend.folder / "nosend.db").exists)
        time.sleep(2)
        dovecot.fill("watch-poll", [notice(1)])
        running.until_listed(order(1), seconds=15)
        running.end()


def test_a_server_that_is_away_for_a_while_is_told_once_and_found_again(nosend: Shell, watch) -> None:
    from servers import Dovecot  # noqa: PLC0415 - one that may be stopped

    server = Dovecot()
    try:
        server.fill("away", [notice(1)])
        configure(nosend, "away", server.port)
        running = watch()
        running.until_listed(order(1))
        time.sleep(1.5)
        server.stop()
        running.until_told("the connection was lost")
        running.until_told("cannot be reached")
        status = json.loads(nosend("status", "--json").stdout)
        assert "cannot be reached" in str(status["mailboxes"]), status
        for _ in range(3):
            running.poll_now()
            time.sleep(0.5)
        server.fill("away", [notice(2)])
        server.start()
        running.poll_now()
        running.until_listed(order(2), seconds=30)
        running.until_told("is read again")
        assert running.told().count("cannot be reached") == 1, "told once"
        running.end()
    finally:
        server.remove()


def test_a_mailbox_in_trouble_slows_no_other(nosend: Shell, dovecot: Dovecot, watch) -> None:
    silent = threading.Event()

    def say_nothing(*_: bytes) -> bytes:
        silent.wait(60)
        return b""

    with Scripted(say_nothing) as server:
        dovecot.fill("watch-good", [notice(1)])
        configure(nosend, "whoever", server.port, account="a-bad-one", timeout=60)
        add_mailbox(nosend, "good", "watch-good", dovecot.port)
        running = watch()
        running.until_listed(order(1))
        time.sleep(1.5)
        dovecot.fill("watch-good", [notice(2)])
        running.until_listed(order(2))
        running.end()
        silent.set()


def test_a_wrong_password_is_told_once_and_a_right_one_found_by_itself(nosend: Shell, dovecot: Dovecot, watch) -> None:
    secret = nosend.folder / "secret"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    dovecot.fill("watch-password", [notice(1)])
    configure(nosend, "watch-password", dovecot.port, password_env=None, password_file="secret")
    running = watch()
    running.until_told("refused the log-in")
    running.poll_now()
    time.sleep(1.5)
    secret.write_text(PASSWORD + "\n")
    running.poll_now()
    running.until_listed(order(1))
    assert running.told().count("refused the log-in") == 1
    assert "error:" in running.told()
    running.end()


def test_folders_that_are_not_there_are_told_and_the_others_read_on(nosend: Shell, dovecot: Dovecot, watch) -> None:
    dovecot.fill("watch-folders", [notice(1)])
    configure(nosend, "watch-folders", dovecot.port, folders=["Nowhere", "INBOX", "Neither"])
    running = watch()
    running.until_listed(order(1))
    running.until_told("no folder 'Nowhere'")
    running.until_told("no folder 'Neither'")
    time.sleep(1.5)
    dovecot.fill("watch-folders", [notice(2)])
    running.until_listed(order(2), seconds=10)
    for folder in ("Nowhere", "Neither"):
        dovecot.maildir("watch-folders", folder)
    running.poll_now()
    running.until_told("is read again")
    assert running.told().count("no folder 'Nowhere'") == 1
    assert running.told().count("no folder 'Neither'") == 1
    running.end()


def test_health_is_told_by_file_and_url(nosend: Shell, dovecot: Dovecot, watch) -> None:
    port = free_port()
    dovecot.fill("watch-health", [notice(1)])
    top = {"heartbeat_file": "beat", "metrics_file": "nosend.prom", "metrics_listen": f"127.0.0.1:{port}"}
    configure(nosend, "watch-health", dovecot.port, top)
    running = watch()
    running.until_listed(order(1))
    running.until((nosend.folder / "beat").exists)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        assert answer.read() == b"ok\n"
    running.until((nosend.folder / "nosend.prom").exists)
    running.end()


def test_no_heart_beats_where_no_server_answers(nosend: Shell, watch) -> None:
    port = free_port()
    configure(nosend, "nobody", free_port(), {"heartbeat_file": "beat", "metrics_listen": f"127.0.0.1:{port}"})
    running = watch()
    running.until_told("cannot be reached")
    assert not (nosend.folder / "beat").exists()
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5)
    running.end(signal.SIGINT)


def test_systemd_is_told(nosend: Shell, dovecot: Dovecot, watch) -> None:
    import socket  # noqa: PLC0415 - of this test alone

    path = nosend.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(path))
        line.settimeout(20)
        configure(nosend, "watch-systemd", dovecot.port)
        dovecot.maildir("watch-systemd")
        running = watch(env={"NOTIFY_SOCKET": str(path)})
        told: list[bytes] = []
        while not {b"READY=1", b"WATCHDOG=1"} <= set(told):
            told.append(line.recv(4096))
        running.process.send_signal(signal.SIGHUP)
        while b"RELOADING=1" not in told[-1]:
            told.append(line.recv(4096))
        while told[-1] != b"READY=1":
            told.append(line.recv(4096))
        running.end()
        while told[-1] != b"STOPPING=1":
            told.append(line.recv(4096))


def test_signals_while_it_starts_do_not_end_it(nosend: Shell, dovecot: Dovecot, watch) -> None:
    """From the first line of the verb on; Python itself needs some tenths of a second before."""
    dovecot.fill("watch-start", [notice(1)])
    configure(nosend, "watch-start", dovecot.port)
    with one_round(nosend.folder / "nosend.db"):  # it waits for this one
        running = watch()
        ignoring = 1 << signal.SIGHUP - 1 | 1 << signal.SIGUSR1 - 1
        status = Path(f"/proc/{running.process.pid}/status")
        running.until(lambda: int(re.findall(r"SigIgn:\t(\w+)", status.read_text())[0], 16) & ignoring == ignoring)
        running.process.send_signal(signal.SIGHUP)
        running.process.send_signal(signal.SIGUSR1)
        time.sleep(0.5)
    running.until_listed(order(1))
    running.end()


def test_a_database_that_is_replaced_ends_it(nosend: Shell, dovecot: Dovecot, watch) -> None:
    """What it wrote on would be read by nobody."""
    dovecot.fill("watch-replaced", [notice(1)])
    configure(nosend, "watch-replaced", dovecot.port)
    running = watch()
    running.until_listed(order(1))
    (nosend.folder / "nosend.db").rename(nosend.folder / "old.db")
    running.poll_now()  # else within a minute
    assert running.process.wait(20) == 75
    assert "was moved or replaced while nosend wrote to it: start it again" in running.told()


def test_wrong_configuration_ends_before_it_begins(nosend: Shell) -> None:
    (nosend.folder / "config.toml").write_text("")
    assert "no [[mailbox]], nothing to read" in nosend("watch", code=2).stderr
    nosend.configure("x", 1)
    (nosend.folder / "packs").mkdir()
    (nosend.folder / "packs" / "bad.toml").write_text("nonsense")
    config = nosend.folder / "config.toml"
    config.write_text('packs = "packs"\n' + config.read_text())
    assert "bad.toml" in nosend("watch", code=2).stderr


# The parts.


def test_delays_grow_by_kind_and_end_at_five_minutes() -> None:
    away, refused = MailboxUnreachableError("away"), MailboxRefusedError("no")
    assert [delay(n, away) for n in range(1, 12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert [delay(n, None) for n in (1, 2)] == [1, 2]
    assert [delay(n, refused) for n in range(1, 6)] == [30, 60, 120, 240, 300]
    assert delay(1, ConfigError("no password")) == 30
    assert [delay(n, MailboxBusyError("too many")) for n in range(1, 5)] == [60, 120, 240, 300]
    assert delay(10_000, away) == LONGEST_DELAY


class BrokenStore:
    """A store with a fault of its own."""

    def __init__(self) -> None:
        self.rounds = 0

    def round_begun(self, _: str) -> None:
        self.rounds += 1
        raise RuntimeError("a fault")


def test_a_fault_is_logged_and_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, heartbeat = BrokenStore(), Heartbeat({"shop": 60.0}, Systemd({}), tmp_path / "beat")
    worker = Worker(Order(mailbox(1), rules.builtin(), 120), store, heartbeat, os.environ)  # type: ignore[arg-type]
    worker.start()
    deadline = time.monotonic() + 20
    while store.rounds < 2 and time.monotonic() < deadline:
        worker.nudge()
        time.sleep(0.05)
    worker.end()
    worker.join(5)
    assert not worker.is_alive()
    assert store.rounds >= 2
    assert "a fault of nosend" in caplog.text
    assert not (tmp_path / "beat").exists()


def test_a_line_that_dies_idle_again_and_again_is_not_waited_for_ever_longer(
    dovecot: Dovecot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A network that forgets idle connections: each was good for a round, and held for a whole wait."""
    caplog.set_level(logging.DEBUG, "nosend.watch.worker")
    dovecot.maildir("watch-forgotten")
    heartbeat = Heartbeat({"shop": 60.0}, Systemd({}), tmp_path / "beat")
    password = Secret("password_env", "env", "NOSEND_PASSWORD", (), "watch-forgotten")
    with Ledger(tmp_path / "nosend.db") as store, Proxy(dovecot.port) as proxy:
        box = mailbox(proxy.port, "watch-forgotten", secret=password, timeout=1)
        worker = Worker(Order(box, rules.builtin(), 1), store, heartbeat, {"NOSEND_PASSWORD": PASSWORD})
        worker.start()
        for number in range(1, 5):
            deadline = time.monotonic() + 20
            while proxy.connections < number and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.5)  # it idles by now, for a second
            proxy.bury()
        worker.end()
        worker.join(10)
    waited = [record.args[0] for record in caplog.records if "tries again in" in record.msg]
    assert len(waited) >= 3
    assert max(waited) <= 1.0


def test_a_line_that_breaks_soon_after_each_round_is_not_waited_for_ever_longer(
    dovecot: Dovecot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is away for a while, again and again: what was read in between counts."""
    caplog.set_level(logging.DEBUG, "nosend.watch.worker")
    dovecot.maildir("watch-shaky")
    heartbeat = Heartbeat({"shop": 60.0}, Systemd({}), tmp_path / "beat")
    password = Secret("password_env", "env", "NOSEND_PASSWORD", (), "watch-shaky")
    with Ledger(tmp_path / "nosend.db") as store, Proxy(dovecot.port) as proxy:
        box = mailbox(proxy.port, "watch-shaky", secret=password, timeout=1)
        worker = Worker(Order(box, rules.builtin(), 290), store, heartbeat, {"NOSEND_PASSWORD": PASSWORD})
        worker.start()
        for number in range(1, 9):
            deadline = time.monotonic() + 20
            while proxy.connections < number and time.monotonic() < deadline:
                worker.nudge()  # it waits for its next attempt
                time.sleep(0.02)
            time.sleep(0.5)  # it idles by now, and has for less than half a minute
            proxy.cut()
            time.sleep(0.1)
        worker.end()
        worker.join(10)
    waited = [record.args[0] for record in caplog.records if "tries again in" in record.msg]
    assert len(waited) >= 7
    assert max(waited) > 8.0, "it waits longer than at first"
    assert max(waited) <= 16.0
