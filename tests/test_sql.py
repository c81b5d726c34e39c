"""docs/sql.md against a database that holds rows of all kinds."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conftest import ROOT
from databases import FOLDER
from nosend.store.ledger import Ledger
from nosend.store.version import VERSION
from test_migrations import made

PAGE = (ROOT / "docs" / "sql.md").read_text(encoding="utf-8")
VIEWS = ("blacklist", "changes")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def documented(view: str) -> dict[str, tuple[str, bool, str]]:
    """Give type, nullability and meaning of each column that the page tells."""
    section = PAGE.partition(f"\n## `{view}`\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (.+) \|$", section, re.MULTILINE)
    return {name: (kind, null == "maybe", meaning) for name, kind, null, meaning in rows}


@pytest.fixture
def db(tmp_path: Path):
    path = made(tmp_path / "nosend.db", max(FOLDER.glob("*.sql")))
    with Ledger(path) as ledger:
        ledger._db.execute("UPDATE entries SET expires_at = '2999-01-01T00:00:00Z' WHERE notices > 0")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        yield db


def test_the_views_are_those_of_the_page(db: sqlite3.Connection) -> None:
    views = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'")}
    assert views == set(VIEWS) == set(re.findall(r"^## `(\w+)`$", PAGE, re.MULTILINE))
    assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert f"the version of the tables ({VERSION})" in PAGE


@pytest.mark.parametrize("view", VIEWS)
def test_columns_are_those_of_the_page_in_its_order(db: sqlite3.Connection, view: str) -> None:
    """The declared types, and those of the values; only what may be null is null, and it is somewhere."""
    found = [(row[1], row[2]) for row in db.execute(f"PRAGMA table_xinfo({view})")]
    told = documented(view)
    assert found == [(name, kind) for name, (kind, _, _) in told.items()]
    for name, (kind, maybe, _) in told.items():
        kinds = {row[0].upper() for row in db.execute(f"SELECT DISTINCT typeof({name}) FROM {view}")}
        assert kinds == ({kind, "NULL"} if maybe else {kind}), name
        if name.endswith("at"):
            values = db.execute(f"SELECT {name} FROM {view} WHERE {name} IS NOT NULL").fetchall()
            assert all(TIME.fullmatch(value) for (value,) in values), name


def test_words_are_those_of_the_page(db: sqlite3.Connection) -> None:
    actions = {row[0] for row in db.execute("SELECT DISTINCT action FROM changes")}
    assert actions <= set(re.findall(r"`(\w+)`", documented("changes")["action"][2]))
    sources = {row[0] for row in db.execute("SELECT DISTINCT source FROM blacklist")} - {"othertool"}
    assert sources <= set(re.findall(r"`(\w+)`", documented("blacklist")["source"][2]))
    kinds = {row[0] for row in db.execute("SELECT DISTINCT kind FROM blacklist")}
    assert kinds == set(re.findall(r"`(\w+)`", documented("blacklist")["kind"][2]))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM blacklist WHERE value = '111-2345678-1234567'",
        "SELECT value FROM blacklist WHERE value > 'x' ORDER BY value, kind, account LIMIT 100",
        "SELECT * FROM changes WHERE seq > 7 ORDER BY seq",
    ],
)
def test_what_the_page_says_is_indexed_is(db: sqlite3.Connection, statement: str) -> None:
    plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"))
    assert "SEARCH" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def test_an_entry_is_unique_and_numbers_are_never_given_twice(db: sqlite3.Connection) -> None:
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'entries'").fetchone()
    assert re.search(r"PRIMARY KEY \(value, kind, account\)", sql)
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'change_log'").fetchone()
    assert "AUTOINCREMENT" in sql


def test_ended_entries_are_not_in_the_view(db: sqlite3.Connection, tmp_path: Path) -> None:
    (before,) = db.execute("SELECT count(*) FROM blacklist").fetchone()
    with Ledger(tmp_path / "nosend.db") as ledger:
        ledger._db.execute("UPDATE entries SET expires_at = '2001-01-01T00:00:00Z' WHERE notices > 0")
    (after,) = db.execute("SELECT count(*) FROM blacklist").fetchone()
    assert 0 < after < before
