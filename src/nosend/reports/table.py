"""CSV, tab-separated or plain lines -> rows of text, whatever program wrote them. Constant memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nosend.errors import ConfigError, UnknownKeyError
from nosend.identifiers import parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DELIMITERS = "\t;,|"
_LONGEST_CELL = 10_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with the number of the line that each ended on. `names` are those of the columns, () without a header."""

    names: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]

    def column(self, wanted: str, given: Mapping[str, str], usual: tuple[str, ...]) -> int | None:
        """Find a column: the one that the user names for `wanted`, else the first with a usual name, else None.

        Capitals and punctuation do not matter. Raises ConfigError for a name that no column has.
        """
        plain = [_plain(name) for name in self.names]
        if wanted in given:
            if _plain(given[wanted]) not in plain:
                told = ", ".join(map(repr, self.names)) or "none: the file has no header line"
                raise ConfigError(f"there is no column {given[wanted]!r}: its columns are {told}")
            return plain.index(_plain(given[wanted]))
        return next((plain.index(name) for name in usual if name in plain), None)


def read(stream: io.BufferedReader) -> Table:
    """Read a table. In a tab-separated one quotation marks are text, as in Amazon's flat files.

    The first line is a header unless it holds an order id or a buyer alias. Encodings: UTF-8 and UTF-16 with BOM,
    UTF-8, Shift-JIS where only that explains the header, else windows-1252.
    """
    text = io.TextIOWrapper(stream, encoding=_encoding(stream.peek()), errors="replace", newline="")
    first = text.readline()
    while first and not first.strip():
        first = text.readline()
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(_LONGEST_CELL)
    lines = _lines(first, text)
    if delimiter == "\t":
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    names = [cell.strip() for cell in next(_refused(reader), [])]
    if any(map(is_key, names)):
        return Table((), _rows(reader, names))
    return Table(tuple(names), _rows(reader))


def is_key(cell: str) -> bool:
    """Tell whether a cell is an order id or a buyer alias."""
    try:
        parse_key(cell)
    except UnknownKeyError:
        return False
    return True


def _rows(reader: Iterator[list[str]], first: list[str] | None = None) -> Iterator[tuple[int, list[str]]]:
    if first:
        yield 1, first
    for row in _refused(reader):
        if any(cell.strip() for cell in row):
            yield reader.line_num, [cell.strip() for cell in row]  # type: ignore[attr-defined]


def _refused(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Refuse a quoted cell that does not end, or goes on after its end: it would hold the rows that follow it."""
    line = reader.line_num  # type: ignore[attr-defined]
    try:
        for row in reader:
            line = reader.line_num  # type: ignore[attr-defined]
            yield row
    except csv.Error as error:
        raise ConfigError(
            f"line {line + 1} is no CSV ({error}): mend its quotation marks; nothing was taken"
        ) from error


def _lines(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first.replace("\0", "")
    for line in rest:
        yield line.replace("\0", "") if "\0" in line else line


def _encoding(head: bytes) -> str:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        header = head.partition(b"\n")[0]
        return "cp932" if not header.isascii() and _decodes(header, "cp932") else "cp1252"
    return "utf-8"


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _plain(name: str) -> str:
    return re.sub(r"\W|_", "", name).lower()
