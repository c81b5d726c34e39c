"""The verbs that hand the list to other tools: `export` with columns and since, `changes`."""

from __future__ import annotations

import csv
import io
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from conftest import Shell
from nosend.config.exports import COLUMNS, FORMATS, Content, columns_of, content_of
from nosend.entry import Entry
from nosend.errors import ConfigError, UnknownChangeError
from nosend.export import formats
from nosend.store import rows
from nosend.store.ledger import Ledger
from nosend.store.snapshot import Snapshot
from samples import AT, DAY, NOW, buyer, judged, order

LIST = ("--database", "nosend.db")
ENTRIES = (
    Entry("order", order(1), "shop-it", "IT", AT, NOW, AT, 1, "notice", "said so"),
    Entry("order", order(1), "shop-us", "US", AT, NOW, AT, 1, "notice", "said so"),
    Entry("buyer", buyer(), "shop-it", "IT", AT, NOW, AT, 1, "notice", "=said so"),
)
ROWS = [(*rows.values(entry).values(),) for entry in ENTRIES]


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    """A shell in a folder with a list of 3 orders and a buyer; its last change is number 6."""
    with Ledger(nosend.folder / "nosend.db") as ledger:
        ledger.record([judged(1, alias=buyer()), judged(2), judged(3)], NOW)
        ledger.record([judged(1, alias=buyer(), key="<again@x>", day=2)], NOW + DAY)
    return nosend


# Columns


def written(*columns: str, kind: str = "both", account: str = "", form: str = "csv") -> list[list[str]]:
    content = Content(form, kind, columns_of(columns), account)
    return list(csv.reader(io.StringIO("".join(formats.text(formats.chosen(ROWS, content), content)))))


@pytest.mark.parametrize(
    ("columns", "kind", "wanted"),
    [
        (("order_id=Order-ID",), "both", [["Order-ID"], [order(1)]]),
        (("buyer=Email",), "both", [["Email"], [buyer()]]),
        (("order_id", "account"), "both", [["order_id", "account"], [order(1), "shop-it"], [order(1), "shop-us"]]),
        (("order_id", "buyer"), "both", [["order_id", "buyer"], [order(1), ""], ["", buyer()]]),
        (("order_id", "buyer"), "buyer", [["order_id", "buyer"], ["", buyer()]]),
        (("value=Key", "order_id"), "both", [["Key", "order_id"], [order(1), order(1)], [buyer(), ""]]),
        (("opted_out_at=Date", "why"), "buyer", [["Date", "why"], ["2025-03-01T12:00:00Z", "'=said so"]]),
    ],
)
def test_columns_are_named_ordered_and_filled_as_asked(
    columns: tuple[str, ...], kind: str, wanted: list[list[str]]
) -> None:
    """An entry has a line where its own column is there; a line that repeats the one before is left out."""
    assert written(*columns, kind=kind) == wanted


def test_without_columns_there_is_the_full_record() -> None:
    header, *lines = written()
    assert header == list(rows.COLUMNS)
    assert [len(line) for line in lines] == [len(rows.COLUMNS)] * len(ENTRIES)


def test_account_leaves_out_the_others_in_every_format() -> None:
    for form in FORMATS:
        content = Content(form, account="shop-us")
        assert list(formats.chosen(ROWS, content)) == [ROWS[1]]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (["order"], f"no such column 'order': there are {', '.join(COLUMNS)}"),
        (["order_id="], "column 'order_id=' has no name in the file: write order_id=Name, or order_id alone"),
        (["order_id=A", "buyer=A"], "two columns are named 'A' in the file: name them apart"),
        ([""], "no such column ''"),
    ],
)
def test_wrong_columns_are_refused_with_what_there_is(shop: Shell, columns: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        columns_of(columns)
    assert told in str(caught.value)
    done = shop("export", *LIST, "--columns", ",".join(columns), "-o", "list.csv", code=2)
    assert told in done.stderr
    assert not (shop.folder / "list.csv").exists()


def test_every_column_can_be_chosen_and_no_other() -> None:
    assert (*rows.COLUMNS, "order_id", "buyer") == COLUMNS
    assert written(*COLUMNS)[0] == list(COLUMNS)


@pytest.mark.parametrize(
    ("name", "form", "kind", "columns", "told"),
    [
        ("list.txt", None, "both", ["order_id"], "columns are for csv, not for txt"),
        ("list.csv", "json", "both", ["order_id"], "columns are for csv, not for json"),
        ("list.csv", None, "order", ["buyer"], "kind 'order' leaves nothing in these columns"),
    ],
)
def test_contradictions_are_refused(name: str, form: str | None, kind: str, columns: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        content_of(name, form, kind, columns)


def test_export_with_columns(shop: Shell) -> None:
    done = shop("export", *LIST, "--columns", "order_id=Order-ID, opted_out_at")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["Order-ID", "opted_out_at"], *([order(number), "2025-03-01T12:00:00Z"] for number in (1, 2, 3)),
    ]  # fmt: skip


# Deltas


def seen(done: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("since", [0, 2, 6])
def test_changes_are_the_rows_of_the_view_after_a_number(shop: Shell, since: int) -> None:
    columns = ("seq", "at", "action", "kind", "value", "account")
    wanted = shop.rows(f"SELECT {', '.join(columns)} FROM changes WHERE seq > ? ORDER BY seq", since)
    assert len(wanted) == 6 - since
    told = seen(shop("changes", *LIST, "--since", str(since)))
    assert [tuple(one[name] for name in columns) for one in told] == wanted
    assert all(tuple(one) == columns for one in told)


def test_more_changes_than_are_read_at_once_are_each_told_once(nosend: Shell) -> None:
    with Ledger(nosend.folder / "nosend.db") as ledger:
        ledger.record([judged(number) for number in range(1, 2_051)], NOW)
    told = seen(nosend("changes", *LIST, "--since", "50"))
    assert [one["seq"] for one in told] == list(range(51, 2_051))


def test_export_since_tells_each_entry_once_with_what_it_is_now(shop: Shell) -> None:
    _remove(shop, order(2))
    told = seen(shop("export", *LIST, "--since", "1"))
    now = {one["value"]: one for one in json.loads(shop("export", *LIST, "--format", "json").stdout)}
    assert [(one["seq"], one["action"], one["value"]) for one in told] == [
        (4, "added", order(3)), (5, "renewed", order(1)), (6, "renewed", buyer()), (7, "removed", order(2)),
    ]  # fmt: skip
    assert [one["entry"] for one in told] == [now[order(3)], now[order(1)], now[buyer()], None]
    only = seen(shop("export", *LIST, "--since", "1", "--kind", "buyer", "-o", "delta.jsonl"))
    assert only == []
    assert [json.loads(line) for line in (shop.folder / "delta.jsonl").read_text().splitlines()] == told[2:3]


def test_a_consumer_of_deltas_holds_what_the_full_export_holds(shop: Shell) -> None:
    held: dict[tuple[str, str, str], dict] = {}
    since = 0
    for step in range(6):
        for one in seen(shop("export", *LIST, "--since", str(since))):
            key = (one["kind"], one["value"], one["account"])
            since = one["seq"]
            if one["entry"]:
                held[key] = one["entry"]
            else:
                held.pop(key, None)
        full = json.loads(shop("export", *LIST, "--format", "json").stdout)
        assert sorted(held.values(), key=str) == sorted(full, key=str)
        if step % 2:
            _remove(shop, order(step))
        with Ledger(shop.folder / "nosend.db") as ledger:
            ledger.record([judged(10 + step)], NOW)


def _remove(shop: Shell, value: str) -> None:
    """Take an entry off the list, as another version of nosend may."""
    db = sqlite3.connect(shop.folder / "nosend.db")
    with db:
        db.execute("DELETE FROM entries WHERE value = ?", (value,))
        db.execute(
            "INSERT INTO change_log (at, action, kind, value, account) VALUES (?, 'removed', 'order', ?, 'shop')",
            (rows.stamp(NOW), value),
        )
    db.close()


@pytest.mark.parametrize("verb", ["changes", "export"])
def test_a_number_that_the_log_does_not_have_is_refused_with_the_remedy(shop: Shell, verb: str) -> None:
    done = shop(verb, *LIST, "--since", "7", code=2)
    assert (done.stdout, "there is no change 7: the last of database 'nosend.db' is 6" in done.stderr) == ("", True)
    db = sqlite3.connect(shop.folder / "nosend.db")
    with db:
        db.execute("DELETE FROM change_log WHERE seq <= 3")
    assert len(seen(shop(verb, *LIST, "--since", "3"))) == 3
    done = shop(verb, *LIST, "--since", "2", code=2)
    assert done.stdout == ""
    assert "the changes after 2 are not kept any more: the log begins with 4. Take the whole list" in done.stderr
    with db:
        db.execute("DELETE FROM change_log")
    db.close()
    assert shop(verb, *LIST, "--since", "6").stdout == "", "the last number is known, though nothing of the log is left"
    assert "the log begins with 7" in shop(verb, *LIST, "--since", "5", code=2).stderr


def test_a_snapshot_stays_as_it_was_while_others_write(shop: Shell) -> None:
    with Snapshot(shop.folder / "nosend.db") as snapshot, Ledger(shop.folder / "nosend.db") as ledger:
        ledger.record([judged(4)], NOW)
        assert (snapshot.seq, len(list(snapshot.rows())), len(list(snapshot.latest(0)))) == (6, 4, 4)
        with pytest.raises(UnknownChangeError):
            snapshot.latest(7)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("export", "--since", "1", "--columns", "value"), "--since writes JSON lines"),
        (("export", "--since", "1", "--format", "csv"), "--since writes JSON lines"),
        (("export", "--since", "-1"), "'--since'"),
        (("export", "--since", "x"), "'--since'"),
        (("changes",), "Missing option '--since'"),
        (("changes", "--since", "99999999999999999999"), "'--since'"),
    ],
)
def test_wrong_use_of_since_is_told(shop: Shell, words: tuple[str, ...], told: str) -> None:
    done = shop(*words, *LIST, code=2)
    assert (done.stdout, told in done.stderr) == ("", True), done.stderr


# Following


@pytest.fixture
def follow(shop: Shell) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "nosend", "changes", *LIST, "--since", "5", "--follow"]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=shop.folder, env=shop.env, **options))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
        one.communicate()


def _next(following: subprocess.Popen[bytes]) -> dict:
    assert following.stdout
    return json.loads(following.stdout.readline())


def test_following_tells_what_comes_and_ends_with_sigterm(shop: Shell, follow) -> None:
    following = follow()
    assert _next(following)["seq"] == 6
    for number in (4, 5):
        with Ledger(shop.folder / "nosend.db") as ledger:
            ledger.record([judged(number)], NOW)
        assert _next(following)["value"] == order(number)
    following.send_signal(signal.SIGTERM)
    assert (following.communicate(timeout=20), following.returncode) == ((b"", b""), 0)


def test_following_goes_on_in_a_file_that_took_the_others_place(shop: Shell, follow) -> None:
    following = follow()
    assert _next(following)["seq"] == 6
    with Ledger(shop.folder / "copy.db") as ledger:
        ledger.record([judged(number) for number in range(1, 8)], NOW)
    for end in ("-wal", "-shm"):
        (shop.folder / f"nosend.db{end}").unlink(missing_ok=True)
    (shop.folder / "copy.db").replace(shop.folder / "nosend.db")
    assert (_next(following)["seq"]) == 7


def test_following_says_when_the_numbers_begin_anew(shop: Shell, follow) -> None:
    following = follow()
    assert _next(following)["seq"] == 6
    with Ledger(shop.folder / "copy.db") as ledger:
        ledger.record([judged(1)], NOW)
    for end in ("-wal", "-shm"):
        (shop.folder / f"nosend.db{end}").unlink(missing_ok=True)
    (shop.folder / "copy.db").replace(shop.folder / "nosend.db")
    _, told = following.communicate(timeout=20)
    assert (following.returncode, b"there is no change 6" in told, b"Traceback" in told) == (2, True, False)


def test_following_ends_by_itself_when_the_reader_has_gone_and_by_ctrl_c(follow) -> None:
    """Though nothing changes that could be written to it."""
    following = follow()
    _next(following)
    following.stdout.close()
    assert following.wait(20) == 141
    following = follow()
    _next(following)
    following.send_signal(signal.SIGINT)
    assert following.communicate(timeout=20)[0] == b""
    assert following.returncode == 130
