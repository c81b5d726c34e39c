"""What asking and handing on a long list costs beside the plainest way to do the same: Markdown tables.

    python bench/list.py                                  # lists of 1,000,000 and of 5,000,000 entries; 5 GB of disk
    python bench/list.py --entries 100000

Each pair is run in turns, a process each, and the best of its times counts; the ratio is ours to the plain way's, of
one run. Whole processes are timed but for `check` and `blocked`, where the questions alone are. Memory is the most that
a process held. Exit 1 when a limit is passed.
"""

# ruff: noqa: INP001, T201, S311, S608 - a folder of scripts, which print; made-up data; no SQL of others

from __future__ import annotations

import argparse
import csv
import os
import random
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nosend.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 1_000_000  # keys asked about at once, rows of the file that is filtered
ASKED = 200_000  # keys asked about one by one
OF_A_BUYER = 4  # entries: the order of a notice, two other orders, the alias
WHY = "rule en-2021: the buyer has chosen to opt out of receiving unsolicited messages from sellers"
NOSEND = str(Path(sys.executable).with_name("nosend"))


class Pair(NamedTuple):
    """Our way and the plain one: commands, and how often ours may take the plain one's time."""

    name: str
    ours: list[str]
    plain: list[str]
    limit: float | None
    reads: str = ""  # a file for standard input
    rounds: int = 3
    counts: int = 0  # questions; then the time is what the command prints


class Cost(NamedTuple):
    """What one process took: seconds, MB of memory at most."""

    seconds: float
    memory: float


IMPORT = "import sqlite3"
KEYS = "keys = open(sys.argv[2]).read().split()"
CHECK = f"""
import sys, time, nosend
{KEYS}
with nosend.Blacklist(sys.argv[1]) as blacklist:
    began = time.perf_counter()
    for key in keys:
        blacklist.check(key)
    print(time.perf_counter() - began)
"""
SELECT = f"""
import sys, time, sqlite3
{KEYS}
asked = [(key, "buyer" if "@" in key else "order") for key in keys]
db = sqlite3.connect(f"file:{{sys.argv[1]}}?mode=ro", uri=True)
began = time.perf_counter()
for values in asked:
    db.execute("SELECT * FROM blacklist WHERE value = ? AND kind = ?", values).fetchall()
print(time.perf_counter() - began)
"""
BLOCKED = f"""
import sys, time, nosend
{KEYS}
with nosend.Blacklist(sys.argv[1]) as blacklist:
    began = time.perf_counter()
    found = blacklist.blocked(keys)
    print(time.perf_counter() - began)
"""
AS_A_SET = f"""
import sys, time, sqlite3
{KEYS}
db = sqlite3.connect(f"file:{{sys.argv[1]}}?mode=ro", uri=True)
began = time.perf_counter()
listed = {{value for (value,) in db.execute("SELECT value FROM blacklist")}}
found = {{key for key in keys if key in listed}}
print(time.perf_counter() - began)
"""
FILTER = """
import csv, sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
listed = {value for (value,) in db.execute("SELECT value FROM blacklist")}
rows, out = csv.reader(sys.stdin), csv.writer(sys.stdout)
header = next(rows)
out.writerow(header)
at = header.index("order-id")
out.writerows(row for row in rows if row[at] not in listed)
"""
DUMP = """
import csv, sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
found = db.execute("SELECT * FROM blacklist ORDER BY value, kind, account")
out = csv.writer(sys.stdout)
out.writerow([column[0] for column in found.description])
out.writerows(found)
"""


def orders(count: int) -> Iterator[str]:
    """Make up distinct order ids, in no order."""
    chosen = random.Random(5)
    for number in range(count):
        digits = f"{number * 7_368_787 % 10**10:010}{chosen.randrange(10**7):07}"
        yield f"{digits[:3]}-{digits[3:10]}-{digits[10:]}"


def alias(number: int) -> str:
    """Make up the alias of a buyer."""
    return f"b{number * 2_654_435_761 % 2**40:010x}@marketplace.amazon.{('com', 'de', 'co.jp')[number % 3]}"


def database(path: Path, entries: int) -> None:
    """Make the database of a shop whose mail and order reports were read, in a minute where reading takes an hour."""
    Ledger(path).close()
    buyers = entries // OF_A_BUYER
    ids = orders(buyers * (OF_A_BUYER - 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.execute("CREATE TEMP TABLE made (buyer TEXT, noticed TEXT, second TEXT, third TEXT, at TEXT)")
        db.executemany(
            "INSERT INTO made VALUES (?, ?, ?, ?, ?)",
            (
                (
                    alias(number),
                    next(ids),
                    next(ids),
                    next(ids),
                    f"2026-{number % 9 + 1:02}-{number % 28 + 1:02}T09:00:00Z",
                )
                for number in range(buyers)
            ),
        )
        for statement in MADE.format(why=WHY).split(";\n"):
            db.execute(statement)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


MADE = """
INSERT INTO events (mailbox, key, account, action, order_id, buyer, marketplace, source, why, opted_out_at, recorded_at)
    SELECT 'shop', printf('<%d@bench>', rowid), 'shop', 'opt_out', noticed, buyer, 'US', 'notice', '{why}', at, at
    FROM made;
INSERT INTO ledger (account, folder, uidvalidity, uid, key, sha256, size, verdict, rule, rule_version, why, orders,
        buyer, sender, subject, read_at)
    SELECT 'shop', 'INBOX', 1, rowid, printf('<%d@bench>', rowid), '', 9000, 'opt_out', 'en-2021', 1, '{why}',
        ' ' || noticed || ' ', buyer, 'amazon', 'Delivery failed', at FROM made;
CREATE TEMP VIEW theirs AS
    SELECT noticed AS order_id, buyer, at FROM made UNION ALL SELECT second, buyer, at FROM made
    UNION ALL SELECT third, buyer, at FROM made;
INSERT INTO orders SELECT 'shop', order_id, buyer, 'orders.txt', at FROM theirs ORDER BY order_id;
INSERT INTO entries
    SELECT kind, value, 'shop', 'US', at, at, at, 1, 'notice', '{why}', NULL FROM (
        SELECT 'order' AS kind, order_id AS value, at FROM theirs UNION ALL SELECT 'buyer', buyer, at FROM made)
    ORDER BY value;
INSERT INTO change_log (at, action, kind, value, account)
    SELECT opted_out_at, 'added', kind, value, account FROM entries ORDER BY opted_out_at
"""


def questions(path: Path, database: Path, count: int) -> None:
    """Write keys, a line each: half of them listed, a quarter of them aliases."""
    chosen = random.Random(7)
    with closing(sqlite3.connect(database)) as db:
        listed = [
            value for (value,) in db.execute("SELECT value FROM blacklist ORDER BY random() LIMIT ?", (count // 2,))
        ]
    free = [
        alias(10**9 + number) if number % OF_A_BUYER == 0 else f"{900 + number % 99}-{number:07}-{number:07}"
        for number in range(count - len(listed))
    ]
    keys = listed + free
    chosen.shuffle(keys)
    path.write_text("\n".join(keys) + "\n")


def rows(path: Path, keys: Path) -> None:
    """Write the file of a mailer: four columns, one of them quoted."""
    with path.open("w", newline="") as stream, keys.open() as asked:
        out = csv.writer(stream)
        out.writerow(["name", "order-id", "item", "quantity"])
        for number, key in enumerate(asked):
            out.writerow([f"Buyer {number}", key.strip(), f'Lamp, 12" no. {number % 97}', number % 5 + 1])


def prepare(folder: Path, entries: int) -> None:
    """Make all files."""
    database(folder / "nosend.db", entries)
    questions(folder / "few", folder / "nosend.db", ASKED)
    questions(folder / "many", folder / "nosend.db", ROWS)
    rows(folder / "rows.csv", folder / "many")


def run(words: list[str], pair: Pair) -> Cost:
    """Run one process; it must exit 0, or 1 as `check` does."""
    reading, writing = os.open(pair.reads or os.devnull, os.O_RDONLY), os.memfd_create("out") if pair.counts else -1
    output = writing if pair.counts else os.open(os.devnull, os.O_WRONLY)
    began = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_DUP2, output, 1)]
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in {0, 1}:
        sys.exit(f"{words[:3]} failed")
    if pair.counts:
        seconds = float(os.pread(output, 100, 0))
    os.close(reading)
    os.close(output)
    return Cost(seconds, used.ru_maxrss / 1024)


def measure(pair: Pair) -> tuple[Cost, Cost]:
    """Run both in turns; the best time and the most memory of each."""
    turns = [(run(pair.ours, pair), run(pair.plain, pair)) for _ in range(pair.rounds)]
    ours, plain = zip(*turns, strict=True)
    return tuple(Cost(min(cost.seconds for cost in own), max(cost.memory for cost in own)) for own in (ours, plain))  # type: ignore[return-value]


def pairs(folder: Path) -> list[Pair]:
    """Give what is compared."""
    path, few, many, file = (str(folder / name) for name in ("nosend.db", "few", "many", "rows.csv"))
    python, at = [sys.executable, "-c"], ["--database", path]
    key = "111-1111111-1111111"
    return [
        Pair("`nosend check`, cold", [NOSEND, "check", key, *at], [*python, IMPORT], 3, rounds=30),
        Pair(f"`check`, {ASKED:,} keys", [*python, CHECK, path, few], [*python, SELECT, path, few], 2, counts=ASKED),
        Pair(
            f"`blocked`, {ROWS:,} keys",
            [*python, BLOCKED, path, many],
            [*python, AS_A_SET, path, many],
            1.5,
            counts=ROWS,
        ),
        Pair(f"`nosend filter`, {ROWS:,} rows", [NOSEND, "filter", *at], [*python, FILTER, path], 2, reads=file),
        *(
            Pair(f"`nosend export`, {form}", [NOSEND, "export", "--format", form, *at], [*python, DUMP, path], limit)
            for form, limit in (("csv", 2), ("jsonl", None), ("txt", None))
        ),
    ]


def main() -> int:
    """Print a table for each size; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, nargs="+", default=[1_000_000, 5_000_000])
    passed = []
    for entries in parser.parse_args().entries:
        with tempfile.TemporaryDirectory(prefix="nosend-bench-") as name:
            folder = Path(name)
            # a process of its own: what this one has held counts as held by those it starts
            making = get_context("spawn").Process(target=prepare, args=(folder, entries))
            making.start()
            making.join()
            size = (folder / "nosend.db").stat().st_size / 1e6
            print(f"\n{entries:,} entries, a database of {size:,.0f} MB\n")
            print("| what | ours | plain | ratio | limit | ours, MB | plain, MB |\n|---|--:|--:|--:|--:|--:|--:|")
            for pair in pairs(folder):
                ours, plain = measure(pair)
                ratio = ours.seconds / plain.seconds
                limit = f"{pair.limit:g}" if pair.limit else ""
                print(
                    f"| {pair.name} | {_time(ours, pair)} | {_time(plain, pair)} | {ratio:.2f} | {limit} "
                    f"| {ours.memory:.0f} | {plain.memory:.0f} |",
                    flush=True,
                )
                if pair.limit and ratio > pair.limit:
                    passed.append(f"{pair.name} of {entries:,} entries: {ratio:.2f}, not {limit}")
    print("\nlimits passed: " + ("; ".join(passed) or "none"))
    return 1 if passed else 0


def _time(cost: Cost, pair: Pair) -> str:
    if pair.counts == ASKED:
        return f"{ASKED / cost.seconds:,.0f}/s"
    return f"{cost.seconds * 1000:.0f} ms" if cost.seconds < 1 else f"{cost.seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
