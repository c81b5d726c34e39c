"""What servers answer to a log-in, as seen in the wild or as RFC 5530 has it: refused, passing trouble, throttled."""

from __future__ import annotations

import re

import pytest

from nosend.errors import MailboxBusyError, MailboxRefusedError, MailboxUnreachableError
from nosend.mailbox.imap import ImapMailbox
from quirky import Quirky
from servers import PASSWORD
from test_imap import mailbox

ANSWERS = {
    MailboxRefusedError: {
        "Gmail": [
            "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
            "NO [ALERT] Invalid credentials (Failure)",
            "NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/1 (Failure)",
            "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable it.",
            "NO [ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer (Failure)",
        ],
        "Yahoo": ["NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials"],
        "Exchange": ["NO LOGIN failed.", "NO AUTHENTICATE failed.", "BAD Command Argument Error. 12"],
        "iCloud": ["NO [AUTHENTICATIONFAILED] Authentication failed"],
        "GMX, web.de": ["NO authentication failed", "NO [AUTHENTICATIONFAILED] invalid credentials; please try again"],
        "Dovecot": [
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
            "NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
            "NO [AUTHORIZATIONFAILED] Authorization failed",
            "NO [EXPIRED] Password expired",
        ],
        "Cyrus": [
            "NO Login failed: authentication failure",
            "NO Login failed: user not found",
            "NO Login only available under a layer",
        ],
    },
    MailboxBusyError: {
        "Gmail": [
            "NO [ALERT] Too many simultaneous connections. (Failure)",
            "NO [OVERQUOTA] Account exceeded command or bandwidth limits. o12mb123456789",
            "NO [THROTTLED] Too many requests (Failure)",
        ],
        "Yahoo": ["NO [LIMIT] LOGIN Rate limit hit.", "NO [LIMIT] Too many simultaneous connections"],
        "Exchange": [
            "BAD Request is throttled. Suggested Backoff Time: 299910 milliseconds",
            "NO Request is throttled. Suggested Backoff Time: 178755 milliseconds",
        ],
        "iCloud": ["NO [LIMIT] Too many connections"],
        "GMX, web.de": ["NO Too many login attempts, please wait"],
        "Dovecot": [
            "NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
            "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)",
        ],
        "Cyrus": ["NO [LIMIT] Too many open connections", "NO Too many concurrent imap connections for user"],
    },
    MailboxUnreachableError: {
        "Gmail": ["NO [UNAVAILABLE] Temporary System Error", "NO System Error, please try again later (Failure)"],
        "Yahoo": [
            "NO [UNAVAILABLE] LOGIN Server error - Please try again later",
            "NO [INUSE] LOGIN mailbox in use",
            "NO [SERVERBUG] LOGIN Server error",
        ],
        "Exchange": [
            "NO User is authenticated but not connected.",
            "BAD User is authenticated but not connected.",
            "NO Server Unavailable. 15",
            "BAD Server Unavailable. 15",
        ],
        "iCloud": ["NO Service temporarily unavailable"],
        "GMX, web.de": ["NO [UNAVAILABLE] Temporary failure, try again later"],
        "Dovecot": [
            "NO [UNAVAILABLE] Temporary authentication failure. [mail:2026-02-01 10:00:00]",
            "NO [UNAVAILABLE] Internal error occurred. Refer to server log for more information.",
        ],
        "Cyrus": ["NO [UNAVAILABLE] try again later", "NO Login failed: generic failure"],
    },
}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param(kind, said, id=f"{provider} {said[:40]}")
        for kind, providers in ANSWERS.items()
        for provider, answers in providers.items()
        for said in answers
    ],
)
def test_log_in_answers_of_providers_are_told_apart(kind: type[Exception], said: str) -> None:
    with Quirky({}, answers={b"LOGIN": said.encode()}) as server, pytest.raises(kind) as told:
        ImapMailbox(mailbox(server.port), PASSWORD)
    assert type(told.value) is kind
    words = re.sub(r"^(NO|BAD) ", "", said)
    assert words in str(told.value), "the server's own words are told"
    assert ("check username and password" in str(told.value)) is (kind is MailboxRefusedError)
    assert ("try again" in str(told.value).replace(words, "")) is (kind is not MailboxRefusedError)


def test_every_kind_of_answer_is_shown_for_every_provider() -> None:
    assert len({frozenset(providers) for providers in ANSWERS.values()}) == 1
