"""The way to a server step by step, for `doctor`: its name, a connection, TLS. Each step by itself, without log-in."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.identifiers import one_line
from nosend.mailbox.connection import in_words, tls_context, where_is

if TYPE_CHECKING:
    from nosend.config import Mailbox

_LONGEST_LINE = 8192


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server showed: the version of TLS, and until when its certificate holds."""

    version: str
    expires_at: datetime


def addresses(mailbox: Mailbox) -> tuple[str, ...]:
    """Give the addresses of the server's name. Raises MailboxUnreachableError, MailboxRefusedError."""
    with in_words(mailbox):
        found = socket.getaddrinfo(mailbox.host, mailbox.port, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def reached(mailbox: Mailbox) -> str:
    """Connect, and give the address that answered. Raises MailboxUnreachableError, MailboxRefusedError."""
    with in_words(mailbox), _connect(mailbox) as line:
        return str(line.getpeername()[0])


def certificate(mailbox: Mailbox) -> Certificate | None:
    """Give the server's certificate, None without TLS. Raises MailboxUnreachableError, MailboxRefusedError."""
    if mailbox.tls == "none":
        return None
    with in_words(mailbox), _connect(mailbox) as line:
        if mailbox.tls == "starttls":
            _start_tls(line, mailbox)
        with tls_context(mailbox).wrap_socket(line, server_hostname=mailbox.host) as safe:
            shown = safe.getpeercert() or {}
            until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
            return Certificate(safe.version() or "TLS", until)


def _connect(mailbox: Mailbox) -> socket.socket:
    return socket.create_connection((mailbox.host, mailbox.port), mailbox.timeout)


def _start_tls(line: socket.socket, mailbox: Mailbox) -> None:
    """Ask for TLS (RFC 3501, 6.2.1)."""
    _line(line, mailbox)
    line.sendall(b"a STARTTLS\r\n")
    while not (said := _line(line, mailbox)).startswith(b"a "):
        pass
    if not said.upper().startswith(b"A OK"):
        words = one_line(said[2:].decode("utf-8", "replace"))
        raise MailboxRefusedError(f'{where_is(mailbox)} refused STARTTLS ({words}): is its port for tls = "implicit"?')


def _line(line: socket.socket, mailbox: Mailbox) -> bytes:
    """Read one line and no byte of what follows: that is TLS's."""
    said = b""
    while not said.endswith(b"\n"):
        byte = line.recv(1)
        if not byte or len(said) > _LONGEST_LINE:
            raise MailboxUnreachableError(f'{where_is(mailbox)} broke off: is its port for tls = "implicit"?')
        said += byte
    return said
