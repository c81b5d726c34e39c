"""The example configuration, written from the tables of `keys`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nosend.config.exports import EXPORT_KEYS
from nosend.config.keys import MAILBOX_KEYS, TOP_KEYS
from nosend.config.sinks import SINK_KEYS

if TYPE_CHECKING:
    from nosend.config.key import Key


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
        "",
        "# [[export]]   # one for each file that another tool reads",
        *(_example_line(key, needed=False) for key in EXPORT_KEYS),
        "",
        "# [[sink]]   # one for each place that is told of changes: docs/sinks.md",
        *(_example_line(key, needed=False) for key in SINK_KEYS),
    ]
    return "\n".join(lines) + "\n"


def _example_line(key: Key, *, needed: bool = True) -> str:
    shown = key.example if key.example is not None else key.default
    commented = "" if needed and (key.example is not None or key.name == "database") else "# "
    return f"\n# {key.help}\n{commented}{key.name} = {_toml(shown)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
