"""Changes of the list are sent to the sinks: by a thread each, so that a slow one holds up nobody else.

What comes next stands in the outbox (`store.outbox`), how it is sent in `export.sinks`; here is decided when it is sent
again, and when no more. A change that failed gives way to those of other keys; after two failures in a row the sink
itself is taken to be down, and rests.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from nosend.errors import DestinationError, NosendError
from nosend.export import cloudevent, sinks
from nosend.export.sinks import Attempt, Outcome
from nosend.identifiers import one_line
from nosend.judging import now
from nosend.mailbox import secret
from nosend.monitor.changes import without_secrets
from nosend.store.parcel import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from nosend.config import Settings, Sink
    from nosend.export.cloudevent import Envelope
    from nosend.export.sinks import Answer
    from nosend.store.parcel import Parcel

    Send = Callable[[Envelope, Attempt], Answer]

_log = logging.getLogger(__name__)

SECONDS = 15.0  # for an attempt, as Standard Webhooks advises
DAYS = timedelta(days=3)  # after which a change that was tried in vain is parked
LONGEST_DELAY = 3600.0  # seconds from one attempt to the next; the first is one
_LONGEST_WAIT = 86_400.0  # seconds that a receiver can ask for by Retry-After
_LEASE = timedelta(seconds=2 * SECONDS)  # after which nothing more is expected of an attempt
_LOOK_OUT = 1.0  # seconds from one look at the list to the next
_OF_A_ROUND = 30.0  # seconds for all that follows a round of `sync`; in its last SECONDS no attempt is begun
_TO_LEAVE = 1.0  # seconds for an attempt that was cut off


class Outbox(Protocol):
    """What is needed of a store: `store.outbox`."""

    def know(self, names: Iterable[str]) -> None:
        """Remember sinks that were not known: they get what changes from now on."""

    def claim(self, sink: str, by: str, now: datetime, until: datetime) -> Parcel | None:
        """Give what a sink gets next, for nobody else until `until`."""

    def delivered(self, parcel: Parcel) -> None:
        """Write down that a parcel arrived."""

    def failed(self, parcel: Parcel, failure: Failure, now: datetime, oldest: datetime) -> None:
        """Write down that a parcel did not arrive; what was tried in vain since `oldest` or longer is parked."""

    def park(self, parcel: Parcel, why: str, now: datetime) -> None:
        """Send nothing more to the sink of a parcel."""

    def release(self, by: str) -> None:
        """Give back what somebody has claimed."""


def delay(failures: int) -> float:
    """Give how many seconds to wait after so many failures, at most: 1, 2, 4 ... 3600; after none, none."""
    return min(LONGEST_DELAY, 2.0 ** min(failures - 1, 20)) if failures > 0 else 0.0


def failure(parcel: Parcel, answer: Answer, at: datetime) -> Failure:
    """Say what follows from an attempt that failed: when the change, and when anything at all, is sent again."""
    rest = _jittered(delay(parcel.failures))  # the first failure may be the change's own: others are tried at once
    if answer.wait:
        rest = max(rest, min(answer.wait, _LONGEST_WAIT) + 1)  # the database rounds down
    return Failure(
        answer.why,
        change_due=at + timedelta(seconds=_jittered(delay(parcel.attempts + 1))),
        sink_due=at + timedelta(seconds=rest),
        is_final=answer.outcome is Outcome.REFUSED,
    )


def _jittered(seconds: float) -> float:
    return random.uniform(seconds / 2, seconds)  # noqa: S311 - so that not all come back at once


def sender(sink: Sink, settings: Settings, environment: Mapping[str, str]) -> Send:
    """Give how a change is sent to a sink. A command does not see nosend's secrets."""
    if sink.command:
        clean = without_secrets(environment, settings)
        return lambda envelope, attempt: sinks.run(sink.command, envelope, clean, attempt)
    return _Webhook(sink, environment)


class _Webhook:
    """Sends to a URL. The secret is kept until something fails: it may have been changed then."""

    def __init__(self, sink: Sink, environment: Mapping[str, str]) -> None:
        self._sink, self._environment = sink, environment
        self._key = b""

    def __call__(self, envelope: Envelope, attempt: Attempt) -> Answer:
        answer = sinks.post(self._sink.url, envelope, self._signing_key, attempt)
        if answer.outcome is not Outcome.DELIVERED:
            self._key = b""
        return answer

    def _signing_key(self) -> bytes:
        if not self._key and self._sink.secret:
            text = secret.read(self._sink.secret, f"sink {self._sink.name!r}", self._environment)
            self._key = cloudevent.key_of(text)
        return self._key


class Courier(threading.Thread):
    """Sends to one sink: what is due now, or, while it `stays`, whatever changes until it is ended.

    `parked` counts what was refused for good, `failing` says why nothing arrives since the last success.
    """

    def __init__(self, sink: Sink, outbox: Outbox, send: Send, *, stays: bool) -> None:
        super().__init__(name=f"sink {sink.name}", daemon=True)
        self.sink, self.parked, self.failing = sink, 0, ""
        self._outbox, self._send, self._stays = outbox, send, stays
        self._me = uuid.uuid4().hex
        self._is_ending, self._is_cut, self._has_ended = (threading.Event() for _ in range(3))

    def end(self) -> None:
        """Let it end after the attempt at hand."""
        self._is_ending.set()

    def cut(self) -> None:
        """Cut the attempt at hand off: what becomes of it is not known, and it is made again another time."""
        self._is_cut.set()

    def wait(self, seconds: float) -> None:
        """Wait for its end. A `join` that a signal's exception broke off takes a thread for ended (Python 3.11)."""
        self._has_ended.wait(seconds)

    def run(self) -> None:
        """Send what is due, again and again."""
        while not self._is_ending.is_set():
            if not self._turn():
                if not self._stays:
                    break
                self._is_ending.wait(_LOOK_OUT)
        self._has_ended.set()

    def _turn(self) -> bool:
        """Make one attempt, if something is due; tells whether one was made. Raises nothing."""
        try:
            at = now()
            parcel = self._outbox.claim(self.sink.name, self._me, at, at + _LEASE)
            if parcel:
                self._attempt(parcel, at)
        except NosendError as trouble:  # of the store
            self._tell(one_line(str(trouble)))
            return False
        except Exception:  # noqa: BLE001 - as in the daemon's workers: else a sink would end in silence
            if not self._is_ending.is_set():  # else the database is closed by now
                _log.exception("a fault of nosend, please report it:")
            return False
        return parcel is not None

    def _attempt(self, parcel: Parcel, at: datetime) -> None:
        envelope = cloudevent.of(parcel.change, parcel.entry)
        answer = self._send(envelope, Attempt(at, SECONDS, self._is_cut.is_set))
        ended = now()
        if answer.outcome is Outcome.DELIVERED:
            self._outbox.delivered(parcel)
            self._tell("")
        elif self._is_cut.is_set():
            self._outbox.release(self._me)
        elif answer.outcome is Outcome.GONE:
            self._outbox.park(parcel, answer.why, ended)
            self._tell(f"{answer.why}; `nosend outbox retry {self.sink.name}` begins again")
        else:
            self._outbox.failed(parcel, failure(parcel, answer, ended), ended, ended - DAYS)
            if answer.outcome is Outcome.REFUSED:
                self.parked += 1
                self._log(f"change {parcel.change.seq} is parked: {answer.why}; `nosend outbox` lists what is")
            else:
                self._tell(f"{answer.why}: what waits is sent again later")

    def _tell(self, failing: str) -> None:
        """Log a failure once, and the end of it."""
        if failing and failing != self.failing:
            self._log(failing)
        elif self.failing and not failing and self._stays:
            _log.info("sink %r is sent to again", self.sink.name)
        self.failing = failing

    def _log(self, words: str) -> None:
        if self._stays:  # else whoever started it tells
            _log.warning("sink %r: %s", self.sink.name, words)


def deliver(settings: Settings, outbox: Outbox, environment: Mapping[str, str]) -> tuple[NosendError, ...]:
    """Send what is due to all sinks, for half a minute at most, and give the troubles; the next run does the rest."""
    couriers = [Courier(one, outbox, sender(one, settings, environment), stays=False) for one in settings.sinks]
    for courier in couriers:
        courier.start()
    try:
        _wait(couriers, _OF_A_ROUND - SECONDS)
        for courier in couriers:
            courier.end()
        _wait(couriers, SECONDS)
    finally:  # SIGTERM comes as an exception
        for courier in couriers:
            courier.end()
            courier.cut()
        _wait(couriers, _TO_LEAVE)
    return tuple(trouble for courier in couriers for trouble in _troubles(courier))


def _wait(couriers: Iterable[Courier], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for courier in couriers:
        courier.wait(max(0.0, deadline - time.monotonic()))


def _troubles(courier: Courier) -> list[DestinationError]:
    told = [f"{courier.parked} changes were refused and are parked: `nosend outbox` lists them"] * bool(courier.parked)
    told += [courier.failing] * bool(courier.failing)
    return [DestinationError(f"sink {courier.sink.name!r}: {one}") for one in told]
