"""The writing side of the database: what is recorded, once, whole or not at all."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from nosend.errors import NosendError, StoreRefusedError, StoreUnavailableError
from nosend.model import Kind, Place
from nosend.store.ledger import Cursor, Ledger, Recorded
from nosend.store.lock import one_round
from nosend.store.overview import Overview
from nosend.store.review import Review
from nosend.store.version import VERSION
from samples import AT, DAY, NOW, buyer, dump, judged, order, rows

LATER = NOW + DAY
BLACKLIST = "SELECT * FROM blacklist ORDER BY value, kind, account"
CHANGES = "SELECT seq, action, kind, value, account FROM changes ORDER BY seq"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nosend.db"


def record(path: Path, *mails, now=NOW, cursor=None) -> Recorded:
    with Ledger(path) as ledger:
        return ledger.record(mails, now, cursor)


# The file.


def test_file_and_its_companions_are_the_owners_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with Ledger(path) as ledger:
            ledger.record([judged()], NOW)
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"nosend.db": 0o600, "nosend.db-wal": 0o600, "nosend.db-shm": 0o600}


def test_all_tables_are_strict_but_the_one_of_sqlite_utils(path: Path) -> None:
    record(path)
    tables = rows(path, "SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND schema = 'main'")
    lax = {name for name, strict in tables if not strict and not name.startswith("sqlite_")}
    assert lax == {"_sqlite_migrations"}
    assert {name for name, strict in tables if strict} >= {"ledger", "events", "entries", "kept", "cursors"}


def test_journal_is_a_wal(path: Path) -> None:
    record(path)
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


def test_views_have_the_documented_columns_and_say_what_was_recorded(path: Path) -> None:
    """DESIGN 4.4: other tools rely on these names, in this order."""
    record(path, judged(alias=buyer()))
    db = sqlite3.connect(path)
    blacklist = db.execute(BLACKLIST)
    names = [column[0] for column in blacklist.description]
    assert names == [
        "kind", "value", "account", "marketplace", "opted_out_at", "listed_at", "last_notice_at", "notices", "source",
        "why", "expires_at",
    ]  # fmt: skip
    told = ("2025-03-01T12:00:00Z", "2025-03-09T08:00:00Z", "2025-03-01T12:00:00Z", 1, "notice")
    why = "marker: the buyer has chosen to opt out"
    assert blacklist.fetchall() == [
        ("order", order(), "shop", "US", *told, why, None),
        ("buyer", buyer(), "shop", "US", *told, why, None),
    ]
    changes = db.execute("SELECT * FROM changes")
    assert [column[0] for column in changes.description] == ["seq", "at", "action", "kind", "value", "account"]
    assert changes.fetchall() == [
        (1, "2025-03-09T08:00:00Z", "added", "order", order(), "shop"),
        (2, "2025-03-09T08:00:00Z", "added", "buyer", buyer(), "shop"),
    ]
    assert db.execute("SELECT 1 FROM blacklist WHERE value = ?", (order(),)).fetchone() == (1,)
    assert db.execute("SELECT 1 FROM blacklist WHERE value = ?", (order(2),)).fetchone() is None
    db.close()


# What counts once, and what does not.


def test_recording_twice_changes_nothing(path: Path) -> None:
    batch = [judged(1, alias=buyer()), judged(2, kind=Kind.SUSPECT), judged(3, kind=None)]
    assert record(path, *batch) == Recorded(listed=2, suspects=1, set_aside=1)
    before = dump(path)
    assert record(path, *batch, now=LATER) == Recorded()
    assert dump(path) == before


@pytest.mark.parametrize(
    "place",
    [Place("shop", "Archive", 7, 1), Place("shop", "INBOX", 8, 1), Place("shop", "/mails/1.eml")],
    ids=["other folder", "new UIDVALIDITY", "scanned"],
)
def test_same_mail_elsewhere_is_a_second_place_and_no_second_notice(path: Path, place: Place) -> None:
    record(path, judged())
    before = rows(path, BLACKLIST), rows(path, CHANGES)
    assert record(path, judged(place=place), now=LATER) == Recorded()
    assert (rows(path, BLACKLIST), rows(path, CHANGES)) == before
    assert rows(path, "SELECT count(*) FROM ledger") == [(2,)]
    assert record(path, judged(place=replace(place, folder="3"), key="<other@x>"), now=LATER) == Recorded(renewed=1)


def test_same_message_id_with_another_order_is_two_orders(path: Path) -> None:
    record(path, judged(1, key="<same@x>"), judged(2, key="<same@x>"))
    assert rows(path, "SELECT value, notices FROM blacklist ORDER BY 1") == [(order(1), 1), (order(2), 1)]


def test_several_notices_are_one_entry_with_a_count(path: Path) -> None:
    """It dates from the earliest notice, in whatever order they come, and tells that one's reason."""
    mails = [judged(key=f"<{day}@x>", day=day, place=Place("shop", "INBOX", 7, 10 + day)) for day in (2, 0, 4)]
    told = [replace(mail, verdict=replace(mail.verdict, why=f"day {mail.mail.place.uid}")) for mail in mails]
    lists = set()
    for number, some in enumerate(permutations(told)):
        path = path.with_name(f"{number}.db")
        assert [record(path, one, now=LATER) for one in some] == [
            Recorded(listed=1), Recorded(renewed=1), Recorded(renewed=1),
        ]  # fmt: skip
        lists.add(tuple(rows(path, "SELECT opted_out_at, last_notice_at, notices, why FROM blacklist")))
        assert [row[1] for row in rows(path, CHANGES)] == ["added", "renewed", "renewed"]
    assert lists == {(("2025-03-01T12:00:00Z", "2025-03-05T12:00:00Z", 3, "marker: day 10"),)}


def test_orders_of_one_buyer_share_the_buyers_entry(path: Path) -> None:
    assert record(path, judged(1, alias=buyer()), judged(2, alias=buyer())) == Recorded(listed=3, renewed=1)
    assert rows(path, "SELECT kind, value, notices FROM blacklist ORDER BY value") == [
        ("order", order(1), 1),
        ("order", order(2), 1),
        ("buyer", buyer(), 2),
    ]


def test_accounts_keep_lists_of_their_own(path: Path) -> None:
    """The same mail in two accounts' mailboxes is news to both."""
    places = [Place("shop-it", "INBOX", 7, 1), Place("shop-us", "INBOX", 7, 1)]
    assert record(path, *(judged(place=place) for place in places)) == Recorded(listed=2)
    assert rows(path, "SELECT value, account, notices FROM blacklist ORDER BY account") == [
        (order(), "shop-it", 1),
        (order(), "shop-us", 1),
    ]


def test_another_mail_at_a_known_place_takes_the_place(path: Path) -> None:
    """A mailbox was exchanged for one that counts its UIDs alike: the new mail is heard, the old notice stays."""
    record(path, judged(1))
    assert record(path, judged(2, place=Place("shop", "INBOX", 7, 1))) == Recorded(listed=1)
    assert rows(path, "SELECT uid, key FROM ledger") == [(1, "<2@email.amazonses.com>")]
    assert rows(path, "SELECT value FROM blacklist ORDER BY 1") == [(order(1),), (order(2),)]


@pytest.mark.parametrize("kind", [*Kind, None])
def test_only_what_a_person_may_want_keeps_its_bytes(path: Path, kind: Kind | None) -> None:
    record(path, judged(kind=kind))
    kept = [(b"mail 1",)] if kind in {Kind.SUSPECT, None} else []
    assert rows(path, "SELECT raw FROM kept") == kept
    assert rows(path, "SELECT verdict FROM ledger") == [(kind or "set_aside",)]
    assert len(rows(path, BLACKLIST)) == (kind is Kind.OPT_OUT)


def test_changes_are_numbered_and_no_number_comes_twice(path: Path) -> None:
    record(path, judged(1))
    record(path, judged(1, key="<again@x>", place=Place("shop", "INBOX", 7, 9)), judged(2))
    rows_before = rows(path, CHANGES)
    assert rows_before == [
        (1, "added", "order", order(1), "shop"),
        (2, "renewed", "order", order(1), "shop"),
        (3, "added", "order", order(2), "shop"),
    ]
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM change_log")
    db.close()
    record(path, judged(3))
    assert rows(path, CHANGES) == [(4, "added", "order", order(3), "shop")]


# Rebuild.


def test_rebuild_gives_what_was_there(path: Path) -> None:
    record(path, judged(1, alias=buyer(), day=3), judged(2, alias=buyer()))
    record(path, judged(1, key="<again@x>", place=Place("shop", "INBOX", 7, 9)), now=LATER)
    before = dump(path)
    with Ledger(path) as ledger:
        assert ledger.rebuild(LATER + DAY) == (3, 0)
        assert ledger.rebuild(LATER + DAY) == (3, 0)
    assert dump(path) == before


def test_rebuild_mends_a_damaged_list_and_logs_the_difference(path: Path) -> None:
    record(path, judged(1), judged(2), judged(3))
    before = rows(path, BLACKLIST)
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM entries WHERE value = ?", (order(1),))
        db.execute("UPDATE entries SET notices = 99 WHERE value = ?", (order(2),))
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM entries WHERE value = ?", (order(3),))
        db.execute("UPDATE copy SET value = 'stray'")
        db.execute("INSERT INTO entries SELECT * FROM copy")
    db.close()
    with Ledger(path) as ledger:
        assert ledger.rebuild(LATER) == (3, 3)
    assert rows(path, BLACKLIST) == before
    assert rows(path, CHANGES)[3:] == [
        (4, "added", "order", order(1), "shop"),
        (5, "renewed", "order", order(2), "shop"),
        (6, "removed", "order", "stray", "shop"),
    ]


# One transaction.


def test_batch_with_one_row_that_sqlite_refuses_leaves_nothing(path: Path) -> None:
    record(path, judged(1), cursor=Cursor("shop", "INBOX", "me@host", 7, 1))
    before = dump(path)
    refused = judged(3)
    refused = replace(refused, mail=replace(refused.mail, size="no number"))
    with Ledger(path) as ledger:
        with pytest.raises(NosendError):
            ledger.record([judged(2), refused], LATER, Cursor("shop", "INBOX", "me@host", 7, 3))
        assert dump(path) == before
        assert ledger.record([judged(2)], LATER) == Recorded(listed=1), "the ledger goes on working"


def test_cursor_is_kept_with_its_batch_and_begins_anew_for_another_mailbox(path: Path) -> None:
    read = Cursor("shop", "INBOX", "me@host", 7, 41)
    record(path, judged(), cursor=read)
    with Ledger(path) as ledger:
        assert ledger.cursor("shop", "INBOX", "me@host", 7) == read
        assert ledger.cursor("shop", "INBOX", "me@host", 8) == Cursor("shop", "INBOX", "me@host", 8, 0)
        assert ledger.cursor("shop", "INBOX", "you@host", 7) == Cursor("shop", "INBOX", "you@host", 7, 0)
        assert ledger.cursor("shop", "Archive", "me@host", 7) == Cursor("shop", "Archive", "me@host", 7, 0)


def test_attempts_at_a_batch_are_counted_before_it_is_judged(path: Path) -> None:
    with Ledger(path) as ledger:
        for attempt in range(3):
            cursor = ledger.cursor("shop", "INBOX", "me@host", 7)
            assert cursor.attempts == attempt
            ledger.begin(cursor, 50)
        assert ledger.cursor("shop", "INBOX", "me@host", 7) == Cursor("shop", "INBOX", "me@host", 7, 0, 50, 3)


def test_trouble_is_told_with_its_beginning_and_forgotten_after_a_success(path: Path) -> None:
    def told() -> tuple:
        with Overview(path) as overview:
            (box,) = overview.state().mailboxes
        return box.last_success_at, box.trouble, box.trouble_since

    first, second, third = "2025-03-09T08:00:00Z", "2025-03-10T08:00:00Z", "2025-03-12T08:00:00Z"
    with Ledger(path) as ledger:
        ledger.round_done("shop", NOW)
        assert told() == (first, "", None)
        ledger.round_done("shop", NOW + DAY, "no answer")
        ledger.round_done("shop", NOW + 2 * DAY, "wrong password")
        assert told() == (first, "wrong password", second)
        ledger.round_done("shop", NOW + 3 * DAY)
        assert told() == (third, "", None)


# What is refused.


def _newer(path: Path) -> None:
    record(path, judged())
    db = sqlite3.connect(path)
    with db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()


def _others(path: Path) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
    db.close()


def _others_with_migrations(path: Path) -> None:
    """Another program that keeps its migrations by sqlite-utils, too."""
    _others(path)
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT)")
        db.execute("ALTER TABLE _sqlite_migrations ADD COLUMN applied_at TEXT")
        db.execute("INSERT INTO _sqlite_migrations VALUES (1, 'books', 'first_tables', '')")
    db.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_newer, "was written by a newer nosend"),
        (_others, "belongs to another program"),
        (_others_with_migrations, "belongs to another program"),
        (lambda path: path.write_bytes(b"no database, but a long text " * 100), "is no SQLite database"),
        (Path.mkdir, "is a folder"),
    ],
    ids=["newer", "others", "others with migrations", "garbage", "folder"],
)
def test_what_is_not_ours_is_refused_and_left_as_it_is(path: Path, make, message: str) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else sorted(path.iterdir())
    with pytest.raises(StoreRefusedError, match=message) as caught:
        Ledger(path)
    assert repr(str(path)) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else sorted(path.iterdir())) == before


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_folder_that_is_not_there_is_refused_and_not_made(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreRefusedError, match="its folder does not exist"):
        Ledger(tmp_path / folder / "nosend.db")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


# Several at once.


def test_database_held_for_long_is_unavailable_and_the_ledger_goes_on_afterwards(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record([judged(1)], NOW)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="is held by another process: try again later"):
            ledger.record([judged(2)], NOW)
        other.execute("ROLLBACK")
        other.close()
        assert ledger.record([judged(2)], NOW) == Recorded(listed=1)


def test_database_held_for_a_moment_is_waited_for(path: Path) -> None:
    with Ledger(path) as ledger:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, other.execute, ["COMMIT"])
        began = time.monotonic()
        release.start()
        assert ledger.record([judged()], NOW) == Recorded(listed=1)
        assert time.monotonic() - began >= 0.4
        release.join()
        other.close()


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_database_that_another_process_is_just_making_is_waited_for(path: Path, begin: str) -> None:
    """Before the file is a WAL, SQLite answers "database is locked" to the change of the journal without waiting."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute(begin)
    other.execute("SELECT * FROM sqlite_master").fetchall()
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    try:
        assert record(path, judged()) == Recorded(listed=1)
    finally:
        release.join()
        other.close()


_MAKE = """
import sys
from pathlib import Path
from samples import NOW, judged
from nosend.store.ledger import Ledger
print("ready", flush=True)
sys.stdin.read()
with Ledger(Path(sys.argv[1])) as ledger:
    ledger.record([judged(int(sys.argv[2]))], NOW)
"""


def _python(code: str, *words: object, **options) -> subprocess.Popen[str]:
    """Run Python code that may import the tests' own modules."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], env=env, text=True, **pipes, **options)


def test_processes_may_make_the_same_database_at_once(path: Path) -> None:
    makers = [_python(_MAKE, path, number) for number in range(6)]
    for maker in makers:
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        maker.stdin.close()
        maker.stdin = None
    troubles = [maker.communicate()[1] for maker in makers]
    assert troubles == [""] * 6
    assert rows(path, "SELECT value FROM blacklist ORDER BY 1") == [(order(n),) for n in range(6)]


_RECORD_ALL = """
import sys
from pathlib import Path
from samples import NOW, judged
from nosend.store.ledger import Ledger
sys.stdin.read()
with Ledger(Path(sys.argv[1])) as ledger:
    for number in range(50):
        ledger.record([judged(number)], NOW)
"""


def test_processes_at_work_at_once_lose_nothing(path: Path) -> None:
    """Two readers of one mailbox find the same mails: each counts once."""
    makers = [_python(_RECORD_ALL, path) for _ in range(2)]
    assert [maker.communicate("")[1] for maker in makers] == ["", ""]
    assert rows(path, "SELECT value, notices FROM blacklist ORDER BY 1") == [(order(n), 1) for n in range(50)]
    assert rows(path, "SELECT count(*), max(seq) FROM changes") == [(50, 50)]


_FULL = """
import resource, sys
from pathlib import Path
from samples import NOW, judged
from nosend.errors import StoreUnavailableError
from nosend.store.ledger import Ledger
path = Path(sys.argv[1])
with Ledger(path) as ledger:
    full = path.with_name(path.name + "-wal").stat().st_size + 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, full))
    try:
        ledger.record([judged(n) for n in range(2, 2000)], NOW)
    except StoreUnavailableError as error:
        print(error)
"""


def test_full_disk_leaves_the_old_data_whole(path: Path) -> None:
    record(path, judged(1))
    before = dump(path)
    said, trouble = _python(_FULL, path).communicate()
    assert said.startswith(f"database {str(path)!r} cannot be used (")
    assert said.endswith("nothing was half-written; is the disk full?\n")
    assert trouble == ""
    assert dump(path) == before
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert record(path, judged(2)) == Recorded(listed=1), "with space again it goes on"


_HOLD = """
import sys
from pathlib import Path
from nosend.store.lock import one_round
with one_round(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(path: Path):
    process = _python(_HOLD, path)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_one_round_at_a_time_and_the_other_is_named(path: Path, holder) -> None:
    with (
        pytest.raises(StoreUnavailableError, match=rf"another nosend \(process {holder.pid}\) is at work"),
        one_round(path, wait=0.1),
    ):
        raise AssertionError("two rounds at once")
    holder.communicate("")
    with one_round(path, wait=0):
        assert path.with_name("nosend.db.lock").read_text() == f"{os.getpid()}\n"


def test_round_waits_for_another_that_ends_in_time(path: Path, holder) -> None:
    threading.Timer(0.3, holder.stdin.close).start()
    with one_round(path, wait=10):
        assert holder.wait(10) == 0
    holder.stdin = None


def test_lock_goes_with_a_killed_process(path: Path, holder) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with one_round(path, wait=1):
        pass


def test_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "nosend.db.lock").mkdir()
    with pytest.raises(StoreUnavailableError, match="cannot be made"), one_round(tmp_path / "nosend.db"):
        pass


def test_date_of_the_first_notice_is_what_the_list_says(path: Path) -> None:
    """A letter without a believable date counts from when it was read."""
    record(path, replace(judged(1), written_at=None), judged(2))
    assert rows(path, "SELECT value, opted_out_at, listed_at FROM blacklist ORDER BY 1") == [
        (order(1), NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "2025-03-09T08:00:00Z"),
        (order(2), AT.strftime("%Y-%m-%dT%H:%M:%SZ"), "2025-03-09T08:00:00Z"),
    ]


# One transaction, begun for writing.


def test_batch_and_cursor_are_written_together_or_not_at_all(path: Path) -> None:
    """A cursor that SQLite cannot hold takes the whole batch with it."""
    with Ledger(path) as ledger:
        with pytest.raises(OverflowError):
            ledger.record([judged(1)], NOW, Cursor("shop", "INBOX", "me", 2**64, 7))
        assert rows(path, "SELECT count(*) FROM ledger") == [(0,)]
        assert rows(path, "SELECT count(*) FROM blacklist") == [(0,)]
        ledger.record([judged(1)], NOW, Cursor("shop", "INBOX", "me", 7, 7))
        assert rows(path, "SELECT count(*), (SELECT uid FROM cursors) FROM ledger") == [(1, 7)]


def test_threads_share_a_ledger(path: Path) -> None:
    """Each transaction of a thread is whole before the next one's begins."""
    with Ledger(path) as ledger:

        def write(first: int) -> None:
            for number in range(first, first + 100):
                ledger.record([judged(number)], NOW)
                assert ledger.cursor("shop", "INBOX", "me", 7).uid == 0

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(write, (0, 1_000, 2_000, 3_000)))
    assert rows(path, "SELECT count(*) FROM blacklist WHERE kind = 'order'") == [(400,)]


def test_a_second_ledger_of_a_process_takes_no_lock_from_the_first(path: Path) -> None:
    """Closing a descriptor of the file drops all locks of the process (POSIX): then others throw its commits away."""
    reader = (
        "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM ledger').fetchone())"
    )
    with Ledger(path) as first:
        for number in (1, 2, 3):
            Ledger(path).close()
            first.record([judged(number)], NOW)
            seen = subprocess.run([sys.executable, "-c", reader, path], check=True, capture_output=True).stdout
            assert int(seen) == number, "as another process sees it"


def test_writers_at_the_same_time_wait_for_each_other(path: Path) -> None:
    """A transaction that reads first and is not begun for writing fails at once when another wrote in between."""

    def write(first: int) -> None:
        with Ledger(path) as ledger:
            for number in range(first, first + 150):
                ledger.record([judged(number)], NOW)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write, (0, 1_000, 2_000)))
    assert rows(path, "SELECT count(*) FROM blacklist WHERE kind = 'order'") == [(450,)]


# Bytes of what waits for a person are kept for some time, and so many of them.


def kept(path: Path) -> list[str]:
    return [raw.decode() for (raw,) in rows(path, "SELECT raw FROM kept ORDER BY kept_at, sha256")]


def expire(path: Path, now=NOW, age=1_000 * DAY, size: int = 10**9) -> int:
    with Ledger(path) as ledger:
        return ledger.expire(now, age, size)


def suspects(path: Path, *numbers: int) -> None:
    """Record suspects one day after another."""
    for number in numbers:
        record(path, judged(number, kind=Kind.SUSPECT), now=NOW + number * DAY)


@pytest.mark.parametrize(("days", "left"), [(4, [1, 2, 3]), (5, [2, 3]), (7, []), (2, [1, 2, 3])])
def test_bytes_go_when_they_are_older_than_the_age(path: Path, days: int, left: list[int]) -> None:
    suspects(path, 1, 2, 3)
    assert expire(path, NOW + days * DAY, age=3 * DAY) == 3 - len(left)
    assert kept(path) == [f"mail {number}" for number in left]


def test_bytes_as_old_as_they_may_be_stay_for_another_second(path: Path) -> None:
    suspects(path, 1)
    at_last = NOW + 4 * DAY
    assert (expire(path, at_last, age=3 * DAY), kept(path)) == (0, ["mail 1"])
    assert (expire(path, at_last + timedelta(seconds=1), age=3 * DAY), kept(path)) == (1, [])


@pytest.mark.parametrize(("size", "left"), [(18, [1, 2, 3]), (17, [2, 3]), (12, [2, 3]), (11, [3]), (0, [])])
def test_the_oldest_bytes_go_until_the_rest_has_room(path: Path, size: int, left: list[int]) -> None:
    suspects(path, 1, 2, 3)  # six bytes each
    assert expire(path, size=size) == 3 - len(left)
    assert kept(path) == [f"mail {number}" for number in left]


def _accept(ledger: Review) -> None:
    ledger.accept([3], NOW)


def _reject(ledger: Review) -> None:
    ledger.reject([3], NOW)


def _judge_again(ledger: Review) -> None:
    ledger.record_again(3, judged(3, kind=Kind.OTHER_NOTICE), NOW)


def _believe_another_copy(ledger: Review) -> None:
    ledger.record([judged(3, place=Place("shop", "Archive", 7, 3))], NOW)


@pytest.mark.parametrize("resolve", [_accept, _reject, _judge_again, _believe_another_copy])
def test_bytes_of_what_is_resolved_go_before_older_ones_that_wait(path: Path, resolve) -> None:
    """And nobody needs to be told."""
    suspects(path, 1, 2, 3)
    with Review(path) as ledger:
        resolve(ledger)
    assert expire(path, size=17) == 0
    assert kept(path) == ["mail 1", "mail 2"]
    assert expire(path, size=11) == 1
    assert kept(path) == ["mail 2"]


def test_what_is_resolved_stays_while_there_is_room(path: Path) -> None:
    suspects(path, 1, 2)
    with Review(path) as ledger:
        ledger.reject([1], NOW)
    assert (expire(path), kept(path)) == (0, ["mail 1", "mail 2"])


def test_bytes_are_kept_once_and_wait_while_one_copy_does(path: Path) -> None:
    """The same mail in two accounts' mailboxes, reviewed for one of them."""
    places = [Place(account, "INBOX", 7, 1) for account in ("shop-it", "shop-us")]
    record(path, *(judged(1, kind=Kind.SUSPECT, place=place) for place in places))
    suspects(path, 2)
    with Review(path) as ledger:
        ledger.reject([1], NOW)
        assert expire(path, size=6) == 1
        assert kept(path) == ["mail 2"], "the older of two that wait"
        ledger.reject([2, 3], NOW)
    assert expire(path, size=0) == 0


def test_bytes_that_expired_are_kept_anew_when_the_mail_is_read_again(path: Path) -> None:
    suspects(path, 1)
    expire(path, size=0)
    record(path, judged(1, kind=Kind.SUSPECT, place=Place("shop", "INBOX", 8, 1)), now=LATER)
    assert rows(path, "SELECT raw, kept_at FROM kept") == [(b"mail 1", "2025-03-10T08:00:00Z")]


def test_bytes_seen_again_are_as_old_as_before(path: Path) -> None:
    suspects(path, 1)
    record(path, judged(1, kind=Kind.SUSPECT, place=Place("shop", "INBOX", 8, 1)), now=NOW + 9 * DAY)
    assert rows(path, "SELECT kept_at FROM kept") == [("2025-03-10T08:00:00Z",)]


# One mail, one key.


def test_a_mail_that_was_set_aside_is_written_anew_when_it_can_be_read_at_its_place(path: Path) -> None:
    set_aside = judged(kind=None)
    record(path, replace(set_aside, key=f"sha256:{set_aside.sha256}"))
    record(path, judged(kind=Kind.SUSPECT), now=LATER)
    assert rows(path, "SELECT uid, verdict, key FROM ledger") == [(1, "suspect", "<1@email.amazonses.com>")]
    record(path, replace(set_aside, key=f"sha256:{set_aside.sha256}"), now=LATER)
    assert rows(path, "SELECT verdict FROM ledger") == [("suspect",)], "and not the other way round"


def test_a_mail_keeps_its_key_when_it_breaks_the_reader_elsewhere(path: Path) -> None:
    record(path, judged(kind=Kind.SUSPECT))
    broken = judged(kind=None, place=Place("shop", "Archive", 7, 1))
    record(path, replace(broken, key=f"sha256:{broken.sha256}"))
    assert rows(path, "SELECT verdict, key FROM ledger ORDER BY id") == [
        ("suspect", "<1@email.amazonses.com>"),
        ("set_aside", "<1@email.amazonses.com>"),
    ]


def test_mails_without_bytes_are_not_taken_for_each_other(path: Path) -> None:
    """A server gives no data of two of them: their bytes are equal."""
    gone = [replace(judged(n, kind=None), sha256="none", key=f"place:INBOX:7:{n}") for n in (1, 2)]
    gone = [replace(one, mail=replace(one.mail, raw=b"", size=0)) for one in gone]
    record(path, *gone)
    with Review(path) as ledger:
        ledger.reject([1], NOW)
    assert rows(path, "SELECT key FROM ledger ORDER BY id") == [("place:INBOX:7:1",), ("place:INBOX:7:2",)]
    with Overview(path) as overview:
        assert [mail.id for mail in overview.waiting()] == [2]
