"""Every key of the configuration, once: type, default, explanation, and what makes a value wrong.

`config.example.toml` and `nosend init` are written from these tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _no_host(value: str) -> str:
    if re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", value) and not re.fullmatch(r"[^:]+:\d+", value):
        return ""
    return "must be the name or address of the server alone; its port goes to port"


def _no_variable(value: str) -> str:
    return "" if re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", value) else "must be the NAME of an environment variable"


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


required: Any = object()  # the default of a key that must be given
TOP_KEYS = (Key("database", str, "nosend.db", "the blacklist: a SQLite file, made with mode 0600", wrong=_empty),)
MAILBOX_KEYS = (
    Key(
        "account",
        str,
        required,
        "your label for the seller account, kept with every entry; one mailbox each",
        "shop-us",
        _empty,
    ),
    Key("host", str, required, "the IMAP server; Gmail: imap.gmail.com", "imap.example.com", _no_host),
    Key("port", int, 0, "0: 993 with implicit TLS, else 143", wrong=_no_port),
    Key("tls", str, "implicit", '"implicit", "starttls", or "none" (loopback hosts only)', wrong=_no_choice),
    Key("ca_file", str, "", "certificates to trust instead of the system's, for a server with its own CA"),
    Key("username", str, required, "the log-in name", "orders@example.com", _empty),
    Key(
        "password_env",
        str,
        "",
        "the NAME of the environment variable that holds the password",
        "NOSEND_PASSWORD",
        _no_variable,
    ),
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


def wrong(key: Key, value: Any) -> str:
    """Say what is wrong with a value, "" if nothing is."""
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
    list: 'a list like ["one", "two"]',
}


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
