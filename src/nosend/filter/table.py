"""Another tool's rows, CSV or plain lines, cut so that each can be written again byte for byte as it came.

Bytes are read as Latin-1 throughout: delimiters, quotes and line ends are the same in UTF-8 and windows-1252, and what
lies between them survives whatever it is.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from nosend import identifiers
from nosend.errors import ConfigError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator

USUAL_NAMES = (
    "order-id", "amazon-order-id", "order-number", "order-no", "order",
    "buyer-email", "buyer-alias", "buyer", "alias", "customer-email", "email", "e-mail", "recipient", "to",
    "key", "value",
)  # fmt: skip
_DELIMITERS = ",;\t"
_UTF8_BOM = "\u00ef\u00bb\u00bf"
_OTHER_BOMS = ("\u00ff\u00fe", "\u00fe\u00ff", "\0\0\u00fe\u00ff")


# One row: the number of its first line, as it was written with its line end, and the cell with the key
Row = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """What was read: `begin` (BOM) and `header` as they were written, `rows` to go through once.

    `encoding` is what the file seems to be written in; `delimiter` is a tab where there are plain lines.
    """

    begin: str
    header: str
    rows: Iterator[Row]
    delimiter: str
    encoding: str


def read(stream: io.BufferedReader, column: str | None) -> Table:
    """Read CSV (its first row names the columns), or plain lines if the first one is a key; a row in memory at a time.

    Between tabs quotation marks are text, as in Amazon's flat files: one row is one line.

    `column` names the one that holds the keys; else the only one of a usual name is taken. Raises ConfigError when
    there is none, and, from `rows`, when a quoted cell is cut off or goes on after its closing quote.
    """
    encoding = _encoding(stream.peek(1 << 16))
    lines = iter(io.TextIOWrapper(stream, encoding="latin-1", newline=""))
    blank, first = 0, next(lines, "")
    if first.startswith(_OTHER_BOMS):
        raise ConfigError("this is UTF-16 or UTF-32: write the file as UTF-8")
    begin = _UTF8_BOM if first.startswith(_UTF8_BOM) else ""
    first = first.removeprefix(_UTF8_BOM)
    while first and not first.strip():
        blank, first = blank + 1, next(lines, "")
    lines = chain([first] if first else [], lines)
    if not first or (column is None and key_of(first) is not None):
        return Table(begin, "", _plain(lines, blank), "\t", encoding)
    delimiter = _delimiter(first)
    cut = _cut(lines, delimiter, blank)
    _, header, names = next(cut)
    at = _position([text(name).strip() for name in names], column)
    rows = ((line, written, cells[at] if at < len(cells) else "") for line, written, cells in cut if cells)
    return Table(begin, header, rows, delimiter, encoding)


def key_of(cell: str) -> str | None:
    """Give the normalised key in a cell, None when there is none."""
    return _key(text(cell).strip('"'))


def text(cell: str) -> str:
    """Decode a cell: UTF-8, else windows-1252."""
    if cell.isascii():
        return cell
    raw = cell.encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("windows-1252", "replace")


def _key(said: str) -> str | None:
    try:
        return identifiers.parse_key(said).value
    except UnknownKeyError:
        return None


def _encoding(beginning: bytes) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def _delimiter(line: str) -> str:
    """Give the delimiter that cuts a line into the most cells."""
    try:
        return max(_DELIMITERS, key=lambda one: len(next(_reader(iter([line]), one))))
    except csv.Error as error:
        raise ConfigError(f"the first line is no header of a CSV ({error})") from error


def _reader(lines: Iterator[str], delimiter: str, *, strict: bool = False) -> Iterator[list[str]]:
    if delimiter == "\t":
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, strict=strict)


def _plain(lines: Iterator[str], number: int) -> Iterator[Row]:
    for number, line in enumerate(lines, number + 1):  # noqa: B020, PLR1704 - goes on from there
        if cell := line.strip():
            yield number, line, cell


def _cut(lines: Iterator[str], delimiter: str, before: int) -> Iterator[tuple[int, str, list[str]]]:
    """Cut lines into records: the number of the first line, all of them as they were written, the cells."""
    written: list[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            written.append(line)
            yield line

    reader: Any = _reader(remembered(), delimiter, strict=True)
    try:
        for cells in reader:
            if len(written) == 1:
                yield before + reader.line_num, written.pop(), cells
                continue
            yield before + reader.line_num - len(written) + 1, "".join(written), cells
            written.clear()
    except csv.Error as error:
        line = before + reader.line_num - len(written) + 1
        raise ConfigError(
            f"line {line} is no CSV with the delimiter {delimiter!r} ({error}): what comes after it was not looked at"
        ) from error


def _position(names: list[str], column: str | None) -> int:
    told = ", ".join(repr(identifiers.one_line(name)) for name in names)
    if column is not None:
        if names.count(column) == 1:
            return names.index(column)
        how = "more than one column has" if column in names else "no column has"
        raise ConfigError(f"{how} the name {column!r}: the columns are {told}")
    usual = {_bare(name) for name in USUAL_NAMES}
    found = [at for at, name in enumerate(names) if _bare(name) in usual]
    if len(found) == 1:
        return found[0]
    if any(_key(name) is not None for name in names):
        raise ConfigError("the first line has a key in it, it must name the columns: put a header above it")
    how = "more than one column may hold" if found else "no column is known to hold"
    raise ConfigError(f"{how} order ids or aliases: choose one with --column, the columns are {told}")


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())
