"""An IMAP connection (RFC 3501), read-only: EXAMINE, and BODY.PEEK by whoever fetches, leave no trace.

What changes a mailbox goes through `commanding`, and stands in `writing`.

The one typed adapter around imapclient, which carries no types. Whatever the library raises, every call raises
MailboxRefusedError (mend it) or MailboxUnreachableError (try again), in words.
"""

from __future__ import annotations

import contextlib
import imaplib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from imapclient.datetime_util import format_criteria_date
from imapclient.exceptions import IMAPClientError, ProtocolError
from imapclient.response_parser import parse_fetch_response

from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.mailbox import answers, folders, idle, sasl
from nosend.mailbox.connection import Client, in_words, tls_context, where_is
from nosend.mailbox.folders import Listed
from nosend.mailbox.line import Line
from nosend.mailbox.sasl import not_now, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from types import TracebackType

    from nosend.config import Mailbox
    from nosend.mailbox.bell import Bell
    from nosend.mailbox.sasl import Bearer

_STEPS = 5  # times the timeout: the seconds that the server has for a whole answer
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
    """A connection that is logged in. Use it in a `with`, which logs out.

    No call waits for ever: the server has `timeout` seconds for each step and five times as long for a whole answer,
    however slowly it drips. `line` can cut the connection from another thread.
    """

    def __init__(self, settings: Mailbox, credentials: str | Bearer, line: Line | None = None) -> None:
        """Connect and log in. A refused access token is renewed once, if it can be, and tried on a new connection."""
        self._settings = settings
        self._line = line or Line()
        self._where = where_is(settings)
        self._watched: Folder | None = None
        self._asked: Callable[[], None] | None = None  # takes in the answer to a FETCH that is under way
        self._has_idle: bool | None = None  # not known yet
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
            sasl.introduce(client)
        except BaseException:
            client.shutdown()
            raise
        return client

    def _connect(self) -> Any:
        settings = self._settings
        context = tls_context(settings) if settings.tls != "none" else None
        client = Client(settings, context, self._line)
        client.normalise_times = False  # aware times, not the machine's local ones
        client._imap.debug = 0  # noqa: SLF001 - imapclient has each line logged, to nobody: a tenth of the time
        if settings.tls == "starttls":
            try:
                client.starttls(context)
                self._line.opened(client.socket())
            except BaseException:
                with contextlib.suppress(OSError):  # of a socket that TLS has taken and given up
                    client.shutdown()
                raise
        return client

    def close(self) -> None:
        """Log out, or drop the line when the server does not answer any more."""
        try:
            with self._line.within(self._settings.timeout):
                self._client.logout()
        except (OSError, IMAPClientError):
            self.drop()

    def drop(self) -> None:
        """Drop the line without a word."""
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
            self.drop()

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
                said = words(error)
                if kind := not_now(said.replace(name, "")):  # servers repeat the name
                    raise kind(f"{self._where} cannot open {name!r} now ({said}): try again later") from error
                raise MailboxRefusedError(f"{self._where} {self._why_not(name, said)}") from error
        uidvalidity = answer.get(b"UIDVALIDITY")
        if uidvalidity is None and b"EXISTS" not in answer:
            raise MailboxUnreachableError(f"{self._where} opened {name!r} without telling anything: try again later")
        if not isinstance(uidvalidity, int) or not 0 <= uidvalidity < _END_OF_NUMBERS:
            raise MailboxRefusedError(
                f"{self._where}: folder {name!r} has no UIDVALIDITY, its mails cannot be told apart"
            )
        folder = Folder(
            name, uidvalidity, number(answer, b"UIDNEXT"), number(answer, b"EXISTS"), number(answer, b"HIGHESTMODSEQ")
        )
        if self._watched is None or self._watched.name == name:
            self._watched = folder
        return folder

    @contextlib.contextmanager
    def commanding(self, doing: str) -> Iterator[Any]:
        """Give the client for one command that changes something, and say in words why it could not be done.

        Raises MailboxRefusedError when the server says no, MailboxUnreachableError when it says "not now" or nothing:
        then it is not known whether it was done.
        """
        with self._told():
            try:
                yield self._client
            except imaplib.IMAP4.readonly as error:
                raise MailboxRefusedError(
                    f"{self._where} cannot {doing}: it lets this user only read: ask its keeper for the right"
                ) from error
            except (imaplib.IMAP4.abort, ProtocolError):
                raise
            except IMAPClientError as error:
                said = words(error)
                # of a log-in OVERQUOTA is said for bandwidth, of a command for the room in the mailbox (RFC 9208)
                is_full = "OVERQUOTA" in said.upper()
                kind = MailboxRefusedError if is_full else not_now(said) or MailboxRefusedError
                raise kind(f"{self._where} cannot {doing} ({said})") from error

    def wait(self, bell: Bell, seconds: float) -> None:
        """Wait until there may be something new, the bell rings or the time is over: with IDLE where the server has it.

        It is the first folder that was opened on this connection that is listened at. Returns at once when that holds
        something else than when it was opened last. Raises what every call here raises when the line is dead.
        """
        known = self._watched
        if self._has_idle is None:
            self._has_idle = "IDLE" in self.capabilities()
        if known is None or not self._has_idle:
            bell.wait(seconds)
            return
        if replace(self.open_folder(known.name), modseq=known.modseq) != known:  # a flag is no news
            return
        try:
            with self._told():
                tag = idle.begin(self._client)
        except idle.NoIdleError:
            self._has_idle = False
            bell.wait(seconds)
            return
        with in_words(self._settings):
            idle.wait(self._client, bell, seconds)
        with self._told():
            idle.end(self._client, tag)

    def near(self, name: str) -> str:
        """Say which folders there are, those first that may be meant by a name."""
        return folders.there(name, [one.name for one in self.list_folders()])

    def _why_not(self, name: str, said: str) -> str:
        """Say why a folder cannot be opened: it is not there, or it is and the server refuses."""
        try:
            names = [one.name for one in _listed(self._client.list_folders())]
        except imaplib.IMAP4.abort:
            raise
        except (IMAPClientError, ValueError, TypeError):
            names = []
        if name in names or name.upper() == "INBOX":
            return f"refused to open folder {name!r} ({said}): ask who runs it"
        return f"has no folder {name!r} ({said}){folders.there(name, names)}"

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
        return self._found("UID", uids, *(("SINCE", format_criteria_date(since).decode()) if since else ()))

    def newest(self) -> int:
        """Give the UID of the last mail in the open folder, 0 when the server gives none.

        It is asked for by its place: on Cyrus `UID *` is the last UID that was given out, though its mail be gone.
        """
        return max(self._found("*"), default=0)

    def _found(self, *criteria: str) -> list[int]:
        imap = self._client._imap  # noqa: SLF001 - imapclient's own raises when the answer comes in several lines
        with self._told():
            imap.untagged_responses.pop("SEARCH", None)
            kind, lines = imap.uid("SEARCH", *criteria)
            if kind != "OK":
                raise IMAPClientError(f"SEARCH failed: {lines}")
            return [uid for line in lines if line for uid in _numbers(line) if 0 < uid < _END_OF_NUMBERS]

    def fetch(self, uids: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        """Fetch items by explicit UIDs: for ranges imapclient raises after the server did its work.

        What the server does not give of a mail is missing in the answer. INTERNALDATE may be bytes or a datetime.
        """
        return self.ask(uids, items)()

    def ask(self, uids: list[int], items: list[str]) -> Callable[[], dict[int, dict[bytes, Any]]]:
        """Send a FETCH, so that the server is at work while we are; what is given waits for the answer, as `fetch`.

        Whatever is called on this connection before takes the answer in first.
        """
        if not uids:
            return dict
        imap = self._client._imap  # noqa: SLF001 - imaplib's own waits
        with self._told():
            tag = imap._command("UID", "FETCH", ",".join(map(str, uids)), f"({' '.join(items)})")  # noqa: SLF001
        answer: list[Any] = []

        def take_in() -> None:
            self._asked = None
            with self._told():
                answer.extend(imap._untagged_response(*imap._command_complete("UID", tag), "FETCH"))  # noqa: SLF001

        def read() -> dict[int, dict[bytes, Any]]:
            if not answer:
                take_in()
            with self._told():
                told, found = answer
                if told != "OK":
                    raise IMAPClientError(f"fetch failed: {found[0]!r}")
                known = answers.read(found)
                return parse_fetch_response(found, normalise_times=False) if known is None else known

        self._asked = take_in
        return read

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say what goes wrong in words, and not too late; what was asked before is taken in first."""
        if self._asked:
            self._asked()
        with in_words(self._settings), self._line.within(self._settings.timeout * _STEPS):
            yield


def _numbers(line: bytes) -> Iterator[int]:
    """Give the numbers of an answer to SEARCH, without the MODSEQ that may stand behind (RFC 7162, 3.1.5)."""
    return map(int, line.partition(b"(")[0].split())


def _listed(found: Iterable[tuple[Any, Any, Any]]) -> tuple[Listed, ...]:
    return tuple(
        Listed(str(name), frozenset(flag.decode("ascii", "replace").lower() for flag in flags))
        for flags, _, name in found
    )


def number(answer: dict[bytes, Any], key: bytes) -> int:
    """Give a number of an answer, 0 when it was not told or cannot be."""
    value = answer.get(key)
    return value if isinstance(value, int) and 0 <= value < _END_OF_NUMBERS else 0
