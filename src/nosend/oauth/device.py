"""A person grants access on any machine by typing a code: the device authorization grant (RFC 8628)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nosend.errors import MailboxUnreachableError
from nosend.oauth.endpoint import ErrorAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from nosend.oauth.client import Client, Tokens

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER = 5.0  # seconds, by RFC 8628, 3.5
_LONGEST = 1800.0  # seconds that a person gets, whatever the provider says


def ask(client: Client, show: Callable[[str, str], None]) -> Tokens:
    """Show where to type which code, and wait until a person has done it.

    `show` gets a sentence and the address in it. Raises MailboxRefusedError (denied, not in time) or
    MailboxUnreachableError.
    """
    code, interval, seconds = _begin(client, show)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(interval)
        try:
            return client.tokens({"grant_type": _GRANT_TYPE, "device_code": code})
        except ErrorAnswer as answer:
            if answer.error == "slow_down":
                interval += _SLOWER
            elif answer.error != "authorization_pending":
                raise client.refusal(answer) from None
        except MailboxUnreachableError:
            if time.monotonic() + 2 * interval >= deadline:
                raise
            interval *= 2  # RFC 8628, 3.5, of connections that time out
    raise client.refusal(ErrorAnswer("expired_token", ""))


def _begin(client: Client, show: Callable[[str, str], None]) -> tuple[str, float, float]:
    """Get the codes (RFC 8628, 3.2), show the person's, and give the device's, the interval and the time left."""
    url = client.oauth.device_authorization_endpoint
    try:
        answer = client.ask(url, {"scope": client.oauth.scope})
    except ErrorAnswer as error:
        raise client.refusal(error) from None
    device, user, where = (answer.get(key) for key in ("device_code", "user_code", "verification_uri"))
    if not (isinstance(device, str) and isinstance(user, str) and isinstance(where, str) and device and where):
        raise MailboxUnreachableError(f"{client.who}: {url} gave no code: try again later, else check oauth_endpoints")
    complete = answer.get("verification_uri_complete")
    show(
        f"open {where} in a browser on any machine and enter the code {user}",
        complete if isinstance(complete, str) else where,
    )
    return device, _seconds(answer.get("interval"), 5.0, 60.0), _seconds(answer.get("expires_in"), _LONGEST, _LONGEST)


def _seconds(told: Any, default: float, most: float) -> float:
    try:
        return min(max(1.0, float(told)), most)
    except (TypeError, ValueError, OverflowError):
        return default
