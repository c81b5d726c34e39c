"""The password, from wherever the user keeps it; no message ever shows it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nosend import config
from nosend.config import Mailbox
from nosend.errors import ConfigError
from nosend.mailbox import login

SECRET = "p\u00e4ss w\u00f6rd'\"$HOME"


def mailbox(folder: Path, **keys: object) -> Mailbox:
    """Load a configuration with this source of the password."""
    path = folder / "config.toml"
    values = {"account": "shop", "host": "imap.example.com", "username": "me"} | keys
    path.write_text("\n".join(["[[mailbox]]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]))
    path.chmod(0o600)
    return config.load(path).mailboxes[0]


def secret_file(folder: Path, data: bytes, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_bytes(data)
    path.chmod(mode)
    return "secret"


def says(code: str) -> list[str]:
    """Give a command that runs this Python code, with SECRET in `s`."""
    return [sys.executable, "-c", f"import sys; s = {SECRET!r}.encode(); out = sys.stdout.buffer; {code}"]


def told(box: Mailbox, environment: dict[str, str] | None = None) -> str:
    """Give what the error says, with those that caused it."""
    with pytest.raises(ConfigError) as caught:
        login.password(box, environment or {})
    assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"
    return str(caught.value)


def test_password_of_the_environment(tmp_path: Path) -> None:
    box = mailbox(tmp_path, password_env="MY_PASSWORD")
    assert login.password(box, {"MY_PASSWORD": SECRET, "OTHER": "x"}) == SECRET


@pytest.mark.parametrize("environment", [{}, {"MY_PASSWORD": ""}, {"my_password": SECRET}])
def test_variable_that_is_not_set_is_named(tmp_path: Path, environment: dict[str, str]) -> None:
    box = mailbox(tmp_path, password_env="MY_PASSWORD")
    assert told(box, environment) == ("account 'shop': the environment variable MY_PASSWORD of password_env is not set")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nsecond line\n"])
def test_password_is_the_first_line_of_the_file(tmp_path: Path, end: str) -> None:
    box = mailbox(tmp_path, password_file=secret_file(tmp_path, (SECRET + end).encode()))
    assert login.password(box, {}) == SECRET


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    box = mailbox(tmp_path, password_file=secret_file(tmp_path, SECRET.encode(), mode))
    path = tmp_path / "secret"
    assert told(box) == f"account 'shop': others can read password_file {str(path)!r}: chmod 600 {path}"


@pytest.mark.parametrize(
    ("data", "trouble"),
    [(b"", "is empty"), (b"\n" + SECRET.encode(), "is empty"), (SECRET.encode("latin-1"), "is not UTF-8 text")],
)
def test_file_without_a_password_is_told(tmp_path: Path, data: bytes, trouble: str) -> None:
    assert told(mailbox(tmp_path, password_file=secret_file(tmp_path, data))).endswith(trouble)


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert told(mailbox(tmp_path, password_file="secret")) == (
        f"account 'shop': password_file {str(tmp_path / 'secret')!r} cannot be read: No such file or directory"
    )


def test_folder_is_no_password_file(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir(mode=0o700)
    assert told(mailbox(tmp_path, password_file="secret")).endswith("cannot be read: Is a directory")


@pytest.mark.parametrize("code", ["out.write(s)", r"out.write(s + b'\n')", r"out.write(s + b'\r\nuser: me\n')"])
def test_password_is_the_first_line_that_a_command_prints(tmp_path: Path, code: str) -> None:
    assert login.password(mailbox(tmp_path, password_command=says(code)), {}) == SECRET


def test_command_is_run_without_a_shell(tmp_path: Path) -> None:
    assert login.password(mailbox(tmp_path, password_command=["echo", "$HOME; id"]), {}) == "$HOME; id"


def test_command_gets_no_input(tmp_path: Path) -> None:
    """One that asks is answered with an end of file, in cron as on a terminal."""
    assert login.password(mailbox(tmp_path, password_command=says("out.write(s + sys.stdin.buffer.read())")), {}) == (
        SECRET
    )


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("out.write(s); sys.exit(3)", "ended with 3 and gave a password"),
        ("sys.exit(1)", "ended with 1 and gave no password"),
        ("pass", "ended with 0 and gave no password"),
        (r"out.write(b'\n' + s)", "ended with 0 and gave no password"),
        ("out.write(s); out.flush(); import os; os.kill(os.getpid(), 9)", "ended with -9 and gave a password"),
    ],
)
def test_command_that_fails_is_told_without_what_it_printed(tmp_path: Path, code: str, trouble: str) -> None:
    box = mailbox(tmp_path, password_command=says(code))
    assert told(box) == f"account 'shop': password_command {sys.executable!r} {trouble}"


def test_command_that_cannot_be_run_is_told_without_its_arguments(tmp_path: Path) -> None:
    assert told(mailbox(tmp_path, password_command=["/nowhere/pass", SECRET])) == (
        "account 'shop': password_command '/nowhere/pass' cannot be run: No such file or directory"
    )


def test_password_of_the_configuration(tmp_path: Path) -> None:
    assert login.password(mailbox(tmp_path, password=SECRET), {}) == SECRET
