"""The thread that rewrites the [[export]] targets after rounds: one at a time, and in nobody's way."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from nosend.export import targets
from nosend.identifiers import one_line
from nosend.judging import now

if TYPE_CHECKING:
    from nosend.config import Settings
    from nosend.errors import NosendError

_log = logging.getLogger(__name__)

_REST = 4.0  # times as long as the last writing took: however long the list is, the mailboxes have most of the time


class Exporter(threading.Thread):
    """Writes what `settings` name until it is ended; they may be exchanged at any time. Rounds call `due`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="exports", daemon=True)
        self.settings = settings
        self._due, self._is_ending = threading.Event(), threading.Event()
        self._told: frozenset[str] = frozenset()

    def due(self) -> None:
        """Say that the list may have changed."""
        self._due.set()

    def end(self) -> None:
        """Let it end, after it has looked once more."""
        self._is_ending.set()
        self._due.set()

    def run(self) -> None:
        """Write after each round, until it is ended; a killed or abandoned writing is done again by the next run."""
        while not self._is_ending.is_set():
            self._due.wait()
            self._due.clear()
            begun_at = time.monotonic()
            self._write()
            self._is_ending.wait(_REST * (time.monotonic() - begun_at))

    def _write(self) -> None:
        settings = self.settings
        if not settings.exports:
            return
        try:
            self._tell(targets.rewrite(settings.exports, settings.database, now()))
        except Exception:  # noqa: BLE001 - as in Worker: else the exports would stand still in silence
            _log.exception("a fault of nosend, please report it:")

    def _tell(self, troubles: tuple[NosendError, ...]) -> None:
        """Log each trouble once, and the end of all."""
        told = dict.fromkeys(one_line(str(trouble)) for trouble in troubles)
        for line in told:
            if line not in self._told:
                _log.error("%s", line)
        if self._told and not told:
            _log.info("the exports are written again")
        self._told = frozenset(told)
