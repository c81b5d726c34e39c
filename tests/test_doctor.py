"""`doctor` walks the whole way, step by step, and changes nothing; what is wrong is told with its remedy."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from conftest import Shell
from nosend.checkup import Finding, in_turn, ok
from nosend.checkup import mailbox as way
from nosend.errors import MailboxRefusedError
from samples import notice
from servers import Dovecot, Scripted
from test_health import doctor, fresh

WAY = [
    r"DNS: 127.0.0.1 is 127.0.0.1",
    r"TCP: 127.0.0.1 port \d+ answers",
    r"TLS: none, and the password goes to this machine only",
    r"logged in to 127.0.0.1 as '\w+'",
    r"the server has IDLE, MOVE, UIDPLUS, CONDSTORE",
    r"folder 'INBOX' holds 2 mails",
    r"searched: the newest mail has UID 2",
    r"fetched: UID 2 has \d+ bytes",
    r"judged: UID 2 is opt_out \(marker\)",
    r"clock: the newest mail was received \d+ (minutes|hours|days) ago, not in the future",
    r"none of the newest mails has Authentication-Results on top",
]
HERE = [
    r"configuration config.toml",
    r"\d+ language packs, of your own: none",
    r"database nosend.db: 2 orders, 0 buyers",
    r"database nosend.db can be written \(tried and rolled back\)",
    r"\d+ MB free at '.+'",
    r"permissions: nobody else can write the configuration or read the database",
]


def warnings(shell: Shell, code: int = 0) -> list[str]:
    return [line for state, line in doctor(shell, code) if state == "warning"]


def failures(shell: Shell, code: int) -> list[str]:
    return [line for state, line in doctor(shell, code) if state == "failed"]


def top(shell: Shell, lines: str) -> None:
    path = shell.folder / "config.toml"
    path.write_text(f"{lines}\n{path.read_text()}")


def test_the_whole_way_is_walked_and_nothing_is_changed(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("whole", [fresh(1), fresh(2)])
    nosend.configure("whole", dovecot.port)
    (nosend.folder / "config.toml").chmod(0o600)
    nosend("sync")
    before = nosend.dump(), dovecot.snapshot("whole"), sorted(nosend.folder.iterdir())
    lines = doctor(nosend)
    patterns = [*HERE, *(f"shop: {one}" for one in WAY)]
    assert [(state, bool(re.fullmatch(p, line))) for (state, line), p in zip(lines, patterns, strict=True)] == [
        ("ok", True) for _ in patterns
    ], lines
    assert (nosend.dump(), dovecot.snapshot("whole"), sorted(nosend.folder.iterdir())) == before


def test_nothing_after_a_failed_step_is_done() -> None:
    def fails(_: object) -> Iterator[Finding]:
        yield ok("so far")
        raise MailboxRefusedError("one\ntwo")

    def never(_: object) -> Iterator[Finding]:
        raise AssertionError

    assert list(in_turn((fails, never), None)) == [
        ok("so far"),
        Finding("failed", "one", 2),
        Finding("failed", "two", 2),
    ]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_days_of_the_certificate_are_told(nosend: Shell, dovecot: Dovecot, tls: str) -> None:
    """That of the tests holds for two days."""
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    dovecot.fill("days", [fresh(1)])
    nosend.configure("days", port, host="localhost", tls=tls, ca_file=str(dovecot.ca))
    (told,) = [line for line in warnings(nosend) if "TLS" in line]
    until = datetime.now(UTC) + timedelta(days=2)
    assert re.fullmatch(
        rf"shop: TLS: TLSv1\.\d, the certificate expires in 1 days \({until:%Y-%m}-\d\d\): "
        "its server's keeper must renew it, or no mail is read then",
        told,
    )


def test_fourteen_days_are_enough() -> None:
    assert timedelta(days=14) == way._SOON


@pytest.mark.parametrize(
    ("keys", "code", "step", "told"),
    [
        ({"host": "no-such-host.invalid"}, 75, 0, "no such host"),
        ({"port": 1}, 75, 1, "cannot be reached"),
        ({"tls": "starttls", "host": "localhost"}, 2, 2, "its certificate is not trusted"),
        ({"username": "who", "password_env": "NOT_SET"}, 2, 3, "NOT_SET"),
        ({"folders": ["INBOX", "No"]}, 2, 6, "has no folder 'No'"),
    ],
    ids=["DNS", "TCP", "TLS", "log-in", "folder"],
)
def test_the_step_that_failed_is_the_last(
    nosend: Shell, dovecot: Dovecot, keys: dict, code: int, step: int, told: str
) -> None:
    dovecot.fill("step", [fresh(1)])
    nosend.configure("step", **{"port": dovecot.port} | ({"tls": "implicit"} if step == 0 else {}) | keys)
    lines = doctor(nosend, code)[len(HERE) - 1 :]  # without a database there is nothing to write to
    assert [state for state, _ in lines] == ["ok"] * step + ["failed"]
    assert told in lines[-1][1]


def test_what_a_server_lacks_is_told_with_what_follows(nosend: Shell) -> None:
    def answer(tag: bytes, command: bytes, _: bytes) -> bytes:
        if command.startswith(b"CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1 IDLE\r\n" + tag + b" OK done\r\n"
        if command.startswith(b"EXAMINE"):
            return b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 1]\r\n" + tag + b" OK done\r\n"
        return tag + b" OK done\r\n"

    with Scripted(answer) as server:
        nosend.configure("me", server.port)
        (told,) = [line for _, line in doctor(nosend) if "the server has" in line]
    assert told == (
        "shop: the server has IDLE; it lacks MOVE (mails are copied and expunged, not moved), "
        "UIDPLUS (without MOVE no mail can be moved), CONDSTORE (each look costs a few round trips more)"
    )


def test_a_server_that_wants_no_starttls_is_told(nosend: Shell) -> None:
    with Scripted(lambda tag, *_: tag + b" NO not here\r\n") as server:
        nosend.configure("me", server.port, tls="starttls")
        (told,) = failures(nosend, 2)
    assert "refused STARTTLS (NO not here)" in told


def test_a_clock_that_is_slow_shows_by_mails_of_the_future(nosend: Shell, dovecot: Dovecot) -> None:
    """Dovecot takes a file's time for the mail's."""
    dovecot.fill("clock", [fresh(1)])
    (file,) = (dovecot.maildir("clock") / "new").iterdir()
    ahead = datetime.now(UTC).timestamp() + 3 * 3600 + 30
    os.utime(file, (ahead, ahead))
    nosend.configure("clock", dovecot.port)
    (told,) = [line for line in warnings(nosend) if "clock" in line]
    assert told.startswith("shop: clock: the newest mail was received 3 hours from now: this machine's clock is slow")


def test_an_empty_mailbox_has_nothing_to_judge(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("nomail", [])
    nosend.configure("nomail", dovecot.port)
    lines = [line for _, line in doctor(nosend)]
    assert "shop: no mail is there that could be searched, fetched and judged" in lines
    assert not any("fetched" in line and "UID" in line for line in lines)


def test_permissions_that_are_too_wide_are_told(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("modes", [notice(1)])
    nosend.configure("modes", dovecot.port)
    nosend("sync")
    (nosend.folder / "nosend.db").chmod(0o644)
    (nosend.folder / "config.toml").chmod(0o666)
    told = warnings(nosend)
    assert told == [
        "others can read database 'nosend.db' (mode 644), buyers in it: chmod 600 nosend.db",
        "others can write configuration 'config.toml' (mode 666), commands in it: chmod go-w config.toml",
    ]
    (nosend.folder / "secret").write_text("secret\n")
    (nosend.folder / "secret").chmod(0o644)
    nosend.configure("modes", dovecot.port, password_env=None, password_file="secret")
    assert "others can read password_file" in failures(nosend, 2)[0]
    assert stat.S_IMODE((nosend.folder / "nosend.db").stat().st_mode) == 0o644, "it says so and changes nothing"


def test_a_database_that_is_held_is_told(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("held", [])
    nosend.configure("held", dovecot.port)
    nosend("sync")
    db = sqlite3.connect(nosend.folder / "nosend.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    (told,) = failures(nosend, 75)
    db.close()
    assert "is held by another process" in told


def test_places_that_nothing_can_be_written_to_are_told(nosend: Shell) -> None:
    (nosend.folder / "config.toml").write_text(
        'metrics_file = "no/x.prom"\nheartbeat_file = "no/alive"\non_change_command = ["no-such-program-1"]\n'
        'database = "far/away/nosend.db"\nkeep_megabytes = 100000\n'
    )
    (nosend.folder / "config.toml").chmod(0o600)
    folder = str(nosend.folder / "far/away")
    assert [line.partition(":")[0] for line in warnings(nosend)] == [
        "database far/away/nosend.db does not exist yet",
        f"the database's folder {folder!r} does not exist",
        "metrics_file = 'no/x.prom'",
        "heartbeat_file = 'no/alive'",
        "on_change_command",
        "no [[mailbox]], nothing to read",
    ]


def test_little_free_space_is_told(nosend: Shell) -> None:
    (nosend.folder / "config.toml").write_text("keep_megabytes = 100000\n")
    free = os.statvfs(nosend.folder).f_bavail * os.statvfs(nosend.folder).f_frsize
    told = [line for line in warnings(nosend) if "less than keep_megabytes = 100000" in line]
    assert len(told) == (1 if free < 100_000_000_000 else 0)
