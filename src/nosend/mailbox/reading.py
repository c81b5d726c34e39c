"""What is new in a folder: UIDs in windows, header fields before bodies, bodies in batches.

Memory does not grow with the folder, and of most mails only a few header fields cross the line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nosend import letter, verdict
from nosend.errors import MailboxUnreachableError, NosendError
from nosend.letter.mime import LIMITS
from nosend.mailbox import answers
from nosend.mailbox.imap import number
from nosend.model import Mail, Place
from nosend.verdict import Worth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime

    from nosend.config import Mailbox
    from nosend.mailbox.imap import Folder, ImapMailbox
    from nosend.model import Letter
    from nosend.verdict.rules import Rules

    Headings = Callable[[], dict[int, dict[bytes, Any]]]  # gives what the server says of some mails

_NO_LIMIT = 2**63
_WINDOW = 2_000  # UIDs searched at a time; grows over holes
_LAST_UID = 2**32 - 1  # RFC 3501, 9: nz-number
AT_ONCE = 500  # header sections a FETCH: 19,000 mails/s on Dovecot, against 2,500 one by one
_NEWEST = 50  # mails that `doctor` looks at
_HEADERS_A_BODY = 5  # for so many header sections a FETCH, one body a FETCH, and
_BYTES_A_BODY = 80 * 1024  # so many bytes
_FIELDS = " ".join((*verdict.DECIDING_FIELDS, "Message-ID", "Date", "X-Marketplace-ID")).upper()
# Never more than this of a mail, whatever size the server tells; of a body one byte more than a letter is read of,
# so that the letter tells that it was cut.
HEADER_ITEM = f"BODY.PEEK[HEADER.FIELDS ({_FIELDS})]<0.65536>"
_HEADING = ["RFC822.SIZE", "INTERNALDATE", HEADER_ITEM]
_BODY_ITEM = f"BODY.PEEK[]<0.{LIMITS.size + 1}>"


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
    received_at: bytes | datetime | None
    raw: bytes


class FolderReader:
    """Reads one open folder of a mailbox that is logged in. `at_once` header sections are asked for at a time."""

    def __init__(
        self, mailbox: Mailbox, inbox: ImapMailbox, folder: Folder, rules: Rules, at_once: int = AT_ONCE
    ) -> None:
        self._mailbox = mailbox
        self._rules = rules
        self._inbox = inbox
        self._folder = folder
        self._headers, self._bodies_at_once = at_once, max(1, at_once // _HEADERS_A_BODY)

    def new_mails(self, after: int, since: date | None = None, limit: int = 0) -> Iterator[Batch]:
        """Give the mails with a UID above `after`, in batches, oldest first.

        Of most mails only a few header fields are fetched; those that may be notices come whole, or cut at the
        size that a letter is read to. The last batch reaches to the end of the folder. Mails received before the day
        `since` are passed over unseen; after `limit` mails it ends, 0 is no limit.
        """
        steps = self._steps(after, since, limit or _NO_LIMIT)
        following = self._begun(steps)
        while following:
            uids, upto, headings = following
            last = Batch((), upto, 0)  # a hole: the cursor passes over it
            for position, batch in enumerate(self._batches(uids, upto, headings) if uids else ()):
                if position:
                    yield last
                last = batch
            trouble = None
            try:
                following = self._begun(steps)  # the server is at work while the last batch is judged and recorded
            except NosendError as error:
                trouble = error
            yield last
            if trouble:
                raise trouble

    def _steps(self, after: int, since: date | None, left: int) -> Iterator[tuple[list[int], int]]:
        """Give the UIDs whose headings are fetched at a time, and up to where all is dealt with then."""
        for uids, upto in self._windows(after, since):
            for start in range(0, max(1, len(uids)), self._headers):
                some = uids[start : min(start + self._headers, start + left)]
                left -= len(some)
                yield some, upto if start + len(some) >= len(uids) else some[-1]
                if not left:
                    return

    def _begun(self, steps: Iterator[tuple[list[int], int]]) -> tuple[list[int], int, Headings] | None:
        step = next(steps, None)
        return (*step, self._inbox.ask(step[0], _HEADING)) if step else None

    def mails(self, uids: Sequence[int]) -> Iterator[Batch]:
        """Give those mails of some UIDs that are still there, in batches, oldest first."""
        for start in range(0, len(uids), self._bodies_at_once):
            some = uids[start : start + self._bodies_at_once]
            there = sorted(set(self._inbox.search(",".join(map(str, some)))) & set(some))
            if there:
                yield from self._batches(there, there[-1], self._inbox.ask(there, _HEADING))

    def _windows(self, after: int, since: date | None) -> Iterator[tuple[list[int], int]]:
        """Search window by window; wider after holes, so that a folder whose UIDs run to 2^32 ends as well.

        Each search asks for the last mail, too (`*`): that proves that the server gives data, and tells how far the
        folder goes, which UIDNEXT does not on every server. Where it is not enough the last mail is asked for alone.
        """
        if not self._folder.exists:
            return
        start, width, last = after + 1, _WINDOW, self._folder.uidnext - 1
        while start <= _LAST_UID:
            end = min(start + width - 1, _LAST_UID)
            found = self._inbox.search(f"{start}:{end},*", since)
            # the last mail may have been received before that day
            newest = (0 if since else max(found, default=0)) or self._inbox.newest()
            if not newest:
                raise self._no_data()
            last = max(last, newest)
            if start > last:
                return
            uids = sorted({uid for uid in found if start <= uid <= end})
            yield uids, min(end, last)
            width = width * 2 if len(uids) < _WINDOW // 4 else _WINDOW
            start = end + 1

    def _batches(self, uids: list[int], upto: int, answer: Headings) -> Iterator[Batch]:
        headings, missing = self._headings(uids, answer)
        mails: list[Mail] = list(missing)
        wanted: list[_Heading] = []
        for heading in headings:
            if not self._mailbox.read_all and verdict.surely_nothing(heading.raw, self._mailbox.trust, self._rules):
                continue
            read = letter.heading(heading.raw)
            worth = verdict.worth_reading(read, self._mailbox.trust, self._rules)
            if worth is Worth.BODY or self._mailbox.read_all:
                wanted.append(heading)
            elif worth is Worth.HEADER:
                mails.append(self._mail(heading, heading.raw, read))
        told = 0
        for some in _portions(wanted, self._bodies_at_once):
            last = some[-1].uid
            bodies = self._bodies(some)
            ready = sorted([m for m in mails if _uid(m) <= last] + bodies, key=_uid)
            mails = [m for m in mails if _uid(m) > last]
            reached = sum(uid <= last for uid in uids)
            yield Batch(tuple(ready), last, reached - told)
            told = reached
        if mails or told < len(uids) or not wanted or wanted[-1].uid < upto:
            yield Batch(tuple(mails), upto, len(uids) - told)

    def _headings(self, uids: list[int], answer: Headings) -> tuple[list[_Heading], list[Mail]]:
        headings = {
            uid: _Heading(uid, number(item, b"RFC822.SIZE"), item.get(b"INTERNALDATE"), raw)
            for uid, item in answer().items()
            if (raw := answers.content(item, b"BODY[HEADER")) or (raw == b"" and item.get(b"RFC822.SIZE") == 0)
        }
        missing = self._without_data([uid for uid in uids if uid not in headings], all_of=len(uids))
        return [headings[uid] for uid in uids if uid in headings], missing

    def _bodies(self, headings: list[_Heading]) -> list[Mail]:
        answer = self._inbox.fetch([h.uid for h in headings], [_BODY_ITEM])
        bodies = {uid: raw for uid, item in answer.items() if (raw := answers.content(item, b"BODY[]"))}
        missing = self._without_data([h.uid for h in headings if h.uid not in bodies], all_of=len(headings))
        return [self._mail(h, bodies[h.uid]) for h in headings if h.uid in bodies] + missing

    def _without_data(self, uids: list[int], all_of: int) -> list[Mail]:
        """Deal with mails that the server gave no data of: gone meanwhile, or there and unreadable.

        Servers have answered OK without any data (Exchange, when its store is away): then nothing is taken
        for read, and a later round tries again.
        """
        if not uids:
            return []
        there = set(self._inbox.search(",".join(map(str, uids)))) & set(uids)
        if there and len(uids) == all_of:
            raise self._no_data()
        return [Mail(b"", self._place(uid), None, 0, "the server gives no data of it") for uid in sorted(there)]

    def _no_data(self) -> MailboxUnreachableError:
        where = f"account {self._mailbox.account!r}: {self._mailbox.host}"
        return MailboxUnreachableError(
            f"{where} answered without data in folder {self._folder.name!r}: try again later"
        )

    def _mail(self, heading: _Heading, raw: bytes, read: Letter | None = None) -> Mail:
        received_at, size = answers.time(heading.received_at), heading.size or len(raw)
        return Mail(raw, self._place(heading.uid), received_at, size, heading=read)

    def _place(self, uid: int) -> Place:
        return Place(self._mailbox.account, self._folder.name, self._folder.uidvalidity, uid)


def newest(inbox: ImapMailbox, folder: Folder, *names: str) -> list[bytes]:
    """Give some header fields of the newest mails of an open folder, as header sections."""
    start = max(1, folder.uidnext - _WINDOW)
    uids = sorted(inbox.search(f"{start}:*"))[-_NEWEST:] if folder.exists else []
    answer = inbox.fetch(uids, [f"BODY.PEEK[HEADER.FIELDS ({' '.join(names).upper()})]<0.65536>"]) if uids else {}
    return [raw for item in answer.values() if (raw := answers.content(item, b"BODY[HEADER")) is not None]


def newest_uid(inbox: ImapMailbox, folder: Folder) -> int:
    """Give the UID of the newest mail of an open folder, 0 when there is none."""
    return inbox.newest() if folder.exists else 0


def one_mail(inbox: ImapMailbox, place: Place) -> Mail:
    """Fetch one mail of the open folder, cut at the size that a letter is read to."""
    uid = place.uid or 0
    item = inbox.fetch([uid], ["RFC822.SIZE", "INTERNALDATE", _BODY_ITEM]).get(uid, {})
    raw = answers.content(item, b"BODY[]")
    if raw is None:
        raise MailboxUnreachableError(
            f"account {place.account!r}: the server gives no data of UID {uid} in {place.folder!r}: try again later"
        )
    return Mail(raw, place, answers.time(item.get(b"INTERNALDATE")), number(item, b"RFC822.SIZE") or len(raw))


def _portions(headings: list[_Heading], most: int) -> Iterator[list[_Heading]]:
    """Cut into portions of at most so many mails, and by bytes; a mail over the cap counts as the cap."""
    portion: list[_Heading] = []
    size = 0
    for heading in headings:
        cost = min(heading.size, LIMITS.size)
        if portion and (len(portion) >= most or size + cost > most * _BYTES_A_BODY):
            yield portion
            portion, size = [], 0
        portion.append(heading)
        size += cost
    if portion:
        yield portion


def _uid(mail: Mail) -> int:
    return mail.place.uid or 0
