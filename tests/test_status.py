"""`status` tells of each mailbox its last success, last mail, backlog and trouble; `--healthy` is for health checks."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from conftest import Shell
from nosend import health
from nosend.store.overview import Round
from samples import notice
from servers import Dovecot
from test_health import LIST

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def mailboxes(shell: Shell) -> list[dict]:
    return json.loads(shell("status", "--json").stdout)["mailboxes"]


def test_success_mail_backlog_and_trouble_are_told(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("status", [notice(n) for n in range(3)])
    nosend.configure("status", dovecot.port)
    nosend("sync")
    (box,) = mailboxes(nosend)
    assert all(re.fullmatch(STAMP, box[name]) for name in ("finished_at", "last_success_at", "last_mail_at"))
    assert (box["account"], box["backlog"], box["trouble"], box["trouble_since"]) == ("shop", 0, "", None)
    assert nosend("status").stdout.splitlines()[0] == (
        f"shop: last success {box['last_success_at']}, last mail {box['last_mail_at']}"
    )
    nosend("sync", code=2, env={"NOSEND_PASSWORD": "wrong"})
    (troubled,) = mailboxes(nosend)
    assert (troubled["last_success_at"], troubled["backlog"]) == (box["last_success_at"], 0)
    assert "refused the log-in" in troubled["trouble"]
    assert re.fullmatch(STAMP, troubled["trouble_since"])


def test_the_backlog_is_known_while_a_first_look_is_not_finished(nosend: Shell, dovecot: Dovecot) -> None:
    """As the database stands when the process was killed in the second batch of a folder of 1,200 mails."""
    dovecot.fill("backlog", [notice(1)])
    nosend.configure("backlog", dovecot.port)
    nosend("sync")
    db = sqlite3.connect(nosend.folder / "nosend.db")
    with db:
        db.execute("UPDATE cursors SET uid = 500, last_uid = 1200")
        db.execute("UPDATE rounds SET last_success_at = NULL, finished_at = NULL")
    db.close()
    (box,) = mailboxes(nosend)
    assert box["backlog"] == 700
    line = nosend("status").stdout.splitlines()[0]
    assert re.fullmatch(
        f"shop: last success first look not finished, last mail {STAMP}, at most 700 mails not read yet", line
    )


def test_backlog_stands_from_the_first_batch_on(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("first", [notice(n) for n in range(3)])
    nosend.configure("first", dovecot.port)
    nosend("sync")
    assert nosend.rows("SELECT uid, last_uid FROM cursors") == [(3, 3)]


def test_healthy_is_who_was_read_lately(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("healthy", [notice(1)])
    nosend.configure("healthy", dovecot.port)
    nosend("sync")
    done = nosend("status", "--healthy")
    assert (done.stdout, done.stderr) == ("", "")
    db = sqlite3.connect(nosend.folder / "nosend.db")
    with db:
        db.execute("UPDATE rounds SET last_success_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-31 minutes')")
    db.close()
    assert nosend("status", "--healthy", "--within", "32").stderr == ""
    done = nosend("status", "--healthy", code=75)
    assert (done.stdout, bool(re.fullmatch(rf"nosend: shop: last success {STAMP}\n", done.stderr))) == ("", True)
    assert nosend("status", "--healthy", *LIST, code=75).stderr == done.stderr
    (nosend.folder / "config.toml").write_text((nosend.folder / "config.toml").read_text().replace("shop", "new"))
    assert nosend("status", "--healthy", "--within", "90", code=75).stderr == "nosend: new: last success never\n"


@pytest.mark.parametrize(
    ("last", "accounts", "told"),
    [
        ("2025-03-01T12:00:00Z", None, []),
        ("2025-03-01T11:59:59Z", None, ["a: last success 2025-03-01T11:59:59Z: refused"]),
        (None, None, ["a: last success never: refused"]),
        ("2025-03-01T11:59:59Z", [], []),
        ("2025-03-01T12:00:00Z", ["a", "b"], ["b: last success never"]),
    ],
    ids=["in time", "late", "never", "not asked for", "unheard of"],
)
def test_who_is_late(last: str | None, accounts: list[str] | None, told: list[str]) -> None:
    box = Round("a", None, last, "refused", None)
    assert list(health.late([box], accounts, "2025-03-01T12:00:00Z").values()) == told
