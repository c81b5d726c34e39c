"""How to log in to a mailbox: its password, or an access token that lasts. Ask at each connect and reconnect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.config.oauth import CLIENT, DEVICE
from nosend.errors import ConfigError
from nosend.mailbox import secret
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.sasl import Bearer
from nosend.oauth import kept
from nosend.oauth.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nosend.config import Mailbox
    from nosend.oauth.client import Tokens


def credentials(mailbox: Mailbox, environment: Mapping[str, str]) -> str | Bearer:
    """Give what `ImapMailbox` logs in with.

    Raises ConfigError when a secret is not where the configuration says; MailboxRefusedError, with the command that
    mends it, when the provider gives no token any more; MailboxUnreachableError when it cannot be asked now.
    """
    if mailbox.oauth is None:
        return password(mailbox, environment)
    return _current(_client(mailbox, environment))


def _current(client: Client, refused: str = "") -> Bearer:
    tokens, new = kept.tokens(client, refused)
    return _bearer(client, tokens, None if new else lambda: _current(client, tokens.access_token))


def password(mailbox: Mailbox, environment: Mapping[str, str]) -> str:
    """Get the password of a mailbox that has one, as `secret.read` says."""
    assert mailbox.secret is not None  # noqa: S101 - config wants one unless there is oauth
    return secret.read(mailbox.secret, f"account {mailbox.account!r}", environment)


def log_in(mailbox: Mailbox, environment: Mapping[str, str], show: Callable[[str, str], None], port: int = 0) -> str:
    """Ask a person for the grant, try it on the mailbox, keep it, and say what was done.

    `show` gets sentences for the person, and an address to open. What the mailbox refuses is not kept, so that a
    log-in as somebody else does not cost the grant that is there. Raises what `credentials` raises.
    """
    if mailbox.oauth is None:
        raise ConfigError(
            f"account {mailbox.account!r} logs in with a password: there is nothing to grant. For OAuth set "
            'oauth = "google", "microsoft" or "custom" (docs/login.md)'
        )
    from nosend.oauth import device, redirect  # noqa: PLC0415 - `sync` asks nobody

    client = _client(mailbox, environment)
    if mailbox.oauth.grant == CLIENT:
        with ImapMailbox(mailbox, credentials(mailbox, environment)):
            return f"{client.who}: client_credentials need no log-in, and work for {mailbox.origin}"
    kept.check(client)
    tokens = device.ask(client, show) if mailbox.oauth.grant == DEVICE else redirect.ask(client, show, port)
    with ImapMailbox(mailbox, _bearer(client, tokens, None)):
        kept.keep(client, tokens)
    lasting = "" if tokens.refresh_token else "; the provider gave no refresh token, so it ends with this access token"
    return f"{client.who}: logged in to {mailbox.origin}; the grant is kept in {mailbox.oauth.token_file}{lasting}"


def _client(mailbox: Mailbox, environment: Mapping[str, str]) -> Client:
    oauth = mailbox.oauth
    assert oauth is not None  # noqa: S101 - the callers looked
    who = f"account {mailbox.account!r}"
    text = secret.read(oauth.client_secret, who, environment) if oauth.client_secret else ""
    return Client(oauth, mailbox.account, mailbox.username, text, mailbox.timeout)


def _bearer(client: Client, tokens: Tokens, renew: Callable[[], Bearer] | None) -> Bearer:
    if client.oauth.grant == CLIENT:
        remedy = "does the provider let this application into that mailbox (docs/login.md)?"
    else:
        remedy = f"was it granted by that user and for mail? {client.command} asks again"
    granted = f"the scope that was granted is {tokens.scope!r}; " if tokens.scope else ""
    return Bearer(tokens.access_token, granted + remedy, renew)
