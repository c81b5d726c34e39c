"""Whether one process watches many mailboxes: what is listed, how soon, and what that costs, as a Markdown table.

    python bench/mailboxes.py --mailboxes 200 --minutes 10
    python bench/mailboxes.py --mailboxes 200 --minutes 3 --tls
    python bench/mailboxes.py --mailboxes 200 --minutes 1 --backlog 200    # the first look at 40,000 mails

A real Dovecot with a user for each mailbox. About two mails a second are delivered at random moments into random
mailboxes, written to Maildir's tmp/ and renamed into new/; one of three is a notice. A time runs from that renaming to
the moment when another program sees the row in the view `blacklist`. Exits 1 when anything else was listed than the
notices, each under its account, or nosend took 300 MB.
"""

# ruff: noqa: INP001, T201 - a folder of scripts, which print

from __future__ import annotations

import argparse
import os
import statistics
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import mails
from daemon import Daemon, Post, mailbox, order

from servers import Dovecot

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_SECOND = 2.0
MOST_MEGABYTES = 300
PATIENCE = 150.0  # seconds for the last mails: more than poll_seconds


@dataclass
class Load:
    """Delivers, and looks when what was delivered is listed."""

    dovecot: Dovecot
    users: list[str]
    post: Post = field(default_factory=lambda: Post(11))
    wanted: dict[str, str] = field(default_factory=dict)  # order -> account
    sent_at: dict[str, float] = field(default_factory=dict)  # by order, of those that came while it was watched
    times: dict[str, float] = field(default_factory=dict)  # by order: seconds until it was listed
    delivered: int = 0

    def __post_init__(self) -> None:
        self._others = _others()

    def deliver(self, user: str) -> None:
        """Deliver a mail: a notice, or in two of three cases something else."""
        self.delivered += 1
        known = order(self.delivered) if self.delivered % 3 == 0 else ""
        path = self.dovecot.maildir(user)
        file = path / "tmp" / f"{time.time():.6f}.M{self.delivered}.bench"
        file.write_bytes(self.post.notice_of(known) if known else next(self._others))
        if os.getuid() == 0:
            os.chown(file, path.stat().st_uid, path.stat().st_gid)
        begun_at = time.perf_counter()
        file.rename(path / "new" / file.name)
        if known:
            self.wanted[known], self.sent_at[known] = f"shop-{user}", begun_at

    def fill(self, each: int) -> None:
        """Deliver before anybody watches."""
        for user in self.users:
            for _ in range(each):
                self.deliver(user)
        self.sent_at.clear()

    def run(self, daemon: Daemon, seconds: float) -> None:
        """Deliver for so long to anybody at random moments, then wait for the rest."""
        begun_at = due = time.perf_counter()
        while (now := time.perf_counter()) < begun_at + seconds:
            if now >= due:
                self.deliver(self.post.chance.choice(self.users))
                due += self.post.chance.expovariate(PER_SECOND)
            self._look(daemon)
        while len(self.times) < len(self.sent_at) and time.perf_counter() < begun_at + seconds + PATIENCE:
            self._look(daemon)

    def _look(self, daemon: Daemon) -> None:
        if daemon.has_changed():
            for (found,) in daemon.rows("SELECT value FROM blacklist WHERE kind = 'order'"):
                if found in self.sent_at and found not in self.times:
                    self.times[found] = time.perf_counter() - self.sent_at[found]
        time.sleep(0.01)

    def wrong(self, daemon: Daemon) -> list[str]:
        """Say what is not listed as it should be; empty when all is."""
        listed = {*daemon.rows("SELECT value, account FROM blacklist WHERE kind = 'order'")}
        wanted = {*self.wanted.items()}
        troubles = [f"missing: {one}" for one in sorted(wanted - listed)]
        troubles += [f"listed all the same: {one}" for one in sorted(listed - wanted)]
        ((buyers,),) = daemon.rows("SELECT count(*) FROM blacklist WHERE kind != 'order'")
        if int(buyers) != len(wanted):
            troubles.append(f"{buyers} buyers of {len(wanted)} notices")
        return troubles


def _others() -> Iterator[bytes]:
    known = [raw for kind in mails.others(210).values() for raw in kind]
    chance = mails.Maker(13).chance
    for number in count():
        # the same text from somebody else: what is known by its bytes is not read as new
        yield f"X-Number: {number}\n".encode() + chance.choice(known)


def all_read(daemon: Daemon, number: int) -> bool:
    """Tell whether every mailbox has had a round."""
    return len(daemon.rows("SELECT 1 FROM rounds WHERE last_success_at IS NOT NULL")) == number


def measure(number: int, seconds: float, backlog: int, *, tls: bool) -> bool:
    """Print a table of one run; give whether it held."""
    users = [f"u{at:03}" for at in range(number)]
    dovecot = Dovecot(crowd=users)
    try:
        for user in users:
            dovecot.maildir(user)
        load = Load(dovecot, users)
        load.fill(backlog)
        keys = {"tls": "implicit", "host": "localhost", "ca_file": str(dovecot.ca)} if tls else {}
        port = dovecot.tls_port if tls else dovecot.port
        begun_at = time.perf_counter()
        with Daemon([mailbox(f"shop-{user}", user, port, **keys) for user in users]) as daemon:
            while not all_read(daemon, number):
                daemon.check()
                time.sleep(0.05)
            started, used = time.perf_counter() - begun_at, daemon.processor_seconds()
            print(f"| at the start; all read after; processor | {load.delivered:,}; {started:.1f} s; {used:.1f} s |")
            print(f"| memory (RSS) then; the most until then | {_told(daemon.memory())} |", flush=True)
            begun_at = time.perf_counter()
            load.run(daemon, seconds)
            ran, used = time.perf_counter() - begun_at, daemon.processor_seconds() - used
            print(f"| processor in the {ran:.0f} s after that | {used:.1f} s: {100 * used / ran:.1f} % of a core |")
            memory = daemon.memory()
            print(f"| memory (RSS) at the end; the most of all | {_told(memory)} |")
            print(f"| threads, open files | {daemon.threads()}, {daemon.files()} |")
            wrong = load.wrong(daemon)
            code, ending = daemon.end()
            told = daemon.log.read_text(encoding="utf-8")
    finally:
        dovecot.remove()
    print(f"| SIGTERM: exit code, after | {code}, {ending:.1f} s |")
    report(load, wrong, [line for line in told.splitlines() if "warning:" in line or "error:" in line])
    return not wrong and memory[1] < MOST_MEGABYTES and code == 0


def _told(memory: tuple[float, float]) -> str:
    return "; ".join(f"{megabytes:.0f} MB" for megabytes in memory)


def report(load: Load, wrong: list[str], faults: list[str]) -> None:
    """Print what was listed."""
    times = sorted(load.times.values()) or [0.0]
    told = ", ".join(f"{one:.2f} s" for one in (statistics.median(times), times[int(len(times) * 0.95)], times[-1]))
    print(f"| mails in all, of them notices | {load.delivered:,}, {len(load.wanted):,} |")
    print(f"| not listed as they should be | {len(wrong)} |")
    print(f"| from delivery to the blacklist: median, 95 %, worst | {told} |")
    print(f"| warnings and errors in the log | {len(faults)} |")
    for line in (*wrong[:10], *faults[:10]):
        print(f"\n{line}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailboxes", type=int, default=200, help="how many (200)")
    parser.add_argument("--minutes", type=float, default=10, help="of deliveries (10)")
    parser.add_argument("--backlog", type=int, default=0, help="mails in each mailbox before the start (0)")
    parser.add_argument("--tls", action="store_true", help="TLS from the start, which takes more memory")
    given = parser.parse_args()
    print(f"\n## {given.mailboxes} mailboxes, {given.minutes:g} minutes, {'TLS' if given.tls else 'no TLS'}\n")
    print("| | |\n|---|---|")
    if not measure(given.mailboxes, given.minutes * 60, given.backlog, tls=given.tls):
        raise SystemExit("\nThat does not hold.")


if __name__ == "__main__":
    main()
