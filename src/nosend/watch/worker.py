"""One mailbox's thread: a round, the news of how it fared, a wait; and again.

It keeps its connection from round to round. Whatever breaks, the mailbox is tried again: after 1, 2, 4 ... 300 s, and
never given up.
"""

from __future__ import annotations

import contextlib
import logging
import random
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nosend import service
from nosend.errors import ConfigError, MailboxBusyError, MailboxRefusedError, MailboxUnreachableError, NosendError
from nosend.identifiers import one_line
from nosend.judging import Judging
from nosend.mailbox import dkim, login
from nosend.mailbox.bell import Bell
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.line import Line
from nosend.mailbox.reading import AT_ONCE
from nosend.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nosend.config import Mailbox
    from nosend.monitor.heartbeat import Heartbeat
    from nosend.verdict.rules import Rules
    from nosend.visit import Store

_log = logging.getLogger(__name__)

LONGEST_DELAY = 300.0  # seconds from one attempt to the next, and after the first failure of each kind:
_FIRST_DELAY, _REFUSED_DELAY, _BUSY_DELAY = 1.0, 30.0, 60.0
_HELD = 30.0  # seconds of waiting, or a whole wait, after which a line that breaks is no failure like the one before
_AFTER_A_ROUND = 4  # failures that still count, at most, after a round that went through: then it is 16 s
_BETWEEN_ROUNDS = 1.0  # seconds at least, whatever the server says
_SERVERS_WORDS = re.compile(r"\(.*\)")  # in a message: seconds and numbers of sessions, other ones each time
_BETWEEN_PROGRESS = 30.0  # seconds from one line of the log to the next


class Stopped(BaseException):
    """The daemon ends; raised between two batches, so that nothing is half done."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker has to do: read this mailbox by these rules, at least every `poll_seconds`, `at_once` mails."""

    mailbox: Mailbox
    rules: Rules
    poll_seconds: int
    at_once: int = AT_ONCE


def delay(failures: int, trouble: NosendError | None) -> float:
    """Say how many seconds to wait at most after so many failures in a row.

    A refused log-in is not soon taken, and a server that is asked too often answers the later the more it is asked.
    """
    first = _FIRST_DELAY
    if isinstance(trouble, MailboxBusyError):
        first = _BUSY_DELAY
    elif isinstance(trouble, MailboxRefusedError | ConfigError):
        first = _REFUSED_DELAY
    return min(LONGEST_DELAY, first * 2.0 ** min(failures - 1, 10))


class Worker(threading.Thread):
    """Reads one mailbox until it is ended. `order` may be exchanged at any time; `nudge` lets it look at once.

    `after_round` is called after each round, whatever came of it; it must not take long.
    """

    def __init__(
        self,
        order: Order,
        store: Store,
        heartbeat: Heartbeat,
        environment: Mapping[str, str],
        after_round: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=order.mailbox.account, daemon=True)
        self.order = order
        self._store, self._heartbeat, self._environment = store, heartbeat, environment
        self._after_round = after_round
        self._bell = Bell()
        self._is_ending = False
        self._inbox: ImapMailbox | None = None
        self._connected_by: Mailbox | None = None
        self._line = Line()
        self._failures = 0
        self._told: frozenset[str] = frozenset()
        self._progress_told_at = 0.0

    def nudge(self) -> None:
        """Let it look again now, whatever it waits for."""
        self._bell.ring()

    def end(self) -> None:
        """Let it end after the batch at hand."""
        self._is_ending = True
        self._bell.ring()

    def cut(self) -> None:
        """Cut its connection: what it is waiting for will not come."""
        self._line.cut()

    def run(self) -> None:
        """Go round until it is ended, then log out."""
        self._rest(random.uniform(0.0, _BETWEEN_ROUNDS))  # noqa: S311 - so that not all log in at once
        with contextlib.suppress(Stopped):
            while not self._is_ending:
                begun_at = time.monotonic()
                self._turn()
                self._rest(begun_at + _BETWEEN_ROUNDS - time.monotonic())
        self._log_out()
        self._bell.close()

    def _turn(self) -> None:
        """Do a round and wait, for news or for the next attempt. Raises nothing but Stopped."""
        try:
            troubles = self._round()
            self._tell(troubles)
            if self._inbox is None:
                self._back_off(next(iter(troubles), None))
            else:
                # what breaks again and again is good for reading in between, and not to be logged in to every second
                self._failures = min(self._failures, _AFTER_A_ROUND)
                self._wait(self._inbox)
        except NosendError as trouble:  # of the store
            self._tell((trouble,))
            self._back_off(trouble)
        except Exception:  # noqa: BLE001 - the daemon's one boundary: a fault must not end a mailbox's thread in silence
            _log.exception("a fault of nosend, please report it:", extra=self._extra)
            self._drop()
            self._back_off(None)

    def _round(self) -> tuple[NosendError, ...]:
        """Do a round; gives its troubles. Raises what the store raises."""
        order = self.order
        self._progress_told_at = time.monotonic()
        verifier = dkim.Verifier() if dkim.installed() else None
        judging = Judging(order.mailbox.trust, order.rules, verifier)
        visit = Visit(order.mailbox, judging, self._store, self._progress, self._connection, at_once=order.at_once)
        try:
            return service.one_round(visit).troubles
        finally:
            self._after_round()  # what was committed before a trouble of the store, too

    @contextlib.contextmanager
    def _connection(self) -> Iterator[ImapMailbox]:
        """Give the connection that is there, or a new one; it stays, unless what is done with it fails."""
        mailbox = self.order.mailbox
        if mailbox != self._connected_by:
            self._log_out()
        if self._inbox is None:
            self._line = Line()
        if self._is_ending:  # after there is a line that can be cut
            raise Stopped
        try:
            if self._inbox is None:
                credentials = login.credentials(mailbox, self._environment)
                self._inbox, self._connected_by = ImapMailbox(mailbox, credentials, self._line), mailbox
            yield self._inbox
        except Stopped:
            raise
        except BaseException:
            self._drop()
            if self._is_ending:
                raise Stopped from None  # it may be us who cut it
            raise

    def _wait(self, inbox: ImapMailbox) -> None:
        """Wait for news. That the line breaks meanwhile is no trouble until the next connection fails, too."""
        self._heartbeat.beat(self.name)
        begun_at, longest = time.monotonic(), self.order.poll_seconds
        try:
            inbox.wait(self._bell, longest)
        except (MailboxUnreachableError, MailboxRefusedError) as broken:
            self._drop()
            if time.monotonic() - begun_at >= min(longest, _HELD):
                self._failures = 0  # else a network that drops idle lines would be waited for ever longer
            if not self._is_ending:
                _log.info("the connection was lost (%s)", one_line(str(broken)), extra=self._extra)
                self._back_off(None)
        else:
            self._failures = 0
            self._heartbeat.beat(self.name)

    def _back_off(self, trouble: NosendError | None) -> None:
        self._failures += 1
        longest = delay(self._failures, trouble)
        seconds = random.uniform(longest / 2, longest)  # noqa: S311 - so that not all come back at once
        self._heartbeat.excuse(self.name)
        _log.debug("tries again in %.1f s", seconds, extra=self._extra)
        self._rest(seconds)

    def _rest(self, seconds: float) -> None:
        if not self._is_ending:  # else its ring may have been heard already
            self._bell.wait(seconds)

    def _tell(self, troubles: tuple[NosendError, ...]) -> None:
        """Log each trouble once, and the end of all."""
        told = {_SERVERS_WORDS.sub("", one_line(str(trouble))): trouble for trouble in troubles}
        for words, trouble in told.items():
            if words not in self._told:
                level = logging.WARNING if isinstance(trouble, MailboxUnreachableError) else logging.ERROR
                _log.log(level, "%s", one_line(str(trouble)), extra=self._extra)
        if self._told and not told:
            _log.info("is read again", extra=self._extra)
        self._told = frozenset(told)

    def _progress(self, label: str, done: int, total: int) -> None:
        if self._is_ending:
            raise Stopped
        self._heartbeat.beat(self.name)
        if time.monotonic() - self._progress_told_at >= _BETWEEN_PROGRESS:
            self._progress_told_at = time.monotonic()
            _log.info("%s: at %s of about %s", label, done, total)

    def _log_out(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox:
            inbox.close()

    def _drop(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox:
            inbox.drop()

    @property
    def _extra(self) -> dict[str, str]:
        return {"account": self.name}
