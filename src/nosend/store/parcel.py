"""What goes to sinks: a change, what is needed to send it, and what became of it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from nosend.entry import Change


@dataclass(frozen=True, slots=True)
class Parcel:
    """A change that is to be sent to a sink now.

    `entry` is the line of the `blacklist` view as it is now, for what was added or renewed and has not gone since.
    `attempts` at this change, and `failures` of the sink since its last success, came before.
    """

    sink: str
    change: Change
    entry: dict[str, str | int | None] | None
    attempts: int
    failures: int
    claimed_by: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What became of an attempt: `why`, and from when on the change and the sink may be tried again.

    `is_final`: this change is not tried again by itself.
    """

    why: str
    change_due: datetime
    sink_due: datetime
    is_final: bool = False
