"""Every key of the configuration, once: type, default, explanation, and what makes a value wrong.

`sample` writes `config.example.toml`, and what `nosend init` writes, from these tables.
"""

from __future__ import annotations

import re
from typing import Any

from nosend import places
from nosend.config.addresses import no_listener, no_prom
from nosend.config.key import Key, no_choice, required
from nosend.config.oauth import OAUTH_KEYS
from nosend.config.secret import SECRET_KEYS
from nosend.config.settling import SETTLING_KEYS

TLS = ("implicit", "starttls", "none")
AUTHENTICITY = ("prefer", "require", "off")
PRIVACY = ("plain", "hash")
UNKNOWN_ACCOUNT = ("own", "suspect")


def _empty(value: str) -> str:
    return "" if value.strip() else "is empty"


def _no_host(value: str) -> str:
    if re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", value) and not re.fullmatch(r"[^:]+:\d+", value):
        return ""
    return "must be the name or address of the server alone; its port goes to port"


def _no_port(value: int) -> str:
    return "" if 0 <= value <= 65535 else "must be between 1 and 65535"


def _no_timeout(value: int) -> str:
    return "" if 1 <= value <= 3600 else "must be between 1 and 3600 seconds"


def _no_folders(value: list[str]) -> str:
    return "" if value and all(value) else 'must name at least one folder, like ["INBOX"]'


def _no_forwarders(value: list[str]) -> str:
    wrong = [one for one in value if not re.fullmatch(r"([^@\s*]+@)?[^@\s*]+\.[^@\s*]+", one)]
    return f"must be addresses or domains, not {', '.join(map(repr, wrong))}" if wrong else ""


def _no_server(value: str) -> str:
    fits = re.fullmatch(r"[^\s;=]*|\(none\)", value)
    return "" if fits else 'must be one authserv-id as it stands in the field, like "mx.google.com"'


def _no_accounts(value: dict[str, Any]) -> str:
    for address, account in value.items():
        if not re.fullmatch(r"[^\s<>()\[\],;:\"@]{1,64}@[^\s<>()\[\],;:\"@]{1,255}", address):
            return f"names {address!r}, which is no address"
        if [one.lower() for one in value].count(address.lower()) > 1:
            return f"names {address.lower()!r} twice: capital letters do not matter"
        if not isinstance(account, str) or not account.strip() or not account.isprintable():
            return f'gives {address!r} no account: write {{ {address!r} = "shop-us" }}'
    return ""


def _no_amount(value: int) -> str:
    return "" if 1 <= value <= 100_000 else "must be between 1 and 100000"


def _no_days(value: int) -> str:
    return "" if 0 <= value <= 36_500 else "must be between 1 and 36500 days, or 0 for never"


def _no_poll(value: int) -> str:
    return "" if 5 <= value <= 290 else "must be between 5 and 290: a line that says nothing for longer is cut by some"


TOP_KEYS = (
    Key("database", str, places.DATABASE, "the blacklist: a SQLite file, made with mode 0600", wrong=_empty),
    Key(
        "packs", str, "", "a folder with language packs of your own (*.toml), which win over nosend's of the same name"
    ),
    Key(
        "expire_days",
        int,
        0,
        "days after its last notice after which an entry ends; 0: never, for Amazon knows no opt-in either",
        wrong=_no_days,
    ),
    Key(
        "privacy",
        str,
        "plain",
        '"hash": aliases are kept only as hashes, under a key that nosend makes beside the database, and no bytes of\n'
        "# mails; there is no way back (docs/privacy.md)",
        wrong=no_choice(*PRIVACY),
    ),
    Key("keep_days", int, 365, "days for which the bytes of suspects and set-aside mails are kept", wrong=_no_amount),
    Key("keep_megabytes", int, 500, "and how much of them in all; the oldest go first", wrong=_no_amount),
    Key(
        "poll_seconds",
        int,
        120,
        "seconds after which `nosend watch` looks at a mailbox at the latest; new mail in the first of its folders\n"
        "# is seen at once where the server has IDLE",
        wrong=_no_poll,
    ),
    Key(
        "heartbeat_file", str, "", "a file that is touched when the server of every mailbox has answered: watch its age"
    ),
    Key(
        "metrics_file",
        str,
        "",
        "a file with metrics for Prometheus' textfile collector, written after each round",
        wrong=no_prom,
    ),
    Key(
        "metrics_listen",
        str,
        "",
        "where `nosend watch` answers /metrics and /healthz: an address of this machine alone, like 127.0.0.1:9464",
        wrong=no_listener,
    ),
    Key(
        "on_change_command",
        list,
        [],
        "a command, as a list, that is run for each change of state: a mailbox is down, or up again; Amazon changed\n"
        "# its text, or restricted the account; it gets one JSON object on standard input",
    ),
)
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
    Key("tls", str, "implicit", '"implicit", "starttls", or "none" (loopback hosts only)', wrong=no_choice(*TLS)),
    Key("ca_file", str, "", "certificates to trust instead of the system's, for a server with its own CA"),
    Key("username", str, required, "the log-in name", "orders@example.com", _empty),
    *SECRET_KEYS,
    *OAUTH_KEYS,
    Key(
        "folders",
        list,
        ["INBOX"],
        'folders to read: by name; by a pattern, in which * is any characters, like "Amazon/*"; or by what the server\n'
        '# uses them for: "\\\\All", "\\\\Archive", "\\\\Drafts", "\\\\Flagged", "\\\\Junk", "\\\\Sent", "\\\\Trash"',
        wrong=_no_folders,
    ),
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
    Key(
        "trusted_authserv_id",
        str,
        "",
        "the server whose Authentication-Results are believed, by the first word of that field in mails you got:\n"
        '# mx.google.com at Gmail, "(none)" where there is no such word (Microsoft 365); `nosend doctor` finds it',
        wrong=_no_server,
    ),
    Key(
        "authenticity",
        str,
        "prefer",
        '"prefer": a failed DKIM, SPF or DMARC makes a notice suspect; "require": only a passed one is listed;\n'
        '# "off": it does not matter',
        wrong=no_choice(*AUTHENTICITY),
    ),
    Key(
        "accounts",
        dict,
        {},
        "several seller accounts in this mailbox: the address that a notice was delivered to, and its account,\n"
        '# like { "us@shop.example" = "shop-us", "de@shop.example" = "shop-de" }',
        wrong=_no_accounts,
    ),
    Key(
        "plus_accounts",
        bool,
        False,  # noqa: FBT003 - a default
        "what follows the plus of the address is an account: shop-de of orders+shop-de@shop.example, in small letters",
    ),
    Key(
        "unknown_account",
        str,
        "own",
        'a notice to none of these: "own" lists it under the account above, "suspect" asks a person',
        wrong=no_choice(*UNKNOWN_ACCOUNT),
    ),
    *SETTLING_KEYS,
    Key("timeout", int, 60, "seconds to wait for the server at each step", wrong=_no_timeout),
)


def wrong(key: Key, value: Any) -> str:
    """Say what is wrong with a value, "" if nothing is."""
    fits = type(value) is key.type
    if not fits:
        return f"must be {_TYPE_WORDS[key.type]}"
    texts = list(value) if key.type in {list, dict} else [value]
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
    dict: 'a table like { name = "value" }',
}
