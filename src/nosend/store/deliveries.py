"""How far the sinks are, and what waits for them or is parked. Reads only; standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nosend.entry import Change
from nosend.store import changelog, rows
from nosend.store.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one sink is: all changes up to `seq` have arrived, but for those that wait or are parked.

    `waiting` counts what is still to be sent, also after `seq`; `parked` what only `nosend outbox retry` sends again.
    `why` is the last failure since the last success, `due_at` when the sink is tried again. With `parked_at` nothing at
    all is sent. Times are RFC 3339 in UTC, empty or None when there is none.
    """

    name: str
    seq: int
    waiting: int
    parked: int
    failing_since: str | None
    due_at: str
    parked_at: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A change that was tried in vain, or waits behind such a one."""

    sink: str
    change: Change
    attempts: int
    first_at: str | None
    due_at: str
    parked_at: str | None
    why: str


class Deliveries(Overview):
    """The reading side of the outbox."""

    def sinks(self) -> tuple[Delivery, ...]:
        """Tell how each sink is that was ever sent to."""
        return tuple(Delivery(*row) for row in self._query(_SINKS))

    def undelivered(self) -> Iterator[Undelivered]:
        """Go through what was tried in vain and what waits behind it, in the order of sinks and numbers."""
        for sink, *rest in self._query(_UNDELIVERED):
            change, how = tuple(rest[:_WIDTH]), rest[_WIDTH:]
            yield Undelivered(sink, rows.read(Change, change), *how)


_WIDTH = len(changelog.COLUMNS)
_SINKS = """
    SELECT name, sinks.seq,
        (SELECT count(*) FROM change_log c WHERE c.seq > sinks.seq)
            + (SELECT count(*) FROM outbox o WHERE o.sink = name AND o.parked_at IS NULL),
        (SELECT count(*) FROM outbox o WHERE o.sink = name AND o.parked_at IS NOT NULL),
        failing_since, due_at, parked_at, why
    FROM sinks ORDER BY name
"""
_UNDELIVERED = f"""
    SELECT sink, {", ".join(f"c.{name}" for name in changelog.COLUMNS)}, attempts, first_at, due_at, parked_at, why
    FROM outbox o JOIN change_log c USING (seq) ORDER BY sink, seq
"""
