"""`check` without click: the same answers as with it, and nothing loaded that takes long."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from test_may_i_send import BUYER, KEYS, expire, shop  # noqa: F401 - a fixture
from test_orders import notice

if TYPE_CHECKING:
    from conftest import Shell

LEFT = 99  # the exit code where `quick` left the question to the whole command
QUICK = f"from nosend.cli import quick; code = quick.check(sys.argv[1:]); sys.exit({LEFT} if code is None else code)"
WHOLE = "from nosend.cli.command import main; sys.exit(main())"
AT = ("--database", "nosend.db")


@pytest.fixture
def read(shop: Shell) -> Shell:  # noqa: F811
    """The shop, whose mailbox was read to its end."""
    with closing(sqlite3.connect(shop.folder / "nosend.db")) as db, db:
        db.execute("UPDATE rounds SET last_success_at = finished_at")
    return shop


def said(read: Shell, code: str, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", "check", *words], cwd=read.folder, capture_output=True, text=True,
        env=read.env, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


ASKED = [
    *((key, *AT) for key in (*KEYS.values(), BUYER)),
    (*KEYS.values(), *AT),
    (*KEYS.values(), "--json", *AT),
    ("--json", BUYER.upper(), *AT, f" {KEYS['allowed']}\n"),
    (*KEYS.values(), "--purpose", "shipping-address", *AT),
    (*AT, BUYER, "--purpose", "delay", "--json"),
    (BUYER,),
]


def test_plain_questions_get_the_same_bytes_from_both(read: Shell) -> None:
    expire(read)
    for words in ASKED:
        quick = said(read, QUICK, *words)
        assert quick[0] in {0, 1}, words
        assert quick == said(read, WHOLE, *words), words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, ("--help",)),
        (2, ()),
        (2, ("no key", *AT)),
        (2, (BUYER, "--purpose", "fun", *AT)),
        (2, (BUYER, "--purpose")),
        (2, (BUYER, "--database", "none.db")),
        (2, (BUYER, "--loudly", *AT)),
        (1, (BUYER, "--database=nosend.db")),
    ],
)
def test_whatever_else_is_left_to_the_whole_command(read: Shell, code: int, words: tuple[str, ...]) -> None:
    assert said(read, QUICK, *words) == (LEFT, "", "")
    assert said(read, WHOLE, *words)[0] == code
    assert read("check", *words, code=code).stdout == said(read, WHOLE, *words)[1]


def test_what_needs_a_word_beside_it_is_left_to_the_whole_command(read: Shell) -> None:
    """A mail that waits for a person; a mailbox that was never read to its end."""
    free = KEYS["nothing known"]
    assert said(read, QUICK, free, *AT)[0] == 0
    doubtful = notice(free, 9).replace("auto-communication@", "auto-comunication@")
    read("scan", "-", input=doubtful)
    assert said(read, QUICK, free, *AT) == (LEFT, "", "")
    assert "a suspect mail names it" in read("check", free, *AT).stderr


def test_no_module_is_loaded_that_takes_longer_than_the_answer(read: Shell) -> None:
    """What `sqlite3` itself loads is free."""
    tell = "import sqlite3; before = set(sys.modules)\nimport atexit\n"
    tell += "atexit.register(lambda: print(*sorted(set(sys.modules) - before), file=sys.stderr))\n"
    code, _, loaded = said(read, tell + QUICK, BUYER, *AT)
    assert code == 1
    heavy = {"click", "pathlib", "json", "dataclasses", "logging", "urllib", "importlib.metadata", "tomllib", "bs4"}
    assert heavy & {name.partition(".")[0] for name in loaded.split()} == set()
