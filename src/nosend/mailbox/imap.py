"""An IMAP mailbox (RFC 3501), read-only: EXAMINE and BODY.PEEK leave no trace in it.

New UIDs come in windows, header fields before bodies, bodies in batches, so that memory does not grow with the
folder. The one typed adapter around imapclient, which carries no types. Every call on it raises
MailboxRefusedError or MailboxUnreachableError, whatever the library raised.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError, ProtocolError

from nosend import letter, verdict
from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.letter.mime import LIMITS
from nosend.model import Mail, Place
from nosend.verdict import Worth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType

    from nosend.config import Mailbox

_WINDOW = 2_000  # UIDs searched at a time; grows over holes
_HEADERS = 500  # header sections a FETCH: 19,000 mails/s on Dovecot, against 2,500 one by one
_BODIES = 100  # bodies a FETCH, and
_BODY_BYTES = 8 * 1024 * 1024  # bytes of bodies a FETCH
_FIELDS = " ".join((*verdict.DECIDING_FIELDS, "Message-ID", "Date", "X-Marketplace-ID")).upper()
_HEADER_ITEM = f"BODY.PEEK[HEADER.FIELDS ({_FIELDS})]"
# one byte more than a letter is read of: the letter then tells that it was cut
_BODY_ITEM, _CUT_BODY_ITEM = "BODY.PEEK[]", f"BODY.PEEK[]<0.{LIMITS.size + 1}>"
# Answers to LOGIN that say "not now" (RFC 5530), and how Gmail, Yahoo and Exchange say it
_NOT_NOW = re.compile(
    rb"\[(UNAVAILABLE|LIMIT|INUSE|SERVERBUG|CONTACTADMIN)\]|too many|try again|temporar|not connected|throttl",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was opened: its name, UIDVALIDITY, the next UID to be given out (0: not told), its mails."""

    name: str
    uidvalidity: int
    uidnext: int
    exists: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Mails to judge. With them all mails up to UID `upto` are dealt with; `seen` counts those passed over too."""

    mails: tuple[Mail, ...]
    upto: int
    seen: int

    def one_by_one(self) -> Iterator[Batch]:
        """Part it into batches of one mail; the last reaches as far as the whole."""
        for mail in self.mails[:-1]:
            yield Batch((mail,), _uid(mail), 1)
        yield Batch(self.mails[-1:], self.upto, self.seen - len(self.mails[:-1]))


@dataclass(frozen=True, slots=True)
class _Heading:
    uid: int
    size: int
    received_at: datetime | None
    raw: bytes


class ImapMailbox:
    """A connection that is logged in. Use it in a `with`, which logs out."""

    def __init__(self, settings: Mailbox, password: str) -> None:
        self._settings = settings
        self._where = f"account {settings.account!r}: {settings.host}:{settings.port}"
        with self._told():
            self._client = self._connect()
            try:
                self._log_in(password)
            except BaseException:
                self._client.shutdown()
                raise

    def _connect(self) -> Any:
        settings = self._settings
        context = None
        if settings.tls != "none":
            try:
                context = ssl.create_default_context(cafile=settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise MailboxRefusedError(
                    f"account {settings.account!r}: ca_file {str(settings.ca_file)!r} cannot be read: {error}"
                ) from error
        client = IMAPClient(
            settings.host,
            settings.port,
            ssl=settings.tls == "implicit",
            ssl_context=context,
            timeout=SocketTimeout(connect=settings.timeout, read=settings.timeout),
        )
        client.normalise_times = False  # aware times, not the machine's local ones
        # without it Cyrus and pymap answer 23 searches a second instead of 1,500
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if settings.tls == "starttls":
            try:
                client.starttls(context)
            except BaseException:
                client.shutdown()
                raise
        return client

    def _log_in(self, password: str) -> None:
        try:
            if password.isascii() and self._settings.username.isascii():
                self._client.login(self._settings.username, password)
            else:
                self._client.plain_login(self._settings.username, password)  # LOGIN is ASCII, PLAIN is UTF-8 (RFC 4616)
        except LoginError as error:
            if isinstance(error.__context__, (imaplib.IMAP4.abort, ProtocolError)):
                raise error.__context__ from None  # imapclient calls a broken line a failed log-in
            if _NOT_NOW.search(str(error).encode()):
                raise MailboxUnreachableError(
                    f"{self._where} does not take log-ins now ({error}): try again later"
                ) from error
            raise MailboxRefusedError(
                f"{self._where} refused the log-in of {self._settings.username!r} ({_words(error)}): "
                "check username and password; Gmail and Yahoo want an app password"
            ) from error

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

    def open_folder(self, name: str) -> Folder:
        """Open a folder read-only (EXAMINE). Raises MailboxRefusedError, with the nearest names, if there is none."""
        with self._told():
            try:
                answer = self._client.select_folder(name, readonly=True)
            except imaplib.IMAP4.abort:
                raise
            except IMAPClientError as error:
                if _NOT_NOW.search(str(error).encode()):
                    raise MailboxUnreachableError(
                        f"{self._where} cannot open {name!r} now ({_words(error)})"
                    ) from error
                raise MailboxRefusedError(
                    f"{self._where} has no folder {name!r} ({_words(error)}){self._near(name)}"
                ) from error
        uidvalidity = answer.get(b"UIDVALIDITY")
        if not isinstance(uidvalidity, int):
            raise MailboxRefusedError(
                f"{self._where}: folder {name!r} has no UIDVALIDITY, its mails cannot be told apart"
            )
        return Folder(name, uidvalidity, _number(answer, b"UIDNEXT"), _number(answer, b"EXISTS"))

    def _near(self, name: str) -> str:
        names = [str(found) for _, _, found in self._client.list_folders()]
        folded = {one.casefold(): one for one in names}
        near = [folded[one] for one in get_close_matches(name.casefold(), list(folded), 3, 0.5)]
        near += [one for one in names if re.split(r"[/.\\]", one)[-1].casefold() == name.casefold() and one not in near]
        told = f": did you mean {' or '.join(map(repr, near))}? " if near else ": "
        return f"{told}There are: {', '.join(names[:50]) or 'none'}{' ...' if len(names) > 50 else ''}"

    def new_mails(self, folder: Folder, after: int) -> Iterator[Batch]:
        """Give the mails with a UID above `after`, in batches, oldest first.

        Of most mails only a few header fields are fetched; those that may be notices come whole, or cut at the
        size that a letter is read to. The last batch reaches to the end of the folder.
        """
        for uids, upto in self._windows(folder, after):
            for start in range(0, len(uids), _HEADERS):
                some = uids[start : start + _HEADERS]
                yield from self._batches(folder, some, upto if start + _HEADERS >= len(uids) else some[-1])

    def _windows(self, folder: Folder, after: int) -> Iterator[tuple[list[int], int]]:
        """Search window by window; wider after holes, so that a folder whose UIDs run to 2^32 ends as well."""
        start, width = after + 1, _WINDOW
        if not folder.exists:
            return
        while not folder.uidnext or start < folder.uidnext:
            end = min(start + width, folder.uidnext) - 1 if folder.uidnext else 0
            uids = self._search(f"{start}:{end or '*'}")
            # `n:*` gives the last mail even when its UID is below n (RFC 3501, 6.4.8)
            uids = sorted({uid for uid in uids if uid >= start and (not end or uid <= end)})
            if end:
                yield uids, end
                width = width * 2 if len(uids) < _WINDOW // 4 else _WINDOW
                start = end + 1
            else:
                if uids:
                    yield uids, uids[-1]
                return

    def _search(self, uids: str) -> list[int]:
        with self._told():
            return [int(uid) for uid in self._client.search(["UID", uids])]

    def _batches(self, folder: Folder, uids: list[int], upto: int) -> Iterator[Batch]:
        headings, missing = self._headings(folder, uids)
        mails: list[Mail] = list(missing)
        wanted: list[_Heading] = []
        for heading in headings:
            worth = Worth.BODY if self._settings.read_all else self._worth(heading)
            if worth is Worth.BODY:
                wanted.append(heading)
            elif worth is Worth.HEADER:
                mails.append(self._mail(folder, heading, heading.raw))
        told = 0
        for some in _portions(wanted):
            last = some[-1].uid
            bodies = self._bodies(folder, some)
            ready = sorted([m for m in mails if _uid(m) <= last] + bodies, key=_uid)
            mails = [m for m in mails if _uid(m) > last]
            reached = sum(uid <= last for uid in uids)
            yield Batch(tuple(ready), last, reached - told)
            told = reached
        if mails or told < len(uids) or not wanted or wanted[-1].uid < upto:
            yield Batch(tuple(mails), upto, len(uids) - told)

    def _headings(self, folder: Folder, uids: list[int]) -> tuple[list[_Heading], list[Mail]]:
        found = self._fetch(uids, ["RFC822.SIZE", "INTERNALDATE", _HEADER_ITEM])
        headings = {
            uid: _Heading(uid, _number(item, b"RFC822.SIZE"), item.get(b"INTERNALDATE"), raw)
            for uid, item in found.items()
            if (raw := _content(item, b"BODY[HEADER")) is not None
        }
        missing = self._without_data(folder, [uid for uid in uids if uid not in headings], all_of=len(uids))
        return [headings[uid] for uid in uids if uid in headings], missing

    def _bodies(self, folder: Folder, headings: list[_Heading]) -> list[Mail]:
        bodies: dict[int, bytes] = {}
        for item_name, some in (
            (_BODY_ITEM, [h.uid for h in headings if h.size <= LIMITS.size]),
            (_CUT_BODY_ITEM, [h.uid for h in headings if h.size > LIMITS.size]),
        ):
            for uid, item in self._fetch(some, [item_name]).items():
                raw = _content(item, b"BODY[]")
                if raw is not None:
                    bodies[uid] = raw
        missing = self._without_data(folder, [h.uid for h in headings if h.uid not in bodies], all_of=len(headings))
        return [self._mail(folder, h, bodies[h.uid]) for h in headings if h.uid in bodies] + missing

    def _without_data(self, folder: Folder, uids: list[int], all_of: int) -> list[Mail]:
        """Deal with mails that the server gave no data of: gone meanwhile, or there and unreadable.

        Servers have answered OK without any data (Exchange, when its store is away): then nothing is taken
        for read, and a later round tries again.
        """
        if not uids:
            return []
        there = set(self._search(",".join(map(str, uids)))) & set(uids)
        if there and len(uids) == all_of and all_of > 1:
            raise MailboxUnreachableError(
                f"{self._where} answered without data in folder {folder.name!r}: try again later"
            )
        return [
            Mail(
                b"",
                Place(self._settings.account, folder.name, folder.uidvalidity, uid),
                None,
                0,
                "the server gives no data of it",
            )
            for uid in sorted(there)
        ]

    def _fetch(self, uids: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        """Fetch by explicit UIDs: for ranges imapclient raises after the server did its work."""
        if not uids:
            return {}
        with self._told():
            answer: dict[int, dict[bytes, Any]] = self._client.fetch(uids, items)
            return answer

    def _worth(self, heading: _Heading) -> Worth:
        return verdict.worth_reading(letter.heading(heading.raw), self._settings.trust)

    def _mail(self, folder: Folder, heading: _Heading, raw: bytes) -> Mail:
        place = Place(self._settings.account, folder.name, folder.uidvalidity, heading.uid)
        return Mail(raw, place, heading.received_at, heading.size or len(raw))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say in words what went wrong, and whether trying again can help."""
        where, tls = self._where, self._settings.tls
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
            raise MailboxUnreachableError(
                f"{where} did not answer in {self._settings.timeout} s: try again later"
            ) from error
        except OSError as error:
            raise MailboxUnreachableError(
                f"{where} cannot be reached ({error.strerror or error}): try again later"
            ) from error
        except (imaplib.IMAP4.abort, ProtocolError) as error:
            hint = (
                ': is this port for tls = "implicit"?'
                if tls != "implicit" and self._settings.port == 993
                else ": try again later"
            )
            raise MailboxUnreachableError(f"{where} broke off ({_words(error)}){hint}") from error
        except IMAPClientError as error:
            kind = MailboxRefusedError if "STARTTLS" in str(error).upper() else MailboxUnreachableError
            raise kind(f"{where} refused ({_words(error)})") from error


def _portions(headings: list[_Heading]) -> Iterator[list[_Heading]]:
    """Cut into portions by count and bytes; a mail over the cap counts as the cap."""
    portion: list[_Heading] = []
    size = 0
    for heading in headings:
        cost = min(heading.size, LIMITS.size)
        if portion and (len(portion) >= _BODIES or size + cost > _BODY_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(heading)
        size += cost
    if portion:
        yield portion


def _content(item: dict[bytes, Any], begins: bytes) -> bytes | None:
    """Find a section's bytes; servers write its name back in their own spelling, with `<0>` after a partial fetch."""
    for key, value in item.items():
        if key.upper().startswith(begins) and isinstance(value, bytes):
            return value
    return None


def _number(item: dict[bytes, Any], key: bytes) -> int:
    value = item.get(key)
    return value if isinstance(value, int) else 0


def _uid(mail: Mail) -> int:
    return mail.place.uid or 0


def _words(error: Exception) -> str:
    """Give the server's words without imaplib's wrapping of bytes."""
    return re.sub(r"\bb'([^']*)'|\bb\"([^\"]*)\"", r"\1\2", str(error)).strip() or type(error).__name__
