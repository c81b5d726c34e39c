"""One table of the configuration -> the values of its keys. What is wrong is told, once, and left out."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nosend.config.exports import EXPORT_KEYS
from nosend.config.key import required
from nosend.config.keys import MAILBOX_KEYS, TOP_KEYS, wrong
from nosend.config.secret import SECRETS
from nosend.config.sinks import SINK_KEYS

if TYPE_CHECKING:
    from nosend.config.key import Key

TABLES = {"mailbox": MAILBOX_KEYS, "export": EXPORT_KEYS, "sink": SINK_KEYS}  # each may be there several times
_NOT_SHOWN = frozenset({*SECRETS, "oauth_client_secret", "secret", "url"})  # a URL may hold a token


def tables(top: dict[str, Any], name: str, problems: list[str]) -> list[dict[str, Any]]:
    """Give the values of each [[name]], defaults filled in."""
    found = top.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        problems.append(f"{name}: write [[{name}]], with two brackets")
        return []
    return [checked(one, TABLES[name], f"{name} {n}: ", problems) for n, one in enumerate(found, 1)]


def checked(table: dict[str, Any], keys: tuple[Key, ...], where: str, problems: list[str]) -> dict[str, Any]:
    """Give the values of the keys, defaults filled in."""
    names = [key.name for key in keys]
    for name in sorted(table.keys() - set(names)):
        near = get_close_matches(name, [*names, *TABLES] if keys is TOP_KEYS else names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
        if keys is TOP_KEYS and (home := _home(name)):
            hint = f"it belongs below a line [[{home}]]"
        problems.append(f"{where}unknown key {name!r}: {hint}")
    values: dict[str, Any] = {}
    for key in keys:
        value = table.get(key.name, key.default)
        if value is required:
            problems.append(f"{where}{key.name} is missing: {key.help}")
        elif mistake := wrong(key, value):
            shown = "(not shown)" if key.name in _NOT_SHOWN else repr(value)
            problems.append(f"{where}{key.name} = {shown} {mistake}")
        else:
            values[key.name] = value
    return values


def _home(name: str) -> str:
    """Give the first of the tables that have a key of this name."""
    return next((table for table, keys in TABLES.items() if name in {key.name for key in keys}), "")
