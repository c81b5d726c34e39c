"""How values are written in the database and in exports, and read back. Standard library only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from nosend.entry import Entry

Value = TypeVar("Value")
Plain = str | int | None
Row = tuple[Plain, ...]


def columns(kind: type[Any]) -> tuple[str, ...]:
    """Give the columns of a value's table: its fields, be it a dataclass or a named tuple."""
    names: tuple[str, ...] = kind.__match_args__
    return names


COLUMNS = columns(Entry)
SET_ASIDE = "set_aside"  # beside the kinds of verdicts: a mail that could not be judged
TRIES = 5  # attempts at judging a waiting mail again that were begun and not finished, before it is left alone
PASSED_OVER = "amazon-other"  # the rule that speaks of a mail of Amazon's in which no rule knows a cause
# a row of the ledger that waits for a person: not decided, and listed by no copy of it that was believed
WAITS = f"""ledger.verdict IN ('suspect', '{SET_ASIDE}')
    AND NOT EXISTS (SELECT 1 FROM events WHERE events.mailbox = ledger.account AND events.key = ledger.key)"""


def ident(number: int) -> int:
    """Give the number of a mail as SQLite can compare it; one that cannot be stored is nobody's, as 0 is."""
    return number if 0 < number < 2**63 else 0


def stamp(when: datetime) -> str:
    """Write a time as RFC 3339 in UTC with seconds."""
    return f"{when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def values(value: Any) -> dict[str, Plain]:
    """Write a value as plain ones by column name, in the order of the columns: what exports and the database hold."""
    return {name: plain(getattr(value, name)) for name in value.__match_args__}


def plain(value: Any) -> Any:
    """Write one value as a plain one."""
    return stamp(value) if isinstance(value, datetime) else value


def read(kind: type[Value], row: tuple[Any, ...]) -> Value:
    """Make a value of a row in the order of its columns. Times are `at` or end in `_at`."""
    return kind(*(_read(name, value) for name, value in zip(columns(kind), row, strict=True)))


def _read(name: str, value: Any) -> Any:
    return _time(value) if (name == "at" or name.endswith("_at")) and value else value


def entry(row: tuple[Any, ...]) -> Entry:
    """Make an entry of a row in the order of COLUMNS."""
    kind, value, account, marketplace, opted_out_at, listed_at, last_notice_at, notices, source, why, expires_at = row
    return Entry(
        kind,
        value,
        account,
        marketplace,
        _time(opted_out_at),
        _time(listed_at),
        _time(last_notice_at),
        notices,
        source,
        why,
        _time(expires_at) if expires_at else None,
    )


_time = datetime.fromisoformat
