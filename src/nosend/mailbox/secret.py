"""A secret, from wherever the user keeps it. It never reaches a log or a message."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from nosend.errors import ConfigError, MailboxUnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nosend.config import Secret

_COMMAND_SECONDS = 60


def read(secret: Secret, who: str, environment: Mapping[str, str]) -> str:
    """Get a secret.

    Raises ConfigError when it is not where the configuration says, or cannot be one; MailboxUnreachableError when
    its command hangs.
    """
    if secret.place == "command":
        text = _from_command(secret, who)
    elif secret.place == "keyring":
        text = _from_keyring(secret, who)
    elif secret.place == "env":
        text = environment.get(secret.value, "")
        if not text:
            raise ConfigError(f"{who}: the environment variable {secret.value} of {secret.key} is not set")
    elif secret.place == "file":
        text = _from_file(secret, Path(secret.value), who)
    elif secret.place == "credential":
        text = _from_credential(secret, who, environment)
    else:
        text = secret.value
    if any(ord(char) < 32 for char in text):  # a line break would end the command and begin another
        raise ConfigError(f"{who}: the {secret.what} holds a line break or another control character")
    return text


def _from_file(secret: Secret, path: Path, who: str) -> str:
    try:
        if secret.place == "file" and path.stat().st_mode & 0o077:
            raise ConfigError(f"{who}: others can read {secret.key} {str(path)!r}: chmod 600 {path}")
        text = path.read_text(encoding="utf-8-sig").partition("\n")[0].strip("\r")
    except OSError as error:
        raise ConfigError(f"{who}: {secret.key} {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{who}: {secret.key} {str(path)!r} is not UTF-8 text") from error
    if not text:
        raise ConfigError(f"{who}: the first line of {secret.key} {str(path)!r} is empty")
    return text


def _from_credential(secret: Secret, who: str, environment: Mapping[str, str]) -> str:
    """Read a file of $CREDENTIALS_DIRECTORY (systemd.exec(5)); its mode shows systemd's ACL, others see nothing."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ConfigError(
            f"{who}: {secret.key} = {secret.value!r}, but there is no $CREDENTIALS_DIRECTORY: it is there in a "
            f"systemd service with LoadCredential={secret.value}:/path, or systemd-run -P -p LoadCredential=..."
        )
    return _from_file(secret, Path(folder) / secret.value, who)


def _from_keyring(secret: Secret, who: str) -> str:
    mend = f"put it there with `keyring set {secret.value} {secret.user}`"
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to load
        from keyring.errors import NoKeyringError  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"{who}: {secret.key} needs keyring: pip install 'nosend[keyring]'") from error
    try:
        text: str | None = keyring.get_password(secret.value, secret.user)
    except NoKeyringError as error:
        raise ConfigError(
            f"{who}: {secret.key}: this machine has no keyring (a server seldom has): use a file, a command or a "
            "systemd credential"
        ) from error
    except Exception as error:  # its backends are plugins and raise what they like, also from D-Bus
        raise ConfigError(
            f"{who}: {secret.key}: the keyring cannot be read ({type(error).__name__}): unlock it, or use a file"
        ) from error
    if not text:
        raise ConfigError(f"{who}: {secret.key}: nothing in the keyring for {secret.value!r}, {secret.user!r}: {mend}")
    return text


def _from_command(secret: Secret, who: str) -> str:
    command = secret.command
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MailboxUnreachableError(
            f"{who}: {secret.key} {command[0]!r} gave nothing in {_COMMAND_SECONDS} s"
        ) from error
    except OSError as error:
        raise ConfigError(f"{who}: {secret.key} {command[0]!r} cannot be run: {error.strerror}") from error
    text = done.stdout.decode("utf-8", "replace").partition("\n")[0].strip("\r")
    if done.returncode or not text:
        raise ConfigError(
            f"{who}: {secret.key} {command[0]!r} ended with {done.returncode} "
            f"and gave {'a' if text else 'no'} {secret.what}"
        )
    return text
