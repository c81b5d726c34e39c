"""A person grants access in a browser on this machine: the authorization code comes to a port of ours on loopback.

RFC 6749, 4.1; RFC 8252, 7.3 (loopback redirection); RFC 7636 (PKCE, with S256).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import queue
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from nosend.errors import ConfigError, MailboxRefusedError
from nosend.oauth.endpoint import ErrorAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nosend.oauth.client import Client, Tokens

_SECONDS = 600.0  # that a person gets

Answer = dict[str, list[str]]  # the parameters of the redirection


def ask(client: Client, show: Callable[[str, str], None], port: int) -> Tokens:
    """Show an address to open, wait for the browser to come back to `port` (0: any free one), and redeem the code.

    `show` gets a sentence and the address in it. Raises MailboxRefusedError (denied, not in time), ConfigError (the
    port is taken) or MailboxUnreachableError.
    """
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    with _listening(client, port) as (taken, answers):
        target = f"http://{client.oauth.redirect_host}:{taken}"
        url = _address(client, target, state, verifier)
        show(f"open this in a browser on this machine:\n{url}", url)
        answer = _wait(client, answers, state, show)
        code = answer.get("code", [""])[0]
        if not code:
            error, description = (answer.get(key, [""])[0] for key in ("error", "error_description"))
            raise client.refusal(ErrorAnswer(_plain(error) or "no code", _plain(description)))
        return client.granted(grant_type="authorization_code", code=code, redirect_uri=target, code_verifier=verifier)


def _address(client: Client, target: str, state: str, verifier: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client.oauth.client_id,
        "redirect_uri": target,
        "scope": client.oauth.scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": client.username,
    } | dict(client.oauth.extras)
    endpoint = client.oauth.authorization_endpoint
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"


def _wait(client: Client, answers: queue.Queue[Answer], state: str, show: Callable[[str, str], None]) -> Answer:
    """Wait for the answer with our state (RFC 6749, 10.12); what others bring is not believed."""
    deadline = time.monotonic() + _SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            answer = answers.get(timeout=left)
        except queue.Empty:
            break
        if hmac.compare_digest(answer.get("state", [""])[0].encode("utf-8", "replace"), state.encode()):
            return answer
        show("an answer to another log-in came (its state is not ours) and is not believed; still waiting", "")
    raise MailboxRefusedError(f"{client.who}: no answer came from the browser in time: run {client.command} again")


@contextmanager
def _listening(client: Client, port: int) -> Iterator[tuple[int, queue.Queue[Answer]]]:
    answers: queue.Queue[Answer] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            answer = parse_qs(urlsplit(self.path).query)
            theirs = "state" in answer  # a browser also asks for /favicon.ico
            self.send_response(200 if theirs else 404)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(
                b"nosend has the answer and tells the rest where it was started. You may close this page.\n"
            )
            if theirs:
                answers.put(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing: the line holds the code."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{client.who}: port {port} cannot be listened at ({error}): name another with --port"
        ) from error
    server.daemon_threads = True
    server.block_on_close = False  # a browser keeps connections open that it does not use
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], answers
    finally:
        server.shutdown()
        server.server_close()


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:300]
