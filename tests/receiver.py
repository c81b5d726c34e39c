"""A receiver of webhooks on a real socket, which does what it is told: answers, refuses, hangs, talks garbage, dies."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HANG, GARBAGE, DIE, DRIP = "hang", "garbage", "die", "drip"


@dataclass(frozen=True)
class Received:
    """One request, and what it was answered: a status, or one of the words above."""

    headers: dict[str, str]
    body: bytes
    answer: int | str

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def seq(self) -> int:
        return self.event["data"]["seq"]


class Receiver:
    """Listens on 127.0.0.1, by TLS with a certificate for localhost and its key.

    `answer` says what the next request gets, by its number from 0 on and its CloudEvent.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self._certificate = certificate
        self.requests: list[Received] = []
        self.answer: Callable[[int, dict], int | str] = lambda number, event: 204
        self.headers: dict[str, str] = {}
        self.port = 0
        self.begun = threading.Event()  # a request has come
        self.freed = threading.Event()  # what hangs may end
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        place = "https://localhost" if self._certificate else "http://127.0.0.1"
        return f"{place}:{self.port}/in?token=hush"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.freed.set()
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.handle(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        if self._certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        with self._lock:
            answer = self.answer(len(self.requests), json.loads(body))
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.requests.append(Received(headers, body, answer))
        self.begun.set()
        request.close_connection = True
        if answer == HANG:
            self.freed.wait()
        elif answer == GARBAGE:
            request.wfile.write(b"\x00\xffSSH-2.0 what\r\n\r\n")
        elif answer == DRIP:
            request.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.freed.wait(0.1):
                try:
                    request.wfile.write(b"X-More: 1\r\n")
                except OSError:
                    return
        elif isinstance(answer, int):
            request.send_response(answer)
            for name, value in self.headers.items():
                request.send_header(name, value)
            request.end_headers()

    def arrived(self) -> list[int]:
        """Give the numbers of the changes that were taken, in the order in which they were."""
        return [one.seq for one in self.requests if one.answer in range(200, 300)]
