"""Rows of another tool -> those that may be sent. Any number of them in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from nosend import identifiers, permission
from nosend.errors import UnknownKeyError
from nosend.filter import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nosend.filter.table import Table
    from nosend.store.blacklist import Blacklist

COLUMN = "nosend"  # the column that `annotate` adds
_AT_ONCE = 20_000  # rows that the list is asked about at once
_TOLD = 10  # line numbers of rows without a key


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: those that may be sent for this purpose, or the `blocked` ones.

    With `annotate` each gets the answer and its reason as one more column, and all rows are given unless `blocked`.
    """

    purpose: str | None = None
    blocked: bool = False
    annotate: bool = False


def sift(rows: Table, blacklist: Blacklist, wanted: Wanted) -> Iterator[str]:
    """Give header and wanted rows as they were written, as Latin-1 (see `table`).

    Rows whose cell is neither an order id nor an alias are neither sendable nor blocked, and only given with all
    others. After the last row UnknownKeyError tells of them. Raises UnknownKeyError for an unknown purpose.
    """
    permission.check_purpose(wanted.purpose)
    yield rows.begin
    if rows.header:
        yield _with_cell(rows, rows.header, COLUMN) if wanted.annotate else rows.header
    unknown: list[int] = []
    left_out = 0
    while batch := list(islice(rows.rows, _AT_ONCE)):
        numbers, written, cells = zip(*batch, strict=True)
        keys = _keys(cells)
        listed = blacklist.blocked(key for key in keys if key is not None)
        if wanted.annotate:
            yield from _annotated(rows, zip(written, keys, strict=True), _answers(listed, blacklist, wanted), wanted)
        else:
            refused = set() if permission.is_critical(wanted.purpose) else listed
            yield "".join(
                [
                    row
                    for row, key in zip(written, keys, strict=True)
                    if (key in refused) is wanted.blocked and key is not None
                ]
            )
        if None in keys:
            without = [number for number, key in zip(numbers, keys, strict=True) if key is None]
            left_out += len(without)
            unknown += without[: _TOLD - len(unknown)]
    if left_out:
        raise UnknownKeyError(_told(unknown, left_out))


def _keys(cells: Sequence[str]) -> list[str | None]:
    return [*cells] if identifiers.are_plain(cells) else [table.key_of(cell) for cell in cells]


def _answers(listed: set[str], blacklist: Blacklist, wanted: Wanted) -> dict[str, permission.Decision]:
    return {key: blacklist.check(key, wanted.purpose) for key in listed}


def _annotated(
    rows: Table,
    batch: Iterator[tuple[str, str | None]],
    answers: dict[str, permission.Decision],
    wanted: Wanted,
) -> Iterator[str]:
    for row, key in batch:
        if key is None:
            if not wanted.blocked:
                yield _with_cell(rows, row, "no-key: neither an order id nor a buyer alias")
            continue
        answer = answers.get(key) or permission.decide(identifiers.parse_key(key), (), wanted.purpose)
        if not (wanted.blocked and answer.may_send):
            yield _with_cell(rows, row, f"{answer.permission}: {answer.reason}")


def _with_cell(rows: Table, written: str, cell: str) -> str:
    """Put one more cell at the end of a row, in the encoding of the file; quoted where it must be."""
    bare = written.rstrip("\r\n")
    cell = identifiers.one_line(cell)
    if rows.delimiter != "\t" and ('"' in cell or rows.delimiter in cell):
        cell = '"' + cell.replace('"', '""') + '"'
    added = cell.encode(rows.encoding, "replace").decode("latin-1")
    return f"{bare}{rows.delimiter}{added}{written[len(bare) :]}"


def _told(lines: list[int], count: int) -> str:
    where = ", ".join(map(str, lines)) + (" ..." if count > len(lines) else "")
    rows = "1 row has" if count == 1 else f"{count:,} rows have"
    return f"{rows} neither an order id nor a buyer alias where the key should be, so may not be sent: line {where}"
