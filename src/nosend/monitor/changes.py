"""What changed since it was told last, and the command that is told so: `on_change_command`.

What is so now (`present`) and what must be told (`untold`) are pure; what was told stands in the database, so that a
restart tells nothing twice. A command that fails is run again at the next round.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from nosend import health
from nosend.errors import ConfigError, DestinationError
from nosend.store import rows
from nosend.store.told import DOWN, Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from nosend.config import Settings
    from nosend.monitor.picture import Picture

UP = "up"
EVENTS = (DOWN, UP, "template_changed", "account_restricted")
_SECONDS = 60  # for the command


class Told(Protocol):
    """What is needed of a store: what the command was told."""

    def told(self) -> tuple[Condition, ...]:
        """Give the conditions that were told and are not known to be over."""

    def tell(self, condition: Condition, *, over: bool = False) -> None:
        """Remember that a condition was told, or that it is over."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state: the event that is told, and the condition that began with it or is over."""

    event: str
    condition: Condition

    @property
    def is_over(self) -> bool:
        """Tell whether the condition is over."""
        return self.event != self.condition.name


def present(picture: Picture, settings: Settings, now: datetime, patience: timedelta) -> tuple[Condition, ...]:
    """Give what is so now; a mailbox is down when its trouble has lasted for `patience`."""
    oldest, since = rows.stamp(now - patience), rows.stamp(now)
    configured = {mailbox.account for mailbox in settings.mailboxes}
    down = [
        Condition(box.account, DOWN, box.trouble_since or since, box.trouble)
        for box in picture.state.mailboxes
        if box.trouble and box.account in configured and (box.trouble_since or since) <= oldest
    ]
    month = picture.sightings[max(health.DAYS)]
    changed = health.changed(picture.sightings).items()
    restricted = health.restricted(month, max(health.DAYS)).items()
    return (
        *down,
        *(Condition(account, "template_changed", since, why) for account, why in changed),
        *(Condition(account, "account_restricted", since, why) for account, why in restricted),
    )


def up(picture: Picture) -> dict[str, str]:
    """Give the mailboxes that are not in trouble, and since when that is known."""
    boxes = (box for box in picture.state.mailboxes if not box.trouble)
    return {box.account: box.last_success_at for box in boxes if box.last_success_at}


def untold(now_so: Iterable[Condition], was_told: Iterable[Condition], are_up: Mapping[str, str]) -> tuple[Change, ...]:
    """Give what began and was not told, and what was told and is over, in the order of accounts.

    A mailbox that was down is up again when it is among `are_up`: a trouble younger than the patience is no end of it.
    """
    so = {(one.account, one.name): one for one in now_so}
    told = {(one.account, one.name): one for one in was_told}
    began = [Change(one.name, one) for key, one in so.items() if key not in told]
    over = [
        Change(UP, replace(one, since=are_up[one.account], why=f"it is read again; it was down since {one.since}"))
        if one.name == DOWN
        else Change("", one)
        for key, one in told.items()
        if key not in so and (one.name != DOWN or one.account in are_up)
    ]
    return tuple(sorted(began + over, key=lambda change: (change.condition.account, change.event)))


def tell(changes: Sequence[Change], command: Sequence[str], store: Told, environment: Mapping[str, str]) -> None:
    """Run the command for each change and remember it.

    Raises ConfigError when it cannot be run, DestinationError when it fails; what was not told then is told the next
    time. A condition without an event of its end is only forgotten.
    """
    for change in changes:
        if change.event:
            _run(command, change, environment)
        store.tell(change.condition, over=change.is_over)


def _run(command: Sequence[str], change: Change, environment: Mapping[str, str]) -> None:
    condition = change.condition
    told = {"event": change.event, "account": condition.account, "since": condition.since, "why": condition.why}
    name = f"on_change_command {command[0]!r} for {change.event!r} of account {condition.account!r}"
    try:
        done = subprocess.run(
            command,
            input=json.dumps(told).encode() + b"\n",
            stdout=subprocess.DEVNULL,  # ours is data
            timeout=_SECONDS,
            env=dict(environment),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DestinationError(f"{name} did not end in {_SECONDS} s: it is run again after the next round") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be run ({error.strerror}): name a program by its whole path") from error
    if done.returncode:
        raise DestinationError(f"{name} ended with {done.returncode}: it is run again after the next round")


def without_secrets(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Give the environment of a command of the user's: all but the passwords and secrets, and systemd's socket."""
    places = [*(box.secrets for box in settings.mailboxes), *(sink.secrets for sink in settings.sinks)]
    private = {secret.value for secrets in places for secret in secrets if secret.place == "env"}
    private |= {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"}
    return {name: value for name, value in environment.items() if name not in private}
