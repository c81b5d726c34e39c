"""What nosend asks of an authorization server, for one account (RFC 6749)."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nosend.config.oauth import CLIENT
from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.oauth import endpoint
from nosend.oauth.endpoint import ErrorAnswer

if TYPE_CHECKING:
    from nosend.config import OAuth

_LONGEST = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a grant gave: an access token until `expires_at`, and maybe a refresh token to get the next ones."""

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str = field(repr=False)
    scope: str


@dataclass(frozen=True, slots=True)
class Client:
    """nosend as the client of an authorization server, for the mailbox of one user.

    Every request raises MailboxUnreachableError when trying again can help, and MailboxRefusedError, with the
    command that mends it, when a person has to do something.
    """

    oauth: OAuth
    account: str
    username: str
    secret: str = field(repr=False)
    seconds: float

    @property
    def who(self) -> str:
        """Name the account in messages."""
        return f"account {self.account!r}"

    @property
    def command(self) -> str:
        """Give the command that asks for a new grant."""
        return f"`nosend login {shlex.quote(self.account)}`"

    def ask(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        """Send a request as this client (RFC 6749, 2.3.1). Raises ErrorAnswer, too."""
        form = form | {"client_id": self.oauth.client_id}
        if self.secret and self.oauth.secret_in_body:
            form["client_secret"] = self.secret
        basic = (self.oauth.client_id, "" if self.oauth.secret_in_body else self.secret)
        return endpoint.post(url, form, basic, self.who, self.seconds)

    def tokens(self, form: dict[str, str]) -> Tokens:
        """Ask the token endpoint. Raises ErrorAnswer, too."""
        return self._read(self.ask(self.oauth.token_endpoint, form))

    def granted(self, **form: str) -> Tokens:
        """Ask the token endpoint, and say in words what is wrong."""
        try:
            return self.tokens(form)
        except ErrorAnswer as answer:
            raise self.refusal(answer) from None

    def renewed(self, old: Tokens | None) -> Tokens:
        """Give new tokens for the old ones (RFC 6749, 6), or of the client itself (4.4)."""
        if self.oauth.grant == CLIENT:
            return self.granted(grant_type="client_credentials", scope=self.oauth.scope)
        if old is None:
            raise MailboxRefusedError(f"{self.who} was not granted access yet: run {self.command}")
        if not old.refresh_token:
            raise MailboxRefusedError(
                f"{self.who}: the access has run out, and there is no refresh token: run {self.command}; "
                "should it last, the provider must give one (often by a scope like offline_access)"
            )
        new = self.granted(grant_type="refresh_token", refresh_token=old.refresh_token)
        # a server that rotates gives a new one, the others expect the old one again
        return replace(new, refresh_token=new.refresh_token or old.refresh_token, scope=new.scope or old.scope)

    def refusal(self, answer: ErrorAnswer) -> MailboxRefusedError:
        """Say in words what an error answer means and how to mend it (RFC 6749, 5.2; RFC 8628, 3.5)."""
        remedy = {
            "invalid_grant": f"the grant was revoked, or has run out: run {self.command}",
            "interaction_required": f"the provider wants to see the person again: run {self.command}",
            "consent_required": f"the provider wants to ask the person again: run {self.command}",
            "invalid_client": "check oauth_client_id and oauth_client_secret; has the secret run out?",
            "unauthorized_client": "the application may not do this: check oauth_grant and its registration",
            "invalid_scope": f"check oauth_scope (asked for: {self.oauth.scope!r}) and the application's permissions",
            "access_denied": f"the access was denied: run {self.command} again and consent",
            "expired_token": f"nobody entered the code in time: run {self.command} again",
        }.get(answer.error, f"check the oauth keys; else run {self.command}")
        told = f"{answer.error}: {answer.description}" if answer.description else answer.error
        return MailboxRefusedError(f"{self.who}: the provider gives no token ({told}): {remedy}")

    def _read(self, answer: dict[str, Any]) -> Tokens:
        """Read a successful answer (RFC 6749, 5.1)."""
        access, refresh, scope = (answer.get(key) or "" for key in ("access_token", "refresh_token", "scope"))
        kind = answer.get("token_type", "Bearer")
        fits = isinstance(scope, str) and all(
            isinstance(one, str) and re.fullmatch(r"[\x21-\x7e]*", one) for one in (access, refresh)
        )
        if not fits or not access or not isinstance(kind, str) or kind.lower() != "bearer":
            raise MailboxUnreachableError(
                f"{self.who}: {self.oauth.token_endpoint} gave no bearer token: try again later, else check "
                "oauth_endpoints"
            )
        return Tokens(access, datetime.now(UTC) + _lifetime(answer.get("expires_in")), refresh, scope)


def _lifetime(seconds: Any) -> timedelta:
    """Read expires_in; a token whose end was not told is used at once and never again."""
    try:
        return min(max(timedelta(seconds=float(seconds)), timedelta(0)), _LONGEST)
    except OverflowError:
        return _LONGEST
    except (TypeError, ValueError):
        return timedelta(0)
