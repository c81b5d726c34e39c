"""The password of a mailbox, from wherever the user keeps it. It never reaches a log or a message."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from nosend.errors import ConfigError, MailboxUnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nosend.config import Mailbox

_COMMAND_SECONDS = 60


def password(mailbox: Mailbox, environment: Mapping[str, str]) -> str:
    """Get the password. Raises ConfigError when it is not where the configuration says, or cannot be one."""
    who = f"account {mailbox.account!r}"
    secret = _secret(mailbox, environment, who)
    if any(ord(char) < 32 for char in secret):  # a line break would end the command and begin another
        raise ConfigError(f"{who}: the password holds a line break or another control character")
    return secret


def _secret(mailbox: Mailbox, environment: Mapping[str, str], who: str) -> str:
    if mailbox.password_env:
        secret = environment.get(mailbox.password_env, "")
        if not secret:
            raise ConfigError(f"{who}: the environment variable {mailbox.password_env} of password_env is not set")
        return secret
    if mailbox.password_file:
        return _from_file(mailbox, who)
    if mailbox.password_command:
        return _from_command(mailbox, who)
    return mailbox.password


def _from_file(mailbox: Mailbox, who: str) -> str:
    path = mailbox.password_file
    assert path is not None  # noqa: S101 - the caller looked
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{who}: others can read password_file {str(path)!r}: chmod 600 {path}")
        secret = path.read_text(encoding="utf-8-sig").partition("\n")[0].strip("\r")
    except OSError as error:
        raise ConfigError(f"{who}: password_file {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{who}: password_file {str(path)!r} is not UTF-8 text") from error
    if not secret:
        raise ConfigError(f"{who}: the first line of password_file {str(path)!r} is empty")
    return secret


def _from_command(mailbox: Mailbox, who: str) -> str:
    command = mailbox.password_command
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MailboxUnreachableError(
            f"{who}: password_command {command[0]!r} gave nothing in {_COMMAND_SECONDS} s"
        ) from error
    except OSError as error:
        raise ConfigError(f"{who}: password_command {command[0]!r} cannot be run: {error.strerror}") from error
    secret = done.stdout.decode("utf-8", "replace").partition("\n")[0].strip("\r")
    if done.returncode or not secret:
        raise ConfigError(
            f"{who}: password_command {command[0]!r} ended with {done.returncode} "
            f"and gave {'a' if secret else 'no'} password"
        )
    return secret
