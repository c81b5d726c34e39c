"""Whether every worker is alive, and who is told so: the heartbeat file and systemd's watchdog.

Alive is who completed a round trip to its server: a process that runs, a socket that is open and a loop that turns
have all been seen in daemons that had stopped (imapclient #349, home-assistant #86407). The decisions, `late` and
`stuck`, are pure; `Heartbeat` keeps what was heard and carries them out.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nosend.monitor.systemd import Systemd

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What was heard of one worker, in seconds of one clock; None: nothing yet.

    `allowed` is how long it may take from one completed round trip to the next, `begun_at` when it began to count.
    """

    allowed: float
    begun_at: float
    beaten_at: float | None = None
    excused_at: float | None = None


def late(pulses: Mapping[str, Pulse], now: float) -> tuple[str, ...]:
    """Give the accounts whose server has not answered within the allowed time, or not yet."""
    return tuple(
        account
        for account, pulse in sorted(pulses.items())
        if pulse.beaten_at is None or now - pulse.beaten_at > pulse.allowed
    )


def stuck(pulses: Mapping[str, Pulse], now: float) -> tuple[str, ...]:
    """Give the accounts of whose worker nothing at all was heard within the allowed time: a restart may help.

    A worker that tells its trouble and waits is late, but not stuck.
    """
    return tuple(
        account
        for account, pulse in sorted(pulses.items())
        if now - max(pulse.begun_at, pulse.beaten_at or 0.0, pulse.excused_at or 0.0) > pulse.allowed
    )


class Heartbeat:
    """Listens to the workers; may be called from any thread.

    `allowed`: the seconds that each account's worker may take between two round trips. `clock` gives seconds that
    only grow. `file` is touched by a beat when nobody is late, the watchdog fed by a beat when nobody is stuck.
    """

    def __init__(
        self,
        allowed: Mapping[str, float],
        systemd: Systemd,
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._systemd, self.file, self._clock = systemd, file, clock
        self._lock = threading.Lock()
        self._pulses: dict[str, Pulse] = {}
        self.expect(allowed)

    def expect(self, allowed: Mapping[str, float]) -> None:
        """Expect these workers from now on, as after a change of the configuration; what was heard of them stands."""
        with self._lock:
            new = Pulse(0.0, self._clock())
            self._pulses = {
                account: replace(self._pulses.get(account, new), allowed=seconds)
                for account, seconds in allowed.items()
            }

    def beat(self, account: str) -> None:
        """Be told that the worker of an account completed a round trip to its server."""
        with self._lock:
            now = self._clock()
            self._hear(account, beaten_at=now)
            behind, silent = late(self._pulses, now), stuck(self._pulses, now)
        if not silent:
            self._systemd.feed()
        if not behind and self.file:
            touch(self.file)

    def excuse(self, account: str) -> None:
        """Be told that the worker of an account is in trouble, has said so and tries again: late, but not stuck."""
        with self._lock:
            self._hear(account, excused_at=self._clock())

    def late(self) -> tuple[str, ...]:
        """Give the accounts that are late now, for the health URL."""
        with self._lock:
            return late(self._pulses, self._clock())

    def _hear(self, account: str, **at: float) -> None:
        if account in self._pulses:  # else its worker ends just now
            self._pulses[account] = replace(self._pulses[account], **at)


def touch(file: Path) -> None:
    """Touch the heartbeat file; when that fails its age says so, and the log why."""
    try:
        file.touch(mode=0o644)
    except OSError as error:
        log.warning(
            "heartbeat_file %r cannot be touched (%s): name one in a folder that is there", str(file), error.strerror
        )
