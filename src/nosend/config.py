"""TOML -> frozen settings. Unknown keys are errors, and all mistakes are told at once.

Each key stands once, in the tables below, with its type, default and explanation; `config.example.toml` and
`nosend init` are written from them.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nosend.errors import ConfigError
from nosend.model import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

TLS = ("implicit", "starttls", "none")
SECRETS = ("password_env", "password_file", "password_command", "password")


class Key(NamedTuple):
    """One key of the configuration. `example` is what the example file shows when there is no default."""

    name: str
    type: type
    default: Any
    help: str
    example: Any = None


_REQUIRED: Any = object()

TOP_KEYS = (Key("database", str, "nosend.db", "the blacklist: a SQLite file, made with mode 0600"),)
MAILBOX_KEYS = (
    Key(
        "account",
        str,
        _REQUIRED,
        "your label for the seller account, kept with every entry; one mailbox each",
        "shop-us",
    ),
    Key("host", str, _REQUIRED, "the IMAP server; Gmail: imap.gmail.com", "imap.example.com"),
    Key("port", int, 0, "0: 993 with implicit TLS, else 143"),
    Key("tls", str, "implicit", '"implicit", "starttls", or "none" (loopback hosts only)'),
    Key("ca_file", str, "", "certificates to trust instead of the system's, for a server with its own CA"),
    Key("username", str, _REQUIRED, "the log-in name", "orders@example.com"),
    Key("password_env", str, "", "the environment variable that holds the password", "NOSEND_PASSWORD"),
    Key("password_file", str, "", "or a file that only you can read; its first line is the password"),
    Key("password_command", list, [], 'or a command that prints it, as a list: ["pass", "show", "imap"]'),
    Key("password", str, "", "or the password itself, if nobody else can read this file"),
    Key("folders", list, ["INBOX"], "folders to read, by their exact names"),
    Key(
        "read_all",
        bool,
        False,  # noqa: FBT003 - a default
        "read every mail whole, not only those that look like Amazon's or a forward;\n"
        "# for a folder that only receives notices",
    ),
    Key("trusted_forwarders", list, [], "addresses or domains whose forwards of notices are believed"),
    Key("timeout", int, 60, "seconds to wait for the server at each step"),
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One [[mailbox]] of the configuration, checked."""

    account: str
    host: str
    port: int
    tls: str
    ca_file: Path | None
    username: str
    password_env: str
    password_file: Path | None
    password_command: tuple[str, ...]
    password: str
    folders: tuple[str, ...]
    read_all: bool
    trust: Trust
    timeout: int

    def __repr__(self) -> str:
        """Name the mailbox; never its password."""
        return f"Mailbox({self.account!r}, {self.origin!r})"

    @property
    def origin(self) -> str:
        """Say whose UIDs these are: user and host."""
        return f"{self.username}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, checked."""

    path: Path
    database: Path
    mailboxes: tuple[Mailbox, ...]

    @property
    def trust(self) -> Trust:
        """Give the forwarders that any mailbox trusts, for mails that come from no mailbox."""
        return Trust(frozenset().union(*(mailbox.trust.forwarders for mailbox in self.mailboxes)))


def find(given: str | None, environment: Mapping[str, str]) -> Path:
    """Find the configuration file: the given one, $NOSEND_CONFIG, ./config.toml, the user's, the machine's."""
    named = given or environment.get("NOSEND_CONFIG")
    if named:
        return Path(named)
    home = Path(environment.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    places = (Path("config.toml"), home / "nosend" / "config.toml", Path("/etc/nosend/config.toml"))
    for place in places:
        if place.exists():
            return place
    raise ConfigError(
        f"no configuration: looked for {', '.join(map(str, places))}. "
        "`nosend init` writes one; --config FILE names another"
    )


def load(path: Path) -> Settings:
    """Read and check a configuration file. Raises ConfigError with every mistake in it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"configuration {str(path)!r} does not exist: `nosend init {path}` writes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {str(path)!r} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration {str(path)!r} is not TOML: {error}") from error
    problems: list[str] = []
    top = _checked({k: v for k, v in table.items() if k != "mailbox"}, TOP_KEYS, "", problems)
    mailboxes = table.get("mailbox", [])
    if not isinstance(mailboxes, list) or not all(isinstance(one, dict) for one in mailboxes):
        problems.append("mailbox: write [[mailbox]], with two brackets")
        mailboxes = []
    checked = [_mailbox(one, f"mailbox {n}: ", path, problems) for n, one in enumerate(mailboxes, 1)]
    accounts = [one["account"] for one in checked]
    problems += [
        f"account {name!r} is used by {accounts.count(name)} mailboxes: give each its own label"
        for name in dict.fromkeys(accounts)
        if name and accounts.count(name) > 1
    ]
    if problems:
        raise ConfigError(*(f"{path}: {problem}" for problem in problems))
    return Settings(
        path=path,
        database=path.parent / Path(top["database"]).expanduser(),
        mailboxes=tuple(Mailbox(**one) for one in checked),
    )


def _checked(table: dict[str, Any], keys: tuple[Key, ...], where: str, problems: list[str]) -> dict[str, Any]:
    names = [key.name for key in keys]
    for name in sorted(table.keys() - set(names)):
        near = get_close_matches(name, names, 1)
        problems.append(
            f"{where}unknown key {name!r}"
            + (f": did you mean {near[0]!r}?" if near else f": known are {', '.join(names)}")
        )
    values: dict[str, Any] = {}
    for key in keys:
        value = table.get(key.name, key.default)
        fits = type(value) is key.type
        if value is _REQUIRED:
            problems.append(f"{where}{key.name} is missing: {key.help}")
            value = ""
        elif not fits:
            problems.append(f"{where}{key.name} = {_shown(key, value)} must be {_TYPE_WORDS[key.type]}")
            value = key.type()
        elif key.type is list and not all(isinstance(one, str) for one in value):
            problems.append(f"{where}{key.name} = {_shown(key, value)} must be a list of texts")
            value = []
        elif key.default is _REQUIRED and not value.strip():
            problems.append(f"{where}{key.name} is empty: {key.help}")
        values[key.name] = value
    return values


_TYPE_WORDS = {
    str: 'a text in "quotes"',
    int: "a whole number",
    bool: "true or false",
    list: 'a list like ["INBOX"]',
}


def _shown(key: Key, value: Any) -> str:
    return "(not shown)" if key.name in SECRETS else repr(value)


def _mailbox(table: dict[str, Any], where: str, path: Path, problems: list[str]) -> dict[str, Any]:
    values = _checked(table, MAILBOX_KEYS, where, problems)
    if values["tls"] not in TLS:
        problems.append(f"{where}tls = {values['tls']!r} must be one of {', '.join(TLS)}")
    elif values["tls"] == "none" and values["host"] and not _is_loopback(values["host"]):
        problems.append(
            f'{where}tls = "none" sends the password in clear: allowed only to this machine, not to {values["host"]!r}'
        )
    if not 0 <= values["port"] <= 65535:
        problems.append(f"{where}port = {values['port']} must be between 1 and 65535")
    if not 1 <= values["timeout"] <= 3600:
        problems.append(f"{where}timeout = {values['timeout']} must be between 1 and 3600 seconds")
    given = [name for name in SECRETS if values[name]]
    if len(given) != 1:
        told = f"{' and '.join(given)} are both given" if given else "no password"
        problems.append(f"{where}{told}: give exactly one of {', '.join(SECRETS)}")
    if values["password"] and path.exists() and path.stat().st_mode & 0o077:
        problems.append(f"{where}password stands in a file that others can read: chmod 600 {path}, or use password_env")
    if not values["folders"] or not all(values["folders"]):
        problems.append(f'{where}folders is empty: name at least one, like ["INBOX"]')
    problems += [
        f"{where}{name} = {values[name]!r} contains a line break"
        for name in ("account", "host", "username")
        if re.search(r"[\r\n\x00]", values[name])
    ]
    wrong = [one for one in values["trusted_forwarders"] if not re.fullmatch(r"([^@\s]+@)?[^@\s]+\.[^@\s]+", one)]
    problems += [f"{where}trusted_forwarders: {one!r} is neither an address nor a domain" for one in wrong]
    forwarders = values.pop("trusted_forwarders")
    return values | {
        "port": values["port"] or (993 if values["tls"] == "implicit" else 143),
        "ca_file": _path(path, values["ca_file"]),
        "password_file": _path(path, values["password_file"]),
        "password_command": tuple(values["password_command"]),
        "folders": tuple(dict.fromkeys(values["folders"])),
        "trust": Trust(frozenset(one.lower() for one in forwarders)),
    }


def _path(beside: Path, name: str) -> Path | None:
    return beside.parent / Path(name).expanduser() if name else None


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def example() -> str:
    """Write the example configuration: every key with its default and what it is for."""
    lines = [
        "# nosend: whom not to message. Every key with its default; lines that begin with # are not needed.",
        "# Relative paths are relative to this file. `nosend sync` then reads the mailbox.",
        "",
        *(_example_line(key) for key in TOP_KEYS),
        "",
        "[[mailbox]]   # one for each seller account",
        *(_example_line(key) for key in MAILBOX_KEYS),
    ]
    return "\n".join(lines) + "\n"


def _example_line(key: Key) -> str:
    shown = key.example if key.example is not None else key.default
    commented = "" if key.example is not None or key.name == "database" else "# "
    return f"\n# {key.help}\n{commented}{key.name} = {_toml(shown)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def environment() -> Mapping[str, str]:
    """Give the environment; the one place that reads it."""
    return os.environ
