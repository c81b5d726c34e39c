"""The log says which mail was read as what and by which rule; never a secret, and nothing that a mail says."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import letters
from conftest import Shell
from nosend import log
from samples import notice, order
from servers import PASSWORD, Dovecot

ALIAS = "secretalias0001@marketplace.amazon.com"
BODY = "Marigold"  # stands in every body
SUBJECT = "Periwinkle"  # and this one in every subject
SENDER = "Hyacinth"  # and this one in every From
MAILS = [
    notice(1, alias=ALIAS, Subject=SUBJECT, From=f'"{SENDER}" <auto-communication@amazon.com>').replace(
        b"<p>", f"<p>{BODY} ".encode()
    ),
    letters.mail(f"{BODY}: not for order {order(2)}.", Subject=f"Your message could not be delivered {SUBJECT}"),
    letters.mail(f"{letters.SENTENCE} {BODY}", Subject=f"Fwd: {SUBJECT}", From=f"{SENDER} <a@b.example>"),
    letters.mail(f"Lunch? {BODY}", Subject=f"Fwd: {SUBJECT} {ALIAS}", From=f"{SENDER} <a@b.example>"),
    notice(5, alias=ALIAS, Subject=SUBJECT, X_Space_Notification_Type=f"ELSE_{BODY}"),
    b"From: auto-communication@amazon.com\nSubject: " + SUBJECT.encode() + b"\nContent-Type: \xff" + BODY.encode(),
]
NEVER = [
    BODY,
    SUBJECT,
    SENDER,
    ALIAS,
    ALIAS.partition("@")[0],
    order(1),
    order(2),
    letters.ORDER,
    PASSWORD,
    "Amazonses",
]


@pytest.fixture
def shop(nosend: Shell, dovecot: Dovecot, request: pytest.FixtureRequest) -> Shell:
    user = re.sub(r"\W", "", request.node.name)[:60]
    dovecot.fill(user, MAILS)
    nosend.configure(user, dovecot.port)
    return nosend


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_a_mail_says_is_logged_at_any_level(shop: Shell, form: str) -> None:
    said = shop("--log-format", form, "--log-level", "debug", "sync").stderr
    assert len(said.splitlines()) > len(MAILS), "every mail was logged"
    assert [word for word in NEVER if word.lower() in said.lower()] == []
    with_mails = b"".join(MAILS).decode("latin-1").lower()
    assert [word for word in (BODY, SUBJECT, SENDER, ALIAS, order(1)) if word.lower() not in with_mails] == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_server_that_repeats_the_password_is_not_quoted(nosend: Shell, dovecot: Dovecot, form: str) -> None:
    nosend.configure("me", dovecot.port)
    done = nosend("--log-format", form, "--log-level", "debug", "sync", code=2, env={"NOSEND_PASSWORD": "Nasturtium"})
    assert "refused the log-in" in done.stderr
    assert "Nasturtium" not in done.stderr


def test_json_tells_place_verdict_and_rule_of_each_mail(shop: Shell) -> None:
    lines = [
        json.loads(line) for line in shop("--log-format", "json", "--log-level", "info", "sync").stderr.splitlines()
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("at")) for line in lines)
    mails = [line for line in lines if line["message"] == "read"]
    assert mails[0] == {
        "level": "info", "message": "read", "account": "shop", "folder": "INBOX", "uid": 1, "verdict": "opt_out",
        "rule": "marker",
    }  # fmt: skip
    told = shop.rows("SELECT uid, verdict, rule FROM ledger WHERE verdict != 'unrelated' ORDER BY uid")
    assert [(line["uid"], line["verdict"], line["rule"]) for line in mails] == told
    (done,) = [line for line in lines if line["message"].startswith("round done")]
    assert (done["account"], done["message"].partition(",")[0]) == ("shop", f"round done: {len(MAILS)} mails seen")
    (talk,) = [line for line in lines if line["level"] == "warning"]
    assert talk["message"].startswith("for a person to look at: "), "what the command says is JSON as well"


def test_text_tells_the_same(shop: Shell) -> None:
    first = shop("--log-level", "info", "sync").stderr.splitlines()[0]
    assert first == "nosend: read account=shop folder=INBOX uid=1 verdict=opt_out rule=marker"


def test_a_round_in_which_nothing_happened_is_silent_even_as_info(shop: Shell) -> None:
    shop("sync")
    assert shop("--log-level", "info", "sync").stderr == ""
    assert "round done: 0 mails seen" in shop("--log-level", "debug", "sync").stderr


def test_form_and_level_may_stand_in_the_environment(shop: Shell) -> None:
    done = shop("sync", env={"NOSEND_LOG_FORMAT": "json", "NOSEND_LOG_LEVEL": "info"})
    assert json.loads(done.stderr.splitlines()[0])["verdict"] == "opt_out"


def test_troubles_are_json_when_json_is_asked_for(nosend: Shell) -> None:
    done = nosend("--log-format", "json", "sync", code=2)
    line = json.loads(done.stderr)
    assert (line["level"], line["message"].startswith("no configuration: ")) == ("error", True)


def test_talk_is_heard_at_every_level(nosend: Shell) -> None:
    assert nosend("--log-level", "error", "init").stderr.startswith("nosend: wrote config.toml")


# The forms.


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelno": logging.WARNING, "levelname": "WARNING", "created": 0.5})
    vars(made).update(fields)
    return made


HOSTILE = record("a\x1b[2J\nb", account="shop", folder='My "own" = \u202e\n', uid=7)


def test_a_line_is_a_line_whatever_is_in_it() -> None:
    assert log.Text().format(HOSTILE) == 'nosend: a [2J b account=shop folder="My \\"own\\" =  \\n" uid=7'
    told = log.Json().format(HOSTILE)
    assert (told.isascii(), "\n" in told) == (True, False)
    assert json.loads(told)["folder"] == 'My "own" = \u202e\n'


def test_a_daemon_tells_time_and_level_where_nobody_else_does() -> None:
    assert log.Text("", times=True).format(record("x")) == "1970-01-01T00:00:00.500Z warning: x"


def test_a_fault_has_its_trace() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    fault = record("a fault", exc_info=(caught.type, caught.value, caught.tb))
    lines = log.Text().format(fault).splitlines()
    assert (lines[0], lines[-1]) == ("nosend: a fault", "ZeroDivisionError: division by zero")
    assert json.loads(log.Json().format(fault))["trace"].endswith(lines[-1])


def test_other_packages_say_nothing(nosend: Shell, tmp_path: Path) -> None:
    """imapclient tells the lines of the conversation, dkimpy the fields that were signed."""
    program = (
        "import logging; from nosend.cli.terminal import Session\n"
        "Session(None, 'text', 'debug').start_log()\n"
        "for name in ('imapclient', 'dkimpy', 'asyncio', ''): logging.getLogger(name).critical('a secret')\n"
        "logging.getLogger('nosend.x').debug('heard')"
    )
    file = tmp_path / "program.py"
    file.write_text(program)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    assert done.stderr == "nosend: heard\n"
