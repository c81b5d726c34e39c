"""What the tests share: the fixtures folder, a runner of the real command, a real Dovecot."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nosend import config, service
from nosend.store.ledger import Ledger
from servers import PASSWORD, Dovecot, dovecot_binary

ROOT = Path(__file__).resolve().parent.parent
MAILS = sorted((ROOT / "fixtures").rglob("*.eml"))
assert MAILS, "no fixtures: the walk would pass with nothing seen"


def expected(mail: Path) -> dict[str, object]:
    return json.loads(mail.with_suffix(".json").read_text(encoding="utf-8"))


# those that need no configuration to be judged as their JSON says
UNTRUSTING = [mail for mail in MAILS if "trust" not in expected(mail)]


@dataclass
class Shell:
    """Runs the command in a folder of its own, as a user would."""

    folder: Path
    env: dict[str, str]

    def __call__(self, *words: str | Path, code: int | None = 0, **options) -> subprocess.CompletedProcess[str]:
        """Run `nosend WORDS...`; assert the exit code unless it is None, and that no traceback is shown."""
        done = subprocess.run(
            [sys.executable, "-m", "nosend", *map(str, words)],
            cwd=self.folder, env=self.env | options.pop("env", {}), capture_output=True, encoding="utf-8", timeout=120,
            check=False, **options,
        )  # fmt: skip
        assert code is None or done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def configure(self, user: str, port: int, **keys: object) -> None:
        """Write config.toml for a mailbox on this machine; keys override or add, None leaves out."""
        values: dict[str, object] = {
            "account": "shop", "host": "127.0.0.1", "port": port, "tls": "none", "username": user,
            "password_env": "NOSEND_PASSWORD", "timeout": 20,
        } | keys  # fmt: skip
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
        (self.folder / "config.toml").write_text("\n".join(["[[mailbox]]", *lines, ""]))

    def sync_here(self) -> tuple[str, int]:
        """Do the round of `nosend sync` in this process, which is faster; gives its troubles and the exit code."""
        with Ledger(self.folder / "nosend.db") as ledger:
            settings = config.load(self.folder / "config.toml")
            troubles = service.sync(settings, ledger, self.env, lambda *_: None).troubles
        return "\n".join(map(str, troubles)), max((one.exit_code for one in troubles), default=0)

    def rows(self, query: str, *values: object) -> list[tuple]:
        """Ask the database as another program would."""
        db = sqlite3.connect(self.folder / "nosend.db")
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def dump(self, *without: str) -> list[str]:
        """Give the database as SQL, without the lines that hold any of these words."""
        db = sqlite3.connect(self.folder / "nosend.db")
        try:
            return [line for line in db.iterdump() if not any(word in line for word in without)]
        finally:
            db.close()


@pytest.fixture
def nosend(tmp_path: Path) -> Shell:
    env = {k: v for k, v in os.environ.items() if not k.startswith("NOSEND_")}
    env |= {"NOSEND_PASSWORD": PASSWORD, "XDG_CONFIG_HOME": str(tmp_path / "nowhere"), "NO_COLOR": "1"}
    return Shell(tmp_path, env)


@pytest.fixture(scope="module")  # so that files need not know of each other's users
def dovecot():
    if dovecot_binary() is None:
        told = "Dovecot is not installed (Debian: apt-get install dovecot-imapd)"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    server = Dovecot()
    yield server
    server.remove()


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start, though a shell that runs them in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = 1
