"""One mailbox's part of a round: every folder opened, what is new in it judged and recorded batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from nosend import log
from nosend.errors import ConfigError, MailboxRefusedError, MailboxUnreachableError, NosendError
from nosend.judging import now
from nosend.mailbox import settling
from nosend.mailbox.reading import AT_ONCE, FolderReader
from nosend.store.recording import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

    from nosend.config import Mailbox
    from nosend.judging import Judging
    from nosend.mailbox.imap import Folder, ImapMailbox
    from nosend.model import Judged, Mail
    from nosend.store.ledger import Cursor

_UNFINISHED_BEFORE_CAUTION = 2  # a batch that was begun so often and not finished is taken mail by mail
_UNFINISHED_BEFORE_SET_ASIDE = 5  # a mail that was begun so often alone is set aside unread

_POISON = f"the process died {_UNFINISHED_BEFORE_SET_ASIDE} times while it was judged"


class Store(settling.Store, Protocol):
    """What the service needs of a store."""

    def cursor(self, account: str, folder: str, origin: str, uidvalidity: int) -> Cursor:
        """Say how far a folder was read."""

    def begin(self, cursor: Cursor, upto: int) -> None:
        """Count an attempt at the mails up to a UID, before they are judged."""

    def record(self, mails: Sequence[Judged], now: datetime, cursor: Cursor | None = None) -> Recorded:
        """Write down what was read and how far, in one transaction."""

    def passed_over(self, cursor: Cursor, judged_by: str) -> tuple[int, ...]:
        """Give the mails of a folder in which other rules knew no cause: their UIDs."""

    def begin_passed_over(self, cursor: Cursor, uids: Sequence[int], judged_by: str) -> None:
        """Count an attempt at mails that were passed over, before they are read again and judged."""

    def stale(self, account: str, judged_by: str) -> tuple[int, ...]:
        """Give the waiting mails that were judged by something else."""

    def begin_again(self, ident: int, judged_by: str) -> Mail:
        """Count an attempt at a waiting mail, before it is judged, and give it."""

    def record_again(self, ident: int, judged: Judged, now: datetime) -> Recorded:
        """Write down what a waiting mail is now, in one transaction."""

    def expire(self, now: datetime, age: timedelta, size: int) -> int:
        """Drop kept bytes that are older than `age`, or over `size` bytes in all."""

    def round_begun(self, account: str) -> None:
        """Remember that there is such a mailbox."""

    def round_done(self, account: str, now: datetime, trouble: str = "") -> None:
        """Remember how a mailbox fared."""


class Progress(Protocol):
    """Whoever wants to know how far the work is."""

    def __call__(self, label: str, done: int, total: int) -> None:
        """Be told that `done` of about `total` of one folder (UIDs) or of the files are dealt with."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a round did: mails gone past, what changed, and the troubles, in the words of each."""

    seen: int = 0
    recorded: Recorded = field(default_factory=Recorded)
    troubles: tuple[NosendError, ...] = ()

    def __add__(self, other: Report) -> Report:
        """Add up two reports."""
        return Report(self.seen + other.seen, self.recorded + other.recorded, self.troubles + other.troubles)


@dataclass(frozen=True, slots=True)
class Visit:
    """One round's visit to one mailbox. `connect` gives the connection, and knows what becomes of it afterwards.

    `at_once` bounds how many mails are held in memory.
    """

    mailbox: Mailbox
    judging: Judging
    store: Store
    progress: Progress
    connect: Callable[[], AbstractContextManager[ImapMailbox]]
    at_once: int = AT_ONCE

    def report(self) -> Report:
        """Read every folder, then settle the notices; a folder in trouble does not hold up the others.

        Raises what the store raises.
        """
        report = Report()
        read: list[Folder] = []
        try:
            with self.connect() as inbox:
                for name in self.mailbox.folders:
                    try:
                        folder = inbox.open_folder(name)
                    except MailboxRefusedError as trouble:  # this folder; the others may be there
                        report += Report(troubles=(trouble,))
                        continue
                    for found in chain(self._read(inbox, folder), self._read_again(inbox, folder)):
                        report += found
                    read.append(folder)
                report += self._settle(inbox, read)
        except (MailboxRefusedError, MailboxUnreachableError, ConfigError) as trouble:
            report += Report(troubles=(trouble,))
        return report

    def _settle(self, inbox: ImapMailbox, read: Sequence[Folder]) -> Report:
        """Settle the notices of the folders that were read; what keeps all of them from it is told once."""
        troubles: dict[str, NosendError] = {}
        for folder in read:
            notices = settling.Settling(self.mailbox, inbox, folder, self.store, now)
            done = 0
            for count in notices.run():
                done += count
                self.progress(f"{self.mailbox.account} {folder.name}: notices put away", done, done)
            troubles |= {str(trouble): trouble for trouble in notices.troubles}
        return Report(troubles=tuple(troubles.values()))

    def _read_again(self, inbox: ImapMailbox, folder: Folder) -> Iterator[Report]:
        """Read what was passed over by other rules: a new pack may know it."""
        mailbox, judging, store = self.mailbox, self.judging, self.store
        cursor = store.cursor(mailbox.account, folder.name, mailbox.origin, folder.uidvalidity)
        uids = store.passed_over(cursor, judging.fingerprint)
        if uids:
            store.begin_passed_over(cursor, uids, judging.fingerprint)
        for batch in FolderReader(mailbox, inbox, folder, judging.rules, self.at_once).mails(uids):
            yield Report(recorded=store.record([judging.judge(mail) for mail in batch.mails], now()))

    def _read(self, inbox: ImapMailbox, folder: Folder) -> Iterator[Report]:
        mailbox, judging, store = self.mailbox, self.judging, self.store
        known = store.cursor(mailbox.account, folder.name, mailbox.origin, folder.uidvalidity)
        cursor = replace(known, last_uid=max(0, folder.uidnext - 1))
        begun_at = cursor.uid
        for batch in FolderReader(mailbox, inbox, folder, judging.rules, self.at_once).new_mails(cursor.uid):
            cautious = cursor.attempts >= _UNFINISHED_BEFORE_CAUTION and cursor.uid < cursor.in_hand
            for portion in batch.one_by_one() if cautious else (batch,):
                poison = cautious and cursor.attempts >= _UNFINISHED_BEFORE_SET_ASIDE
                if portion.mails and not poison:
                    store.begin(cursor, portion.upto)
                judged = [judging.set_aside(mail, _POISON) if poison else judging.judge(mail) for mail in portion.mails]
                cursor = _moved(cursor, portion.upto, cautious=cautious)
                recorded = store.record(judged, now(), cursor)
                log.recorded(judged)
                yield Report(portion.seen, recorded)
            total = max(folder.uidnext - 1, batch.upto) - begun_at
            self.progress(f"{mailbox.account} {folder.name}", batch.upto - begun_at, total)


def _moved(cursor: Cursor, upto: int, *, cautious: bool) -> Cursor:
    """Move a cursor past a finished portion; caution lasts until the batch that failed is behind it."""
    if cautious and upto < cursor.in_hand:
        return replace(cursor, uid=upto, attempts=_UNFINISHED_BEFORE_CAUTION)
    return replace(cursor, uid=upto, in_hand=0, attempts=0)
