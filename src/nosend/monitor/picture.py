"""How it is, as one value: what `status` shows, what the metrics count, and what a change of state is seen by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nosend import health
from nosend.store.overview import Overview

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from nosend.config import Settings
    from nosend.store.overview import BytesKept, Sighting, State

_KEEP_DAYS = 365  # without a configuration


@dataclass(frozen=True, slots=True)
class Picture:
    """How it was at one moment; `sightings` are Amazon's mails of the last so many days (`health.DAYS`)."""

    state: State
    sightings: dict[int, tuple[Sighting, ...]]
    kept: BytesKept


def look(database: Path, settings: Settings | None, now: datetime) -> Picture:
    """Read the picture out of a database. Raises what `Overview` raises."""
    age = timedelta(days=settings.keep_days if settings else _KEEP_DAYS)
    with Overview(database) as overview:
        return Picture(
            overview.state(),
            {days: overview.sightings(now - timedelta(days=days)) for days in health.DAYS},
            overview.bytes_kept(now - age + health.SOON),
        )
