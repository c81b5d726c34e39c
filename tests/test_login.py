"""The password, from wherever the user keeps it; no message ever shows it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from conftest import Shell
from nosend import config
from nosend.config import Mailbox
from nosend.errors import ConfigError
from nosend.mailbox import login, secret
from servers import PASSWORD, Dovecot

SECRET = "p\u00e4ss w\u00f6rd'\"$HOME"


def toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {toml(one)}' for name, one in value.items())} }}"
    return json.dumps(value)


def mailbox(folder: Path, **keys: object) -> Mailbox:
    """Load a configuration with this source of the password."""
    path = folder / "config.toml"
    values = {"account": "shop", "host": "imap.example.com", "username": "me"} | keys
    path.write_text("\n".join(["[[mailbox]]", *(f"{name} = {toml(value)}" for name, value in values.items())]))
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


# A systemd credential, and the keyring


def test_password_of_a_systemd_credential(tmp_path: Path) -> None:
    """systemd writes the file and guards it by an ACL, which looks like a group that may read."""
    (tmp_path / "imap").write_text(SECRET + "\n", encoding="utf-8")
    (tmp_path / "imap").chmod(0o440)
    box = mailbox(tmp_path, password_credential="imap")
    assert login.password(box, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == SECRET


def test_credential_that_is_not_there_is_told(tmp_path: Path) -> None:
    box = mailbox(tmp_path, password_credential="imap")
    assert told(box) == (
        "account 'shop': password_credential = 'imap', but there is no $CREDENTIALS_DIRECTORY: it is there in a "
        "systemd service with LoadCredential=imap:/path, or systemd-run -P -p LoadCredential=..."
    )
    assert told(box, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == (
        f"account 'shop': password_credential {str(tmp_path / 'imap')!r} cannot be read: No such file or directory"
    )


@pytest.mark.parametrize("name", ["../etc/shadow", "/etc/shadow", "..", "."])
def test_credential_is_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="must be the NAME of a credential"):
        mailbox(tmp_path, password_credential=name)


DRAWER = """
import os
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

class Drawer(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        if service == "locked":
            raise KeyringLocked("secret words of the keyring")
        if service == "odd":
            raise ConnectionError("secret words of D-Bus")
        return os.environ["DRAWER"] if (service, username) == ("nosend", "me") else None

    def set_password(self, service, username, password):
        raise NotImplementedError
"""


@pytest.mark.parametrize(
    ("service", "backend", "trouble"),
    [
        ("nosend", "drawer.Drawer", "cannot be reached (Connection refused)"),
        ("another", "drawer.Drawer", "nothing in the keyring for 'another', 'me': put it there with `keyring set"),
        ("locked", "drawer.Drawer", "the keyring cannot be read (KeyringLocked): unlock it, or use a file"),
        ("odd", "drawer.Drawer", "the keyring cannot be read (ConnectionError): unlock it, or use a file"),
        ("nosend", "keyring.backends.fail.Keyring", "this machine has no keyring (a server seldom has): use a file, a"),
        ("nosend", "", "password_keyring needs keyring: pip install 'nosend[keyring]'"),
    ],
)  # fmt: skip
def test_keyring(nosend: Shell, service: str, backend: str, trouble: str) -> None:
    """The password is found, seen by the log-in that is tried; else it is told what to do. No backend: no package."""
    (nosend.folder / "drawer.py").write_text(DRAWER)
    if not backend:
        (nosend.folder / "keyring.py").write_text("raise ModuleNotFoundError('No module named keyring')")
    nosend.configure("me", 1, password_env=None, password_keyring=service)
    env = {"PYTHONPATH": str(nosend.folder), "PYTHON_KEYRING_BACKEND": backend, "DRAWER": SECRET}
    done = nosend("sync", code=75 if "refused" in trouble else 2, env=env)
    assert trouble in done.stderr
    assert SECRET not in done.stderr
    assert "secret words" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_password_of_the_keyring_lets_in(nosend: Shell, dovecot: Dovecot) -> None:
    (nosend.folder / "drawer.py").write_text(DRAWER)
    nosend.configure("me", dovecot.port, password_env=None, password_keyring="nosend")
    env = {"PYTHONPATH": str(nosend.folder), "PYTHON_KEYRING_BACKEND": "drawer.Drawer", "DRAWER": PASSWORD}
    assert nosend("sync", env=env).stderr == ""


def test_secret_of_the_client_is_taken_from_the_same_places(tmp_path: Path) -> None:
    keys = {"oauth": "google", "oauth_client_id": "id"}
    path = secret_file(tmp_path, SECRET.encode())
    for place, where in (("env", "X"), ("file", path), ("command", says("out.write(s)")), ("plain", SECRET)):
        box = mailbox(tmp_path, **keys, oauth_client_secret={place: where})
        assert box.oauth
        assert box.oauth.client_secret
        assert secret.read(box.oauth.client_secret, "account 'shop'", {"X": SECRET}) == SECRET
        assert SECRET not in repr(box.oauth)
