"""Moving notices on a server without MOVE: COPY, then EXPUNGE of exactly those (UIDPLUS).

Copying twice would double mails, and that an answer is lost does not mean that nothing was done. So before each COPY
the ledger is told `copying UIDVALIDITY UIDNEXT FOLDER`: how far the UIDs of that folder went. What a run left so is
looked for among the mails that came there since. It is copied again only if it is not there, and after so long that
the server cannot be at it any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nosend import letter
from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.mailbox import answers, writing
from nosend.mailbox.connection import where_is
from nosend.mailbox.imap import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from nosend.config import Mailbox
    from nosend.mailbox.imap import ImapMailbox
    from nosend.mailbox.writing import Chosen
    from nosend.model import Notice

    Traits = tuple[tuple[str, ...], int]  # Message-ID and size: what a copy has of its original

_COPYING = re.compile(r"copying (\d+) (\d+) (.+)")
_AT_REST = 10  # times the timeout; a whole answer is waited for half as long
_HEADERS = 500
_ITEMS = ["RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]<0.65536>"]


@dataclass(frozen=True, slots=True)
class Found:
    """A notice that lies where it was read, and its flags in small letters."""

    notice: Notice
    traits: Traits
    flags: frozenset[str]

    @property
    def uid(self) -> int:
        """Give its UID."""
        return self.notice.uid


def traits(item: dict[bytes, Any], raw: bytes) -> Traits:
    """Give what a copy has of its original."""
    return letter.heading(raw).header("message-id"), number(item, b"RFC822.SIZE")


@dataclass(slots=True)
class Copying:
    """Copies of the notices of one folder, for one run. `settle` writes down what was done, `clock` gives the time."""

    mailbox: Mailbox
    inbox: ImapMailbox
    settle: Callable[[Sequence[int], str], None]
    clock: Callable[[], datetime]
    _arrived: dict[str, set[Traits]] = field(default_factory=dict)

    def look_for(self, notices: Sequence[Notice]) -> None:
        """Look for copies that were begun and not finished. The folder that was open is not open afterwards."""
        for begun in {notice.settled for notice in notices} - self._arrived.keys():
            if told := _COPYING.fullmatch(begun):
                since = writing.Reach(int(told[1]), int(told[2]))
                self._arrived[begun] = set(self._arrivals(told[3], since))

    def _arrivals(self, target: str, since: writing.Reach) -> Iterator[Traits]:
        try:
            now = writing.look_into(self.inbox, target)
        except MailboxRefusedError:
            return  # it was removed, and what was in it
        start = max(1, since.uidnext) if now.uidvalidity == since.uidvalidity else 1
        uids = [uid for uid in self.inbox.search(f"{start}:*") if uid >= start]
        for at in range(0, len(uids), _HEADERS):
            for item in self.inbox.fetch(uids[at : at + _HEADERS], _ITEMS).values():
                yield traits(item, answers.content(item, b"BODY[HEADER") or b"")

    def parted(self, found: Sequence[Found]) -> tuple[list[Found], list[Found]]:
        """Give the notices whose copies are there, and those to begin with; the server may be at the rest."""
        copied, fresh = [], []
        for one in found:
            arrived = self._arrived.get(one.notice.settled)
            if arrived and one.traits in arrived:  # of mails that are alike COPY copies all or none (RFC 3501, 6.4.7)
                copied.append(one)
            elif arrived is None or self._is_at_rest(one.notice):
                fresh.append(one)
        return copied, fresh

    def _is_at_rest(self, notice: Notice) -> bool:
        """Tell whether the COPY is long over. A clock that was set back must not keep it for ever."""
        age = self.clock() - notice.settled_at if notice.settled_at else None
        return age is None or abs(age) > timedelta(seconds=self.mailbox.timeout * _AT_REST)

    def copy(self, notices: Sequence[Found], chosen: Chosen) -> None:
        """Move notices of the open folder by COPY and EXPUNGE."""
        target, uids = self.mailbox.move_notices_to, [one.uid for one in notices]
        self._may_expunge(chosen)
        reach = writing.reach(self.inbox, target)
        self.settle(uids, f"copying {reach.uidvalidity} {reach.uidnext} {target}")
        try:
            writing.copy(self.inbox, uids, target)
        except MailboxRefusedError:
            self.settle(uids, "")  # the server said that it did nothing
            raise
        self._expunge(uids, target, chosen.name)

    def finish(self, copied: Sequence[Found], chosen: Chosen) -> None:
        """Expunge notices of the open folder whose copies are there."""
        self._may_expunge(chosen)
        for begun in {one.notice.settled for one in copied}:
            told = _COPYING.fullmatch(begun)
            self._expunge(
                [one.uid for one in copied if one.notice.settled == begun], told[3] if told else "", chosen.name
            )

    def _expunge(self, uids: Sequence[int], target: str, folder: str) -> None:
        writing.expunge(self.inbox, uids)
        left = set(self.inbox.search(",".join(map(str, uids)))) & set(uids)
        self.settle([uid for uid in uids if uid not in left], f"moved {target}")
        if left:  # another client took the flag away
            told = f"{where_is(self.mailbox)} copied {len(left)} mails to {target!r} and did not expunge them"
            raise MailboxUnreachableError(f"{told} from {folder!r}: try again later")

    def _may_expunge(self, chosen: Chosen) -> None:
        """Make sure of it before anything is copied, or the copy would stand beside its original."""
        if "UIDPLUS" not in self.inbox.capabilities() or not chosen.takes(writing.DELETED):
            raise MailboxRefusedError(
                f"{where_is(self.mailbox)} cannot expunge single mails of folder {chosen.name!r}, so that none can be "
                'moved: set mark_notices = "$NosendOptOut" instead of move_notices_to'
            )
