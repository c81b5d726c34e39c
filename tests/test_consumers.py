"""Every recipe of docs/consumers.md and docs/exports.md, taken out of the page and run by the tool it is for."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import ROOT
from nosend import config
from nosend.store.ledger import Ledger
from nosend.store.lists import Lists
from samples import NOW, buyer, judged, notice, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Shell
    from servers import Dovecot

PAGES = [ROOT / "docs" / name for name in ("consumers.md", "exports.md")]
RECIPE = re.compile(r"<!-- recipe: ([\w-]+) -->\n```\w+\n(.*?)```", re.DOTALL)
RECIPES = dict(found for page in PAGES for found in RECIPE.findall(page.read_text(encoding="utf-8")))
FREE = order(9)
MAILS = [(order(1), buyer(1)), (order(2), buyer(1)), (FREE, buyer(9)), (order(8), buyer(1))]  # the last: not known yet
ROWS = "name,order-id\n" + "".join(f'"Lamp, {number}",{key}\n' for number, (key, _) in enumerate(MAILS))


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    """A list with order 1 by its notice, order 2 through the buyer, and a file of mails that wait."""
    with Lists(nosend.folder / "nosend.db") as ledger:
        ledger.know([(order(2), buyer(1)), (FREE, buyer(9))], "shop", "orders.txt", NOW)
        ledger.record([judged(1, alias=buyer(1))], NOW)
    (nosend.folder / "outgoing.csv").write_text(ROWS)
    return nosend


def run(shop: Shell, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a recipe in the shop's folder, with the tools of this Python first in PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    home = str(shop.folder)
    return subprocess.run(
        words, cwd=shop.folder, env=shop.env | {"PATH": path, "HOME": home} | variables, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def sh(shop: Shell, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(shop, "sh", "-c", RECIPES[name], **variables)


def python(shop: Shell, name: str) -> subprocess.CompletedProcess[str]:
    return run(shop, sys.executable, "-c", f"outgoing = {MAILS!r}\n{RECIPES[name]}")


def node(shop: Shell) -> subprocess.CompletedProcess[str]:
    recipe = RECIPES["node"].replace("\n\n", f"\n\nconst outgoing = {json.dumps(MAILS)};\n", 1)
    (shop.folder / "mailer.mjs").write_text(recipe)
    return run(shop, "node", "mailer.mjs")


def duckdb(shop: Shell) -> subprocess.CompletedProcess[str]:
    """Run in DuckDB's Python; `INSTALL` finds the extension of the wheel, where it would load it from the network."""
    install = "next(Path(duckdb_extension_sqlite_scanner.__file__).parent.rglob('*.duckdb_extension'))"
    code = (
        "import duckdb, duckdb_extension_sqlite_scanner; from pathlib import Path\n"
        f"duckdb.connect().execute(f\"INSTALL '{{{install}}}'\")\nduckdb.connect().execute({RECIPES['duckdb']!r})"
    )
    return run(shop, sys.executable, "-c", code)


def sendable(shop: Shell) -> list[str]:
    """Give the order ids of the file that a recipe writes; none when it wrote none."""
    file = shop.folder / "sendable.csv"
    return [row["order-id"] for row in csv.DictReader(file.read_text().splitlines())] if file.exists() else []


def asked_one_by_one(shop: Shell, name: str) -> list[str]:
    """Ask of each order alone, in a shell; gives those that are to be sent."""
    told = [sh(shop, name, order=key, alias=alias).stdout for key, alias in MAILS]
    return [line.removeprefix("send ") for text in told for line in text.splitlines()]


def sent(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.removeprefix("send ") for line in done.stdout.splitlines() if line.startswith("send ")]


def by_file(ran: subprocess.CompletedProcess[str], shop: Shell) -> list[str]:
    del ran
    return sendable(shop)


# Each gives the orders that it would let out. Those that ask by order id alone cannot know of order 8.
ASK = {
    "shell": lambda shop: asked_one_by_one(shop, "shell"),
    "python": lambda shop: sent(python(shop, "python")),
    "sqlite3": lambda shop: asked_one_by_one(shop, "sqlite3"),
    "sqlite3-module": lambda shop: sent(python(shop, "sqlite3-module")),
    "sqlite-utils": lambda shop: by_file(sh(shop, "sqlite-utils"), shop),
    "duckdb": lambda shop: by_file(duckdb(shop), shop),
    "node": lambda shop: sent(node(shop)),
}
BY_ORDER_ALONE = {"sqlite3", "sqlite-utils", "duckdb"}
OF_OTHERS = {"cron", "changes", "statement", "metadata", "datasette", "spreadsheet", "since", "targets"}


def test_every_recipe_is_run_here() -> None:
    assert set(RECIPES) == set(ASK) | OF_OTHERS


@pytest.mark.parametrize("name", ASK)
def test_only_who_has_not_opted_out_is_written_to(shop: Shell, name: str) -> None:
    assert ASK[name](shop) == ([FREE, order(8)] if name in BY_ORDER_ALONE else [FREE])


@pytest.mark.parametrize("trouble", ["missing", "never filled", "no database"])
@pytest.mark.parametrize("name", ASK)
def test_trouble_is_no_permission(shop: Shell, name: str, trouble: str) -> None:
    database = shop.folder / "nosend.db"
    database.unlink()
    for end in ("-wal", "-shm"):
        database.with_name(f"nosend.db{end}").unlink(missing_ok=True)
    if trouble == "never filled":
        Ledger(database).close()
    elif trouble == "no database":
        database.write_text("this is no database, but a text that somebody put in its place\n" * 100)
    assert ASK[name](shop) == []


def test_the_statement_is_the_same_everywhere(shop: Shell) -> None:
    statement = " ".join(RECIPES["statement"].split())
    for name in ("sqlite3", "sqlite3-module", "node", "metadata"):
        shown = " ".join(RECIPES[name].split()).replace(" AS answer", "").replace("value = ?", "value = :key")
        assert statement in shown, name
    with closing(sqlite3.connect(shop.folder / "nosend.db")) as db:
        assert [len(db.execute(statement, {"key": key}).fetchall()) for key, _ in MAILS] == [0, 0, 1, 1]


def test_python_takes_any_spelling_and_counts_what_is_blocked(shop: Shell) -> None:
    assert python(shop, "python").stdout.splitlines()[-1] == "2 blocked of 4"
    told = python(shop, "changes").stdout.splitlines()
    assert told == [f"1 added order {order(1)}", f"2 added order {order(2)}", f"3 added buyer {buyer(1)}"]


def test_cron_sends_what_may_be_sent_and_leaves_the_file_when_anything_is_wrong(shop: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("cron", [notice(3)])
    shop.configure("cron", dovecot.port)
    done = sh(shop, "cron")
    assert (done.returncode, sendable(shop)) == (0, [FREE, order(8)]), done.stderr
    (shop.folder / "outgoing.csv").write_text(ROWS + "Vase,no key\n")
    assert sh(shop, "cron").returncode == 2
    (shop.folder / "outgoing.csv").write_text(ROWS.replace(FREE, order(7)))
    shop.configure("cron", 9)
    assert sh(shop, "cron").returncode == 75
    assert sendable(shop) == [FREE, order(8)]


@pytest.fixture
def datasette(shop: Shell) -> Iterator[str]:
    """The address of Datasette as the page starts it, on a port that is free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    (shop.folder / "metadata.json").write_text(RECIPES["metadata"])
    words = RECIPES["datasette"].replace("8001", str(port)).split()
    env = shop.env | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (
        (shop.folder / "log").open("w") as log,
        subprocess.Popen(words, cwd=shop.folder, env=env, stderr=log) as server,
    ):
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def test_datasette_answers_for_a_key(datasette: str, shop: Shell) -> None:
    def answer(key: str) -> list[object]:
        page = (ROOT / "docs" / "consumers.md").read_text(encoding="utf-8")
        (path,) = re.findall(r"`http://127\.0\.0\.1:8001(/\S+key=)\S+`", page)
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"{datasette}{path}{urllib.parse.quote(key)}", timeout=10) as answered:
                    told: list[object] = json.load(answered)
                    return told
            except urllib.error.URLError:
                time.sleep(0.2)
        raise AssertionError((shop.folder / "log").read_text())

    assert [answer(key) for key, _ in MAILS] == [[], [], [{"answer": "free"}], [{"answer": "free"}]]
    assert answer(buyer(1)) == []
    with Ledger(shop.folder / "nosend.db") as ledger:
        ledger.record([judged(9)], NOW)
    assert answer(FREE) == []


def test_spreadsheet_gets_texts_and_nothing_that_runs(shop: Shell) -> None:
    done = sh(shop, "spreadsheet")
    with (shop.folder / "blocked-orders.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert (done.returncode, lines) == (
        0, [["Order-ID", "Opted out"], *([order(n), "2025-03-01T12:00:00Z"] for n in (1, 2))],
    )  # fmt: skip


def test_what_is_new_is_told_once(shop: Shell) -> None:
    first = [json.loads(line)["value"] for line in sh(shop, "since").stdout.splitlines()]
    assert first == [order(1), order(2), buyer(1)]
    assert sh(shop, "since").stdout == ""
    shop("remove", order(2), "--reason", "a mistake", "--database", "nosend.db")
    (last,) = [json.loads(line) for line in sh(shop, "since").stdout.splitlines()]
    assert (last["value"], last["action"], last["entry"]) == (order(2), "removed", None)
    (shop.folder / "seen").write_text("99\n")
    gone = sh(shop, "since")
    assert (gone.returncode, (shop.folder / "seen").read_text()) == (2, "99\n")


def test_the_commands_for_uploads_write_what_the_services_take(shop: Shell) -> None:
    page = (ROOT / "docs" / "consumers.md").read_text(encoding="utf-8")
    for command in re.findall(r"\| `(nosend export [^`]+)` \|", page):
        assert run(shop, *command.split(), "--database", "nosend.db").returncode == 0, command
    written = {name: (shop.folder / name).read_text().split() for name in ("orders.txt", "aliases.txt", "keys.txt")}
    assert written == {
        "orders.txt": [order(1), order(2)], "aliases.txt": [buyer(1)], "keys.txt": [order(1), order(2), buyer(1)],
    }  # fmt: skip
    assert (shop.folder / "orders.csv").read_text().split() == ["Order-ID", order(1), order(2)]


def test_the_targets_of_the_page_are_written_with_the_manifest_it_describes(shop: Shell) -> None:
    shop.configure("anna", 9, account="shop-de")
    file = shop.folder / "config.toml"
    file.write_text(f"{file.read_text()}\n{RECIPES['targets']}")
    targets = config.load(file).exports
    shop("add", order(5), "--reason", "by phone", "--account", "shop-de")
    assert (shop.folder / "orders.txt").read_text().split() == [order(1), order(2), order(5)]
    assert (shop.folder / "upload.csv").read_text().splitlines()[1][:19] == order(5)
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    fields = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    for target in targets:
        assert set(json.loads(target.manifest.read_text())) == fields
