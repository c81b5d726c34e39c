"""Entries -> csv, json, jsonl, txt. Pure; the same entries in the same order give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from nosend.errors import ConfigError
from nosend.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nosend.model import Entry

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula (OWASP, CSV injection)


def _csv(entries: Iterable[Entry]) -> Iterator[str]:
    """Write a header line and a line an entry (RFC 4180). A cell that begins like a formula gets a leading `'`."""
    yield _csv_line(rows.COLUMNS)
    for entry in entries:
        yield _csv_line([_cell(value) for value in rows.values(entry).values()])


def _cell(value: str | int | None) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _json(entries: Iterable[Entry]) -> Iterator[str]:
    """Write one array, an object a line."""
    between = "[\n"
    for entry in entries:
        yield between + _object(entry)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def _jsonl(entries: Iterable[Entry]) -> Iterator[str]:
    """Write an object a line."""
    for entry in entries:
        yield _object(entry) + "\n"


def _txt(entries: Iterable[Entry]) -> Iterator[str]:
    """Write each value once, a line each; entries come ordered by value."""
    last = None
    for entry in entries:
        if entry.value != last:
            yield entry.value + "\n"
        last = entry.value


def _object(entry: Entry) -> str:
    return json.dumps(rows.values(entry), ensure_ascii=False)


FORMATS: dict[str, Callable[[Iterable[Entry]], Iterator[str]]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "txt": _txt,
}


def of_name(name: str) -> str:
    """Give the format that a file's ending names, csv without one. Raises ConfigError for an ending of another kind."""
    ending = Path(name).suffix.lower().removeprefix(".")
    if ending and ending not in FORMATS:
        raise ConfigError(f"{name!r}: no such format {ending!r}: end it in {', '.join(FORMATS)}, or give --format")
    return ending or "csv"
