"""One HTTP POST, with a deadline for all of it; certificates are checked, and no redirect is followed."""

from __future__ import annotations

import queue
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http.client import HTTPResponse

    Result = TypeVar("Result")

SLICE = 0.1  # seconds from one look at whether to give up to the next


class Reply(NamedTuple):
    """What a server answered; `body` is cut after as many bytes as were asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _AsItComes(urllib.request.HTTPErrorProcessor):
    """Gives every answer whatever its status; so no redirect is followed, which would carry secrets elsewhere."""

    def http_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002
        return response

    https_response = http_response


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float, largest: int = 0) -> Reply:
    """Send a body and give the answer, with at most `largest` bytes of its body; to be called by `within`.

    Raises OSError, http.client.HTTPException, ValueError. `seconds` bounds each step, not the whole.
    """
    handlers: list[urllib.request.BaseHandler] = [_AsItComes()]
    if url.startswith("http:"):
        handlers.append(urllib.request.ProxyHandler({}))  # loopback: what is sent in clear stays on this machine
    request = urllib.request.Request(url, body)  # noqa: S310 - config lets through https, and http to loopback
    for name, value in {"User-Agent": "nosend", **headers}.items():
        request.add_unredirected_header(name, value)
    with urllib.request.build_opener(*handlers).open(request, timeout=seconds) as response:
        return Reply(response.status, response.headers, response.read(largest) if largest else b"")


def within(seconds: float, work: Callable[[], Result], gives_up: Callable[[], bool] = lambda: False) -> Result:
    """Give what `work` gives. Raises what it raises, and TimeoutError when it lasts, name look-up included.

    A socket's timeout bounds one piece of an answer only. A thread that is late ends by that, unheard. `gives_up` is
    asked now and then whether to wait no longer.
    """
    ended: queue.SimpleQueue[tuple[Result] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            ended.put((work(),))
        except Exception as error:  # noqa: BLE001 - raised below, where it is awaited
            ended.put(error)

    threading.Thread(target=run, daemon=True).start()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not gives_up():
        try:
            result = ended.get(timeout=min(left, SLICE))
        except queue.Empty:
            continue
        if isinstance(result, Exception):
            raise result
        return result[0]
    raise TimeoutError
