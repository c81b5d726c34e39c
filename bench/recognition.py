"""How fast nosend judges mails, beside other readers on the same mails in the same run: a Markdown table.

    python bench/recognition.py                       # peers that are not installed are left out
    pip install flufl.bounce; apt-get install libsisimai-perl

The readers take turns, round by round; a time is processor time of one core, the median of its rounds, so that a busy
machine matters little. Mails lie in memory, but Sisimai reads files. Nothing is asserted.
"""

# ruff: noqa: INP001, T201 - a folder of scripts, which print

from __future__ import annotations

import argparse
import email
import email.policy
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import mails
from bs4 import BeautifulSoup

import nosend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Reader = Callable[[list[bytes]], list[bool]]  # which of the mails are opt-outs, or bounces to a bounce parser
    Times = dict[str, dict[str, float]]  # reader -> kind -> seconds

# What somebody in a hurry would write: the known sentences, an order id in or after them.
NAIVE = re.compile(
    r"(?:unable to deliver the message you sent|parvenus à transmettre votre message|recapitare il messaggio che hai "
    r"inviato|受信しないように設定しているため).{0,200}?\d{3}-\d{7}-\d{7}",
    re.DOTALL,
)

# Reads all mails of a folder for each line it is given, answers with the seconds and the number of bounces.
SISIMAI = r"""
use strict; use warnings; use Sisimai; use Time::HiRes 'clock'; $| = 1;
open(my $out, '>&', \*STDOUT); open(STDOUT, '>&', \*STDERR); $out->autoflush(1);
while (my $folder = <STDIN>) {
    chomp $folder;
    my $start = clock;
    my $found = Sisimai->can('rise') ? Sisimai->rise($folder, delivered => 1) : Sisimai->make($folder, delivered => 1);
    printf $out "%.9f %d\n", clock - $start, scalar @{ $found || [] };
}
"""


def by_nosend(raws: list[bytes]) -> list[bool]:
    """Judge mails as a program would that calls the public function."""
    return [nosend.recognize(raw).kind == "opt_out" for raw in raws]


def naively(raws: list[bytes]) -> list[bool]:
    """Read mails with the standard library's modern policy and bs4's pure parser, and search with one pattern."""
    return [NAIVE.search(_text(raw)) is not None for raw in raws]


def _text(raw: bytes) -> str:
    texts = []
    for part in email.message_from_bytes(raw, policy=email.policy.default).walk():
        if part.get_content_type() == "text/html":
            texts.append(BeautifulSoup(part.get_content(), "html.parser").get_text())
        elif part.get_content_type() == "text/plain":
            texts.append(part.get_content())
    return "\n".join(texts)


def by_flufl() -> Reader | None:
    """Give Mailman's bounce detectors, all of which look at each mail; parsing is part of it."""
    try:
        all_failures = import_module("flufl.bounce").all_failures
    except ModuleNotFoundError:
        return None
    return lambda raws: [any(all_failures(email.message_from_bytes(raw))) for raw in raws]


def perl_with_sisimai() -> str:
    """Give the perl that has Sisimai, or nothing."""
    perl = shutil.which("perl")
    here = perl and subprocess.run([perl, "-MSisimai", "-e", "1"], capture_output=True, check=False).returncode == 0
    return perl if perl and here else ""


class Sisimai:
    """One perl process with Sisimai loaded, which reads folders on demand."""

    def __init__(self, perl: str) -> None:
        self._process = subprocess.Popen([perl, "-e", SISIMAI], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def seconds(self, folder: Path) -> float:
        """Let it read a folder; give the processor time it says it took."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked, "a pipe"  # noqa: S101
        assert told, "a pipe"  # noqa: S101
        asked.write(f"{folder}\n".encode())
        asked.flush()
        return float(told.readline().split()[0])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(kinds: dict[str, list[bytes]], rounds: int) -> Times:
    """Time every reader on every kind of mail, in turns; the first round warms up and is not counted."""
    readers: dict[str, Reader | None] = {"nosend": by_nosend, "naive": naively, "flufl.bounce": by_flufl()}
    clocked: dict[tuple[str, str], list[float]] = {}
    perl = perl_with_sisimai()
    sisimai = Sisimai(perl) if perl else None
    with tempfile.TemporaryDirectory() as folder:
        for kind, raws in kinds.items():
            for number, raw in enumerate(raws):
                path = Path(folder, kind, f"{number:05}.eml")
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(raw)
        for _ in range(rounds + 1):
            for kind, raws in kinds.items():
                for name, reader in readers.items():
                    if reader:
                        start = time.process_time()
                        reader(raws)
                        clocked.setdefault((name, kind), []).append(time.process_time() - start)
                if sisimai:
                    clocked.setdefault(("Sisimai", kind), []).append(sisimai.seconds(Path(folder, kind)))
    if sisimai:
        sisimai.close()
    times: Times = {}
    for (name, kind), seconds in clocked.items():
        times.setdefault(name, {})[kind] = statistics.median(seconds[1:])
    return times


def table(title: str, kinds: dict[str, list[bytes]], times: Times) -> Iterator[str]:
    """Write one set of mails as a Markdown table."""
    count = sum(map(len, kinds.values()))
    size = sum(len(raw) for raws in kinds.values() for raw in raws) / count / 1024
    yield f"\n## {title}: {count} mails, {size:.1f} KB on average\n"
    yield "| reader | mails/s | ms a mail | speed against naive |"
    yield "|---|---:|---:|---:|"
    naive = sum(times["naive"].values())
    for name, by_kind in times.items():
        total = sum(by_kind.values())
        yield f"| {name} | {count / total:,.0f} | {total / count * 1000:.2f} | {naive / total:.1f} |"
    yield ""
    yield f"| kind | KB | {' | '.join(f'{name}, ms' for name in times)} |"
    yield "|---|---:|" + "---:|" * len(times)
    for kind, raws in kinds.items():
        row = [f"{sum(map(len, raws)) / len(raws) / 1024:.1f}"]
        row += [f"{times[name][kind] / len(raws) * 1000:.2f}" for name in times]
        yield f"| {kind} | {' | '.join(row)} |"


def taken(kinds: dict[str, list[bytes]]) -> str:
    """Say how many of a set are taken for opt-outs, so that speed is not won by seeing less."""
    raws = [raw for kind in kinds.values() for raw in kind]
    return f"Taken for opt-outs: {sum(by_nosend(raws))} of {len(raws)} by nosend, {sum(naively(raws))} by naive."


def scan(count: int) -> Iterator[str]:
    """Time `nosend scan` of one mbox as a whole process: on one core, and on all that there are."""
    known = [*mails.notices(count // 2).values(), *mails.others(count - count // 2).values()]
    raws = [raw for kind in known for raw in kind]
    mails.Maker(3).chance.shuffle(raws)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield f"\n## `nosend scan` of an mbox of {len(raws)} mails, start-up and database included\n"
    yield "| cores | s | mails/s |"
    yield "|---|---:|---:|"
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archive.mbox")
        archive.write_bytes(b"".join(_in_mbox(raw) for raw in raws))
        taskset = shutil.which("taskset")
        for number, (label, prefix) in enumerate({"1": [taskset, "-c", "0"], f"all ({cores})": []}.items()):
            if prefix and not taskset:
                yield "| 1 | `taskset` is missing (Debian: apt-get install util-linux) | |"
                continue
            database = Path(folder, f"{number}.db")
            command = [sys.executable, "-m", "nosend", "scan", "--account", "bench", "--database", str(database)]
            start = time.perf_counter()
            subprocess.run([*map(str, prefix), *command, str(archive)], check=True, stderr=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
            yield f"| {label} | {seconds:.2f} | {len(raws) / seconds:,.0f} |"


def _in_mbox(raw: bytes) -> bytes:
    quoted = re.sub(rb"^(>*From )", rb">\1", raw, flags=re.MULTILINE)
    return b"From bench Thu Aug 27 22:02:38 2026\n" + quoted + b"\n\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=240, help="mails of each of the two sets (240)")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (5)")
    parser.add_argument("--scan", type=int, default=3000, help="mails of the mbox that is scanned (3000)")
    given = parser.parse_args()
    sets = {"Notices": mails.notices(given.mails), "Other mails": mails.others(given.mails)}
    print(f"Python {sys.version.split()[0]}, {given.rounds} rounds in turns, median processor time.\n")
    print("- nosend: `nosend.recognize(raw)`: bytes to verdict")
    print("- naive: `email.policy.default`, bs4 with html.parser, one regular expression")
    if by_flufl():
        print("- flufl.bounce: `message_from_bytes(raw)`, `all_failures(message)`; looks for bounces, not for notices")
    else:
        print("- flufl.bounce is not installed: pip install flufl.bounce")
    if perl_with_sisimai():
        print(
            "- Sisimai: `Sisimai->make(FOLDER, delivered => 1)` in one perl process that is warm: reading the files is"
        )
        print("  in it, start-up is not; looks for bounces, and puts other mails away early")
    else:
        print("- Sisimai is not installed: apt-get install libsisimai-perl (Debian)")
    for title, kinds in sets.items():
        for line in (*table(title, kinds, measure(kinds, given.rounds)), "", taken(kinds)):
            print(line)
    for line in scan(given.scan):
        print(line)


if __name__ == "__main__":
    main()
