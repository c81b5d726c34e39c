"""The metrics and the health URL over HTTP, on loopback: /metrics and /healthz."""

from __future__ import annotations

import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from nosend.errors import ConfigError, NosendError
from nosend.monitor.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_SECONDS = 10  # for a client to say what it wants
_PLAIN = "text/plain; charset=utf-8"


class Endpoint:
    """Answers in threads of its own while it is used in a `with`.

    `metrics` gives the text of the metrics, `late` the accounts whose worker is late; both are called for each
    request, in any thread, and a NosendError of theirs is answered as 503. Raises ConfigError when the address cannot
    be listened on.
    """

    def __init__(
        self, address: tuple[str, int], metrics: Callable[[], str], late: Callable[[], tuple[str, ...]]
    ) -> None:
        host, port = address
        pages = {"/metrics": lambda: _metrics(metrics), "/healthz": lambda: _health(late)}
        try:
            self._server = _server(host)((host, port), lambda *args: _Handler(pages, *args))
        except OSError as error:
            raise ConfigError(
                f'metrics_listen = "{host}:{port}" cannot be listened on ({error.strerror}): name another port'
            ) from error
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


Page = tuple[HTTPStatus, str, str]  # status, type and text


def _metrics(metrics: Callable[[], str]) -> Page:
    return HTTPStatus.OK, CONTENT_TYPE, metrics()


def _health(late: Callable[[], tuple[str, ...]]) -> Page:
    if accounts := late():
        lines = (f"no answer from the server of {account} within its time\n" for account in accounts)
        return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, "".join(lines)
    return HTTPStatus.OK, _PLAIN, "ok\n"


def _server(host: str) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        block_on_close = False  # a client that says nothing would hold up the end

        def handle_error(self, *_: object) -> None:
            """Say nothing: the client hung up."""

    return Server


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    timeout = _SECONDS
    server_version = "nosend"
    sys_version = ""

    def __init__(self, pages: dict[str, Callable[[], Page]], *args: Any) -> None:
        self._pages = pages
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer with the page."""
        status, kind, text = self._page()
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _page(self) -> Page:
        page = self._pages.get(self.path.partition("?")[0])
        if page is None:
            return HTTPStatus.NOT_FOUND, _PLAIN, f"there are {' and '.join(self._pages)}\n"
        try:
            return page()
        except NosendError as trouble:
            return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, f"{trouble}\n"

    def log_message(self, form: str, *args: object) -> None:
        """Log a request for whoever looks for it."""
        log.debug(form, *args)
