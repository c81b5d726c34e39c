"""The reading side: what mailers ask, with the standard library alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import nosend
from nosend.entry import Entry
from nosend.errors import StoreRefusedError, StoreUnavailableError, UnknownKeyError
from nosend.identifiers import Key
from nosend.model import Place
from nosend.permission import CRITICAL, NOT_CRITICAL, Decision, Permission
from nosend.store.ledger import Ledger
from samples import AT, DAY, NOW, buyer, judged, order

OUTSIDE = {"bs4", "lxml", "imapclient", "sqlite_utils", "click"}


def entry(kind: str, value: str, **different: object) -> Entry:
    told = {"account": "shop", "marketplace": "US", "opted_out_at": AT, "listed_at": NOW, "last_notice_at": AT}
    why = {"notices": 1, "source": "notice", "why": "marker: the buyer has chosen to opt out"}
    return Entry(**{"kind": kind, "value": value} | told | why | different)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A list of three orders, two of them of one buyer."""
    path = tmp_path / "100% list?#.db"  # characters that mean something in a URI
    with Ledger(path) as ledger:
        ledger.record([judged(1, alias=buyer()), judged(2, alias=buyer(), day=2), judged(3)], NOW)
    return path


@pytest.fixture
def blacklist(path: Path):
    with nosend.Blacklist(path) as blacklist:
        yield blacklist


def test_listed_key_may_not_be_written_to_and_the_answer_says_why_and_since_when(blacklist: nosend.Blacklist) -> None:
    answer = blacklist.check(order(3))
    assert answer == Decision(Key("order", order(3)), Permission.DO_NOT_SEND, None, (entry("order", order(3)),))
    assert answer.reason == "the buyer opted out on 2025-03-01: marker: the buyer has chosen to opt out"
    assert answer.advice == "only critical messages may be sent"
    assert not answer.may_send


def test_key_that_is_not_listed_may_be_written_to(blacklist: nosend.Blacklist) -> None:
    unlisted = Decision(Key("order", order(9)), Permission.SEND, None, ())
    assert blacklist.check(order(9)) == unlisted
    assert unlisted.may_send


def test_only_critical_purposes_open_a_listed_key(blacklist: nosend.Blacklist) -> None:
    answers = {purpose: blacklist.check(order(3), purpose).permission for purpose in (*CRITICAL, *NOT_CRITICAL, None)}
    assert answers == {
        **dict.fromkeys(CRITICAL, Permission.SEND_AS_CRITICAL),
        **dict.fromkeys([*NOT_CRITICAL, None], Permission.DO_NOT_SEND),
    }
    assert blacklist.check(order(3), purpose="shipping-address").may_send


@pytest.mark.parametrize("number", [3, 9], ids=["listed", "not listed"])
def test_unknown_purpose_is_refused_with_the_list(blacklist: nosend.Blacklist, number: int) -> None:
    with pytest.raises(UnknownKeyError, match="unknown purpose 'newsletter': choose one of product-customization, "):
        blacklist.check(order(number), purpose="newsletter")


@pytest.mark.parametrize(
    "key",
    [
        order(3),
        f" [{order(3)}] ",
        f"#{order(3)}",
        order(3).replace("-", "\u2011"),
        "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in order(3)),
        order(3).replace("-", "-\u200b"),
    ],
)
def test_order_is_found_in_any_spelling(blacklist: nosend.Blacklist, key: str) -> None:
    assert key in blacklist
    assert blacklist.check(key).entries == (entry("order", order(3)),)


@pytest.mark.parametrize(
    "key", [buyer(), buyer().upper(), f"<{buyer()}>", buyer().replace("@", "+6a1f-uuid@"), f"  {buyer()}\n"]
)
def test_buyer_is_found_in_any_spelling_and_by_all_notices(blacklist: nosend.Blacklist, key: str) -> None:
    assert key in blacklist
    last = AT + 2 * DAY
    assert blacklist.check(key).entries == (entry("buyer", buyer(), notices=2, last_notice_at=last),)


@pytest.mark.parametrize("key", ["", "1", "111-1111111", f"x{order(3)}", "anna@gmail.com", f"{order(1)} {order(2)}"])
def test_key_that_cannot_be_on_the_list_is_no_key(blacklist: nosend.Blacklist, key: str) -> None:
    """ "Not listed" would be false comfort, wherever it is asked."""
    for ask in (blacklist.check, blacklist.__contains__, lambda key: blacklist.blocked([order(1), key])):
        with pytest.raises(UnknownKeyError, match="is neither an order id"):
            ask(key)


def test_blocked_gives_back_those_keys_as_they_were_written(blacklist: nosend.Blacklist) -> None:
    asked = [order(1), order(9), buyer().upper(), buyer(9), f"[{order(2)}]"]
    assert blacklist.blocked(asked) == {order(1), buyer().upper(), f"[{order(2)}]"}
    assert blacklist.blocked(iter(())) == set()


def test_iteration_goes_through_all_entries_by_value(blacklist: nosend.Blacklist) -> None:
    assert list(blacklist) == [
        entry("order", order(1)),
        entry("order", order(2), opted_out_at=AT + 2 * DAY, last_notice_at=AT + 2 * DAY),
        entry("order", order(3)),
        entry("buyer", buyer(), notices=2, last_notice_at=AT + 2 * DAY),
    ]
    assert len(blacklist) == 4
    assert blacklist.counts() == {"order": 3, "buyer": 1}


def test_empty_list_is_a_list(tmp_path: Path) -> None:
    with Ledger(tmp_path / "nosend.db") as ledger:
        with pytest.raises(StoreUnavailableError, match="no mail was ever read into it"):
            nosend.Blacklist(tmp_path / "nosend.db")
        ledger.round_done("shop", datetime.now(UTC))
    with nosend.Blacklist(str(tmp_path / "nosend.db")) as blacklist:
        assert (list(blacklist), len(blacklist), blacklist.counts()) == ([], 0, {"order": 0, "buyer": 0})
        assert order() not in blacklist


def test_entries_of_all_accounts_are_told_oldest_first(path: Path, blacklist: nosend.Blacklist) -> None:
    with Ledger(path) as ledger:
        ledger.record([judged(3, day=-5, place=Place("another shop", "INBOX", 1, 1))], NOW)
    earlier = AT - 5 * DAY
    assert blacklist.check(order(3)).entries == (
        entry("order", order(3), account="another shop", opted_out_at=earlier, last_notice_at=earlier),
        entry("order", order(3)),
    )


def test_reader_waits_for_no_writer_and_sees_each_commit_at_once(path: Path, blacklist: nosend.Blacklist) -> None:
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM entries WHERE value = ?", (order(3),))
    assert order(3) in blacklist
    with nosend.Blacklist(path) as another:
        assert order(3) in another
    writer.execute("COMMIT")
    writer.close()
    assert order(3) not in blacklist
    with Ledger(path) as ledger:
        ledger.record([judged(7)], NOW)
        assert order(7) in blacklist


_THREADS_AND_FORKS = """
import os, sys, threading
import nosend

path, listed, free = sys.argv[1:]
stop, answers = threading.Event(), set()


def ask():
    return listed in blacklist and free not in blacklist and blacklist.blocked([listed, free]) == {listed}


def go_on():
    while not stop.is_set():
        answers.add(ask())


with nosend.Blacklist(path) as blacklist:
    threads = [threading.Thread(target=go_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(20):
        if not (child := os.fork()):
            try:
                os._exit(not ask())
            finally:
                os._exit(1)
        children.append(child)
    ended = {os.waitpid(child, 0)[1] for child in children}
    stop.set()
    for thread in threads:
        thread.join()
    print(answers, ended, ask())
"""


def test_threads_and_workers_that_a_process_forks_while_they_ask_share_one(path: Path) -> None:
    """A worker comes along with the lock in another thread's hands, and with a connection it must not use."""
    command = [sys.executable, "-W", "ignore", "-c", _THREADS_AND_FORKS, path, order(1), order(9)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (found.stdout, found.stderr) == ("{True} {0} True\n", "")


def test_asking_writes_nothing(path: Path) -> None:
    before = path.read_bytes()
    with nosend.Blacklist(path) as blacklist:
        blacklist.check(order(3))
        with pytest.raises(StoreRefusedError, match="readonly"):
            blacklist._reader.query("DELETE FROM entries")
    assert path.read_bytes() == before


def _foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
    db.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (Path.mkdir, "is not a file"),
        (lambda path: path.write_bytes(b""), "is not nosend's"),
        (lambda path: path.write_bytes(b"no database, but a long text " * 100), "is no SQLite database"),
        (_foreign, "is not nosend's"),
    ],
    ids=["missing", "folder", "empty", "garbage", "another program's"],
)
def test_file_that_is_no_list_is_refused_never_taken_for_permission(tmp_path: Path, make, message: str) -> None:
    path = tmp_path / "some.db"
    make(path)
    before = {one: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()}
    with pytest.raises(StoreRefusedError, match=message) as caught:
        nosend.Blacklist(path)
    assert repr(str(path)) in str(caught.value)
    assert {one: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()} == before


def test_list_that_is_damaged_later_is_refused_as_well(path: Path, blacklist: nosend.Blacklist) -> None:
    db = sqlite3.connect(path)
    db.execute("DROP VIEW blacklist")
    db.close()
    asks = (blacklist.check, blacklist.__contains__, lambda _: list(blacklist), lambda _: len(blacklist))
    for ask in asks:
        with pytest.raises(StoreRefusedError, match="is not nosend's"):
            ask(order(3))


_IMPORT = "import nosend; nosend.Blacklist"
_CHECK = "import nosend, sys; print(nosend.Blacklist(sys.argv[1]).check(sys.argv[2]).permission)"


@pytest.mark.parametrize("code", [_IMPORT, _CHECK], ids=["import", "check"])
def test_asking_loads_no_outside_package(path: Path, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, path, order(3)], capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert loaded & OUTSIDE == set()
    assert {"nosend", "sqlite3"} <= loaded, "what is looked at is the list of imports"
    assert done.stdout == ("do-not-send\n" if code == _CHECK else "")


def test_recognize_loads_what_reading_needs_and_says_what_a_mail_is() -> None:
    """The other half: the outside packages are there, and `recognize` needs the one that reads HTML."""
    code = "import nosend, sys; print(nosend.recognize(b'Subject: hello').kind, sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("unrelated ")
    assert {name for name in OUTSIDE if f"'{name}'" in done.stdout} == {"bs4", "lxml"}
