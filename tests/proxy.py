"""A TCP relay between nosend and a server, with faults that are switched while it runs."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time


class _Pair:
    """One connection: the client's end and the server's."""

    def __init__(self, near: socket.socket, far: socket.socket | None) -> None:
        self.near, self.far = near, far
        self.is_dead = False  # nothing passes any more, and nobody is told
        self.is_reset = False
        self.lock = threading.Lock()
        self.down = self.up = 0

    def end(self, *, reset: bool = False) -> None:
        """End it for both; it is closed, which sends the RST, once nobody reads it any more."""
        with self.lock:  # a descriptor that is closed meanwhile may be another socket's by now
            self.is_reset |= reset
            for one in (self.near, self.far):
                if one:
                    with contextlib.suppress(OSError):
                        if self.is_reset and one is self.near:
                            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            one.shutdown(socket.SHUT_RD)
                        else:
                            one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self.lock:
            for one in (self.near, self.far):
                if one:
                    one.close()


class Proxy:
    """Listens on `port`. Faults are attributes; what is switched counts for all that passes from then on.

    `silent`: new connections are accepted and nothing is said. `cut_after`, `cut_after_client`: bytes of the server, of
    the client, after which the next connection is cut, once. `per_second`: bytes of the server. `delay`: seconds that
    its words are late. `replace`: a function of what the server says.
    Counts connections, bytes by direction, and round trips: how often the client speaks after the server.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.silent = False
        self.cut_after: int | None = None
        self.cut_after_client: int | None = None
        self.per_second = 0
        self.delay = 0.0
        self.replace = lambda data: data
        self.connections = self.down = self.up = self.round_trips = 0
        self._server_spoke = False
        self._pairs: list[_Pair] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._serve()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(20)

    def _serve(self) -> None:
        self._threads.append(threading.Thread(target=self._accept, args=(self._listener,), daemon=True))
        self._threads[-1].start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._relay, args=(near,), daemon=True))
                self._threads[-1].start()

    def _relay(self, near: socket.socket) -> None:
        far = None
        if not self.silent:
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                return
        pair = _Pair(near, far)
        self._pairs.append(pair)
        if far is None:
            with contextlib.suppress(OSError):
                while near.recv(4096):
                    pass
        else:
            upwards = threading.Thread(target=self._upwards, args=(pair,), daemon=True)
            upwards.start()
            self._downwards(pair)
            pair.end()
            upwards.join(20)
        pair.close()

    def _upwards(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while data := pair.near.recv(65536):
                if pair.is_dead:
                    continue
                if self.cut_after_client is not None and pair.up + len(data) >= self.cut_after_client:
                    data, self.cut_after_client = data[: self.cut_after_client - pair.up], None
                    pair.far.sendall(data)
                    break
                pair.up += len(data)
                self.up += len(data)
                self.round_trips += self._server_spoke
                self._server_spoke = False
                pair.far.sendall(data)
        pair.end()

    def _downwards(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while data := pair.far.recv(65536):
                if pair.is_dead:
                    continue
                time.sleep(self.delay)
                data = self.replace(data)
                while self.per_second and data:
                    some, data = data[: self.per_second], data[self.per_second :]
                    time.sleep(len(some) / self.per_second)
                    self._say(pair, some)
                if self.cut_after is not None and pair.down + len(data) >= self.cut_after:
                    data, self.cut_after = data[: self.cut_after - pair.down], None
                    pair.near.sendall(data)
                    return
                self._say(pair, data)
            return
        pair.end()

    def _say(self, pair: _Pair, data: bytes) -> None:
        pair.down += len(data)
        self.down += len(data)
        self._server_spoke = True
        pair.near.sendall(data)

    def refuse(self) -> None:
        """Take no connections any more; those that are there stay."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def allow(self) -> None:
        """Take connections again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def cut(self, *, reset: bool = False) -> None:
        """Cut all connections, with FIN or with RST."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.end(reset=reset)

    def bury(self) -> None:
        """Let the connections that are there die in silence: no byte passes, nobody is told."""
        for pair in self._pairs:
            pair.is_dead = True
