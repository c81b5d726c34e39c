"""Whether one process watches many mailboxes: what is listed, how soon, and what that costs, as a Markdown table.

    python bench/mailboxes.py --mailboxes 200 --minutes 10
    python bench/mailboxes.py --mailboxes 200 --minutes 3 --tls

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

    from daemon import Daemon as Running

PER_SECOND = 2.0
MOST_MEGABYTES = 300
PATIENCE = 150.0  # seconds for the last mails: more than poll_seconds


@dataclass
class Load:
    """Delivers, and looks when what was delivered is listed."""

    dovecot: Dovecot
    daemon: Running
    users: list[str]
    post: Post = field(default_factory=lambda: Post(11))
    sent: dict[str, tuple[str, float]] = field(default_factory=dict)  # by order: account, when
    times: dict[str, float] = field(default_factory=dict)  # by order: seconds until it was listed
    delivered: int = 0

    def deliver(self, other: bytes) -> None:
        """Deliver a mail to anybody: a notice, or in two of three cases the other one."""
        user = self.post.chance.choice(self.users)
        self.delivered += 1
        known = order(self.delivered) if self.delivered % 3 == 0 else ""
        path = self.dovecot.maildir(user)
        file = path / "tmp" / f"{time.time():.6f}.M{self.delivered}.bench"
        file.write_bytes(self.post.notice_of(known) if known else other)
        if os.getuid() == 0:
            os.chown(file, path.stat().st_uid, path.stat().st_gid)
        begun_at = time.perf_counter()
        file.rename(path / "new" / file.name)
        if known:
            self.sent[known] = (f"shop-{user}", begun_at)

    def look(self) -> None:
        """See what is listed by now."""
        if not self.daemon.has_changed():
            return
        for (found,) in self.daemon.rows("SELECT value FROM blacklist WHERE kind = 'order'"):
            if found in self.sent and found not in self.times:
                self.times[found] = time.perf_counter() - self.sent[found][1]

    def run(self, seconds: float) -> None:
        """Deliver for so long, then wait for the rest."""
        chance = self.post.chance
        others = _others()
        begun_at = time.perf_counter()
        due = begun_at
        while (now := time.perf_counter()) < begun_at + seconds:
            if now >= due:
                self.deliver(next(others))
                due += chance.expovariate(PER_SECOND)
            self.look()
            time.sleep(0.01)
        while len(self.times) < len(self.sent) and time.perf_counter() < begun_at + seconds + PATIENCE:
            self.look()
            time.sleep(0.01)

    def wrong(self) -> list[str]:
        """Say what is not listed as it should be; empty when all is."""
        listed = {*self.daemon.rows("SELECT value, account FROM blacklist WHERE kind = 'order'")}
        wanted = {(known, account) for known, (account, _) in self.sent.items()}
        troubles = [f"missing: {one}" for one in sorted(wanted - listed)]
        troubles += [f"listed all the same: {one}" for one in sorted(listed - wanted)]
        ((buyers,),) = self.daemon.rows("SELECT count(*) FROM blacklist WHERE kind != 'order'")
        if int(buyers) != len(self.sent):
            troubles.append(f"{buyers} buyers of {len(self.sent)} notices")
        return troubles


def _others() -> Iterator[bytes]:
    known = [raw for kind in mails.others(210).values() for raw in kind]
    chance = mails.Maker(13).chance
    for number in count():
        # the same text from somebody else: what is known by its bytes is not read as new
        yield f"X-Number: {number}\n".encode() + chance.choice(known)


def all_read(daemon: Running, number: int) -> bool:
    """Tell whether every mailbox has had a round."""
    return len(daemon.rows("SELECT 1 FROM rounds WHERE last_success_at IS NOT NULL")) == number


def measure(number: int, seconds: float, *, tls: bool) -> bool:
    """Print a table of one run; give whether it held."""
    users = [f"u{at:03}" for at in range(number)]
    dovecot = Dovecot(crowd=users)
    try:
        for user in users:
            dovecot.maildir(user)
        keys = {"tls": "implicit", "host": "localhost", "ca_file": str(dovecot.ca)} if tls else {}
        port = dovecot.tls_port if tls else dovecot.port
        begun_at = time.perf_counter()
        with Daemon([mailbox(f"shop-{user}", user, port, **keys) for user in users]) as daemon:
            while not all_read(daemon, number):
                daemon.check()
                time.sleep(0.05)
            started, used = time.perf_counter() - begun_at, daemon.processor_seconds()
            idle = daemon.memory()[0]
            load, begun_at = Load(dovecot, daemon, users), time.perf_counter()
            load.run(seconds)
            ran, used_since = time.perf_counter() - begun_at, daemon.processor_seconds() - used
            memory, most = daemon.memory()
            threads, files = daemon.threads(), daemon.files()
            wrong = load.wrong()
            code, ending = daemon.end()
            told = daemon.log.read_text(encoding="utf-8")
    finally:
        dovecot.remove()
    times = sorted(load.times.values()) or [0.0]
    faults = [line for line in told.splitlines() if "warning:" in line or "error:" in line]
    print(f"| mails delivered, of them notices | {load.delivered}, {len(load.sent)} |")
    print(f"| listed under the right account, anything else | {len(load.times)}, {len(wrong)} |")
    print(f"| from delivery to the blacklist: median, 95 %, worst | {statistics.median(times):.2f} s, "
          f"{times[int(len(times) * 0.95)]:.2f} s, {times[-1]:.2f} s |")  # fmt: skip
    print(f"| memory (RSS): all connected, end, most | {idle:.0f} MB, {memory:.0f} MB, {most:.0f} MB |")
    print(f"| processor: the start; then in {ran:.0f} s | {used:.1f} s; {used_since:.1f} s, "
          f"{100 * used_since / ran:.1f} % of a core |")  # fmt: skip
    print(f"| all read once after | {started:.1f} s |")
    print(f"| threads, open files | {threads}, {files} |")
    print(f"| SIGTERM: exit, after | {code}, {ending:.2f} s |")
    print(f"| warnings and errors in the log | {len(faults)} |")
    for line in (*wrong[:10], *faults[:10]):
        print(f"\n{line}")
    return not wrong and most < MOST_MEGABYTES and code == 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailboxes", type=int, default=200, help="how many (200)")
    parser.add_argument("--minutes", type=float, default=10, help="of deliveries (10)")
    parser.add_argument("--tls", action="store_true", help="TLS from the start, which takes more memory")
    given = parser.parse_args()
    print(f"\n## {given.mailboxes} mailboxes, {given.minutes:g} minutes, {'TLS' if given.tls else 'no TLS'}\n")
    print("| | |\n|---|---|")
    if not measure(given.mailboxes, given.minutes * 60, tls=given.tls):
        raise SystemExit("\nThat does not hold.")


if __name__ == "__main__":
    main()
