"""Where a secret is kept: the places, and the keys of a mailbox's password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nosend.config.key import Key, no_variable

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACES = ("env", "file", "command", "keyring", "credential", "plain")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: `place` is one of PLACES, `value` what it is called there, `command` the command.

    `key` is what the user calls it, `user` the name under which it stands in the keyring.
    """

    key: str
    place: str
    value: str = field(repr=False)
    command: tuple[str, ...] = field(default=(), repr=False)
    user: str = ""

    @property
    def what(self) -> str:
        """Say what sort of secret it is."""
        if self.key.startswith("password"):
            return "password"
        return "client secret" if self.key.startswith("oauth") else "signing secret"


def _no_credential(value: str) -> str:
    fits = re.fullmatch(r"([\w.@:-]*[\w@:-][\w.@:-]*)?", value)
    return "" if fits else "must be the NAME of a credential, as in LoadCredential=NAME:/path"


SECRET_KEYS = (
    Key(
        "password_env",
        str,
        "",
        "the NAME of the environment variable that holds the password",
        "NOSEND_PASSWORD",
        no_variable,
    ),
    Key("password_file", str, "", "or a file that only you can read; its first line is the password"),
    Key("password_command", list, [], 'or a command that prints it, as a list: ["pass", "show", "imap"]'),
    Key(
        "password_keyring",
        str,
        "",
        "or the service under which `keyring set SERVICE USERNAME` has put it; pip install 'nosend[keyring]'",
    ),
    Key(
        "password_credential",
        str,
        "",
        "or the NAME of a systemd credential: LoadCredential=NAME:/path in the unit",
        wrong=_no_credential,
    ),
    Key("password", str, "", "or the password itself, if nobody else can read this file"),
)
SECRETS = tuple(key.name for key in SECRET_KEYS)


def no_secret(value: Mapping[str, Any]) -> str:
    """Say what is wrong with a table like { env = "NAME" }, without showing what it holds; {} is none."""
    if not value:
        return ""
    if len(value) != 1 or not value.keys() <= set(PLACES):
        return f'must name one place, like {{ env = "NAME" }}; there are {", ".join(PLACES)}'
    ((place, where),) = value.items()
    texts = where if isinstance(where, list) else [where]
    if isinstance(where, list) is not (place == "command") or not texts:
        return f"{place} must be {'a list of texts' if place == 'command' else 'a text'}"
    if not all(isinstance(one, str) and one and one.isprintable() for one in texts):
        return f"{place} must be a text, not empty and printable"
    trouble = {"env": no_variable, "credential": _no_credential}.get(place, lambda _: "")(where)
    return f"{place} {trouble}" if trouble else ""


def password_of(box: Mapping[str, Any], beside: Path) -> Secret | None:
    """Give the place of the password out of the values of a mailbox's keys."""
    for name in SECRETS:
        if box[name]:
            return at(
                name, name.removeprefix("password").removeprefix("_") or "plain", box[name], beside, box["username"]
            )
    return None


def at(key: str, place: str, where: Any, beside: Path, user: str) -> Secret:
    """Give a secret's place; a relative file is relative to the configuration."""
    if place == "command":
        return Secret(key, place, "", tuple(where), user)
    return Secret(key, place, str(beside.parent / Path(where).expanduser()) if place == "file" else where, (), user)
