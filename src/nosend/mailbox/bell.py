"""Wakes whoever waits: for a thread that waits for its server and must hear of other things, too."""

from __future__ import annotations

import contextlib
import select
import socket


class Bell:
    """Rung from any thread; heard by the one thread that waits for it.

    A ring that comes before the waiting is not lost. It is a pair of sockets, so that it can be polled beside another.
    """

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.settimeout(0)
        self._far.settimeout(0)

    @property
    def rope(self) -> int:
        """Give the descriptor that rings it by a byte written to it, for signal.set_wakeup_fd."""
        return self._far.fileno()

    def ring(self) -> None:
        """Wake the waiting thread, or let it not wait the next time."""
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody waits
            self._far.send(b"!")

    def wait(self, seconds: float, beside: int | None = None) -> bool:
        """Wait until it rings, something can be read from the descriptor `beside`, or the time is over.

        Gives whether it rang.
        """
        poller = select.poll()
        poller.register(self._near, select.POLLIN)
        if beside is not None:
            poller.register(beside, select.POLLIN)
        rang = any(one == self._near.fileno() for one, _ in poller.poll(max(0.0, seconds) * 1000))
        if rang:
            with contextlib.suppress(BlockingIOError):
                while self._near.recv(4096):
                    pass
        return rang

    def close(self) -> None:
        """Give it back; whoever rings it later rings in vain."""
        self._near.close()
        self._far.close()
