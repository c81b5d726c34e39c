"""What a first look at a large folder costs beside the bare fetch, and a look when nothing is new: Markdown tables.

    python bench/imap.py                 # needs Dovecot (Debian: apt-get install dovecot-imapd) and 1 GB of disk
    python bench/imap.py --mails 10000

The bare fetch is imapclient alone: it fetches the same header fields of the same mails in batches of 500 and does
nothing with them. Both are whole processes, in turns, each on a copy of the folder that nobody has opened before (cold:
Dovecot has no cache of it) and then once more (warm). Bytes are those that Dovecot says it sent. Exit 1 when a limit is
passed.
"""

# ruff: noqa: INP001, T201 - a folder of scripts, which print

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import mails

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from servers import PASSWORD, Counted, Dovecot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COPIES = 20  # of each of the other mails, as hard links: what is measured is not the disk
SLOWER, SHARE, MEMORY, TRIPS = 1.75, 5.0, 100.0, 4  # the limits: times, per cent, MB, round trips a folder

BARE = """
import sys
from imapclient import IMAPClient
port, user, password, item = sys.argv[1:]
with IMAPClient("127.0.0.1", int(port), ssl=False) as client:
    client.login(user, password)
    client.select_folder("INBOX", readonly=True)
    uids = client.search()
    for start in range(0, len(uids), 500):
        client.fetch(uids[start : start + 500], [item])
"""


class Cost(NamedTuple):
    """What one process took: seconds on the clock and of the processor, MB of memory at most, bytes from the server."""

    seconds: float
    processor: float
    memory: float
    received: int


def others(count: int, amazon: int) -> Iterator[bytes]:
    """Make what else lies in a seller's mailbox, 6 to 60 KB each; `amazon` per cent are Amazon's or buyers'."""
    maker = mails.Maker(5)
    made = 0
    while made < count:
        known = made % 100 < amazon
        makers: tuple[Callable[[], bytes], ...] = (
            (maker.amazon_notice, maker.amazon_notice, maker.buyer_message)
            if known
            else (maker.newsletter, maker.newsletter, maker.newsletter, maker.report)
        )
        raw = maker.chance.choice(makers)()
        if 6_000 <= len(raw) <= 60_000:
            made += 1
            yield raw


class Folder:
    """A folder of mails on disk, of which Dovecot gets copies."""

    def __init__(self, server: Dovecot, count: int, amazon: int) -> None:
        self._server, self.count = server, count
        self._store = Path(tempfile.mkdtemp(prefix="mails", dir=server.home / "home"))
        kinds = mails.notices(max(2, count // 100))
        self.notices = sum(map(len, kinds.values()))
        rest = others(
            max(100, -(-(count - self.notices) // COPIES)), amazon
        )  # not held: a child's figure begins at ours
        self._files = [self._file(number, raw) for number, raw in enumerate(chain(*kinds.values(), rest))]
        self.size = 0

    def _file(self, number: int, raw: bytes) -> tuple[Path, int, int]:
        path = self._store / str(number)
        path.write_bytes(raw)
        self._server.give(path)
        return path, len(raw), len(raw) + raw.count(b"\n")

    def copy(self, user: str) -> None:
        """Give a user the whole folder, named as Dovecot's own delivery names mails."""
        cur = self._server.maildir(user) / "cur"
        notices, rest = self._files[: self.notices], self._files[self.notices :]
        every = self.count // self.notices
        self.size = 0
        for number in range(self.count):
            at, left = divmod(number, every)
            path, size, sent = notices[at] if not left and at < len(notices) else rest[number % len(rest)]
            os.link(path, cur / f"{1_600_000_000 + number * 60}.M{number}P1.localhost,S={size},W={sent}:2,S")
            self.size += sent


def cost(command: list[str], server: Dovecot, **options: str) -> Cost:
    """Run a process to its end; raises when it fails."""
    log = server.home / "dovecot.log"
    before = log.stat().st_size
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ | options)
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command[:4])} ... failed")
    for _ in range(100):
        told = re.findall(r" out=(\d+)", log.read_text()[before:])
        if told:
            break
        time.sleep(0.05)
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6, sum(map(int, told)))


def configured(place: Path, port: int, user: str) -> list[str]:
    """Write a configuration into a folder of its own; give the command that syncs by it."""
    place.mkdir()
    (place / "config.toml").write_text(
        f'[[mailbox]]\naccount = "shop"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nusername = "{user}"\n'
        'password_env = "NOSEND_PASSWORD"\n'
    )
    return [sys.executable, "-m", "nosend", "--config", str(place / "config.toml"), "sync"]


def first_look(server: Dovecot, count: int, amazon: int, place: Path) -> Iterator[tuple[str, Cost]]:
    """Let both look at a folder for the first time, cold and warm; give the cost of each by its name."""
    from nosend.mailbox.reading import HEADER_ITEM  # noqa: PLC0415

    folder = Folder(server, count, amazon)
    for name in ("bare", "nosend"):
        folder.copy(name)
    size = folder.size / count / 1e3
    print(f"\n## A first look at {count:,} mails, {size:.0f} KB on average\n")
    print(f"{folder.notices:,} are notices; of the others {amazon} % are Amazon's or buyers', which get a row each.\n")
    for state in ("cold", "warm"):
        bare = [sys.executable, "-c", BARE, str(server.port), "bare", PASSWORD, HEADER_ITEM]
        yield f"bare, {state}", cost(bare, server)
        ours = configured(place / state, server.port, "nosend")
        yield f"nosend, {state}", cost(ours, server, NOSEND_PASSWORD=PASSWORD)
    yield "the folder", Cost(0, 0, 0, folder.size)


def nothing_new(server: Dovecot, count: int, place: Path) -> int:
    """Count the round trips after the log-in of a sync that finds nothing new."""
    user = f"quiet{count}"
    Folder(server, count, 5).copy(user)
    with Counted(server.port) as line:
        command = configured(place / user, line.port, user)
        cost(command, server, NOSEND_PASSWORD=PASSWORD)
        line.lines.clear()
        cost(command, server, NOSEND_PASSWORD=PASSWORD)
        return line.after_log_in()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=100_000, help="mails of the folder (100000)")
    parser.add_argument("--amazon", type=int, default=5, help="per cent of the others that are Amazon's (5)")
    given = parser.parse_args()
    server = Dovecot()
    passed = True
    try:
        with tempfile.TemporaryDirectory() as folder:
            costs = dict(first_look(server, given.mails, given.amazon, Path(folder)))
            whole = costs.pop("the folder").received
            print("| | s | against bare | processor, s | memory, MB | MB from the server | share of the folder |")
            print("|---|---:|---:|---:|---:|---:|---:|")
            for name, one in costs.items():
                slower = one.seconds / costs[f"bare, {name.split(', ')[1]}"].seconds
                share = one.received / whole * 100
                print(
                    f"| {name} | {one.seconds:.2f} | {slower:.2f} | {one.processor:.2f} | {one.memory:.0f} "
                    f"| {one.received / 1e6:.1f} | {share:.2f} % |"
                )
                if name.startswith("nosend"):
                    passed = passed and slower <= SLOWER and share <= SHARE and one.memory <= MEMORY
            print(f"\nAt most {SLOWER} times the bare fetch, {SHARE:.0f} % of the folder, {MEMORY:.0f} MB.")
            print("\n## A sync when nothing is new\n\n| mails | round trips a folder, after the log-in |\n|---:|---:|")
            for count in (1_000, given.mails):
                trips = nothing_new(server, count, Path(folder))
                passed = passed and trips <= TRIPS
                print(f"| {count:,} | {trips} |")
            print(f"\nAt most {TRIPS}.")
    finally:
        server.remove()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
