"""One request to an OAuth endpoint: a form goes out, a JSON object comes back (RFC 6749, 4 and 5)."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.error
from typing import Any
from urllib.parse import quote_plus, urlencode

from nosend import web
from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.identifiers import one_line

SECONDS = 8.0  # a stop by SIGTERM waits for an answer, so that no token is lost, and has ten
_LARGEST = 1_000_000
_NOT_NOW = {"temporarily_unavailable", "server_error"}  # RFC 6749, 4.1.2.1; some token endpoints say so, too


class ErrorAnswer(Exception):  # noqa: N818 - the RFC's word
    """An error answer (RFC 6749, 5.2): `error` is its code, `description` its words, without our secrets."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(error)


def post(url: str, form: dict[str, str], basic: tuple[str, str], who: str, seconds: float) -> dict[str, Any]:
    """Send a form and give the object that is answered; with a second word in `basic` by HTTP Basic (RFC 6749, 2.3.1).

    Raises ErrorAnswer; MailboxUnreachableError when trying again can help, MailboxRefusedError when not. None of
    them shows a secret that was sent.
    """
    seconds = min(seconds, SECONDS)
    try:
        status, _, data = web.within(seconds, lambda: _exchange(url, form, basic, seconds))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _trouble(error, f"{who}: {url}", seconds) from None  # what caused it may show the form
    if status in {408, 425, 429} or status >= 500:
        raise MailboxUnreachableError(f"{who}: {url} answered {status}: try again later")
    if 300 <= status < 400:
        raise MailboxRefusedError(f"{who}: {url} sends us elsewhere ({status}): check oauth_endpoints")
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        raise _told(answer, form | {"": basic[1]}, f"{who}: {url}")
    if isinstance(answer, dict) and status == 200:
        return answer
    if status >= 400:
        raise MailboxRefusedError(f"{who}: {url} answered {status} without a reason: check oauth_endpoints")
    raise MailboxUnreachableError(f"{who}: {url} gave an answer that cannot be read: try again later")


def _exchange(url: str, form: dict[str, str], basic: tuple[str, str], seconds: float) -> web.Reply:
    headers = {"Accept": "application/json"}
    if basic[1]:
        pair = ":".join(map(quote_plus, basic)).encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    reply = web.post(url, urlencode(form).encode(), headers, seconds, _LARGEST + 1)
    if len(reply.body) > _LARGEST:
        raise ValueError("too large")
    return reply


def _trouble(error: Exception, where: str, seconds: float) -> MailboxRefusedError | MailboxUnreachableError:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return MailboxRefusedError(
            f"{where}: its certificate is not trusted ({reason.verify_message}): check oauth_endpoints, or name its CA "
            "in $SSL_CERT_FILE"
        )
    if isinstance(reason, TimeoutError):
        return MailboxUnreachableError(f"{where} did not answer in {seconds:g} s: try again later")
    if isinstance(reason, OSError):
        return MailboxUnreachableError(f"{where} cannot be reached ({reason.strerror or reason}): try again later")
    return MailboxUnreachableError(f"{where} gave an answer that cannot be read: try again later")


def _told(answer: dict[str, Any], form: dict[str, str], where: str) -> ErrorAnswer | MailboxUnreachableError:
    texts = []
    for key in ("error", "error_description"):
        text = answer[key] if isinstance(answer.get(key), str) else ""
        for name, secret in form.items():  # some servers repeat what they were sent
            if secret and name not in {"grant_type", "client_id", "scope"}:
                text = text.replace(secret, "***").replace(quote_plus(secret), "***")
        texts.append(one_line(text)[:300])
    if texts[0] in _NOT_NOW:
        return MailboxUnreachableError(f"{where} cannot answer now ({texts[0]}): try again later")
    return ErrorAnswer(*texts)
