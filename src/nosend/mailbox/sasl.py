"""The log-in itself: LOGIN or PLAIN with a password; with an access token OAUTHBEARER (RFC 7628) or XOAUTH2.

XOAUTH2 is Google's and Microsoft's, from before the RFC, and all that some servers have.
"""

from __future__ import annotations

import base64
import imaplib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imapclient.exceptions import IMAPClientError, LoginError, ProtocolError

from nosend import __version__
from nosend.errors import MailboxBusyError, MailboxRefusedError, MailboxUnreachableError
from nosend.identifiers import masked, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nosend.config import Mailbox

# How servers say "not now", by RFC 5530 or in words of their own; tests/test_login_answers.py has a table of them.
# First what says "you ask too often", also after wrong passwords: who asks again soon makes it worse
_BUSY = re.compile(
    r"\[(LIMIT|OVERQUOTA|THROTTLED)\]|too (many|frequent|much)|throttl|rate.?limit|bandwidth"
    r"|max\w* number of .*connections",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"\[(AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|PRIVACYREQUIRED)\]", re.IGNORECASE)
_NOT_NOW = re.compile(
    r"\[(UNAVAILABLE|INUSE|SERVERBUG|CONTACTADMIN|EXPUNGEISSUED)\]|(try|again) later|temporar|not connected|unavailable"
    r"|server error|internal error|generic failure|timed? ?out",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token (RFC 6750), instead of a password.

    `remedy` says what the user can do when the server refuses it. `renew` gets another then; None: it is new.
    """

    token: str = field(repr=False)
    remedy: str
    renew: Callable[[], Bearer] | None = None


class TokenRefusedError(MailboxRefusedError):
    """The server does not take this access token; `renew` is its Bearer's."""

    def __init__(self, told: str, renew: Callable[[], Bearer] | None) -> None:
        self.renew = renew
        super().__init__(told)


def log_in(client: Any, settings: Mailbox, where: str, credentials: str | Bearer) -> None:
    """Log an IMAPClient in, unless the server's greeting did (PREAUTH).

    Raises TokenRefusedError, MailboxRefusedError, MailboxUnreachableError ("not now") or MailboxBusyError.
    """
    user = settings.username
    if client._imap.state == "AUTH":  # noqa: SLF001 - greeted with PREAUTH: no log-in is allowed any more
        return
    if isinstance(credentials, Bearer):
        _show_token(client, settings, where, credentials)
        return
    try:
        if credentials.isascii() and user.isascii():
            client.login(user, credentials)
        else:
            client.plain_login(user, credentials)  # LOGIN is ASCII, PLAIN is UTF-8 (RFC 4616)
    except LoginError as error:
        raise MailboxRefusedError(
            f"{where} refused the log-in of {user!r} ({_refusal(error, where, credentials)}): "
            "check username and password; Gmail and Yahoo want an app password"
        ) from None


def introduce(client: Any) -> None:
    """Tell the server who we are where it has ID (RFC 2971): NetEase opens no folder before ("Unsafe Login").

    And ask it to tell HIGHESTMODSEQ of folders, where it has CONDSTORE (RFC 7162). What it answers does not matter.
    Raises OSError and imaplib's abort of a line that is dead.
    """
    try:
        if client.has_capability("ID"):
            client.id_({"name": "nosend", "version": __version__})
        if client.has_capability("ENABLE") and client.has_capability("CONDSTORE"):
            client.enable("CONDSTORE")
    except imaplib.IMAP4.abort:
        raise
    except (IMAPClientError, ValueError):
        pass


def not_now(said: str) -> type[MailboxUnreachableError] | None:
    """Tell by a server's words whether trying again can help, and if it is MailboxBusyError; None for a plain no."""
    if _BUSY.search(said):
        return MailboxBusyError
    return MailboxUnreachableError if not _REFUSED.search(said) and _NOT_NOW.search(said) else None


def _show_token(client: Any, settings: Mailbox, where: str, bearer: Bearer) -> None:
    mechanism = _mechanism(client.capabilities())
    if not mechanism:
        raise MailboxRefusedError(
            f"{where} offers no log-in by OAuth (OAUTHBEARER, XOAUTH2): check host, or use a password"
        )
    exchange = _Exchange(mechanism, settings, bearer.token)
    try:
        client.sasl_login(mechanism, exchange)
    except LoginError as error:
        said = _refusal(error, where, *exchange.secrets)
        reason = f" with {exchange.reason}" if exchange.reason else ""
        raise TokenRefusedError(
            f"{where} refused the access token of {settings.username!r} ({said}){reason}: {bearer.remedy}", bearer.renew
        ) from None


def _mechanism(capabilities: Collection[bytes]) -> str:
    """Choose the mechanism: the standard one where the server has both, "" when it has none."""
    offered = {one.upper() for one in capabilities}
    return next((name for name in ("OAUTHBEARER", "XOAUTH2") if f"AUTH={name}".encode() in offered), "")


class _Exchange:
    """The client's side of one log-in with a token: it is called with each challenge of the server.

    `reason` is what the server told of why it refuses, `secrets` what must not be shown of its words.
    """

    def __init__(self, mechanism: str, settings: Mailbox, token: str) -> None:
        user, host, port = settings.username, settings.host, settings.port
        if mechanism == "OAUTHBEARER":
            name = user.replace("=", "=3D").replace(",", "=2C")  # saslname of RFC 5801, 4
            first, last = f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01", b"\x01"
        else:
            first, last = f"user={user}\x01auth=Bearer {token}\x01\x01", b""
        self._answers = [first.encode(), last]  # the last ends an exchange that failed (RFC 7628, 3.2.3)
        self.reason = ""
        self.secrets = (token, base64.b64encode(first.encode()).decode())

    def __call__(self, challenge: bytes) -> bytes:
        """Give the answer to a challenge. The second one is an error result (RFC 7628, 3.2.2)."""
        if len(self._answers) == 1:
            self.reason = _without(_reason(challenge), self.secrets)
        return self._answers.pop(0) if self._answers else b""


def _reason(challenge: bytes) -> str:
    try:
        told = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    return ", ".join(f"{key} {told[key]}" for key in ("status", "scope") if told.get(key))


def _refusal(error: LoginError, where: str, *secrets: str) -> str:
    """Give the words of a refusal. Raises what it is instead, when it is none or the server says "not now"."""
    if isinstance(error.__context__, (imaplib.IMAP4.abort, ProtocolError)):
        raise error.__context__ from None  # imapclient calls a broken line a failed log-in
    said = words(error, *secrets)
    if kind := not_now(said):
        remedy = "less often, and with fewer connections" if kind is MailboxBusyError else "later"
        raise kind(f"{where} takes no log-ins now ({said}): try again {remedy}") from None
    return said


def words(error: Exception, *secrets: str) -> str:
    """Give the server's words without imaplib's wrapping of bytes, and without what they repeat of the secrets."""
    said = re.sub(r"\bb'([^']*)'|\bb\"([^\"]*)\"", r"\1\2", str(error))
    return masked(_without(said, secrets)) or type(error).__name__


def _without(text: str, secrets: Collection[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return one_line(text)
