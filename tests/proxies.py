"""A relay between client and server that changes what the server says."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def without_capability(port: int, name: bytes) -> Iterator[int]:
    """Give a port that speaks as `port` does, but never names a capability."""

    def copy(source: socket.socket, target: socket.socket, instead: bytes) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data.replace(b" " + name, instead))
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def relay(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            upwards = threading.Thread(target=copy, args=(near, far, b" " + name))
            upwards.start()
            copy(far, near, b"")
            upwards.join()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                relays.append(threading.Thread(target=relay, args=(listener.accept()[0],)))
                relays[-1].start()

    relays: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relays.append(threading.Thread(target=serve))
        relays[0].start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for thread in relays:
            thread.join(20)
