"""One attempt to send a change: to a command on its standard input, or by a POST. Neither waits longer than allowed."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import time
import urllib.error
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from nosend import web
from nosend.errors import NosendError
from nosend.export import cloudevent
from nosend.identifiers import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from nosend.export.cloudevent import Envelope

_REFUSES = os.EX_DATAERR  # 65, sysexits.h
_PASSING = {408, 425, 429}  # of the answers 4xx: not now
_GONE = 410  # Standard Webhooks: send no more
_BUSY = {429, 503}


class Outcome(StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"  # try again
    REFUSED = "refused"  # this one not again
    GONE = "gone"  # nothing more


class Answer(NamedTuple):
    """What became of an attempt, and why; `wait`: seconds that the receiver asked for."""

    outcome: Outcome
    why: str = ""
    wait: float = 0.0


class Attempt(NamedTuple):
    """How long an attempt may last, in seconds of which `gives_up` may cut some off, and when it was begun."""

    now: datetime
    seconds: float
    gives_up: Callable[[], bool] = lambda: False


def run(command: Sequence[str], envelope: Envelope, environment: Mapping[str, str], attempt: Attempt) -> Answer:
    """Run a command with the change on its standard input. Who lasts too long is killed, with all that it started."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # ours is data
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        return Answer(Outcome.FAILED, f"{command[0]!r} cannot be run ({error.strerror}): name it by its whole path")
    deadline, given = time.monotonic() + attempt.seconds, [envelope.body + b"\n"]
    with process:
        while process.poll() is None:
            if time.monotonic() >= deadline or attempt.gives_up():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                return Answer(Outcome.FAILED, f"did not end in {attempt.seconds:g} s")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(given.pop() if given else None, timeout=web.SLICE)
    if process.returncode == 0:
        return Answer(Outcome.DELIVERED)
    outcome = Outcome.REFUSED if process.returncode == _REFUSES else Outcome.FAILED
    return Answer(outcome, f"ended with {process.returncode}")


def post(url: str, envelope: Envelope, key: Callable[[], bytes], attempt: Attempt) -> Answer:
    """Send a change to a webhook; `key` gives what it is signed with. No word of the URL, or of the answer, is told."""

    def exchange() -> web.Reply:
        headers = cloudevent.headers(envelope, key(), int(attempt.now.timestamp()))
        return web.post(url, envelope.body, headers, attempt.seconds)

    try:
        reply = web.within(attempt.seconds, exchange, attempt.gives_up)
    except NosendError as trouble:  # of the secret
        return Answer(Outcome.FAILED, one_line(str(trouble)))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(Outcome.FAILED, _words(error, attempt.seconds))
    if 200 <= reply.status < 300:
        return Answer(Outcome.DELIVERED)
    why = f"answered {reply.status}"
    if reply.status == _GONE:
        return Answer(Outcome.GONE, f"{why}: it wants nothing more")
    if 400 <= reply.status < 500 and reply.status not in _PASSING:
        return Answer(Outcome.REFUSED, why)
    wait = _retry_after(reply.headers.get("Retry-After", ""), attempt.now) if reply.status in _BUSY else 0.0
    return Answer(Outcome.FAILED, why, wait)


def _retry_after(value: str, now: datetime) -> float:
    """Read Retry-After (RFC 9110, 10.2.3), as seconds from now on; what cannot be read asks for nothing."""
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _words(error: Exception, seconds: float) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({reason.verify_message}): name its CA in $SSL_CERT_FILE"
    if isinstance(reason, TimeoutError):
        return f"did not answer in {seconds:g} s"
    if isinstance(reason, http.client.HTTPException | ValueError):
        return "gave an answer that cannot be read"
    return f"cannot be reached ({getattr(reason, 'strerror', None) or type(reason).__name__})"
