"""IDLE (RFC 2177), as a hint only: whatever the server says, or that it says nothing, ends in a look at the folder.

imapclient's own IDLE has four traps, each shown in tests/test_idle.py: after the server closed it says "no news" at
once and for ever; what came in one packet with the server's "+" lies in a buffer where no poll sees it; what came
before the "+" raises; and a silent peer is waited for without end unless the socket has a timeout. So no answer is
read for its meaning here: after any byte, and after each end of the wait, IDLE is ended with DONE and the server's own
answer to that, which a dead line does not give.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nosend.mailbox.bell import Bell


class NoIdleError(Exception):
    """The server refused IDLE; the connection is good for everything else."""


def begin(client: Any) -> bytes:
    """Send IDLE and read up to the server's "+"; gives the tag that `end` needs. Raises NoIdleError.

    `client` is imapclient's, whose socket has a timeout.
    """
    imap = client._imap  # noqa: SLF001 - `client.idle()` raises when something comes before the "+"
    tag: bytes = imap._command("IDLE")  # noqa: SLF001 - as above
    while imap._get_response() is not None:  # noqa: SLF001 - as above
        if imap.tagged_commands[tag] is not None:
            imap.tagged_commands.pop(tag)
            raise NoIdleError
    return tag


def wait(client: Any, bell: Bell, seconds: float) -> None:
    """Wait until the server says anything or hangs up, the bell rings, or the time is over."""
    if not _buffered(client):
        bell.wait(seconds, client.socket().fileno())


def end(client: Any, tag: bytes) -> None:
    """End IDLE and read up to the server's answer. Raises what imaplib raises of a dead line."""
    imap = client._imap  # noqa: SLF001 - `client.idle_done()` raises AssertionError of what it cannot parse
    imap.send(b"DONE\r\n")
    while imap.tagged_commands[tag] is None:
        imap._get_response()  # noqa: SLF001 - as above
    imap.tagged_commands.pop(tag)


def _buffered(client: Any) -> bool:
    """Tell whether something was read from the socket, or decrypted, that nobody has asked for yet."""
    sock, timeout = client.socket(), client.socket().gettimeout()
    sock.settimeout(0)
    try:
        return bool(client._imap.file.peek(1))  # noqa: SLF001 - imaplib tells nobody what it has buffered
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    finally:
        sock.settimeout(timeout)
