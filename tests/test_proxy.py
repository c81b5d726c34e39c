"""The faults of the relay are what they are called, as a client sees them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from proxy import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Relay to a server that says ten letters and then repeats what it hears."""

    def echo(line: socket.socket) -> None:
        with line:
            line.sendall(b"abcdefghij")
            while data := line.recv(100):
                line.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                while True:
                    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        with Proxy(listener.getsockname()[1]) as relay:
            yield relay
        listener.shutdown(socket.SHUT_RDWR)


def connected(proxy: Proxy) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", proxy.port))
    line.settimeout(0.5)
    return line


def heard(line: socket.socket, number: int) -> bytes:
    """Hear so many bytes, or as many as come to the end."""
    data = b""
    while len(data) < number and (more := line.recv(100)):
        data += more
    return data


def test_counts(proxy: Proxy) -> None:
    with connected(proxy) as line:
        assert heard(line, 10) == b"abcdefghij"
        line.sendall(b"xyz")
        assert heard(line, 3) == b"xyz"
    assert (proxy.connections, proxy.down, proxy.up, proxy.round_trips) == (1, 13, 3, 1)


def test_refused_and_allowed_again(proxy: Proxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.allow()
    with connected(proxy) as line:
        assert heard(line, 10) == b"abcdefghij"


def test_silent(proxy: Proxy) -> None:
    proxy.silent = True
    with connected(proxy) as line, pytest.raises(TimeoutError):
        line.recv(1)


def test_fin_is_an_end_and_rst_a_reset(proxy: Proxy) -> None:
    with connected(proxy) as line:
        heard(line, 10)
        proxy.cut()
        assert line.recv(1) == b""
    with connected(proxy) as line:
        heard(line, 10)
        proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            line.recv(1)


def test_a_buried_line_says_nothing_more(proxy: Proxy) -> None:
    with connected(proxy) as line:
        heard(line, 10)
        proxy.bury()
        line.sendall(b"anybody?")
        with pytest.raises(TimeoutError):
            line.recv(1)


def test_cut_after_bytes_of_either_side_once(proxy: Proxy) -> None:
    proxy.cut_after = 7
    with connected(proxy) as line:
        assert heard(line, 10) == b"abcdefg"
    proxy.cut_after_client = 2
    with connected(proxy) as line:
        heard(line, 10)
        line.sendall(b"xyz")
        assert heard(line, 3) in (b"xy", b"")
    with connected(proxy) as line:
        assert heard(line, 10) == b"abcdefghij"


def test_slow_and_late(proxy: Proxy) -> None:
    proxy.per_second = 20
    begun_at = time.monotonic()
    with connected(proxy) as line:
        line.settimeout(5)
        assert heard(line, 10) == b"abcdefghij"
    assert 0.4 < time.monotonic() - begun_at < 3
    proxy.per_second, proxy.delay = 0, 0.4
    begun_at = time.monotonic()
    with connected(proxy) as line:
        line.settimeout(5)
        assert heard(line, 10) == b"abcdefghij"
    assert 0.3 < time.monotonic() - begun_at < 3
