"""A connection's socket, as others see it: it can be cut at any moment, by a deadline or from another thread.

A socket's timeout bounds one `recv`, not an answer: a server that drips a byte now and then would hold us for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class LateError(TimeoutError):
    """An answer was not whole when its time was up; `seconds` is that time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"no whole answer in {seconds:g} s")


class Line:
    """The socket of one connection, from before the greeting to the end. Safe to use from several threads."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._is_cut = False

    def opened(self, new: socket.socket) -> None:
        """Take a socket: the first, or the same under TLS."""
        self._socket = new
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """Cut it: whoever waits for the server gets an end of file or an error at once."""
        self._is_cut = True
        if self._socket:
            with contextlib.suppress(OSError):
                # not SSLSocket's own, which takes TLS away under a reader
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut it when the block has not ended after so long, and raise LateError instead of what that broke."""
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self.cut()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if is_late.is_set():
                raise LateError(seconds) from error
            raise
        finally:
            timer.cancel()
