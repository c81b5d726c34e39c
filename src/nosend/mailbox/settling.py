"""What is done with recognised notices where they lie, after they were recorded: marked, or moved to a folder.

The ledger says of each notice what was done with it: `marked FLAG`, `moved FOLDER`, `gone` when it was not there any
more, and what `copying` says while a copy is under way. Whatever a run leaves undone the next one finds by that.
Marking and moving go by UIDs, so that doing it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from nosend import letter
from nosend.errors import MailboxRefusedError, MailboxUnreachableError, NosendError
from nosend.mailbox import answers, writing
from nosend.mailbox.connection import where_is
from nosend.mailbox.copying import Copying, Found, traits
from nosend.mailbox.imap import number
from nosend.mailbox.reading import one_mail
from nosend.model import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from nosend.config import Mailbox
    from nosend.mailbox.imap import Folder, ImapMailbox
    from nosend.mailbox.writing import Chosen
    from nosend.model import Notice

_log = logging.getLogger(__name__)

_GONE = "gone"
_ITEMS = ["RFC822.SIZE", "FLAGS", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]<0.65536>"]


class Store(Protocol):
    """What settling needs of a store."""

    def unsettled(self, place: Place, done: Sequence[str], after: int) -> tuple[Notice, ...]:
        """Give the next notices of a folder above a UID that are not settled as one of `done`."""

    def settle(self, place: Place, uids: Sequence[int], how: str, now: datetime) -> None:
        """Write down what was done with notices of a folder."""


@dataclass(slots=True)
class Settling:
    """Settles the notices of one folder that was read: `run`, once. `clock` gives the time."""

    mailbox: Mailbox
    inbox: ImapMailbox
    folder: Folder
    store: Store
    clock: Callable[[], datetime]
    troubles: list[NosendError] = field(default_factory=list)

    def run(self) -> Iterator[int]:
        """Do what is configured with what is not settled yet; nothing is asked of the server when all is.

        Gives how many notices each batch held. What went wrong stands in `troubles`; MailboxUnreachableError is raised
        when the line is dead. What was done is written down, the rest is for the next run. A folder whose UIDVALIDITY
        is not what it was when it was read is left alone until it is read again.
        """
        target, flag = self.mailbox.move_notices_to, self.mailbox.mark_notices
        if not (target or flag) or writing.is_same(self.folder.name, target):
            return
        notices = self._next(0)
        if not notices:
            return
        try:
            self._prepare()
            copying = Copying(self.mailbox, self.inbox, self._settle, self.clock)
            while notices and self._batch(notices, copying):
                yield len(notices)
                notices = self._next(notices[-1].uid)
        except (MailboxRefusedError, MailboxUnreachableError) as trouble:
            self.troubles.append(trouble)
        self._leave()

    def _leave(self) -> None:
        """Open the folder read-only again. A server that says "not now" is still there to be read, a dead line not."""
        try:
            writing.look_into(self.inbox, self.folder.name)
        except MailboxRefusedError:  # it was removed meanwhile
            return
        except MailboxUnreachableError as dead:
            raise (self.troubles.pop() if self.troubles else dead) from dead

    @property
    def _place(self) -> Place:
        return Place(self.mailbox.account, self.folder.name, self.folder.uidvalidity)

    @property
    def _done(self) -> str:
        target, flag = self.mailbox.move_notices_to, self.mailbox.mark_notices
        return f"moved {target}" if target else f"marked {flag}"

    def _next(self, after: int) -> tuple[Notice, ...]:
        return self.store.unsettled(self._place, (self._done, _GONE), after)

    def _settle(self, uids: Sequence[int], how: str) -> None:
        if uids:
            self.store.settle(self._place, uids, how, self.clock())
            _log.info(
                "%s notices: %s",
                len(uids),
                how or "not copied",
                extra={"account": self.mailbox.account, "folder": self.folder.name},
            )

    def _prepare(self) -> None:
        target = self.mailbox.move_notices_to
        if not target:
            return
        if not {"MOVE", "UIDPLUS"} & self.inbox.capabilities():
            raise MailboxRefusedError(
                f"{where_is(self.mailbox)} has neither MOVE nor UIDPLUS, so that no mail can be moved without touching "
                'others: set mark_notices = "$NosendOptOut" instead of move_notices_to'
            )
        writing.make_sure_of(self.inbox, target)

    def _batch(self, notices: Sequence[Notice], copying: Copying) -> bool:
        """Settle some notices; tell whether the folder is still the one that was read."""
        copying.look_for(notices)
        chosen = writing.select(self.inbox, self.folder.name)
        if chosen.uidvalidity != self.folder.uidvalidity:
            return False
        found = self._found(notices, chosen)
        copied, fresh = copying.parted(found)
        if copied:
            copying.finish(copied, chosen)
        if fresh and self.mailbox.mark_notices:
            self._mark(fresh, chosen)
        elif fresh and "MOVE" in self.inbox.capabilities():
            uids = [one.uid for one in fresh]
            writing.move(self.inbox, uids, self.mailbox.move_notices_to)
            self._settle(uids, self._done)
        elif fresh:
            copying.copy(fresh, chosen)
        return True

    def _found(self, notices: Sequence[Notice], chosen: Chosen) -> list[Found]:
        """Give those notices that lie where they were read, and settle those that do not."""
        answer = self.inbox.fetch([notice.uid for notice in notices], _ITEMS)
        headers = {
            uid: raw for uid, item in answer.items() if (raw := answers.content(item, b"BODY[HEADER")) is not None
        }
        unread = self._unread([notice.uid for notice in notices if notice.uid not in headers], chosen)
        found, gone = [], []
        for notice in notices:
            uid = notice.uid
            if uid in headers and self._is(notice, answer[uid], headers[uid]):
                found.append(Found(notice, traits(answer[uid], headers[uid]), writing.lowered(answer[uid])))
            elif uid not in unread:
                gone.append(uid)
        self._settle(gone, _GONE)
        return found

    def _unread(self, missing: Sequence[int], chosen: Chosen) -> set[int]:
        """Give those mails without data that are there. The last mail is asked for, too: it must be in the answer."""
        if not missing:
            return set()
        there = set(self.inbox.search(f"{','.join(map(str, missing))},*"))
        if chosen.exists and not there:
            raise MailboxUnreachableError(
                f"{where_is(self.mailbox)} answered without data in folder {self.folder.name!r}: try again later"
            )
        unread = there & set(missing)
        if unread:
            told = f"{where_is(self.mailbox)} gives no data of UID {min(unread)} in {self.folder.name!r}"
            self.troubles.append(MailboxUnreachableError(f"{told}: the notice stays there; try again later"))
        return unread

    def _is(self, notice: Notice, item: dict[bytes, Any], raw: bytes) -> bool:
        """Tell whether a mail is the recorded one: by its Message-ID, else by all its bytes.

        Another mailbox may have taken this one's place, with the same UIDVALIDITY.
        """
        if [value[:500] for value in letter.heading(raw).header("message-id") if value] == [notice.key]:
            return True
        if number(item, b"RFC822.SIZE") != notice.size:
            return False
        place = Place(self.mailbox.account, self.folder.name, self.folder.uidvalidity, notice.uid)
        return hashlib.sha256(one_mail(self.inbox, place).raw).hexdigest() == notice.sha256

    def _mark(self, fresh: Sequence[Found], chosen: Chosen) -> None:
        flag = self.mailbox.mark_notices
        if not chosen.takes(flag):
            raise MailboxRefusedError(
                f"{where_is(self.mailbox)} does not keep {flag!r} in folder {self.folder.name!r}; it keeps "
                f"{chosen.told()}: set mark_notices to one of these, or use move_notices_to"
            )
        uids = [one.uid for one in fresh if flag.lower() not in one.flags]
        if uids:
            writing.add_flag(self.inbox, uids, flag)
        now = writing.flags(self.inbox, [one.uid for one in fresh])
        self._settle([uid for uid, flags in now.items() if flag.lower() in flags], self._done)
        without = [uid for uid, flags in now.items() if flag.lower() not in flags]
        if without:
            told = f"{where_is(self.mailbox)} took {flag!r} and did not keep it on {len(without)} mails"
            raise MailboxRefusedError(f"{told} in {self.folder.name!r}: choose another for mark_notices")
