"""`nosend backup`: a whole copy while others write, or nothing."""

from __future__ import annotations

import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from conftest import Shell
from nosend import Blacklist
from nosend.errors import StoreUnavailableError
from nosend.store import backup
from nosend.store.ledger import Ledger
from samples import NOW, judged, order

DATABASE = ("--database", "nosend.db")
_WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from nosend.store.ledger import Ledger
from samples import NOW, judged
with Ledger(Path(sys.argv[1])) as ledger:
    for number in range(1, 100_000):
        ledger.record([judged(number)], NOW)
        if number == 20:
            print("ready", flush=True)
"""


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    with Ledger(nosend.folder / "nosend.db") as ledger:
        ledger.record([judged(number) for number in (1, 2, 3)], NOW)
    return nosend


@pytest.fixture
def writer(nosend: Shell):
    """Another process that adds to the list all the time."""
    command = [sys.executable, "-c", _WRITE, nosend.folder / "nosend.db", Path(__file__).parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def values(path: Path) -> list[str]:
    with Blacklist(path) as blacklist:
        return [entry.value for entry in blacklist]


def test_a_backup_holds_what_the_database_holds(shop: Shell) -> None:
    assert shop("backup", "copy.db", *DATABASE).stderr == "nosend: copy.db: 3 entries, 3 events, checked\n"
    copy = shop.folder / "copy.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as db, closing(sqlite3.connect(shop.folder / "nosend.db")) as live:
        assert list(db.iterdump()) == list(live.iterdump())
        assert db.execute("PRAGMA user_version").fetchone() == live.execute("PRAGMA user_version").fetchone()
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",), "one file, that can be read anywhere"
    assert sorted(path.name for path in shop.folder.glob("*copy*")) == ["copy.db"]
    assert "do not send" in shop("check", order(1), "--database", "copy.db", code=1).stdout


def test_an_older_backup_is_replaced(shop: Shell) -> None:
    shop("backup", "copy.db", *DATABASE)
    (shop.folder / "copy.db").chmod(0o640)
    with Ledger(shop.folder / "nosend.db") as ledger:
        ledger.record([judged(4)], NOW)
    assert "4 entries" in shop("backup", "copy.db", *DATABASE).stderr
    assert values(shop.folder / "copy.db") == [order(number) for number in (1, 2, 3, 4)]
    assert stat.S_IMODE((shop.folder / "copy.db").stat().st_mode) == 0o640


def test_backups_of_a_database_that_is_written_to_are_whole(shop: Shell, writer) -> None:
    """Each holds all that was committed before a moment; the writer goes on meanwhile."""
    seen = []
    for number in range(8):
        shop("backup", f"{number}.db", *DATABASE)
        with closing(sqlite3.connect(shop.folder / f"{number}.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("entries", "change_log")]
        assert counts[0] == counts[1]
        assert values(shop.folder / f"{number}.db") == [order(one) for one in range(1, counts[0] + 1)]
        seen.append(counts[0])
    assert writer.poll() is None
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]


def test_who_is_killed_leaves_the_old_backup(shop: Shell, writer) -> None:
    shop("backup", "copy.db", *DATABASE)
    old = values(shop.folder / "copy.db")
    for number in range(12):
        process = subprocess.Popen(
            [sys.executable, "-m", "nosend", "backup", "copy.db", *DATABASE],
            cwd=shop.folder, env=shop.env, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.08 + 0.02 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert values(shop.folder / "copy.db")[: len(old)] == old
    shop("backup", "copy.db", *DATABASE)
    assert [path.name for path in shop.folder.glob(".*")] == [], "what the killed ones left is removed"


def test_full_disk_leaves_the_old_backup(shop: Shell) -> None:
    shop("backup", "copy.db", *DATABASE)
    old = (shop.folder / "copy.db").read_bytes()
    with Ledger(shop.folder / "nosend.db") as ledger:
        ledger.record([judged(number) for number in range(4, 2_000)], NOW)
    limit = (len(old) + 20_000,) * 2
    fill = partial(resource.setrlimit, resource.RLIMIT_FSIZE, limit)
    assert "is the disk full?" in shop("backup", "copy.db", *DATABASE, code=75, preexec_fn=fill).stderr
    assert (shop.folder / "copy.db").read_bytes() == old
    assert sorted(path.name for path in shop.folder.glob("*copy*")) == ["copy.db"]


def _text(path: Path) -> None:
    path.write_text("what we wrote to the tax office")


def _of_another(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)")


def _in_use(path: Path) -> None:
    Ledger(path).close()
    Path(f"{path}-wal").write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("nosend.db", lambda path: None, "is the database itself"),
        ("link.db", lambda path: path.symlink_to("nosend.db"), "is the database itself"),
        ("other.db", _text, "is there and is no backup of nosend's"),
        ("other.db", _of_another, "is there and is no backup of nosend's"),
        ("other.db", _in_use, "is a database in use"),
        ("folder", Path.mkdir, "is a folder"),
        ("nowhere/copy.db", lambda path: None, "is no file that can be made"),
    ],
    ids=["itself", "link", "text", "invoices", "in use", "folder", "nowhere"],
)
def test_what_is_no_place_for_a_backup_is_refused(shop: Shell, name: str, make, told: str) -> None:
    make(shop.folder / name)
    before = {path: path.read_bytes() for path in shop.folder.iterdir() if path.is_file()}
    assert told in shop("backup", name, *DATABASE, code=2).stderr
    assert {path: path.read_bytes() for path in shop.folder.iterdir() if path.is_file()} == before


def test_what_is_no_database_is_refused(nosend: Shell) -> None:
    assert "does not exist" in nosend("backup", "copy.db", *DATABASE, code=2).stderr
    _of_another(nosend.folder / "nosend.db")
    assert "is not nosend's" in nosend("backup", "copy.db", *DATABASE, code=2).stderr
    assert not (nosend.folder / "copy.db").exists()


def test_damaged_database_gives_no_backup(shop: Shell) -> None:
    with Ledger(shop.folder / "nosend.db") as ledger:
        ledger.record([judged(number) for number in range(4, 500)], NOW)
    path = shop.folder / "nosend.db"
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events_mail'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as stream:
        stream.seek(page * size - 200)  # cells stand at the end of a page
        stream.write(b"\xff" * 64)
    made = shop.folder / "copy.db"
    made.touch()
    with pytest.raises(StoreUnavailableError, match="is damaged"):
        backup.copy(path, made)
    assert "is damaged" in shop("backup", "other.db", *DATABASE, code=75).stderr
    assert not (shop.folder / "other.db").exists()


def test_a_restored_backup_is_gone_on_with(shop: Shell) -> None:
    """As docs/operations.md says; who has the list open sees the restored file at once."""
    database = shop.folder / "nosend.db"
    with Blacklist(database) as open_meanwhile:
        shop("backup", "copy.db", *DATABASE)
        with Ledger(database) as ledger:
            ledger.record([judged(4)], NOW)
        assert order(4) in open_meanwhile
        shutil.copy(shop.folder / "copy.db", shop.folder / "restored.db")
        for end in ("-wal", "-shm"):
            Path(f"{database}{end}").unlink(missing_ok=True)
        (shop.folder / "restored.db").replace(database)
        time.sleep(0.02)  # after which it is asked at the latest
        assert order(4) not in open_meanwhile
        assert order(3) in open_meanwhile
        with Ledger(database) as ledger:
            ledger.record([judged(3), judged(4)], NOW)
        assert order(4) in open_meanwhile
    assert values(database) == [order(number) for number in (1, 2, 3, 4)]
