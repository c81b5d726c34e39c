"""How a connection is opened, and what goes wrong with it in words."""

from __future__ import annotations

import contextlib
import imaplib
import socket
import ssl
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, ProtocolError

from nosend.errors import MailboxRefusedError, MailboxUnreachableError, NosendError
from nosend.mailbox import dialect
from nosend.mailbox.line import LateError
from nosend.mailbox.sasl import not_now, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nosend.config import Mailbox
    from nosend.mailbox.line import Line


class _Imap(imaplib.IMAP4):
    """imaplib's connection; its line is known before the server's greeting is waited for."""

    def __init__(self, settings: Mailbox, context: ssl.SSLContext | None, line: Line) -> None:
        self._settings, self._context, self._line = settings, context, line
        self._taken = 0
        super().__init__(settings.host, settings.port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        settings = self._settings
        sock = socket.create_connection((settings.host, settings.port), timeout or settings.timeout)
        self._line.opened(sock)
        # without it Cyrus and pymap answer 23 searches a second instead of 1,500
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if settings.tls == "implicit" and self._context:
            sock = self._context.wrap_socket(sock, server_hostname=settings.host)
            self._line.opened(sock)
        return sock

    def readline(self) -> bytes:
        """Read a line, which may be longer than imaplib's megabyte: a million UIDs found by a search are eleven."""
        line: Any = self.file.readline(dialect.LONGEST_LINE + 1)
        if len(line) > dialect.LONGEST_LINE:
            raise self.abort(f"a line of more than {dialect.LONGEST_LINE} bytes")
        self._take(len(line))
        return dialect.usual(line)

    def _command(self, name: str, *args: Any) -> bytes:
        self._taken = 0
        tag: bytes = super()._command(name, *args)  # type: ignore[misc]  # typeshed leaves it out
        return tag

    def read(self, size: int) -> bytes:
        """Read a literal."""
        self._take(size)
        return bytes(super().read(size))

    def _take(self, size: int) -> None:
        """Count what a command is answered with: a server could fill our memory, and so that of all mailboxes."""
        self._taken += size
        if self._taken > _LARGEST_ANSWER:
            raise self.abort(f"an answer of more than {_LARGEST_ANSWER} bytes")


class Client(IMAPClient):  # type: ignore[misc]  # imapclient carries no types
    """imapclient, not yet logged in. Raises what `in_words` tells."""

    def __init__(self, settings: Mailbox, context: ssl.SSLContext | None, line: Line) -> None:
        self._connect = partial(_Imap, settings, context, line)
        timeout = SocketTimeout(connect=settings.timeout, read=settings.timeout)
        super().__init__(
            settings.host, settings.port, ssl=settings.tls == "implicit", ssl_context=context, timeout=timeout
        )

    def _do_capabilites(self) -> tuple[bytes, ...]:  # imapclient's name
        """Ask what the server can do, once logged in; one that answers without data can what it could before."""
        _, data = self._imap.capability()
        return tuple((data[0] or " ".join(self._imap.capabilities).encode()).upper().split())

    def _create_IMAP4(self) -> _Imap:  # noqa: N802 - imapclient's name
        return self._connect()


# bytes; the most that is asked for at once is a window of bodies and the largest mail that is read
_LARGEST_ANSWER = 64 * 1024 * 1024
_contexts: weakref.WeakValueDictionary[tuple[Path | None, int], ssl.SSLContext] = weakref.WeakValueDictionary()


@contextlib.contextmanager
def in_words(settings: Mailbox) -> Iterator[None]:
    """Say in words what went wrong, and whether trying again can help."""
    where, tls = where_is(settings), settings.tls
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise MailboxRefusedError(
            f"{where}: its certificate is not trusted ({error.verify_message}): "
            "check host, or name the server's CA in ca_file"
        ) from error
    except ssl.SSLError as error:
        hint = ': is this port for tls = "starttls"?' if "WRONG_VERSION" in str(error) else ": try again later"
        kind = MailboxRefusedError if "WRONG_VERSION" in str(error) else MailboxUnreachableError
        raise kind(f"{where}: no TLS ({error.reason or error}){hint}") from error
    except socket.gaierror as error:
        raise MailboxUnreachableError(
            f"{where}: no such host ({error.strerror}): check host, and the network"
        ) from error
    except TimeoutError as error:
        told = f"gave {error}" if isinstance(error, LateError) else f"did not answer in {settings.timeout} s"
        raise MailboxUnreachableError(f"{where} {told}: try again later") from error
    except UnicodeError as error:
        raise MailboxRefusedError(f"{where}: that is no name of a host, or a name in it is not ASCII") from error
    except (ValueError, OverflowError, MemoryError, RecursionError, TypeError, LookupError, AttributeError) as error:
        # imapclient takes many answers for what they should be
        raise MailboxUnreachableError(f"{where} gave an answer that cannot be read: try again later") from error
    except OSError as error:
        raise MailboxUnreachableError(
            f"{where} cannot be reached ({error.strerror or error}): try again later"
        ) from error
    except (imaplib.IMAP4.abort, ProtocolError) as error:
        hint = (
            ': is this port for tls = "implicit"?'
            if tls != "implicit" and settings.port == 993
            else ": try again later"
        )
        kind = not_now(words(error)) or MailboxUnreachableError
        raise kind(f"{where} broke off ({words(error)}){hint}") from error
    except IMAPClientError as error:
        raise _refusal(where, words(error)) from error


def _refusal(where: str, said: str) -> NosendError:
    if "STARTTLS" in said.upper():
        return MailboxRefusedError(f"{where} refused ({said})")
    kind = not_now(said) or MailboxUnreachableError
    return kind(f"{where} refused ({said}): try again later")


def where_is(settings: Mailbox) -> str:
    """Name a mailbox's server in a message."""
    return f"account {settings.account!r}: {settings.host}:{settings.port}"


def tls_context(settings: Mailbox) -> ssl.SSLContext:
    """Say by which certificates a server is trusted. Raises MailboxRefusedError when they cannot be read.

    Mailboxes with the same ca_file share what was read as long as one of them uses it: it takes 0.8 MB.
    """
    file = settings.ca_file
    try:
        read = file, file.stat().st_mtime_ns if file else 0
        return _contexts.get(read) or _contexts.setdefault(read, ssl.create_default_context(cafile=file))
    except (OSError, ssl.SSLError) as error:
        raise MailboxRefusedError(
            f"account {settings.account!r}: ca_file {str(settings.ca_file)!r} cannot be read: {error}"
        ) from error
