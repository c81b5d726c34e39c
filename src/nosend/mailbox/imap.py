"""An IMAP connection (RFC 3501), read-only: EXAMINE, and BODY.PEEK by whoever fetches, leave no trace.

The one typed adapter around imapclient, which carries no types. Whatever the library raises, every call raises
MailboxRefusedError (mend it) or MailboxUnreachableError (try again), in words.
"""

from __future__ import annotations

import contextlib
import imaplib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, ProtocolError
from imapclient.response_parser import parse_fetch_response

from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.mailbox import answers, folders, sasl
from nosend.mailbox.folders import Listed
from nosend.mailbox.sasl import NOT_NOW, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from types import TracebackType

    from nosend.config import Mailbox
    from nosend.mailbox.sasl import Bearer

_END_OF_NUMBERS = 2**63  # RFC 3501 ends them at 2^32; what no database holds is no number


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was opened: its name, UIDVALIDITY, the next UID to be given out (0: not told), its mails.

    `modseq` grows with each change of the folder (HIGHESTMODSEQ, RFC 7162); 0 when the server does not tell.
    """

    name: str
    uidvalidity: int
    uidnext: int
    exists: int
    modseq: int = 0


class ImapMailbox:
    """A connection that is logged in. Use it in a `with`, which logs out."""

    def __init__(self, settings: Mailbox, credentials: str | Bearer) -> None:
        """Connect and log in. A refused access token is renewed once, if it can be, and tried on a new connection."""
        self._settings = settings
        self._where = where_is(settings)
        with self._told():
            try:
                self._client = self._logged_in(credentials)
            except sasl.TokenRefusedError as refused:
                if refused.renew is None:
                    raise
                self._client = self._logged_in(refused.renew())

    def _logged_in(self, credentials: str | Bearer) -> Any:
        client = self._connect()
        try:
            sasl.log_in(client, self._settings, self._where, credentials)
        except BaseException:
            client.shutdown()
            raise
        return client

    def _connect(self) -> Any:
        settings = self._settings
        context = tls_context(settings) if settings.tls != "none" else None
        client = IMAPClient(
            settings.host,
            settings.port,
            ssl=settings.tls == "implicit",
            ssl_context=context,
            timeout=SocketTimeout(connect=settings.timeout, read=settings.timeout),
        )
        client.normalise_times = False  # aware times, not the machine's local ones
        client._imap.debug = 0  # noqa: SLF001 - imapclient has each line logged, to nobody: a tenth of the time
        # without it Cyrus and pymap answer 23 searches a second instead of 1,500
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if settings.tls == "starttls":
            try:
                client.starttls(context)
            except BaseException:
                client.shutdown()
                raise
        return client

    def close(self) -> None:
        """Log out, or drop the line when the server does not answer any more."""
        try:
            self._client.logout()
        except (OSError, IMAPClientError):
            with contextlib.suppress(OSError, IMAPClientError):
                self._client.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            with contextlib.suppress(OSError, IMAPClientError):
                self._client.shutdown()

    @property
    def where(self) -> str:
        """Name the mailbox's server in a message."""
        return self._where

    def capabilities(self) -> frozenset[str]:
        """Give what the server says it can do (RFC 3501, 7.2.1), in capital letters."""
        with self._told():
            return frozenset(name.decode("ascii", "replace").upper() for name in self._client.capabilities())

    def open_folder(self, name: str) -> Folder:
        """Open a folder read-only (EXAMINE). Raises MailboxRefusedError, with the nearest names, if there is none."""
        with self._told():
            try:
                answer = self._client.select_folder(name, readonly=True)
            except imaplib.IMAP4.abort:
                raise
            except IMAPClientError as error:
                if NOT_NOW.search(str(error).encode()):
                    raise MailboxUnreachableError(f"{self._where} cannot open {name!r} now ({words(error)})") from error
                raise MailboxRefusedError(
                    f"{self._where} has no folder {name!r} ({words(error)})"
                    f"{folders.there(name, [one.name for one in self.list_folders()])}"
                ) from error
        uidvalidity = answer.get(b"UIDVALIDITY")
        if not isinstance(uidvalidity, int) or not 0 <= uidvalidity < _END_OF_NUMBERS:
            raise MailboxRefusedError(
                f"{self._where}: folder {name!r} has no UIDVALIDITY, its mails cannot be told apart"
            )
        return Folder(
            name, uidvalidity, number(answer, b"UIDNEXT"), number(answer, b"EXISTS"), number(answer, b"HIGHESTMODSEQ")
        )

    def list_folders(self, *, uses: bool = False) -> tuple[Listed, ...]:
        """List the folders; with `uses` also what they are used for, where the server has to be asked for that.

        Most servers tell it by themselves (RFC 6154, 2), some only when asked, older ones by XLIST.
        """
        with self._told():
            found = _listed(self._client.list_folders())
            if not uses or any(one.attributes & folders.USES.keys() for one in found):
                return found
            known = self.capabilities()
            if {"SPECIAL-USE", "LIST-EXTENDED"} <= known:
                imap = self._client._imap  # noqa: SLF001 - imapclient has no extended LIST (RFC 5258)
                told, _ = imap._simple_command("LIST", '""', '"*"', "RETURN", "(SPECIAL-USE)")  # noqa: SLF001
                _, lines = imap._untagged_response(told, [None], "LIST")  # noqa: SLF001
                return _listed(self._client._proc_folder_list(lines)) if told == "OK" else found  # noqa: SLF001
            return _listed(self._client.xlist_folders()) if "XLIST" in known else found

    def search(self, uids: str, since: date | None = None) -> list[int]:
        """Give the UIDs of a sequence set (`3:9`, `3:*`, `3,7`) that are there, as the server orders them.

        With a day those of mails that were received on it or later, by the server's clock.
        """
        with self._told():
            criteria = ["UID", uids, *(("SINCE", since) if since else ())]
            found = [int(uid) for uid in self._client.search(criteria)]
            return [uid for uid in found if 0 < uid < _END_OF_NUMBERS]

    def fetch(self, uids: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        """Fetch items by explicit UIDs: for ranges imapclient raises after the server did its work.

        What the server does not give of a mail is missing in the answer. INTERNALDATE may be bytes or a datetime.
        """
        if not uids:
            return {}
        with self._told():
            told, found = self._client._imap.uid("FETCH", ",".join(map(str, uids)), f"({' '.join(items)})")  # noqa: SLF001
            if told != "OK":
                raise IMAPClientError(f"fetch failed: {found[0]!r}")
            read = answers.read(found)
            return parse_fetch_response(found, normalise_times=False) if read is None else read

    def _told(self) -> contextlib.AbstractContextManager[None]:
        return in_words(self._settings)


def _listed(found: Iterable[tuple[Any, Any, Any]]) -> tuple[Listed, ...]:
    return tuple(
        Listed(str(name), frozenset(flag.decode("ascii", "replace").lower() for flag in flags))
        for flags, _, name in found
    )


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
        raise MailboxUnreachableError(f"{where} did not answer in {settings.timeout} s: try again later") from error
    except UnicodeError as error:
        raise MailboxRefusedError(f"{where}: that is no name of a host, or a name in it is not ASCII") from error
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
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
        raise MailboxUnreachableError(f"{where} broke off ({words(error)}){hint}") from error
    except IMAPClientError as error:
        kind = MailboxRefusedError if "STARTTLS" in str(error).upper() else MailboxUnreachableError
        raise kind(f"{where} refused ({words(error)})") from error


def where_is(settings: Mailbox) -> str:
    """Name a mailbox's server in a message."""
    return f"account {settings.account!r}: {settings.host}:{settings.port}"


def tls_context(settings: Mailbox) -> ssl.SSLContext:
    """Say by which certificates a server is trusted. Raises MailboxRefusedError when they cannot be read."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MailboxRefusedError(
            f"account {settings.account!r}: ca_file {str(settings.ca_file)!r} cannot be read: {error}"
        ) from error


def number(answer: dict[bytes, Any], key: bytes) -> int:
    """Give a number of an answer, 0 when it was not told or cannot be."""
    value = answer.get(key)
    return value if isinstance(value, int) and 0 <= value < _END_OF_NUMBERS else 0
