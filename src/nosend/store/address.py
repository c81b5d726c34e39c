"""How a database file is named to SQLite. Standard library only, of which pathlib takes too long to load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = frozenset(b"/-._~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def of(path: str | Path, parameter: str) -> str:
    """Give the URI of a file, any bytes in its name, with one parameter: `mode=ro` (sqlite.org/uri.html)."""
    name = os.fsencode(os.path.abspath(path))  # noqa: PTH100 - see above
    return f"file:{''.join(chr(byte) if byte in _PLAIN else f'%{byte:02X}' for byte in name)}?{parameter}"
