"""What `on_change_command` was told, until it is over. Works inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nosend.store import entries, rows

if TYPE_CHECKING:
    import sqlite3

DOWN = "down"  # the condition of a mailbox that cannot be read


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so for an account since some time (RFC 3339, UTC), and why."""

    account: str
    name: str
    since: str
    why: str


def read(db: sqlite3.Connection) -> tuple[Condition, ...]:
    """Give what was told and is not over."""
    return tuple(Condition(*row) for row in db.execute(f"SELECT {', '.join(_COLUMNS)} FROM told ORDER BY 1, 2"))


def write(db: sqlite3.Connection, condition: Condition) -> None:
    """Remember that a condition was told."""
    statement = f"INSERT OR REPLACE INTO told ({', '.join(_COLUMNS)}) VALUES ({entries.places(_COLUMNS)})"
    db.execute(statement, rows.values(condition))


def forget(db: sqlite3.Connection, condition: Condition) -> None:
    """Remember that a condition is over."""
    db.execute("DELETE FROM told WHERE (account, name) = (?, ?)", (condition.account, condition.name))


_COLUMNS = rows.columns(Condition)
