"""Write a database of today's nosend as a fixture: `python tests/databases.py`, after a migration was added.

fixtures/databases/NN-name.sql is what a seller's database holds who has used that version: mail that was synced and
scanned, decisions, lists, orders, a sink that fails. tests/test_migrations.py opens each with the newest code. It is
written by the code of its time: never write one again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from servers import PASSWORD, Dovecot

ROOT = Path(__file__).parent.parent
MAILS = ROOT / "fixtures"
FOLDER = MAILS / "databases"
_SYNCED = ("wording/en-2017-plain.eml", "wording/fr-ascii.eml", "wording/ja-plain.eml")
_SCANNED = ("marker", "forwarded", "doubtful", "forged")
_EACH = 3  # mails of a folder
_REPORT = "order-id\tbuyer-email\n112-0000001-0000001\tq8f3kd0s7h2m1xz@marketplace.amazon.com\n"
_COMMANDS = (
    ("sync",),
    ("review", "accept", "7"),
    ("review", "reject", "8"),
    ("add", "112-7654321-1234567", "--reason", "asked by telephone", "--by", "sue", "--account", "shop"),
    ("add", "112-7654321-7654321", "--reason", "asked by letter", "--by", "sue", "--account", "shop"),
    ("remove", "112-7654321-7654321", "--reason", "a mistake", "--by", "sue", "--account", "shop"),
    ("import", "list.txt", "--source", "othertool", "--account", "shop"),
    ("orders", "import", "report.txt", "--account", "shop"),
    ("sync",),
)


def main(code: Path) -> None:
    """Let the code in a folder `src` fill a database, and write it down."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder, code)
        with closing(sqlite3.connect(folder / "nosend.db")) as db:
            applied = [row[0] for row in db.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
            (version,) = db.execute("PRAGMA user_version").fetchone()
            file = FOLDER / f"{len(applied):02}-{applied[-1]}.sql"
            dump = "\n".join([f"PRAGMA user_version = {version};", *db.iterdump(), ""])
            file.write_text(dump.replace(str(folder), "/var/lib/nosend"), encoding="utf-8")
            print(file.name, {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables(db)})


def tables(db: sqlite3.Connection) -> list[str]:
    """Give the names of nosend's own tables."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '*sqlite_*' ORDER BY name"
    return [name for (name,) in db.execute(query)]


def _fill(folder: Path, code: Path) -> None:
    server = Dovecot()
    try:
        _use(folder, code, server)
    finally:
        server.stop()


def _use(folder: Path, code: Path, server: Dovecot) -> None:
    for mail in _SYNCED:
        server.deliver("sue", (MAILS / mail).read_bytes())
    (folder / "config.toml").write_text(
        f'[[mailbox]]\naccount = "shop"\nhost = "127.0.0.1"\nport = {server.port}\ntls = "none"\nusername = "sue"\n'
        'password_env = "NOSEND_PASSWORD"\n'
    )
    (folder / "list.txt").write_text("112-5555555-5555555\n")
    (folder / "report.txt").write_text(_REPORT)
    _run(folder, code, "sync")
    for name in _SCANNED:
        (folder / name).mkdir()
        for mail in sorted((MAILS / name).glob("*.eml"))[:_EACH]:
            shutil.copy(mail, folder / name)
        _run(folder, code, "scan", "--account", "shop", name)
    if b"outbox" in _run(folder, code, "--help"):
        with (folder / "config.toml").open("a") as config:
            config.write('[[sink]]\nname = "crm"\ncommand = ["false"]\n')
    for words in _COMMANDS:
        _run(folder, code, *words)


def _run(folder: Path, code: Path, *words: str) -> bytes:
    """Run a command; one that this version does not know, or cannot do, is left out."""
    environment = os.environ | {"PYTHONPATH": str(code), "NOSEND_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "nosend", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60, check=False)
    if done.returncode:
        print(words[:2], done.returncode, done.stderr.decode()[-200:])
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else ROOT / "src").resolve())
