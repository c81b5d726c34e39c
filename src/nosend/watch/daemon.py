"""Starts a worker for each mailbox and ends them; listens to signals; tells the outside how it is.

SIGTERM, SIGINT: end. SIGHUP: read the configuration again. SIGUSR1: look at every mailbox now.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import signal
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from nosend import config, delivery, monitor, service
from nosend.errors import ConfigError, NosendError, StoreUnavailableError
from nosend.identifiers import one_line
from nosend.judging import now
from nosend.mailbox.bell import Bell
from nosend.mailbox.reading import AT_ONCE
from nosend.monitor.endpoint import Endpoint
from nosend.monitor.heartbeat import Heartbeat
from nosend.monitor.systemd import Systemd
from nosend.store.ledger import Ledger
from nosend.store.outbox import Outbox
from nosend.verdict import rules
from nosend.watch.exporter import Exporter
from nosend.watch.worker import LONGEST_DELAY, Order, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nosend.config import Mailbox, Settings
    from nosend.delivery import Courier

    _Ending = Worker | Courier

_log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
_STORE_PATIENCE = 5.0  # seconds of waiting for another process's transaction: shorter than the end may take
_TO_FINISH, _TO_LEAVE = 5.0, 3.0  # seconds for the batch at hand; then, with the line cut, for the rest
_TO_EXPORT = 1.0  # and to write the exports: if that takes longer, the next run writes them
_LOOK_OUT = 60.0  # seconds from one look at how it is to the next
_DOWN_AFTER = timedelta(minutes=5)  # a trouble that passes sooner is told to nobody
_KEPT_AT_START = ("database", "metrics_listen")  # of the configuration: read at the start only
_AT_ONCE_OF_ALL, _LEAST_AT_ONCE = 20_000, 50  # mails in memory while all have much to read; of a mailbox at least
_FILES_EACH, _FILES_ELSE = 4, 200  # open files of a worker; of all else


class Daemon:
    """The daemon of one configuration; `run` once."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Read the language packs. Raises ConfigError when one is wrong."""
        self._settings, self._environment = settings, environment
        self._rules = rules.load(config.packs.sources(settings.packs))
        self._bell = Bell()
        self._caught: list[int] = []
        self._is_ending = threading.Event()
        self._systemd = Systemd(environment)
        self._heartbeat = Heartbeat({}, self._systemd, settings.monitor.heartbeat_file)
        self._exporter = Exporter(settings)
        self._workers: dict[str, Worker] = {}
        self._couriers: dict[str, Courier] = {}
        self._former: list[_Ending] = []

    def run(self) -> None:
        """Read the mailboxes until SIGTERM or SIGINT; within ten seconds of it all is over.

        Raises StoreRefusedError, StoreUnavailableError when the database cannot be opened or was replaced meanwhile,
        ConfigError when `metrics_listen` cannot be listened on. Only the main thread may call it: it takes the signals.
        """
        store = Ledger(self._settings.database, _STORE_PATIENCE)
        service.keep_names(self._settings, store)
        # a connection of its own: what is sent never waits for what comes in, nor the other way round
        self._outbox = Outbox(self._settings.database, _STORE_PATIENCE)
        with self._signals(), self._endpoint():
            self._exporter.start()
            self._outbox.know(sink.name for sink in self._settings.sinks)
            self._send()
            self._employ(store)
            threading.Thread(target=self._look_out, args=(store,), name="look-out", daemon=True).start()
            self._systemd.ready()
            _log.info("watches %s mailboxes", len(self._workers))
            while store.is_in_place() and not self._is_ending.is_set():
                self._bell.wait(_LOOK_OUT)
                self._answer(store)
            self._is_ending.set()
            self._systemd.stopping()
            in_place = store.is_in_place()
            if self._let_go():
                store.close()
                self._outbox.close()
        self._bell.close()
        if not in_place:
            raise StoreUnavailableError(
                f"database {str(self._settings.database)!r} was moved or replaced while nosend wrote to it: "
                "start it again"
            )

    def _answer(self, store: Ledger) -> None:
        caught, self._caught = self._caught, []
        if signal.SIGTERM in caught or signal.SIGINT in caught:
            self._is_ending.set()
        elif signal.SIGHUP in caught:
            self._reload(store)
        if signal.SIGUSR1 in caught:
            for worker in self._workers.values():
                worker.nudge()

    def _employ(self, store: Ledger) -> None:
        """Have one worker for each mailbox of the configuration, and no other."""
        settings = self._settings
        _allow_files(_FILES_EACH * len(settings.mailboxes) + _FILES_ELSE)
        self._heartbeat.expect({box.account: _allowed(box, settings.poll_seconds) for box in settings.mailboxes})
        portion = max(_LEAST_AT_ONCE, min(AT_ONCE, _AT_ONCE_OF_ALL // max(1, len(settings.mailboxes))))
        orders = {box.account: Order(box, self._rules, settings.poll_seconds, portion) for box in settings.mailboxes}
        for account in self._workers.keys() - orders.keys():
            worker = self._workers.pop(account)
            worker.end()
            self._former.append(worker)
        for account, order in orders.items():
            if account in self._workers:
                self._workers[account].order = order
                self._workers[account].nudge()
            else:
                self._workers[account] = Worker(order, store, self._heartbeat, self._environment, self._exporter.due)
                self._workers[account].start()

    def _send(self) -> None:
        """Have one courier for each sink of the configuration."""
        settings = self._settings
        sinks = {sink.name: sink for sink in settings.sinks}
        for name, courier in list(self._couriers.items()):
            if sinks.get(name) != courier.sink:
                courier.end()
                self._former.append(self._couriers.pop(name))
        for name, sink in sinks.items():
            if name not in self._couriers:
                send = delivery.sender(sink, settings, self._environment)
                self._couriers[name] = delivery.Courier(sink, self._outbox, send, stays=True)
                self._couriers[name].start()

    def _reload(self, store: Ledger) -> None:
        """Read the configuration and the packs again; what is wrong is refused, and all stays as it was."""
        self._systemd.reloading()
        old = self._settings
        try:
            new = config.load(old.path)
            known = rules.load(config.packs.sources(new.packs))
            if (new.database, new.monitor.metrics_listen) != (old.database, old.monitor.metrics_listen):
                raise ConfigError(f"{' or '.join(_KEPT_AT_START)} has changed: restart nosend for that")
            if not new.mailboxes:
                raise ConfigError(f"{new.path}: no [[mailbox]] any more: stop nosend if that is meant")
            service.keep_names(new, store)
            self._outbox.know(sink.name for sink in new.sinks)
        except NosendError as trouble:
            for line in str(trouble).splitlines():
                _log.error("the new configuration is refused, the old one stays: %s", line)
        else:
            self._settings, self._rules, self._exporter.settings = new, known, new
            self._heartbeat.file = new.monitor.heartbeat_file
            self._send()
            self._employ(store)
            _log.info("configuration read again: watches %s mailboxes", len(self._workers))
        self._systemd.ready()

    def _let_go(self) -> bool:
        """End all workers; gives whether all have ended. What one that has not was writing is rolled back."""
        workers = [*self._workers.values(), *self._couriers.values(), *self._former]
        for worker in workers:
            worker.end()
        _join(workers, _TO_FINISH)
        for worker in workers:
            if worker.is_alive():
                worker.cut()
        _join(workers, _TO_LEAVE)
        self._exporter.end()
        self._exporter.join(_TO_EXPORT)
        left = [worker.name for worker in workers if worker.is_alive()]
        if left:
            _log.warning("did not wait for the end of %s: the next run takes up what was begun", ", ".join(left))
        return not left

    def _look_out(self, store: Ledger) -> None:
        """Tell the outside how it is, minute by minute, and drop kept bytes that are too old."""
        told: tuple[str, ...] = ()
        while not self._is_ending.is_set():
            settings = self._settings
            try:
                service.keep_house(settings, store)
                self._exporter.due()
                found = monitor.after_round(settings, store, self._environment, now(), _DOWN_AFTER)
            except NosendError as trouble:
                found = (trouble,)
            except Exception:  # noqa: BLE001 - as in Worker: else metrics and commands would end in silence
                if self._is_ending.is_set():
                    return  # the database is closed by now
                _log.exception("a fault of nosend, please report it:")
                found = ()
            troubles = tuple(one_line(str(trouble)) for trouble in found)
            for line in troubles:
                if line not in told:
                    _log.error("%s", line)
            told = troubles
            late = self._heartbeat.late()
            self._systemd.status(f"{len(self._workers)} mailboxes; late: {', '.join(late) or 'none'}")
            self._is_ending.wait(_LOOK_OUT)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Take the signals; they are answered by the main thread, outside of the handler.

        The system may give a signal to any thread, and Python runs the handler in the main thread once that wakes: the
        byte that Python writes rings the bell for it.
        """
        before = {number: signal.signal(number, lambda caught, _: self._caught.append(caught)) for number in _SIGNALS}
        rope = signal.set_wakeup_fd(self._bell.rope, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(rope)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _endpoint(self) -> contextlib.AbstractContextManager[object]:
        address = self._settings.monitor.metrics_listen
        if address is None:
            return contextlib.nullcontext()
        return Endpoint(address, lambda: monitor.exposition(self._settings, now()), self._heartbeat.late)


def _allowed(mailbox: Mailbox, poll_seconds: int) -> float:
    """Say how many seconds may go by between two signs of life of a worker."""
    return poll_seconds + 6.0 * mailbox.timeout + LONGEST_DELAY


def _allow_files(number: int) -> None:
    """Raise this process's own limit of open files, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _join(workers: list[_Ending], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
