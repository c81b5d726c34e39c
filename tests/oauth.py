"""A provider of OAuth 2 on loopback: the four endpoints as the RFCs have them, and knobs for what goes wrong."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "nosend-test", "s3cr:t/of the client"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Knobs:
    """How the provider behaves in one test, and what it saw."""

    user: str = "alice"  # who sits at the browser
    lifetime: object = 3600
    rotates: bool = True
    scope: str = "mail"
    consents: bool = True
    polls: list[str] = field(default_factory=list)  # errors that the next polls of the device get
    not_before: float = 0.0  # a poll that comes earlier is denied
    script: list[tuple[int, bytes]] = field(default_factory=list)  # instead of the next answers, status and body
    before_answer: Callable[[], None] = lambda: None  # called when a token was given out, before it is told
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def seen(self, path: str) -> list[dict[str, str]]:
        """Give the forms that came to an endpoint."""
        return [form for where, form in self.requests if where == path]

    def grants(self) -> list[str]:
        """Give the grant types that the token endpoint was asked for."""
        return [form["grant_type"].rpartition(":")[2] for form in self.seen("/token")]


class Provider:
    """The provider. `knobs` is new for each test; tokens that were given out stay known."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.knobs = Knobs()
        self.access: dict[str, tuple[str, str]] = {}  # token: user, scope
        self.refresh: dict[str, str] = {}  # token: user
        self.codes: dict[str, dict[str, str]] = {}  # authorization code: the request that it was given for
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 20

            def do_GET(self) -> None:
                outer._authorize(self)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
                path = urlsplit(self.path).path
                status, body = outer._answer(path, form, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass  # the client was killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoints(self) -> dict[str, str]:
        names = {"token": "token", "authorization": "authorize", "device_authorization": "device"}
        return {name: f"{self.url}/{path}" for name, path in names.items()}

    def revoke(self, user: str) -> None:
        """Take back everything that was granted for a user."""
        self.refresh = {token: whose for token, whose in self.refresh.items() if whose != user}
        self.expire(user)

    def expire(self, user: str) -> None:
        """Let the access tokens of a user end before their time."""
        self.access = {token: known for token, known in self.access.items() if known[0] != user}

    def browse(self, url: str, state: str = "") -> int:
        """Be the browser of a person who logs in and consents; gives the status at the end of the redirection."""
        where = urlsplit(url)
        back = urlsplit(_get(where.netloc, f"{where.path}?{where.query}")[1])
        query = f"{re.sub('state=[^&]*', '', back.query)}&state={state}" if state else back.query
        return _get(back.netloc, f"/?{query}")[0]

    def _authorize(self, handler: BaseHTTPRequestHandler) -> None:
        form = dict(parse_qsl(urlsplit(handler.path).query))
        self.knobs.requests.append(("/authorize", form))
        wanted = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256"}
        assert wanted.items() <= form.items()
        assert min(len(form["code_challenge"]), len(form["state"])) > 20
        answer = {"error": "access_denied", "error_description": "the person said no"}
        if self.knobs.consents:
            answer = {"code": secrets.token_urlsafe(16)}
            self.codes[answer["code"]] = form
        handler.send_response(302)
        handler.send_header("Location", f"{form['redirect_uri']}/?{urlencode(answer | {'state': form['state']})}")
        handler.end_headers()

    def _answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        if path == "/introspect":
            user, scope = self.access.get(form["token"], ("", ""))
            told = {"active": form["token"] in self.access, "username": user, "scope": scope}
            return 200, json.dumps(told).encode()
        self.knobs.requests.append((path, form))
        if self.knobs.script:
            return self.knobs.script.pop(0)
        status, answer = self._device(form) if path == "/device" else self._token(form, authorization)
        if status == 200:
            self.knobs.before_answer()
        return status, json.dumps(answer).encode()

    def _device(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        answer = {"device_code": "device-code", "user_code": "WDJB-MJHT", "verification_uri": f"{self.url}/activate"}
        return 200, answer | {"expires_in": 60, "interval": 1}

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, object]]:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        ident, secret = map(unquote_plus, pair) if authorization else (form["client_id"], form.get("client_secret", ""))
        if (ident, secret) not in {(CLIENT_ID, CLIENT_SECRET), (CLIENT_ID, "")}:
            return 401, {"error": "invalid_client", "error_description": f"not {secret!r}"}
        kind, knobs = form["grant_type"], self.knobs
        if kind == "client_credentials":
            return (200, self.given(knobs.user, refreshable=False)) if secret else (401, {"error": "invalid_client"})
        if kind == DEVICE:
            error = knobs.polls.pop(0) if knobs.polls else ""
            error = "access_denied" if time.monotonic() < knobs.not_before else error
            knobs.not_before = time.monotonic() + (6 if error == "slow_down" else 1) - 0.1
            return (400, {"error": error}) if error else (200, self.given(knobs.user))
        if kind == "authorization_code":
            asked = self.codes.pop(form["code"], {})
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
            fits = challenge.rstrip(b"=").decode() == asked.get("code_challenge")
            if not fits or asked["redirect_uri"] != form["redirect_uri"]:
                return 400, {"error": "invalid_grant", "error_description": "code, verifier or redirect_uri"}
            return 200, self.given(knobs.user)
        user = self.refresh.get(form["refresh_token"], "")
        if not user:
            return 400, {"error": "invalid_grant", "error_description": f"{form['refresh_token']} was revoked"}
        if knobs.rotates:
            del self.refresh[form["refresh_token"]]
        return 200, self.given(user, refreshable=knobs.rotates)

    def given(self, user: str, refreshable: bool = True) -> dict[str, object]:
        access, refresh = f"access-{secrets.token_urlsafe(24)}", f"refresh-{secrets.token_urlsafe(24)}"
        self.access[access] = (user, self.knobs.scope)
        told = {"access_token": access, "token_type": "Bearer", "expires_in": self.knobs.lifetime}
        if refreshable:
            self.refresh[refresh] = user
            told["refresh_token"] = refresh
        return told | {"scope": self.knobs.scope}


def _get(host: str, target: str) -> tuple[int, str]:
    line = http.client.HTTPConnection(host, timeout=20)
    try:
        line.request("GET", target)
        answer = line.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Location", "")
    finally:
        line.close()
