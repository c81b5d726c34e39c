"""How `nosend watch` comes through faults: a Markdown table.

    python bench/reliability.py                     # every fault ten times for 20 s and more; about 20 minutes
    python bench/reliability.py --times 3 --seconds 5 --only refused full

A real Dovecot, a daemon and a mailbox for each fault, all at once; poll_seconds = 10, timeout = 5. While a fault lasts,
and after it, notices and other mails are delivered. Nobody nudges the daemon. The time is that from the end of the
fault (of one that is over at once: from the fault) until all notices are listed; processor and memory are those of the
daemon's process. At the end the database is compared with that of one `nosend sync` over the same mailbox. Exits 1 when
they differ, or a core was burnt, or memory or open files grew. The full disk is a tmpfs of its own for root, else a
limit on the size of files.
"""

# ruff: noqa: INP001, T201 - a folder of scripts, which print

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from shops import FAULTS, POLL, Fault, Shop

import faults
from servers import Dovecot

PAUSE = POLL + 2  # seconds after which a fault is not counted with the one before
MOST_CPU, MOST_GROWTH, MOST_FILES = 2.0, 8.0, 5  # per cent, MB, open files


@dataclass
class Outcome:
    """What became of one fault, so often."""

    fault: Fault
    seconds: float
    times: list[float] = field(default_factory=list)  # until all was listed
    processor: list[float] = field(default_factory=list)  # per cent of a core, while it lasted
    memory: tuple[float, float] = (0.0, 0.0)  # MB, before the first and after the last
    files: tuple[int, int] = (0, 0)
    mails: int = 0
    troubles: list[str] = field(default_factory=list)

    def row(self) -> str:
        """Write a row of the table."""
        lasted = "a moment" if self.fault.is_short else f"{self.seconds:g} s"
        times = f"{statistics.median(self.times):.1f}, {max(self.times):.1f}"
        cells = (
            self.fault.name, len(self.times), lasted, self.mails, len(self.troubles), times,
            f"{statistics.mean(self.processor):.2f}, {max(self.processor):.2f}",
            f"{self.memory[0]:.1f}, {self.memory[1]:.1f}",
        )  # fmt: skip
        return "| " + " | ".join(map(str, cells)) + " |"


def once(shop: Shop, outcome: Outcome) -> None:
    """Let the fault happen once."""
    begun_at, used = time.perf_counter(), shop.daemon.processor_seconds()
    with outcome.fault.block(shop):
        shop.deliver()
        if outcome.fault.is_short:
            outcome.times.append(shop.until_all_are_listed())
        time.sleep(max(0.0, outcome.seconds / 2 - (time.perf_counter() - begun_at)))
        shop.deliver()
        time.sleep(max(0.0, outcome.seconds - (time.perf_counter() - begun_at)))
        used = shop.daemon.processor_seconds() - used
        outcome.processor.append(100 * used / (time.perf_counter() - begun_at))
    shop.deliver()
    waited = shop.until_all_are_listed()
    if not outcome.fault.is_short:
        outcome.times.append(waited)


def measure(fault: Fault, dovecot: Dovecot, user: str, times: int, seconds: float) -> Outcome:
    """Let a fault happen so often, then compare with an undisturbed run."""
    outcome = Outcome(fault, fault.seconds or seconds)
    with tempfile.TemporaryDirectory(prefix="nosend-bench") as folder:
        shop = Shop(dovecot, user, Path(folder))
        with fault.prepare(shop):
            shop.start()
            with shop.proxy, shop.daemon as daemon:
                for _ in range(5):
                    shop.deliver()
                shop.until_all_are_listed()
                time.sleep(2)  # it idles by now
                memory, files = daemon.memory()[0], daemon.files()
                for _ in range(times):
                    once(shop, outcome)
                    time.sleep(PAUSE)
                outcome.memory, outcome.files = (memory, daemon.memory()[0]), (files, daemon.files())
                outcome.mails = 2 * shop.delivered
                outcome.troubles = wrong(shop, outcome)
    return outcome


def wrong(shop: Shop, outcome: Outcome) -> list[str]:
    """End the daemon, and say what is not as it should be."""
    ours, undisturbed = faults.findings(shop.daemon), faults.findings(shop)
    troubles = [f"{name} differs from an undisturbed run" for name in ours if ours[name] != undisturbed[name]]
    if len(undisturbed["ledger"]) > outcome.mails or len(ours["events"]) != shop.delivered:
        troubles.append(f"{len(ours['events'])} events of {shop.delivered} notices")
    code, ending = shop.daemon.end()
    if code or ending > 10:
        troubles.append(f"exit code {code} after {ending:.1f} s")
    if "a fault of nosend" in shop.daemon.log.read_text(encoding="utf-8"):
        troubles.append("a fault of nosend stands in the log")
    if statistics.mean(outcome.processor) >= MOST_CPU:
        troubles.append("a core is burnt")
    if outcome.memory[1] > outcome.memory[0] + MOST_GROWTH or outcome.files[1] > outcome.files[0] + MOST_FILES:
        troubles.append(f"memory or open files grew: {outcome.memory}, {outcome.files}")
    return [f"{outcome.fault.name}: {one}" for one in troubles]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10, help="how often each (10)")
    parser.add_argument("--seconds", type=float, default=20, help="that a fault lasts (20)")
    parser.add_argument("--only", nargs="+", default=[""], help="words in the names of those to be measured")
    given = parser.parse_args()
    chosen = [fault for fault in FAULTS if any(word in fault.name for word in given.only)]
    dovecot = Dovecot()
    try:
        with ThreadPoolExecutor(len(chosen)) as pool:
            measured = [
                pool.submit(measure, fault, dovecot, f"fault{number}", given.times, given.seconds)
                for number, fault in enumerate(chosen)
            ]
            print("\n| fault | times | lasts | mails | wrong | back after, s | processor, % | memory, MB |")
            print("|---|---:|---:|---:|---:|---:|---:|---:|")
            troubles = []
            for one in measured:
                print(one.result().row(), flush=True)
                troubles += one.result().troubles
    finally:
        dovecot.remove()
    print("\nback after: median, worst; processor: mean, most; memory (RSS): before the first, after the last\n")
    for trouble in troubles:
        print(trouble)
    if troubles:
        raise SystemExit("\nThat does not hold.")


if __name__ == "__main__":
    main()
