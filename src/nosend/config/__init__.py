"""TOML -> frozen settings. Unknown keys are errors, and all mistakes are told at once.

`keys` holds every key, once, with its type, default and explanation; `sample` writes the example of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nosend import places
from nosend.config import exports, oauth, packs, settling, sinks
from nosend.config.addresses import is_loopback, listen_address
from nosend.config.exports import Export
from nosend.config.keys import TOP_KEYS
from nosend.config.oauth import OAuth
from nosend.config.sample import example
from nosend.config.secret import SECRETS, Secret, password_of
from nosend.config.sinks import Sink
from nosend.config.table import TABLES, checked, tables
from nosend.errors import ConfigError
from nosend.model import Accounts, Policy, Trust

__all__ = [
    "TABLES",
    "TOP_KEYS",
    "Export",
    "Mailbox",
    "Monitor",
    "OAuth",
    "Secret",
    "Settings",
    "Sink",
    "example",
    "load",
    "packs",
]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One [[mailbox]] of the configuration, checked. Either `secret` or `oauth` is there."""

    account: str
    host: str
    port: int
    tls: str
    ca_file: Path | None
    username: str
    secret: Secret | None
    oauth: OAuth | None
    folders: tuple[str, ...]
    read_all: bool
    trust: Trust
    timeout: int
    mark_notices: str = ""
    move_notices_to: str = ""

    def __repr__(self) -> str:
        """Name the mailbox; never its password."""
        return f"Mailbox({self.account!r}, {self.origin!r})"

    @property
    def origin(self) -> str:
        """Say whose UIDs these are: user and host."""
        return f"{self.username}@{self.host}:{self.port}"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Give where its secrets are: the password's place, the OAuth client's."""
        found = (self.secret, self.oauth.client_secret if self.oauth else None)
        return tuple(secret for secret in found if secret)


@dataclass(frozen=True, slots=True)
class Monitor:
    """By what the outside is told how it is; None: by nothing."""

    heartbeat_file: Path | None = None
    metrics_file: Path | None = None
    metrics_listen: tuple[str, int] | None = None
    on_change_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, checked."""

    path: Path
    database: Path
    packs: Path | None
    expire_days: int
    keep_days: int
    keep_megabytes: int
    mailboxes: tuple[Mailbox, ...]
    monitor: Monitor = Monitor()
    poll_seconds: int = 120
    exports: tuple[Export, ...] = ()
    sinks: tuple[Sink, ...] = ()
    keeps_hashes: bool = False

    def trust_of(self, account: str) -> Trust:
        """Give what is trusted in the mails of an account that come from no mailbox.

        That of the account's own mailbox; else the forwarders that any mailbox trusts, and no more.
        """
        for mailbox in self.mailboxes:
            if mailbox.account == account:
                return mailbox.trust
        return Trust(frozenset().union(*(mailbox.trust.forwarders for mailbox in self.mailboxes)))


def load(path: Path) -> Settings:
    """Read and check a configuration file. Raises ConfigError with every mistake in it."""
    table = places.read(str(path))
    problems: list[str] = []
    top = checked({k: v for k, v in table.items() if k not in TABLES}, TOP_KEYS, "", problems)
    boxes = tables(table, "mailbox", problems)
    sunk = tables(table, "sink", problems)
    problems += sinks.contradictions(sunk, path)
    for n, box in enumerate(boxes, 1):
        problems += [f"mailbox {n}: {problem}" for problem in _contradictions(box, path)]
    accounts = [box.get("account") for box in boxes]
    problems += [
        f"account {name!r} is used by {accounts.count(name)} mailboxes: give each its own label"
        for name in dict.fromkeys(accounts)
        if name and accounts.count(name) > 1
    ]
    targets = exports.exports_of(tables(table, "export", problems), path, _taken(top, path), problems)
    problems += exports.of_unknown_accounts(targets, boxes)
    if problems:
        raise ConfigError(*(f"{path}: {problem}" for problem in problems))
    database = path.parent / Path(top["database"]).expanduser()
    return Settings(
        path=path,
        database=database,
        packs=_path(path, top["packs"]),
        expire_days=top["expire_days"],
        keep_days=top["keep_days"],
        keep_megabytes=top["keep_megabytes"],
        mailboxes=tuple(_mailbox(box, path, database) for box in boxes),
        monitor=Monitor(
            heartbeat_file=_path(path, top["heartbeat_file"]),
            metrics_file=_path(path, top["metrics_file"]),
            metrics_listen=listen_address(top["metrics_listen"]) if top["metrics_listen"] else None,
            on_change_command=tuple(top["on_change_command"]),
        ),
        poll_seconds=top["poll_seconds"],
        exports=targets,
        sinks=tuple(sinks.of(one, path) for one in sunk),
        keeps_hashes=top["privacy"] == "hash",
    )


def _taken(top: dict[str, Any], path: Path) -> dict[str, Path | None]:
    """Give the files that no export may replace, by what they are."""
    names = {name: top.get(name, "") for name in ("database", "heartbeat_file", "metrics_file")}
    beside = {
        f"the database's {end}": f"{names['database']}{end}"
        for end in ("-wal", "-shm", ".lock", ".export.lock", ".key")
    }
    return {"the configuration": path} | {name: _path(path, value) for name, value in (names | beside).items()}


def _contradictions(box: dict[str, Any], path: Path) -> list[str]:
    """Say what is wrong between the keys of a mailbox; keys that are wrong themselves are missing in it."""
    problems = []
    host = box.get("host", "")
    if box.get("tls") == "none" and host and not is_loopback(host):
        problems.append(f'tls = "none" sends the password in clear: allowed only to this machine, not to {host!r}')
    given = [name for name in SECRETS if box.get(name)]
    if len(given) != 1 and not box.get("oauth", True) and box.keys() >= set(SECRETS):
        told = f"{' and '.join(given)} are given" if given else "no password"
        problems.append(f"{told}: give exactly one of {', '.join(SECRETS)}")
    problems += oauth.contradictions(box)
    problems += settling.contradictions(box)
    for key, plain, other in (
        ("password", box.get("password"), "password_env"),
        ("oauth_client_secret", "plain" in box.get("oauth_client_secret", ()), '{ env = "NAME" }'),
    ):
        if plain and path.stat().st_mode & 0o077:
            problems.append(f"{key} stands in a file that others can read: chmod 600 {path}, or use {other}")
    if box.get("unknown_account") == "suspect" and not box.get("accounts", True) and not box.get("plus_accounts", True):
        problems.append(
            'unknown_account = "suspect" without accounts and plus_accounts lists nothing: name the accounts, or leave '
            "it out"
        )
    return problems


def _mailbox(box: dict[str, Any], path: Path, database: Path) -> Mailbox:
    accounts = Accounts(
        by_address=tuple((address.lower(), account) for address, account in box.pop("accounts").items()),
        plus=box.pop("plus_accounts"),
        must_be_known=box.pop("unknown_account") == "suspect",
    )
    trust = Trust(
        forwarders=frozenset(one.lower() for one in box.pop("trusted_forwarders")),
        authserv_id=box.pop("trusted_authserv_id").lower(),
        policy=Policy(box.pop("authenticity")),
        accounts=accounts,
    )
    converted = {
        "port": box["port"] or (993 if box["tls"] == "implicit" else 143),
        "ca_file": _path(path, box["ca_file"]),
        "secret": password_of(box, path),
        "oauth": oauth.of(box, path, database),
        "folders": tuple(dict.fromkeys(box["folders"])),
        "trust": trust,
    }
    names = {one.name for one in fields(Mailbox)}
    return Mailbox(**{name: value for name, value in (box | converted).items() if name in names})


def _path(beside: Path, name: str) -> Path | None:
    return beside.parent / Path(name).expanduser() if name else None
