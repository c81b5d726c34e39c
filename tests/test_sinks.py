"""One attempt: what is sent to a command or a webhook, how it is signed, and what becomes of each answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from conftest import ROOT
from nosend import config
from nosend.entry import Change
from nosend.errors import ConfigError
from nosend.export import cloudevent, sinks
from nosend.export.sinks import Answer, Attempt, Outcome
from nosend.store import rows
from receiver import DIE, DRIP, GARBAGE, HANG, SECRET, Receiver
from servers import certificate, free_port

CHANGE = Change(17, datetime(2025, 3, 9, 8, tzinfo=UTC), "added", "order", "111-1111111-0000001", "shop/é")
ENTRY = {"kind": "order", "value": "111-1111111-0000001", "why": "なぜ"}
ENVELOPE = cloudevent.of(CHANGE, ENTRY)
NOW = datetime.now(UTC)
KEY = cloudevent.key_of(SECRET)


def post(url: str, seconds: float = 10.0, **more) -> Answer:
    return sinks.post(url, ENVELOPE, lambda: KEY, Attempt(datetime.now(UTC), seconds, **more))


# What is sent.


def test_a_change_is_a_cloudevent() -> None:
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md"""
    event = json.loads(ENVELOPE.body)
    assert event == {
        "specversion": "1.0",
        "id": ENVELOPE.id,
        "source": "/nosend/shop%2F%C3%A9",
        "type": "dev.nosend.blacklist.added",
        "time": "2025-03-09T08:00:00Z",
        "subject": "order/111-1111111-0000001",
        "datacontenttype": "application/json",
        "data": {
            "seq": 17, "at": "2025-03-09T08:00:00Z", "action": "added", "kind": "order",
            "value": "111-1111111-0000001", "account": "shop/é", "entry": ENTRY,
        },
    }  # fmt: skip
    assert datetime.fromisoformat(event["time"]).utcoffset() == timedelta(0)


def test_the_same_change_has_the_same_id_and_no_other_has_it() -> None:
    other = {"seq": 18, "at": CHANGE.at + timedelta(seconds=1)}
    others = [CHANGE._replace(**{name: other.get(name, "other")}) for name in rows.columns(Change)]
    assert cloudevent.of(CHANGE, None).id == ENVELOPE.id, "whatever the entry is by now"
    assert len({cloudevent.of(one, ENTRY).id for one in [CHANGE, *others]}) == 7
    assert re.fullmatch("[0-9a-f]{32}", ENVELOPE.id)


def test_signature_is_that_of_standard_webhooks() -> None:
    headers = cloudevent.headers(ENVELOPE, KEY, int(time.time()))
    assert Webhook(SECRET).verify(ENVELOPE.body, headers) == json.loads(ENVELOPE.body)
    published = cloudevent.Envelope("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')
    headers = cloudevent.headers(published, KEY, 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", SECRET.removeprefix("whsec_"), "whsec_c2hvcnQ=", "whsec_!" + "A" * 32, "whsec_" + "A" * 100, "é"],
)
def test_a_secret_that_is_none_is_told_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cloudevent.key_of(secret)
    assert "whsec_ and the base64 of 24 to 64 random bytes" in str(caught.value)
    assert not secret or secret == "whsec_" or secret not in str(caught.value)


# A webhook.


def test_a_post_carries_the_event_and_its_signature() -> None:
    with Receiver() as receiver:
        assert post(receiver.url) == Answer(Outcome.DELIVERED)
        (request,) = receiver.requests
    assert request.body == ENVELOPE.body
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["webhook-id"] == ENVELOPE.id
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert Webhook(SECRET).verify(request.body, request.headers)["data"]["seq"] == 17


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, Outcome.DELIVERED) for status in (200, 201, 202, 204, 299)),
        *((status, Outcome.FAILED) for status in (301, 307, 408, 425, 429, 500, 502, 503, 504, 599)),
        *((status, Outcome.REFUSED) for status in (400, 401, 403, 404, 409, 413, 422, 451)),
        (410, Outcome.GONE),
    ],
)
def test_status_says_what_becomes_of_it(status: int, outcome: Outcome) -> None:
    with Receiver() as receiver, Receiver() as elsewhere:
        receiver.answer = lambda number, event: status
        receiver.headers = {"Location": elsewhere.url, "Content-Length": "0"}
        answer = post(receiver.url)
        assert (answer.outcome, answer.wait) == (outcome, 0.0)
        assert outcome is Outcome.DELIVERED or str(status) in answer.why
        assert len(receiver.requests) == 1
        assert elsewhere.requests == [], "no redirect is followed"


@pytest.mark.parametrize(
    ("status", "value", "least", "most"),
    [
        (429, "7", 7, 7),
        (503, "120", 120, 120),
        (503, timedelta(seconds=90), 88, 90),
        (429, timedelta(seconds=-90), 0, 0),
        (429, "soon", 0, 0),
        (429, "-7", 0, 0),
        (429, "9" * 400, 999_999_999, 999_999_999),
        (500, "7", 0, 0),
    ],
)
def test_retry_after_is_heard(status: int, value: str | timedelta, least: float, most: float) -> None:
    told = value if isinstance(value, str) else format_datetime(datetime.now(UTC) + value)
    with Receiver() as receiver:
        receiver.answer, receiver.headers = lambda number, event: status, {"Retry-After": told}
        assert least <= post(receiver.url).wait <= most


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (HANG, "did not answer in 0.5 s"),
        (DRIP, "did not answer in 0.5 s"),
        (GARBAGE, "gave an answer that cannot be read"),
        (DIE, ("gave an answer that cannot be read", "cannot be reached (RemoteDisconnected)")),
    ],
)
def test_trouble_is_told_without_the_url(trouble: str, told: str | tuple[str, ...]) -> None:
    with Receiver() as receiver:
        receiver.answer = lambda number, event: trouble
        answer = post(receiver.url, 0.5)
    assert answer.outcome is Outcome.FAILED
    assert answer.why in told
    assert "hush" not in answer.why


def test_nobody_listens() -> None:
    with Receiver() as receiver:
        receiver.stop()
        assert post(receiver.url) == Answer(Outcome.FAILED, "cannot be reached (Connection refused)")
    answer = post("https://nobody.invalid/in?token=hush")
    assert answer.outcome is Outcome.FAILED
    assert "hush" not in answer.why


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = certificate(tmp_path)
    with Receiver((authority, tmp_path / "key.pem")) as receiver:
        answer = post(receiver.url)
        assert answer.outcome is Outcome.FAILED
        assert answer.why.startswith("its certificate is not trusted (self-signed certificate)")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert receiver.requests == []
        assert post(receiver.url) == Answer(Outcome.DELIVERED)


def test_nothing_goes_out_in_clear() -> None:
    with Receiver() as receiver:
        answer = post(receiver.url.replace("http:", "https:"))
        assert (answer.outcome, receiver.requests) == (Outcome.FAILED, [])


def test_who_gives_up_does_not_wait() -> None:
    with Receiver() as receiver:
        receiver.answer = lambda number, event: HANG
        answer = post(receiver.url, 60.0, gives_up=receiver.begun.is_set)
        assert answer.outcome is Outcome.FAILED


def test_a_secret_that_cannot_be_had_is_a_failure_and_nothing_is_sent() -> None:
    def key() -> bytes:
        raise ConfigError("sink 'crm': not there")

    with Receiver() as receiver:
        answer = sinks.post(receiver.url, ENVELOPE, key, Attempt(NOW, 5.0))
        assert (answer, receiver.requests) == (Answer(Outcome.FAILED, "sink 'crm': not there"), [])


# A command.


def run(folder: Path, script: str, seconds: float = 20.0, **more) -> Answer:
    command = [sys.executable, "-c", script, str(folder)]
    return sinks.run(command, ENVELOPE, {"PATH": os.environ["PATH"]}, Attempt(NOW, seconds, **more))


def test_a_command_gets_the_event_on_standard_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys, os; open(sys.argv[1] + '/got', 'wb').write(sys.stdin.buffer.read()); print('loud')"
    assert run(tmp_path, script) == Answer(Outcome.DELIVERED)
    assert (tmp_path / "got").read_bytes() == ENVELOPE.body + b"\n"
    assert capfd.readouterr().out == "", "standard output is nosend's data"


@pytest.mark.parametrize(("code", "outcome"), [(1, "failed"), (2, "failed"), (65, "refused"), (75, "failed")])
def test_exit_code_says_what_becomes_of_it(tmp_path: Path, code: int, outcome: str) -> None:
    assert run(tmp_path, f"raise SystemExit({code})") == Answer(Outcome(outcome), f"ended with {code}")


def test_a_command_that_lasts_is_killed_with_its_children(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "open(sys.argv[1] + '/child', 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    pid = tmp_path / "child"
    answer = run(tmp_path, script, 60.0, gives_up=lambda: pid.exists() and pid.read_text() != "")
    assert answer.outcome is Outcome.FAILED
    deadline = time.monotonic() + 10
    while _runs(int(pid.read_text())):
        assert time.monotonic() < deadline, "the child is killed, too"
        time.sleep(0.02)
    assert run(tmp_path, "import time; time.sleep(60)", 0.3) == Answer(Outcome.FAILED, "did not end in 0.3 s")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_is_not_there_is_a_failure() -> None:
    answer = sinks.run(["nowhere/tell"], ENVELOPE, {}, Attempt(NOW, 5.0))
    told = "'nowhere/tell' cannot be run (No such file or directory): name it by its whole path"
    assert answer == Answer(Outcome.FAILED, told)


def test_a_command_that_reads_nothing_and_one_that_closes_its_input(tmp_path: Path) -> None:
    big = cloudevent.Envelope("x", b"x" * 1_000_000)
    for script in ("pass", "import os, time; os.close(0); time.sleep(0.3)"):
        answer = sinks.run([sys.executable, "-c", script], big, {}, Attempt(NOW, 20.0))
        assert answer == Answer(Outcome.DELIVERED)


# The recipe of the docs.


def test_the_receiver_of_the_docs_takes_what_is_ours_once(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sinks.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "receiver.py").write_text(recipe, encoding="utf-8")
    port = free_port()
    environment = {"NOSEND_WEBHOOK_SECRET": SECRET, "PATH": os.environ["PATH"]}
    command = [sys.executable, str(tmp_path / "receiver.py"), str(port)]
    url = f"http://127.0.0.1:{port}/"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as running:
        deadline = time.monotonic() + 20
        while (answer := post(url)).why == "cannot be reached (Connection refused)":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert answer == post(url) == Answer(Outcome.DELIVERED)
        other = cloudevent.of(CHANGE._replace(seq=18, action="removed"), None)
        now = datetime.now(UTC)
        stranger, old = b"x" * 32, now - timedelta(minutes=10)
        for key, at in ((stranger, now), (KEY, old)):
            answer = sinks.post(url, other, lambda key=key: key, Attempt(at, 10.0))
            assert answer == Answer(Outcome.REFUSED, "answered 401")
        assert sinks.post(url, other, lambda: KEY, Attempt(now, 10.0)).outcome is Outcome.DELIVERED
        running.kill()
        assert running.communicate()[0].splitlines() == [
            "added order 111-1111111-0000001",
            "removed order 111-1111111-0000001",
        ]


def test_the_example_of_the_docs_is_what_is_sent() -> None:
    page = (ROOT / "docs" / "sinks.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    shown = json.loads(block)
    data = dict(shown["data"])
    assert list(data.pop("entry")) == list(rows.COLUMNS)
    sent = json.loads(cloudevent.of(rows.read(Change, tuple(data.values())), shown["data"]["entry"]).body)
    assert sent | {"id": shown["id"]} == shown
    assert list(sent) == list(shown)
    headers = cloudevent.headers(ENVELOPE, KEY, 0)
    assert [name for name in headers if f"`{name}`" not in page and name != "Content-Type"] == []
    (table,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    for sink in tomllib.loads(table)["sink"]:
        assert sink.keys() <= {key.name for key in config.TABLES["sink"]}
    assert all(key.name in page for key in config.TABLES["sink"])
