"""Faults while the daemon runs: it recovers by itself, and the list is that of an undisturbed run.

Each fault is put between two deliveries; what comes meanwhile and afterwards must be listed, once. docs/reliability.md
holds the table.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faults import OF_THE_LINE, findings
from proxy import Proxy
from servers import PASSWORD, Dovecot
from test_sync import noise, notice, order
from test_watch import Watching, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Shell

QUICK = {"poll_seconds": 5}


def undisturbed(nosend: Shell, user: str, port: int, folder: Path) -> dict[str, list[tuple]]:
    """Give what one `sync` over the same mailbox records."""
    folder.mkdir()
    other = replace(nosend, folder=folder)
    other.configure(user, port)
    other("sync")
    return findings(other)


@pytest.fixture
def own() -> Iterator[Dovecot]:
    """A Dovecot that may be stopped."""
    server = Dovecot()
    yield server
    server.remove()


class Shop:
    """A mailbox into which mails come, read by a daemon over a proxy."""

    def __init__(self, nosend: Shell, dovecot: Dovecot, user: str, proxy: Proxy, **keys: object) -> None:
        self._nosend, self._dovecot, self._user = nosend, dovecot, user
        self.proxy = proxy
        self.came = 0
        self.deliver(4)
        configure(nosend, user, proxy.port, QUICK, timeout=1, **keys)
        self.watch = Watching(nosend)
        self.watch.until_told("watches 1 mailboxes")

    def deliver(self, number: int = 2) -> None:
        """Deliver a notice and something else, so often."""
        for _ in range(number):
            self._dovecot.fill(self._user, [notice(self.came), noise(10_000 + self.came)])
            self.came += 1

    def until_all_are_listed(self, seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        wanted = {order(number) for number in range(self.came)}
        while True:
            with contextlib.suppress(sqlite3.OperationalError):
                if {value for (value,) in self._nosend.rows("SELECT value FROM blacklist")} == wanted:
                    return
            assert self.watch.process.poll() is None, self.watch.told()
            assert time.monotonic() < deadline, self.watch.told()
            self.watch.poll_now()
            time.sleep(0.3)

    def end_as_undisturbed(self) -> None:
        self.until_all_are_listed()
        self.watch.end()
        wanted = undisturbed(self._nosend, self._user, self._dovecot.port, self._nosend.folder / "undisturbed")
        assert findings(self._nosend) == wanted
        assert "a fault of nosend" not in self.watch.told()


@pytest.fixture
def shop(nosend: Shell, dovecot: Dovecot, request: pytest.FixtureRequest) -> Iterator[Shop]:
    user = "fault" + "".join(char for char in request.node.name if char.isalnum())[-40:]
    with Proxy(dovecot.port) as proxy:
        found = Shop(nosend, dovecot, user, proxy)
        yield found
        if found.watch.process.poll() is None:
            found.watch.process.kill()
            found.watch.process.wait()


@pytest.mark.parametrize("fault", OF_THE_LINE)
def test_the_daemon_recovers_from(shop: Shop, fault) -> None:
    shop.until_all_are_listed()
    with fault(shop.proxy):
        shop.deliver()
        shop.watch.poll_now()
        time.sleep(2.5)
    shop.deliver()
    shop.end_as_undisturbed()


def test_a_kick_and_a_restart_of_the_server(nosend: Shell, own: Dovecot) -> None:
    with Proxy(own.port) as proxy:
        shop = Shop(nosend, own, "kicked", proxy)
        shop.until_all_are_listed()
        own.kick("kicked")
        shop.deliver()
        shop.until_all_are_listed()
        own.stop()
        shop.deliver()
        time.sleep(2)
        own.start()
        shop.deliver()
        shop.end_as_undisturbed()


def test_a_wrong_password_for_a_while(nosend: Shell, dovecot: Dovecot) -> None:
    secret = nosend.folder / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    with Proxy(dovecot.port) as proxy:
        shop = Shop(nosend, dovecot, "password-changed", proxy, password_env=None, password_file="secret")
        shop.until_all_are_listed()
        secret.write_text("another")
        proxy.cut()
        shop.deliver()
        shop.watch.poll_now()
        shop.watch.until_told("refused the log-in")
        secret.write_text(PASSWORD)
        shop.deliver()
        shop.end_as_undisturbed()


def held(shop: Shop, database: Path, seconds: float) -> None:
    """Hold the database as another program may."""
    other = sqlite3.connect(database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        shop.deliver()
        time.sleep(seconds)
        other.execute("ROLLBACK")
    finally:
        other.close()


def test_a_database_that_another_program_holds(nosend: Shell, shop: Shop) -> None:
    shop.until_all_are_listed()
    held(shop, nosend.folder / "nosend.db", 8)
    assert "is in use" in shop.watch.told() or "held" in shop.watch.told(), shop.watch.told()
    shop.deliver()
    shop.end_as_undisturbed()


@pytest.mark.soak
def test_a_database_held_for_thirty_seconds(nosend: Shell, shop: Shop) -> None:
    shop.until_all_are_listed()
    held(shop, nosend.folder / "nosend.db", 30)
    shop.end_as_undisturbed()


def test_a_full_disk_for_a_while(nosend: Shell, shop: Shop) -> None:
    """A limit on the size of files stands for the full disk; it is lifted while the daemon runs."""
    shop.until_all_are_listed()
    pid = shop.watch.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    shop.deliver()
    shop.watch.poll_now()
    shop.watch.until_told("nothing was half-written")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    shop.end_as_undisturbed()


def cpu(pid: int) -> float:
    """Give the processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Give the resident kilobytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def files(pid: int) -> int:
    """Count the open files of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@dataclass(frozen=True)
class Cost:
    """What faults cost: CPU share of a quiet while after them, kilobytes and open files before and after them."""

    share: float
    memory: tuple[int, int]
    files: tuple[int, int]


def at_random(shop: Shop, faults: int, seconds: float) -> Cost:
    """Do faults at random."""
    shop.until_all_are_listed()
    time.sleep(1)  # it idles by now
    pid = shop.watch.process.pid
    before = memory(pid), files(pid)
    chance = random.Random(20261123)
    for _ in range(faults):
        with chance.choice(OF_THE_LINE)(shop.proxy):
            shop.deliver(1)
            shop.watch.poll_now()
            time.sleep(chance.uniform(0.1, 1.0))
        shop.watch.poll_now()
    shop.until_all_are_listed(60)
    burnt, begun_at = cpu(pid), time.monotonic()
    time.sleep(seconds)
    share = (cpu(pid) - burnt) / (time.monotonic() - begun_at)
    after = memory(pid), files(pid)
    shop.end_as_undisturbed()
    return Cost(share, (before[0], after[0]), (before[1], after[1]))


def test_faults_at_random_cost_neither_memory_nor_processor(shop: Shop) -> None:
    cost = at_random(shop, 10, 4)
    assert cost.share < 0.2, "no core is burnt"
    assert cost.memory[1] < cost.memory[0] + 20_000, "kilobytes"
    assert cost.files[1] <= cost.files[0] + 1, cost


@pytest.mark.soak
def test_two_hundred_faults_at_random(shop: Shop) -> None:
    cost = at_random(shop, 200, 60)
    print(f"after 200 faults: {cost}")
    assert cost.share < 0.02
    assert cost.memory[1] < cost.memory[0] + 10_000
    assert cost.files[1] <= cost.files[0] + 1
