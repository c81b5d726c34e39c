"""TOML -> frozen settings. Unknown keys are errors, and all mistakes are told at once.

Each key stands once, in the tables below, with its type, default and explanation; `config.example.toml` and
`nosend init` are written from them.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nosend.errors import ConfigError
from nosend.model import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TLS = ("implicit", "starttls", "none")
SECRETS = ("password_env", "password_file", "password_command", "password")


class Key(NamedTuple):
    """One key of the configuration. `example` is what the example file shows when there is no default.

    `wrong` says what is wrong with a value of the right type, "" if nothing is.
    """

    name: str
    type: type
    default: Any
    help: str
    example: Any = None
    wrong: Callable[[Any], str] = lambda _: ""


def _empty(value: str) -> str:
    return "" if value.strip() else "is empty"


def _no_choice(value: str) -> str:
    return "" if value in TLS else f"must be one of {', '.join(TLS)}"


def _no_port(value: int) -> str:
    return "" if 0 <= value <= 65535 else "must be between 1 and 65535"


def _no_timeout(value: int) -> str:
    return "" if 1 <= value <= 3600 else "must be between 1 and 3600 seconds"


def _no_folders(value: list[str]) -> str:
    return "" if value and all(value) else 'must name at least one folder, like ["INBOX"]'


def _no_forwarders(value: list[str]) -> str:
    wrong = [one for one in value if not re.fullmatch(r"([^@\s]+@)?[^@\s]+\.[^@\s]+", one)]
    return f"must be addresses or domains, not {', '.join(map(repr, wrong))}" if wrong else ""


_REQUIRED: Any = object()
TOP_KEYS = (Key("database", str, "nosend.db", "the blacklist: a SQLite file, made with mode 0600", wrong=_empty),)
MAILBOX_KEYS = (
    Key(
        "account",
        str,
        _REQUIRED,
        "your label for the seller account, kept with every entry; one mailbox each",
        "shop-us",
        _empty,
    ),
    Key("host", str, _REQUIRED, "the IMAP server; Gmail: imap.gmail.com", "imap.example.com", _empty),
    Key("port", int, 0, "0: 993 with implicit TLS, else 143", wrong=_no_port),
    Key("tls", str, "implicit", '"implicit", "starttls", or "none" (loopback hosts only)', wrong=_no_choice),
    Key("ca_file", str, "", "certificates to trust instead of the system's, for a server with its own CA"),
    Key("username", str, _REQUIRED, "the log-in name", "orders@example.com", _empty),
    Key("password_env", str, "", "the environment variable that holds the password", "NOSEND_PASSWORD"),
    Key("password_file", str, "", "or a file that only you can read; its first line is the password"),
    Key("password_command", list, [], 'or a command that prints it, as a list: ["pass", "show", "imap"]'),
    Key("password", str, "", "or the password itself, if nobody else can read this file"),
    Key("folders", list, ["INBOX"], "folders to read, by their exact names", wrong=_no_folders),
    Key(
        "read_all",
        bool,
        False,  # noqa: FBT003 - a default
        "read every mail whole, not only those that look like Amazon's or a forward;\n"
        "# for a folder that only receives notices",
    ),
    Key(
        "trusted_forwarders",
        list,
        [],
        "addresses or domains whose forwards of notices are believed",
        wrong=_no_forwarders,
    ),
    Key("timeout", int, 60, "seconds to wait for the server at each step", wrong=_no_timeout),
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
    tables = table.get("mailbox", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        problems.append("mailbox: write [[mailbox]], with two brackets")
        tables = []
    boxes = [_checked(one, MAILBOX_KEYS, f"mailbox {n}: ", problems) for n, one in enumerate(tables, 1)]
    for n, box in enumerate(boxes, 1):
        problems += [f"mailbox {n}: {problem}" for problem in _contradictions(box, path)]
    accounts = [box.get("account") for box in boxes]
    problems += [
        f"account {name!r} is used by {accounts.count(name)} mailboxes: give each its own label"
        for name in dict.fromkeys(accounts)
        if name and accounts.count(name) > 1
    ]
    if problems:
        raise ConfigError(*(f"{path}: {problem}" for problem in problems))
    database = path.parent / Path(top["database"]).expanduser()
    return Settings(path, database, tuple(_mailbox(box, path) for box in boxes))


def _checked(table: dict[str, Any], keys: tuple[Key, ...], where: str, problems: list[str]) -> dict[str, Any]:
    """Give the values of the keys, defaults filled in. What is wrong is told, once, and left out."""
    names = [key.name for key in keys]
    for name in sorted(table.keys() - set(names)):
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
        problems.append(f"{where}unknown key {name!r}: {hint}")
    values: dict[str, Any] = {}
    for key in keys:
        value = table.get(key.name, key.default)
        if value is _REQUIRED:
            problems.append(f"{where}{key.name} is missing: {key.help}")
        elif wrong := _wrong(key, value):
            shown = "(not shown)" if key.name in SECRETS else repr(value)
            problems.append(f"{where}{key.name} = {shown} {wrong}")
        else:
            values[key.name] = value
    return values


def _wrong(key: Key, value: Any) -> str:
    fits = type(value) is key.type
    if not fits:
        return f"must be {_TYPE_WORDS[key.type]}"
    texts = value if key.type is list else [value]
    if key.type is list and not all(isinstance(one, str) for one in texts):
        return "must be a list of texts"
    if not all(one.isprintable() for one in texts if isinstance(one, str)):
        return "holds a character that cannot be printed"
    return key.wrong(value)


_TYPE_WORDS = {
    str: 'a text in "quotes"',
    int: "a whole number",
    bool: "true or false",
    list: 'a list like ["INBOX"]',
}


def _contradictions(box: dict[str, Any], path: Path) -> list[str]:
    """Say what is wrong between the keys of a mailbox; keys that are wrong themselves are missing in it."""
    problems = []
    host = box.get("host", "")
    if box.get("tls") == "none" and host and not _is_loopback(host):
        problems.append(f'tls = "none" sends the password in clear: allowed only to this machine, not to {host!r}')
    given = [name for name in SECRETS if box.get(name)]
    if len(given) != 1 and box.keys() >= set(SECRETS):
        told = f"{' and '.join(given)} are given" if given else "no password"
        problems.append(f"{told}: give exactly one of {', '.join(SECRETS)}")
    if box.get("password") and path.stat().st_mode & 0o077:
        problems.append(f"password stands in a file that others can read: chmod 600 {path}, or use password_env")
    return problems


def _mailbox(box: dict[str, Any], path: Path) -> Mailbox:
    forwarders = box.pop("trusted_forwarders")
    converted = {
        "port": box["port"] or (993 if box["tls"] == "implicit" else 143),
        "ca_file": _path(path, box["ca_file"]),
        "password_file": _path(path, box["password_file"]),
        "password_command": tuple(box["password_command"]),
        "folders": tuple(dict.fromkeys(box["folders"])),
        "trust": Trust(frozenset(one.lower() for one in forwarders)),
    }
    return Mailbox(**(box | converted))


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
