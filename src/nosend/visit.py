"""One mailbox's part of a round: every folder opened, what is new in it judged and recorded batch by batch."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from nosend import log
from nosend.errors import ConfigError, MailboxRefusedError, MailboxUnreachableError, NosendError
from nosend.judging import now
from nosend.mailbox import folders, settling
from nosend.mailbox.reading import AT_ONCE, FolderReader, newest_uid
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

    def keep_hashes(self, now: datetime) -> bool:
        """Keep aliases as hashes from now on; gives whether they were kept as they are."""

    def wipe(self) -> None:
        """See to it that the file holds no bytes of what was taken out of its tables."""

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

    def end_entries(self, now: datetime, days: int) -> int:
        """Take off the entries whose last notice is so many days old, 0 is none."""

    def round_begun(self, account: str) -> None:
        """Remember that there is such a mailbox."""

    def round_done(self, account: str, now: datetime, trouble: str = "", *, whole: bool = True) -> None:
        """Remember how a mailbox fared, and whether its folders were read to their ends."""


class Progress(Protocol):
    """Whoever wants to know how far the work is."""

    def __call__(self, label: str, done: int, total: int) -> None:
        """Be told that `done` of about `total` of one folder (UIDs) or of the files are dealt with."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a round did: mails gone past, what changed, and the troubles, in the words of each.

    `left` names the folders, with their accounts, of which a limit left something for the next round.
    """

    seen: int = 0
    recorded: Recorded = field(default_factory=Recorded)
    troubles: tuple[NosendError, ...] = ()
    left: tuple[str, ...] = ()

    def __add__(self, other: Report) -> Report:
        """Add up two reports."""
        return Report(
            self.seen + other.seen,
            self.recorded + other.recorded,
            self.troubles + other.troubles,
            self.left + other.left,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Which mails a round looks at; by default those that it has not seen.

    `since`: in a first look, those received on that day or later. `limit`: no more of a folder than about so many, 0 is
    all. `rescan`: the folders are read from their start again.
    """

    since: date | None = None
    limit: int = 0
    rescan: bool = False


@dataclass(frozen=True, slots=True)
class Adopted:
    """A folder of which the mails up to a UID are taken as read; `exists` is how many mails it holds."""

    account: str
    folder: str
    exists: int
    uid: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One round's visit to one mailbox. `connect` gives the connection, and knows what becomes of it afterwards."""

    mailbox: Mailbox
    judging: Judging
    store: Store
    progress: Progress
    connect: Callable[[], AbstractContextManager[ImapMailbox]]
    span: Span = Span()
    at_once: int = AT_ONCE  # mails looked at, for a bound on memory

    def report(self) -> Report:
        """Read every folder, then settle the notices; a folder in trouble does not hold up the others.

        Raises what the store raises.
        """
        report = Report()
        read: list[Folder] = []
        try:
            with self.connect() as inbox:
                for folder in self._folders(inbox):
                    if isinstance(folder, MailboxRefusedError):  # this folder; the others may be there
                        report += Report(troubles=(folder,))
                        continue
                    for found in chain(self._read(inbox, folder), self._read_again(inbox, folder)):
                        report += found
                    read.append(folder)
                report += self._settle(inbox, read)
        except (MailboxRefusedError, MailboxUnreachableError, ConfigError) as trouble:
            report += Report(troubles=(trouble,))
        return report

    def begin(self) -> None:
        """Write down for every folder what `span` says of it, so that a run that is cut short is finished by the next.

        A mailbox in trouble is passed over: `report` tells it.
        """
        with contextlib.suppress(MailboxRefusedError, MailboxUnreachableError, ConfigError), self.connect() as inbox:
            for folder in self._folders(inbox):
                if not isinstance(folder, MailboxRefusedError):
                    self.store.record((), now(), self._begun(inbox, folder))

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

    def adopt(self) -> Iterator[Adopted | NosendError]:
        """Take what is in every folder now as read, unseen: a transaction a folder. Gives its troubles, too."""
        try:
            with self.connect() as inbox:
                for folder in self._folders(inbox):
                    yield folder if isinstance(folder, MailboxRefusedError) else self._adopt(inbox, folder)
        except (MailboxRefusedError, MailboxUnreachableError, ConfigError) as trouble:
            yield trouble

    def _adopt(self, inbox: ImapMailbox, folder: Folder) -> Adopted:
        known = self._cursor(folder)
        uid = max(known.uid, folder.uidnext - 1 if folder.uidnext else newest_uid(inbox, folder))
        read = replace(known, uid=uid, in_hand=0, attempts=0, last_uid=uid, since="", modseq=folder.modseq)
        self.store.record((), now(), read)
        return Adopted(self.mailbox.account, folder.name, folder.exists, uid)

    def _folders(self, inbox: ImapMailbox) -> Iterator[Folder | MailboxRefusedError]:
        names, troubles = folders.chosen(inbox, self.mailbox.folders, (self.mailbox.move_notices_to,))
        yield from troubles
        for name in names:
            try:
                yield inbox.open_folder(name)
            except MailboxRefusedError as trouble:
                yield trouble

    def _cursor(self, folder: Folder) -> Cursor:
        return self.store.cursor(self.mailbox.account, folder.name, self.mailbox.origin, folder.uidvalidity)

    def _read_again(self, inbox: ImapMailbox, folder: Folder) -> Iterator[Report]:
        """Read what was passed over by other rules: a new pack may know it."""
        mailbox, judging, store = self.mailbox, self.judging, self.store
        cursor = self._cursor(folder)
        uids = store.passed_over(cursor, judging.fingerprint)
        if uids:
            store.begin_passed_over(cursor, uids, judging.fingerprint)
        for batch in FolderReader(mailbox, inbox, folder, judging.rules, self.at_once).mails(uids):
            yield Report(recorded=store.record([judging.judge(mail) for mail in batch.mails], now()))

    def _read(self, inbox: ImapMailbox, folder: Folder) -> Iterator[Report]:
        mailbox, judging, store = self.mailbox, self.judging, self.store
        cursor = self._begun(inbox, folder)
        if folder.modseq and folder.modseq == cursor.modseq:
            return  # nothing has changed
        begun_at, seen = cursor.uid, 0
        since = date.fromisoformat(cursor.since) if cursor.since else None
        reader = FolderReader(mailbox, inbox, folder, judging.rules, self.at_once)
        for batch in reader.new_mails(cursor.uid, since, self.span.limit):
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
            seen += batch.seen
        if self.span.limit and seen >= self.span.limit and not 0 < folder.uidnext <= cursor.uid + 1:
            yield Report(left=(f"account {mailbox.account!r}: folder {folder.name!r}",))
            return
        through = replace(cursor, since="", modseq=folder.modseq)
        if through != cursor:
            store.record((), now(), through)

    def _begun(self, inbox: ImapMailbox, folder: Folder) -> Cursor:
        """Say how far a folder was read; a rescan begins with forgetting it, so that a later run finishes it.

        A folder that ends before the mail that was read last was put back to what it was (or the server once told a
        number that was none): it is read from its start, which doubles nothing.
        """
        since = self.span.since.isoformat() if self.span.since else ""
        known, last_uid = self._cursor(folder), max(0, folder.uidnext - 1)
        if 0 < folder.uidnext <= known.uid and newest_uid(inbox, folder) < known.uid:
            known = replace(known, uid=0, in_hand=0, attempts=0, modseq=0)
        # one of two numbers may be told wrongly, and for ever
        cursor = replace(known, last_uid=last_uid, modseq=known.modseq if known.last_uid == last_uid else 0)
        if self.span.rescan:
            cursor = replace(cursor, uid=0, in_hand=0, attempts=0, since=since, modseq=0)
            self.store.record((), now(), cursor)
        return cursor if cursor.uid or not since else replace(cursor, since=since)


def _moved(cursor: Cursor, upto: int, *, cautious: bool) -> Cursor:
    """Move a cursor past a finished portion; caution lasts until the batch that failed is behind it."""
    if cautious and upto < cursor.in_hand:
        return replace(cursor, uid=upto, attempts=_UNFINISHED_BEFORE_CAUTION)
    return replace(cursor, uid=upto, in_hand=0, attempts=0)
