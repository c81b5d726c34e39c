"""Wakes whoever waits: for a thread that waits for its server and must hear of other things, too."""

from __future__ import annotations

import contextlib
import os
import select


class Bell:
    """Rung from any thread and from a signal handler; heard by the one thread that waits for it.

    A ring that comes before the waiting is not lost. It is a pipe, so that it can be polled beside a socket.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def ring(self) -> None:
        """Wake the waiting thread, or let it not wait the next time."""
        with contextlib.suppress(OSError):  # a full pipe rings already; a closed one has nobody to wake
            os.write(self._write, b"!")

    def wait(self, seconds: float, beside: int | None = None) -> bool:
        """Wait until it rings, something can be read from the descriptor `beside`, or the time is over.

        Gives whether it rang.
        """
        poller = select.poll()
        for one in (self._read, beside):
            if one is not None:
                poller.register(one, select.POLLIN)
        rang = any(one == self._read for one, _ in poller.poll(max(0.0, seconds) * 1000))
        if rang:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._read, 4096):
                    pass
        return rang

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._read)
        os.close(self._write)
