"""Tables of the configuration: their keys checked, defaults filled in, all mistakes told."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nosend.config.key import Key, required
from nosend.config.keys import MAILBOX_KEYS, TOP_KEYS, wrong
from nosend.config.secret import SECRETS

if TYPE_CHECKING:
    from collections.abc import Sequence

_OF_A_MAILBOX = frozenset(key.name for key in MAILBOX_KEYS)
_NOT_SHOWN = frozenset({*SECRETS, "oauth_client_secret", "secret", "url"})  # a URL may hold a token


def checked(
    table: dict[str, Any], keys: Sequence[Key], where: str, problems: list[str], lists: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Give the values of the keys, defaults filled in. What is wrong is told, once, and left out.

    `lists` are the names of the tables that may stand in this one.
    """
    names = [key.name for key in keys]
    for name in sorted(table.keys() - {*names, *lists}):
        near = get_close_matches(name, [*names, *lists], 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
        if keys is TOP_KEYS and name in _OF_A_MAILBOX:
            hint = "it belongs below a line [[mailbox]]"
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


def several(top: dict[str, Any], name: str, keys: Sequence[Key], problems: list[str]) -> list[dict[str, Any]]:
    """Give the checked values of each table [[name]]."""
    tables = top.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        problems.append(f"{name}: write [[{name}]], with two brackets")
        tables = []
    return [checked(one, keys, f"{name} {number}: ", problems) for number, one in enumerate(tables, 1)]
