"""Rows of the list -> csv, json, jsonl, txt. Pure; the same rows in the same order give the same bytes.

A row holds the plain values of an entry, in the order of `rows.COLUMNS`, as they stand in the view `blacklist`.
"""

from __future__ import annotations

import csv
import io
import json
from itertools import islice
from typing import TYPE_CHECKING

from nosend.config.exports import OF_A_KIND
from nosend.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nosend.config.exports import Content
    from nosend.store.rows import Plain, Row

_FORMULA = frozenset("=+-@\t\r")  # what a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)
_KIND, _VALUE, _ACCOUNT = (rows.COLUMNS.index(name) for name in ("kind", "value", "account"))
_AT_ONCE = 1_000  # rows in a piece of csv
_object = json.JSONEncoder(ensure_ascii=False).encode


def chosen(found: Iterable[Row], content: Content) -> Iterator[Row]:
    """Leave out the rows that are not to be in an export, and those that would repeat the line before."""
    cells = _cells_of(("value",) if content.format == "txt" else [name for name, _ in content.columns])
    kinds, account = content.kinds, content.account
    last: list[Plain] = []
    for row in found:
        if row[_KIND] in kinds and account in {"", row[_ACCOUNT]}:
            line = cells(row)
            if not line or line != last:
                yield row
            last = line


def text(found: Iterable[Row], content: Content) -> Iterator[str]:
    """Write rows that were `chosen`, in pieces."""
    return _FORMATS[content.format](found, content)


def _csv(found: Iterable[Row], content: Content) -> Iterator[str]:
    """Write a header line and a line an entry (RFC 4180). A cell that begins like a formula gets a leading `'`."""
    columns = content.columns or [(name, name) for name in rows.COLUMNS]
    cells = _cells_of([name for name, _ in columns])
    yield _csv_lines([[shown for _, shown in columns]])
    lines = map(cells, found) if content.columns else iter(found)
    while piece := [_no_formula(line) for line in islice(lines, _AT_ONCE)]:
        yield _csv_lines(piece)


def _no_formula(line: Iterable[Plain]) -> list[Plain]:
    return [f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA else cell for cell in line]


def _csv_lines(lines: Iterable[Iterable[Plain]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(lines)
    return written.getvalue()


def _json(found: Iterable[Row], _: Content) -> Iterator[str]:
    """Write one array, an object a line."""
    between = "[\n"
    for row in found:
        yield between + _object(dict(zip(rows.COLUMNS, row, strict=True)))
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def _jsonl(found: Iterable[Row], _: Content) -> Iterator[str]:
    """Write an object a line."""
    for row in found:
        yield _object(dict(zip(rows.COLUMNS, row, strict=True))) + "\n"


def _txt(found: Iterable[Row], _: Content) -> Iterator[str]:
    """Write each value, a line each."""
    for row in found:
        yield f"{row[_VALUE]}\n"


_FORMATS: dict[str, Callable[[Iterable[Row], Content], Iterator[str]]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "txt": _txt,
}


def _cells_of(names: Iterable[str]) -> Callable[[Row], list[Plain]]:
    """Give what picks these columns from a row; those of one kind are empty in a row of the other."""
    places = [(rows.COLUMNS.index("value" if name in OF_A_KIND else name), OF_A_KIND.get(name)) for name in names]

    def cells(row: Row) -> list[Plain]:
        return [row[at] if kind is None or row[_KIND] == kind else None for at, kind in places]

    return cells
