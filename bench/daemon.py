"""A running `nosend watch` that is measured, and the mails that are delivered to it."""

# ruff: noqa: INP001 - a folder of scripts

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import mails

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # the real servers of the tests

from servers import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOOK = 0.005  # seconds from one look into the database to the next


class Post(mails.Maker):
    """Writes notices of which it is known what they say."""

    _current = ""

    def order(self) -> str:
        """Give the order of the notice that is being written."""
        return self._current or super().order()

    def notice_of(self, order: str) -> bytes:
        """Write a notice about an order: in any language with the marker, or in one whose sentence is known."""
        marked = self.chance.random() < 0.5
        known = [name for name, facts in mails.LANGUAGES.items() if marked or facts.sentence]
        self._current = order
        try:
            return self.notice(self.chance.choice(known), marked=marked)
        finally:
            self._current = ""


def order(number: int) -> str:
    """Give an order id of its own for each number."""
    return f"112-{number:07}-7654321"


def mailbox(account: str, username: str, port: int, **keys: object) -> dict[str, object]:
    """Give the keys of a mailbox on this machine, which keys add to or override."""
    known = {"account": account, "host": "127.0.0.1", "port": port, "tls": "none", "username": username}
    return {**known, "password_env": "NOSEND_PASSWORD", **keys}


class Daemon:
    """`nosend watch` in a folder of its own; use it in a `with`."""

    def __init__(self, boxes: Sequence[Mapping[str, object]], **top: object) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="nosend-bench")
        self.folder = Path(self._home.name)
        self.log = self.folder / "log"
        self.database = self.folder / str(top.get("database", "nosend.db"))
        tables = [_lines(top), *("[[mailbox]]\n" + _lines(box) for box in boxes)]
        (self.folder / "config.toml").write_text("\n".join(tables), encoding="utf-8")
        env = {name: value for name, value in os.environ.items() if not name.startswith("NOSEND_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nosend", "watch"],
                cwd=self.folder, env=env | {"NOSEND_PASSWORD": PASSWORD}, stderr=log,
            )  # fmt: skip
        while "watches" not in self.log.read_text(encoding="utf-8"):
            self.check()
            time.sleep(0.05)
        self._db = sqlite3.connect(self.database, check_same_thread=False)
        self._version = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._home.cleanup()

    def check(self) -> None:
        """Raise SystemExit with the log when it has ended."""
        if self.process.poll() is not None:
            raise SystemExit(f"nosend watch ended:\n{self.log.read_text(encoding='utf-8')}")

    def until_listed(self, order_id: str, seconds: float) -> float:
        """Look for an order in the view `blacklist` every few milliseconds; give when it was there, by perf_counter."""
        deadline = time.perf_counter() + seconds
        while not self.rows("SELECT 1 FROM blacklist WHERE value = ?", order_id):
            self.check()
            if time.perf_counter() > deadline:
                raise SystemExit(f"not listed in {seconds:g} s:\n{self.log.read_text(encoding='utf-8')[-3000:]}")
            time.sleep(_LOOK)
        return time.perf_counter()

    def has_changed(self) -> bool:
        """Tell whether anybody has written to the database since this was asked last."""
        ((version,),) = self.rows("PRAGMA data_version")
        changed, self._version = version != self._version, version
        return changed

    def rows(self, query: str, *values: object) -> list[tuple[str, ...]]:
        """Ask the database as another program would."""
        return self._db.execute(query, values).fetchall()

    def end(self) -> tuple[int, float]:
        """Send SIGTERM; give the exit code and the seconds it took."""
        begun_at = time.perf_counter()
        self.process.terminate()
        return self.process.wait(30), time.perf_counter() - begun_at

    def memory(self) -> tuple[float, float]:
        """Give the megabytes (of 10^6 bytes) that it holds now, and that it held at most."""
        told = dict(line.split(":", 1) for line in self._proc("status").splitlines())
        now, most = (int(told[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
        return now, most

    def processor_seconds(self) -> float:
        """Give the seconds of processor time that it used."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        """Count its threads."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def files(self) -> int:
        """Count its open files."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="utf-8")


def _lines(table: Mapping[str, object]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())
