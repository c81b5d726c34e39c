"""Lists of other tools -> whom they do not message: CSV with any columns, or without a header whatever is a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.errors import ConfigError, UnknownKeyError
from nosend.reports import table

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Mapping

COLUMNS = ("order_id", "buyer", "opted_out_at")
_DATE_NAMES = ("optedoutat", "optoutdate", "date", "addedat", "createdat", "dateadded")
_NAMES = {
    "order_id": ("orderid", "amazonorderid", "ordernumber", "value"),
    "buyer": ("buyer", "buyeremail", "buyeralias", "email", "emailaddress", "value"),
}
_LATEST_YEAR = 2199


@dataclass(frozen=True, slots=True)
class Listed:
    """What one line lists: keys, and since when if it tells. Without keys: a line that lists nothing nosend knows."""

    line: int
    keys: tuple[identifiers.Key, ...]
    opted_out_at: datetime | None = None


def read(stream: io.BufferedReader, columns: Mapping[str, str]) -> Iterator[Listed]:
    """Read a list, a line at a time. `columns` names those of `COLUMNS` that are called otherwise.

    Raises ConfigError where no column can be one of keys.
    """
    rows = table.read(stream)
    chosen = {kind: rows.column(kind, columns, _NAMES[kind]) for kind in _NAMES if rows.names or kind in columns}
    numbers = sorted({number for number in chosen.values() if number is not None})
    if rows.names and not numbers:
        raise ConfigError(
            f"no column holds order ids or buyer aliases by its name: {', '.join(map(repr, rows.names[:20]))}: "
            "say which with --columns order_id=NAME or buyer=NAME"
        )
    dated = rows.column("opted_out_at", columns, _DATE_NAMES)
    for line, row in rows.rows:
        cells = [row[number] for number in numbers if number < len(row)] if rows.names else row
        keys = tuple(key for cell in cells for key in _keys(cell))
        yield Listed(line, keys, _time(row[dated]) if dated is not None and dated < len(row) else None)


def _keys(cell: str) -> Iterator[identifiers.Key]:
    try:
        yield identifiers.parse_key(cell.removeprefix("'"))
    except UnknownKeyError:
        return


def _time(cell: str) -> datetime | None:
    """Read a time of ISO 8601, UTC if it tells no zone."""
    try:
        found = datetime.fromisoformat(cell)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if 1995 <= found.year <= _LATEST_YEAR else None
