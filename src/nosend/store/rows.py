"""How values are written in the database and in exports, and read back. Standard library only."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from nosend.model import Entry

COLUMNS = tuple(field.name for field in fields(Entry))
_TIMES = frozenset({"opted_out_at", "listed_at", "last_notice_at", "expires_at"})


def stamp(when: datetime) -> str:
    """Write a time as RFC 3339 in UTC with seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """Read a time that `stamp` wrote; aware, in UTC."""
    return datetime.fromisoformat(text)


def entry(row: tuple[Any, ...]) -> Entry:
    """Make an entry of a row in the order of COLUMNS."""
    return Entry(**{name: moment(v) if name in _TIMES and v is not None else v for name, v in zip(COLUMNS, row, strict=True)})


def row(entry: Entry) -> dict[str, str | int | None]:
    """Write an entry as plain values by column name: what exports and the database hold."""
    return {name: stamp(v) if isinstance(v := getattr(entry, name), datetime) else v for name in COLUMNS}
