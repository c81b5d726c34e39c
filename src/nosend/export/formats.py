"""Entries -> csv, json, jsonl, txt. Pure; the same entries in the same order give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from nosend.config.exports import OF_A_KIND
from nosend.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nosend.config.exports import Content
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


def chosen(entries: Iterable[Entry], content: Content) -> Iterator[Entry]:
    """Leave out the entries that are not to be in an export, and those that would repeat the line before."""
    names = ("value",) if content.format == "txt" else tuple(name for name, _ in content.columns)
    kinds = content.kinds
    last: list[str] | None = None
    for entry in entries:
        if entry.kind in kinds and content.account in {"", entry.account}:
            line = _named(entry, names) if names else None
            if line is None or line != last:
                yield entry
            last = line


def text(entries: Iterable[Entry], content: Content) -> Iterator[str]:
    """Write entries that were `chosen`."""
    return _with_columns(entries, content) if content.columns else FORMATS[content.format](entries)


def _with_columns(entries: Iterable[Entry], content: Content) -> Iterator[str]:
    """Write a csv with these columns."""
    names = tuple(name for name, _ in content.columns)
    yield _csv_line(shown for _, shown in content.columns)
    for entry in entries:
        yield _csv_line(_named(entry, names))


def _named(entry: Entry, names: Iterable[str]) -> list[str]:
    """Write the cells of these columns."""
    return [_cell(_plain(entry, name)) for name in names]


def _plain(entry: Entry, name: str) -> Any:
    if name in OF_A_KIND:
        return entry.value if entry.kind == OF_A_KIND[name] else None
    return rows.plain(getattr(entry, name))
