"""How long a notice takes from its delivery to the blacklist: a Markdown table.

    python bench/latency.py                   # 200 deliveries, and 10 over a line that has died; about 11 minutes

A real Dovecot, `nosend watch` with its defaults, IDLE. A time runs from the start of dovecot-lda to the moment when
another program sees the row in the view `blacklist`. In the second part a relay stops passing bytes, without a word to
either side, at a random moment while nosend idles; the mail comes right after that. The first row is what no client can
be faster than: Dovecot waits half a second for more before it says anything. Nothing is asserted.
"""

# ruff: noqa: INP001, T201, S311 - a folder of scripts, which print; chance that repeats itself is what is wanted

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import TYPE_CHECKING

from daemon import Daemon, Post, mailbox, order

from proxy import Proxy
from servers import Dovecot

if TYPE_CHECKING:
    from collections.abc import Callable

POLL, TIMEOUT = 10, 5  # seconds, of the second part
DEFAULT_POLL, DEFAULT_TIMEOUT = 120, 60
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
        times.append(daemon.until_listed(order(number), DEFAULT_POLL + DEFAULT_TIMEOUT + 30) - begun_at)
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


def with_a_dead_line(dovecot: Dovecot, count: int) -> list[float]:
    """Measure with a line that dies in silence before each delivery; the next connection passes."""
    chance = random.Random(2)
    dovecot.maildir("dead")
    with (
        Proxy(dovecot.port) as proxy,
        Daemon([mailbox("shop", "dead", proxy.port, timeout=TIMEOUT)], poll_seconds=POLL) as daemon,
    ):

        def bury() -> None:
            time.sleep(chance.uniform(1, POLL))
            proxy.bury()

        return measured(dovecot, daemon, "dead", count, bury)


def row(label: str, times: list[float]) -> str:
    """Write a row of the table."""
    late = statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]
    told = " | ".join(f"{seconds:.2f}" for seconds in (min(times), statistics.median(times), late, max(times)))
    return f"| {label} | {len(times)} | {told} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deliveries", type=int, nargs="?", default=200, help="deliveries with IDLE (200)")
    parser.add_argument("--dead", type=int, default=10, help="deliveries over a dead line (10)")
    given = parser.parse_args()
    dovecot = Dovecot()
    try:
        print("\n## From delivery to the blacklist, s\n")
        print("| way | deliveries | least | median | 95 % | worst |")
        print("|---|---:|---:|---:|---:|---:|")
        print(row("Dovecot's own word in IDLE", heard(dovecot, max(2, given.deliveries // 5))))
        print(row("nosend, IDLE, defaults", with_idle(dovecot, given.deliveries)))
        dead = with_a_dead_line(dovecot, given.dead)
        print(row(f"dead line; poll_seconds = {POLL}, timeout = {TIMEOUT}", dead))
    finally:
        dovecot.remove()
    bound = [poll + timeout + FIRST_DELAY for poll, timeout in ((POLL, TIMEOUT), (DEFAULT_POLL, DEFAULT_TIMEOUT))]
    print(
        f"\nA dead line is left after poll_seconds + timeout + {FIRST_DELAY} s at most: {bound[0]} s here, {bound[1]} "
        "s with the defaults; then comes the time to connect, to log in and to read."
    )


if __name__ == "__main__":
    main()
