"""Where changes of the list are sent: the keys of a [[sink]], and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nosend.config.addresses import no_url
from nosend.config.key import Key, required
from nosend.config.secret import Secret, at, no_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sink:
    """One [[sink]], checked: a command, or a URL with the secret that signs what is sent there."""

    name: str
    command: tuple[str, ...] = ()
    url: str = field(default="", repr=False)  # may hold a token
    secret: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Give where its secrets are."""
        return (self.secret,) if self.secret else ()


def _no_name(value: str) -> str:
    return "" if re.fullmatch(r"[\w.-]{1,50}", value) else "must be a short name of letters, digits, - _ and ."


SINK_KEYS = (
    Key("name", str, required, "by what you call it; the database remembers under it how far it is", "crm", _no_name),
    Key(
        "command",
        list,
        [],
        "a command, as a list, that gets each change as one JSON object on standard input; exit code 0: done, 65: do\n"
        "# not send this one again, any other: try again",
    ),
    Key(
        "url",
        str,
        "",
        "or a webhook, which gets each change as a CloudEvent; https, to this machine also http",
        "https://crm.example.com/nosend",
        lambda value: no_url(value) if value else "",
    ),
    Key(
        "secret",
        dict,
        {},
        'and what signs it (Standard Webhooks: whsec_ ...), by its place: { env = "NAME" }, { file = "/path" },\n'
        '# { command = ["pass", "x"] }, { keyring = "SERVICE" }, { credential = "NAME" } or { plain = "..." }',
        wrong=no_secret,
    ),
)
_NAMES = frozenset(key.name for key in SINK_KEYS)


def contradictions(tables: Sequence[Mapping[str, Any]], path: Path) -> list[str]:
    """Say what is wrong between the keys of the sinks; one with a key that is wrong itself is not looked at."""
    problems = []
    names = [table.get("name") for table in tables]
    for number, table in enumerate(tables, 1):
        if not table.keys() >= _NAMES:
            continue
        told = []
        if bool(table["command"]) == bool(table["url"]):
            told.append("give exactly one of command and url")
        elif table["url"] and not table["secret"]:
            told.append("secret is missing: without it nobody can tell what comes from you; docs/sinks.md makes one")
        elif table["command"] and table["secret"]:
            told.append("secret is given with command, which needs none: take it out")
        if "plain" in table["secret"] and path.stat().st_mode & 0o077:
            told.append(f'secret stands in a file that others can read: chmod 600 {path}, or use {{ env = "NAME" }}')
        problems += [f"sink {number}: {one}" for one in told]
    problems += [
        f"sink {name!r} is there {names.count(name)} times: give each its own name"
        for name in dict.fromkeys(names)
        if name and names.count(name) > 1
    ]
    return problems


def of(table: Mapping[str, Any], path: Path) -> Sink:
    """Give the sink of checked values."""
    places = [at(f"secret {place}", place, where, path, table["name"]) for place, where in table["secret"].items()]
    return Sink(table["name"], tuple(table["command"]), table["url"], places[0] if places else None)
