"""Signals to the daemon: its end at any moment, its configuration read again; and two daemons on one database."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest

from proxy import Proxy
from servers import free_port
from test_sync import noise, notice, order
from test_watch import add_mailbox, configure, watch  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from conftest import Shell
    from servers import Dovecot

SECOND = "the-second"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_in_the_middle_of_the_first_look(nosend: Shell, dovecot: Dovecot, watch, number: int) -> None:  # noqa: F811
    """Every third is a notice, in batches of a hundred: when it ends a part is listed, and the next run goes on."""
    user = f"middle-{number}"
    dovecot.fill(user, [notice(n) if n % 3 == 0 else noise(n) for n in range(1_500)])
    configure(nosend, user, dovecot.port)
    running = watch()
    running.until_listed(order(0))
    running.end(number)
    ((uid,),) = nosend.rows("SELECT uid FROM cursors")
    assert uid < 1_500, "it was in the middle"
    listed = len([n for n in range(uid) if n % 3 == 0])
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(listed, listed)], "whole batches"
    again = watch()
    again.until_listed(order(1_497), seconds=60)
    again.end()
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(500, 500)]


def test_the_end_while_it_waits_for_the_next_attempt(nosend: Shell, watch) -> None:  # noqa: F811
    configure(nosend, "nobody", free_port())
    running = watch()
    running.until_told("cannot be reached")
    time.sleep(2)
    running.end()


@pytest.mark.parametrize("moment", ["log-in", "idle"])
def test_the_end_while_the_server_says_nothing(nosend: Shell, dovecot: Dovecot, watch, moment: str) -> None:  # noqa: F811
    """It would have waited for the server for a minute."""
    dovecot.fill(f"end-{moment}", [notice(1)])
    with Proxy(dovecot.port) as proxy:
        proxy.silent = moment == "log-in"
        configure(nosend, f"end-{moment}", proxy.port, timeout=60)
        running = watch()
        running.until_told("watches 1 mailboxes")
        if moment == "idle":
            running.until_listed(order(1))
        time.sleep(1.5)
        proxy.bury()
        running.end()
    assert "did not wait for the end" not in running.told(), "its line was cut"


def test_the_end_in_the_middle_of_an_answer(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    """Half of the first FETCH's answer comes, then nothing more."""
    dovecot.fill("end-fetch", [notice(n) for n in range(300)])
    is_buried = threading.Event()
    with Proxy(dovecot.port) as proxy:

        def bury(data: bytes) -> bytes:
            if b" FETCH (" not in data:
                return data
            proxy.bury()
            is_buried.set()
            return data[: len(data) // 2]

        proxy.replace = bury
        configure(nosend, "end-fetch", proxy.port, timeout=60)
        running = watch()
        assert is_buried.wait(20)
        time.sleep(0.5)
        running.end()
    nosend("sync", code=75)  # nobody listens any more
    configure(nosend, "end-fetch", dovecot.port)
    nosend("sync")
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(300, 300)], "the next run goes on"


def test_the_end_while_another_program_holds_the_database(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    """Several mailboxes wait for it, one behind the other."""
    for number in range(4):
        dovecot.fill(f"end-held-{number}", [notice(number)])
    configure(nosend, "end-held-0", dovecot.port, account="a0")
    for number in range(1, 4):
        add_mailbox(nosend, f"a{number}", f"end-held-{number}", dovecot.port)
    running = watch()
    running.until_listed(*map(order, range(4)))
    time.sleep(1.5)
    with contextlib.closing(sqlite3.connect(nosend.folder / "nosend.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(4):
            dovecot.fill(f"end-held-{number}", [notice(10 + number)])
        time.sleep(1.5)
        running.end()
        other.execute("ROLLBACK")
    nosend("sync")
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(8, 8)], "the next run goes on"


def test_the_end_while_the_command_of_a_password_hangs(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    began = nosend.folder / "began"
    hangs = ["sh", "-c", f"touch {began}; exec sleep 20"]
    configure(nosend, "end-command", dovecot.port, password_env=None, password_command=hangs)
    running = watch()
    running.until(began.exists)
    running.end()


def test_a_second_signal_changes_nothing(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    dovecot.fill("signalled-twice", [notice(1)])
    configure(nosend, "signalled-twice", dovecot.port)
    running = watch()
    running.until_listed(order(1))
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        running.process.send_signal(number)
    running.end()


def test_mailboxes_come_go_and_change(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    for user in ("stays", "goes", "comes", "other"):
        dovecot.maildir(f"reload-{user}")
    configure(nosend, "reload-stays", dovecot.port, account="stays")
    add_mailbox(nosend, "goes", "reload-goes", dovecot.port)
    running = watch()
    running.until_told("watches 2 mailboxes")
    time.sleep(2)
    configure(nosend, "reload-other", dovecot.port, account="stays")
    add_mailbox(nosend, "comes", "reload-comes", dovecot.port)
    running.process.send_signal(signal.SIGHUP)
    running.until_told("configuration read again: watches 2 mailboxes")
    for number, user in enumerate(("stays", "goes", "comes", "other")):
        dovecot.fill(f"reload-{user}", [notice(number)])
    running.until_listed(order(2), order(3))
    running.poll_now()
    time.sleep(1.5)
    running.end()
    found = nosend.rows("SELECT account, value FROM blacklist ORDER BY 2")
    assert found == [("comes", order(2)), ("stays", order(3))], "nobody reads the mailboxes that went"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + "\nnonsense = 1\n", "unknown key"),
        (lambda _: "[[mailbox", "is not TOML"),
        (lambda _: "", "no [[mailbox]] any more"),
        (None, "does not exist"),
        (lambda text: 'database = "another.db"\n' + text, "has changed: restart nosend"),
        (lambda text: f'metrics_listen = "127.0.0.1:{free_port()}"\n' + text, "has changed: restart nosend"),
        (lambda text: 'packs = "nowhere"\n' + text, "nowhere"),
    ],
)
def test_a_wrong_configuration_is_refused_and_the_old_one_stays(
    nosend: Shell,
    dovecot: Dovecot,
    watch,  # noqa: F811
    change,
    message: str,
) -> None:
    dovecot.fill("reload", [])
    configure(nosend, "reload", dovecot.port)
    running = watch()
    running.until_told("watches 1 mailboxes")
    file = nosend.folder / "config.toml"
    if change:
        file.write_text(change(file.read_text()))
    else:
        file.unlink()
    running.process.send_signal(signal.SIGHUP)
    running.until_told("the new configuration is refused, the old one stays")
    assert message in running.told()
    number = len(list((dovecot.maildir("reload") / "cur").iterdir())) + len(
        list((dovecot.maildir("reload") / "new").iterdir())
    )
    dovecot.fill("reload", [notice(number)])
    running.poll_now()
    running.until_listed(order(number))
    running.end()


def test_packs_are_read_again(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    """A broken one is refused; the old ones stay."""
    packs = nosend.folder / "packs"
    packs.mkdir()
    dovecot.maildir("reload-packs")
    configure(nosend, "reload-packs", dovecot.port, {"packs": "packs"})
    running = watch()
    running.until_told("watches 1 mailboxes")
    (packs / "broken.toml").write_text("nonsense")
    running.process.send_signal(signal.SIGHUP)
    running.until_told("broken.toml")
    (packs / "broken.toml").unlink()
    running.process.send_signal(signal.SIGHUP)
    running.until_told("configuration read again")
    running.end()


def test_a_second_daemon_and_a_sync_are_told_of_the_first(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    dovecot.fill("one-instance", [notice(1)])
    configure(nosend, "one-instance", dovecot.port)
    running = watch()
    running.until_listed(order(1))
    for verb in ("watch", "sync"):
        assert f"another nosend (process {running.process.pid}) is at work" in nosend(verb, code=75).stderr
    assert nosend("check", order(1), code=1).returncode == 1, "readers do not wait"
    running.end()
