"""How it is, told to the outside: programs that watch nosend, and systemd.

`picture` reads how it is; `metrics` writes it for Prometheus, `endpoint` answers with it over HTTP; `changes` runs a
command for each change; `heartbeat` and `systemd` tell that every worker is alive.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from nosend.errors import NosendError
from nosend.export import files
from nosend.monitor import changes, heartbeat, metrics
from nosend.monitor.picture import look

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nosend.config import Settings


def after_round(
    settings: Settings,
    store: changes.Told,
    environment: Mapping[str, str],
    now: datetime,
    patience: timedelta = timedelta(0),
) -> tuple[NosendError, ...]:
    """Write the metrics, and tell what changed; a mailbox is down when its trouble has lasted for `patience`.

    Gives what went wrong with it: the rounds themselves are done and stand. Reads a good part of the database: to be
    called at most once a minute, by one thread.
    """
    file, command = settings.monitor.metrics_file, settings.monitor.on_change_command
    troubles: list[NosendError] = []
    if not file and not command:
        return ()
    try:
        picture = look(settings.database, settings, now)
    except NosendError as trouble:
        return (trouble,)
    if file:
        try:
            files.replace(file, [metrics.text(picture, settings)], mode=0o644)
        except NosendError as trouble:
            troubles.append(trouble)
    if command:
        try:
            found = changes.untold(changes.present(picture, settings, now, patience), store.told(), changes.up(picture))
            changes.tell(found, command, store, changes.without_secrets(environment, settings))
        except NosendError as trouble:
            troubles.append(trouble)
    return tuple(troubles)


def alive(settings: Settings) -> None:
    """Touch the heartbeat file, after a round in which every server answered; the daemon has `Heartbeat` for it."""
    if settings.monitor.heartbeat_file:
        heartbeat.touch(settings.monitor.heartbeat_file)


def exposition(settings: Settings, now: datetime) -> str:
    """Give the metrics as they are now. Raises what `Overview` raises."""
    return metrics.text(look(settings.database, settings, now), settings)
