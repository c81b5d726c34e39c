"""How it is, told to the outside: programs that watch nosend, and systemd.

`picture` reads how it is; `metrics` writes it for Prometheus, `endpoint` answers with it over HTTP; `heartbeat` and
`systemd` tell that every worker is alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.errors import NosendError
from nosend.export import files
from nosend.monitor import heartbeat, metrics
from nosend.monitor.picture import look

if TYPE_CHECKING:
    from datetime import datetime

    from nosend.config import Settings


def after_round(settings: Settings, now: datetime) -> tuple[NosendError, ...]:
    """Write the metrics. Gives what went wrong with it: the round itself is done and stands."""
    try:
        if settings.monitor.metrics_file:
            files.replace(settings.monitor.metrics_file, [exposition(settings, now)], mode=0o644)
    except NosendError as trouble:
        return (trouble,)
    return ()


def alive(settings: Settings) -> None:
    """Touch the heartbeat file, after a round in which every server answered; the daemon has `Heartbeat` for it."""
    if settings.monitor.heartbeat_file:
        heartbeat.touch(settings.monitor.heartbeat_file)


def exposition(settings: Settings, now: datetime) -> str:
    """Give the metrics as they are now. Raises what `Overview` raises."""
    return metrics.text(look(settings.database, settings, now), settings)
