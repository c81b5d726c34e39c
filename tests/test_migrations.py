"""Databases of every earlier version, written by the nosend of their time, and of a later one."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from conftest import Shell
from databases import FOLDER, tables
from nosend import Blacklist
from nosend.store.ledger import Ledger
from nosend.store.schema import migrations
from nosend.store.version import VERSION

FILES = sorted(FOLDER.glob("*.sql"))
LATE = {"02-decisions": 2}  # entries that rebuild adds: what was accepted was not listed by the nosend of that time
NOTICED = "112-7654321-1234567"  # listed in the newest ones only; a key that all verbs may be asked about
READING = (
    ("check", NOTICED), ("list",), ("show", NOTICED), ("export",), ("export", "--since", "0"),
    ("changes", "--since", "0"), ("filter",), ("status",), ("review",), ("outbox",), ("privacy", "report", NOTICED),
)  # fmt: skip
SAID = ("--reason", "asked", "--by", "sue", "--account", "shop")
WRITING = (
    ("add", NOTICED, *SAID), ("remove", NOTICED, *SAID), ("allow", NOTICED, *SAID), ("disallow", NOTICED, *SAID),
    ("import", "-", "--source", "other", "--account", "shop"), ("undo",),
    ("orders", "import", "-", "--account", "shop"), ("rebuild",), ("review", "accept", "7"),
    ("scan", "--account", "shop", "-"), ("outbox", "retry"), ("privacy", "forget", NOTICED),
    ("privacy", "purge", "--older-than", "1"),
)  # fmt: skip


def made(path: Path, file: Path) -> Path:
    """Make a database of a fixture."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(file.read_text(encoding="utf-8"))
        db.execute("PRAGMA journal_mode = WAL")
    return path


def contents(path: Path, only: dict[str, list[str]] | None = None) -> dict[str, list[tuple[object, ...]]]:
    """Give the rows of each table, or `only` of these with these columns."""
    with closing(sqlite3.connect(path)) as db:
        asked = only or {table: columns(db, table) for table in tables(db)}
        return {
            table: sorted(db.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall(), key=repr)
            for table, names in asked.items()
        }


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def parts(path: Path) -> dict[str, bytes]:
    """Give the bytes of a database, the WAL included."""
    found = {part.name: part.read_bytes() for part in path.parent.glob(f"{path.name}*") if not part.match("*-shm")}
    return {name: held for name, held in found.items() if held}


@pytest.fixture(params=FILES, ids=[file.stem for file in FILES])
def file(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def database(file: Path, nosend: Shell) -> Path:
    return made(nosend.folder / "nosend.db", file)


def test_each_migration_has_a_database_of_its_time() -> None:
    """`python tests/databases.py` writes the one of today."""
    names = [migration.name for migration in migrations.pending(Database(memory=True))]
    assert [file.stem for file in FILES] == [f"{number:02}-{name}" for number, name in enumerate(names, 1)]
    assert len(names) == VERSION


def test_nothing_is_lost(file: Path, database: Path, nosend: Shell) -> None:
    with closing(sqlite3.connect(database)) as db:
        old = {table: columns(db, table) for table in tables(db)}
    before = contents(database)
    listed = [row[:3] for row in before["entries"]]
    Ledger(database).close()
    assert contents(database, old) == before
    with Blacklist(database) as blacklist:
        assert sorted((entry.kind, entry.value, entry.account) for entry in blacklist) == listed
        assert all(value in blacklist for _, value, _ in listed)
        assert len(list(blacklist.changes())) == len(before["change_log"])
    after = parts(database)
    Ledger(database).close()
    assert parts(database) == after, "nothing is to be done a second time"
    late = LATE.get(file.stem, 0)
    assert f" {late} of them changed" in nosend("rebuild", "--database", "nosend.db").stderr
    assert len(contents(database)["entries"]) == len(listed) + late
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_tables_are_those_of_a_new_database(database: Path, tmp_path: Path) -> None:
    Ledger(database).close()
    Ledger(tmp_path / "new.db").close()
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    with closing(sqlite3.connect(database)) as migrated, closing(sqlite3.connect(tmp_path / "new.db")) as new:
        assert migrated.execute(query).fetchall() == new.execute(query).fetchall()


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_readers_answer_for_an_old_database_or_say_what_to_do(database: Path, nosend: Shell, words) -> None:
    before = parts(database)
    found = nosend(*words, "--database", "nosend.db", code=None, input=f"{NOTICED}\n")
    if found.returncode == 75:
        assert "was written by an older nosend: `nosend sync` brings it up to date" in found.stderr
        assert found.stdout == ""
    else:
        assert found.returncode in {0, 1}
    assert parts(database) == before


def test_the_list_in_an_old_database_is_read_as_it_is(database: Path) -> None:
    listed = [row[:3] for row in contents(database)["entries"]]
    with Blacklist(database) as blacklist:
        assert sorted((entry.kind, entry.value, entry.account) for entry in blacklist) == listed
        assert blacklist.blocked([value for _, value, _ in listed]) == {value for _, value, _ in listed}


@pytest.mark.parametrize("words", READING + WRITING, ids=lambda words: " ".join(words[:2]))
def test_a_newer_database_is_refused_by_every_verb(nosend: Shell, words) -> None:
    database = made(nosend.folder / "nosend.db", FILES[-1])
    with closing(sqlite3.connect(database)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = parts(database)
    at = 1 if words[0] in {"review", "outbox"} else len(words)  # where these take the option
    found = nosend(*words[:at], "--database", "nosend.db", *words[at:], code=2, input=f"{NOTICED}\n")
    assert found.stdout == ""
    assert "was written by a newer nosend: upgrade this one (pip install -U nosend)" in found.stderr
    assert parts(database) == before


_MIGRATE = """
import sys
from pathlib import Path
from nosend.store import file
print("ready", flush=True)
sys.stdin.readline()
file.open_for_writing(Path(sys.argv[1])).close()
"""


def test_a_migration_that_is_killed_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    halves = set()
    for number in range(12):
        path = made(tmp_path / f"{number}.db", FILES[0])
        before = contents(path)
        child = subprocess.Popen(
            [sys.executable, "-c", _MIGRATE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        with child:
            assert child.stdout
            assert child.stdin
            assert child.stdout.readline() == b"ready\n"
            child.stdin.write(b"\n")
            time.sleep(number * 0.004)
            child.send_signal(signal.SIGKILL)
        with closing(sqlite3.connect(path)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
        assert version in {0, VERSION}
        halves.add(version)
        assert version or contents(path) == before
        Ledger(path).close()
        assert {name: len(rows) for name, rows in contents(path).items()}.items() >= {
            name: len(rows) for name, rows in before.items()
        }.items()
    assert 0 in halves
