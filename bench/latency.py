"""How long a notice takes from its delivery to the blacklist: a Markdown table.

    python bench/latency.py                   # 200 deliveries, and 40 over lines that have died; about 13 minutes

A real Dovecot, `nosend watch` with its defaults, IDLE. A time runs from the start of dovecot-lda to the moment when
another program sees the row in the view `blacklist`. In the second part a relay for each mailbox stops passing bytes,
without a word to either side, at a random moment while nosend idles; the mail comes right after that. The first row is
what no client can be faster than: Dovecot waits half a second for more before it says anything. Nothing is asserted.
"""

# ruff: noqa: INP001, T201, S311 - a folder of scripts, which print; chance that repeats itself is what is wanted

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import time
from typing import TYPE_CHECKING

from daemon import Daemon, Post, mailbox, order

from proxy import Proxy
from servers import Dovecot

if TYPE_CHECKING:
    from collections.abc import Callable

DEAD = ((10, 5), (120, 60))  # poll_seconds and timeout of the second part; the latter are the defaults
PATIENCE = 210.0  # seconds for a mail
FIRST_DELAY = 1  # seconds at most, before a broken connection is made again


def measured(dovecot: Dovecot, daemon: Daemon, user: str, count: int, before: Callable[[], None]) -> list[float]:
    """Deliver notices one by one, each after `before`; give the seconds until each is listed."""
    post = Post(7)
    times = []
    for number in range(count + 1):
        mail = post.notice_of(order(number))
        before()
        begun_at = time.perf_counter()
        dovecot.deliver(user, mail)
        times.append(daemon.until_listed(order(number), PATIENCE) - begun_at)
    return times[1:]  # with the first one modules are loaded and caches filled


def with_idle(dovecot: Dovecot, count: int) -> list[float]:
    """Measure with the defaults: after the pause nosend idles again."""
    chance = random.Random(1)
    dovecot.maildir("idle")
    with Daemon([mailbox("shop", "idle", dovecot.port)]) as daemon:
        return measured(dovecot, daemon, "idle", count, lambda: time.sleep(chance.uniform(0.5, 2.0)))


def heard(dovecot: Dovecot, count: int) -> list[float]:
    """Measure how long Dovecot itself takes to tell a client in IDLE of a delivery."""
    chance = random.Random(3)
    post = Post(8)
    dovecot.maildir("bare")
    times = []
    with dovecot.client("bare") as client:
        client.select_folder("INBOX", readonly=True)
        for number in range(count):
            mail = post.notice_of(order(number))
            client.idle()
            time.sleep(chance.uniform(0.5, 2.0))
            begun_at = time.perf_counter()
            dovecot.deliver("bare", mail)
            client.idle_check(timeout=60)
            times.append(time.perf_counter() - begun_at)
            client.idle_done()
            client.noop()
    return times


def with_dead_lines(dovecot: Dovecot, count: int, poll: int, timeout: int) -> list[float]:
    """Measure with lines that die in silence, each right before a delivery; the next connection passes."""
    chance, post = random.Random(2), Post(9)
    users = [f"dead-{poll}-{number}" for number in range(count)]
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(dovecot.port)) for _ in users]
        for number, user in enumerate(users):
            dovecot.fill(user, [post.notice_of(order(count + number))])
        boxes = [mailbox(user, user, proxy.port, timeout=timeout) for user, proxy in zip(users, proxies, strict=True)]
        daemon = stack.enter_context(Daemon(boxes, poll_seconds=poll))
        for number in range(count):
            daemon.until_listed(order(count + number), 60)
        begun_at = time.perf_counter() + 2  # all idle by now
        due = sorted((begun_at + chance.uniform(0, poll), number) for number in range(count))
        sent: dict[str, float] = {}
        times: dict[str, float] = {}
        while len(times) < count:
            if due and time.perf_counter() >= due[0][0]:
                _, number = due.pop(0)
                proxies[number].bury()
                sent[order(number)] = time.perf_counter()
                dovecot.deliver(users[number], post.notice_of(order(number)))
            for known in [one for (one,) in daemon.rows("SELECT value FROM blacklist") if one in sent.keys() - times]:
                times[known] = time.perf_counter() - sent[known]
            daemon.check()
            time.sleep(0.01)
    return list(times.values())


def row(label: str, times: list[float]) -> str:
    """Write a row of the table."""
    late = statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]
    told = " | ".join(f"{seconds:.2f}" for seconds in (min(times), statistics.median(times), late, max(times)))
    return f"| {label} | {len(times)} | {told} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deliveries", type=int, nargs="?", default=200, help="deliveries with IDLE (200)")
    parser.add_argument("--dead", type=int, default=40, help="deliveries over dead lines (40)")
    given = parser.parse_args()
    dovecot = Dovecot()
    try:
        print("\n## From delivery to the blacklist, s\n")
        print("| way | deliveries | least | median | 95 % | worst |")
        print("|---|---:|---:|---:|---:|---:|")
        print(row("Dovecot's own word in IDLE", heard(dovecot, max(2, given.deliveries // 5))), flush=True)
        print(row("nosend, IDLE, defaults", with_idle(dovecot, given.deliveries)), flush=True)
        for poll, timeout in DEAD:
            told = f"dead line; poll_seconds = {poll}, timeout = {timeout}"
            print(row(told, with_dead_lines(dovecot, given.dead, poll, timeout)), flush=True)
    finally:
        dovecot.remove()
    bounds = ", ".join(f"{poll + timeout + FIRST_DELAY} s" for poll, timeout in DEAD)
    print(
        f"\nA dead line is left after poll_seconds + timeout + {FIRST_DELAY} s at most: {bounds}; then comes the time "
        "to connect, to log in and to read."
    )


if __name__ == "__main__":
    main()
