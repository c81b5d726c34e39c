"""The route from a mailbox to the list: mailbox -> Mail -> letter.read -> verdict.judge -> ledger.record.

`sync` is one round over all mailboxes; cron runs it once. `scan` takes in files. Both end in `Ledger.record`.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nosend import identifiers, letter, verdict
from nosend.errors import ConfigError, MailboxRefusedError, MailboxUnreachableError, NosendError
from nosend.letter import header
from nosend.mailbox import archive, login
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.reading import FolderReader
from nosend.model import Judged, Letter
from nosend.store.ledger import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nosend.config import Mailbox, Settings
    from nosend.mailbox.imap import Folder
    from nosend.model import Mail, Trust, Verdict
    from nosend.store.ledger import Cursor

log = logging.getLogger(__name__)

_UNFINISHED_BEFORE_CAUTION = 2  # a batch that was begun so often and not finished is taken mail by mail
_UNFINISHED_BEFORE_SET_ASIDE = 5  # a mail that was begun so often alone is set aside unread
_SCAN_BATCH = 200
_NO_MAIL_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)

_POISON = f"the process died {_UNFINISHED_BEFORE_SET_ASIDE} times while it was judged"


class Store(Protocol):
    """What the service needs of a store."""

    def cursor(self, account: str, folder: str, origin: str, uidvalidity: int) -> Cursor:
        """Say how far a folder was read."""

    def begin(self, cursor: Cursor, upto: int) -> None:
        """Count an attempt at the mails up to a UID, before they are judged."""

    def record(self, mails: Sequence[Judged], now: datetime, cursor: Cursor | None = None) -> Recorded:
        """Write down what was read and how far, in one transaction."""

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


def sync(settings: Settings, store: Store, environment: Mapping[str, str], progress: Progress) -> Report:
    """Do one round: read what is new in every folder of every mailbox and record it.

    A mailbox in trouble stops neither the others nor what it gave before; troubles of the store stop the round.
    """
    report = Report()
    for mailbox in settings.mailboxes:
        store.round_begun(mailbox.account)
        found = _sync_mailbox(mailbox, store, environment, progress)
        store.round_done(mailbox.account, now(), "; ".join(identifiers.one_line(str(t)) for t in found.troubles))
        report += found
    return report


def _sync_mailbox(mailbox: Mailbox, store: Store, environment: Mapping[str, str], progress: Progress) -> Report:
    report = Report()
    try:
        with ImapMailbox(mailbox, login.password(mailbox, environment)) as inbox:
            for name in mailbox.folders:
                try:
                    folder = inbox.open_folder(name)
                except MailboxRefusedError as trouble:  # this folder; the others may be there
                    report += Report(troubles=(trouble,))
                    continue
                for found in _sync_folder(mailbox, inbox, folder, store, progress):
                    report += found
    except (MailboxRefusedError, MailboxUnreachableError, ConfigError) as trouble:
        report += Report(troubles=(trouble,))
    return report


def _sync_folder(
    mailbox: Mailbox, inbox: ImapMailbox, folder: Folder, store: Store, progress: Progress
) -> Iterator[Report]:
    cursor = store.cursor(mailbox.account, folder.name, mailbox.origin, folder.uidvalidity)
    begun_at = cursor.uid
    for batch in FolderReader(mailbox, inbox, folder).new_mails(cursor.uid):
        cautious = cursor.attempts >= _UNFINISHED_BEFORE_CAUTION and cursor.uid < cursor.in_hand
        for portion in batch.one_by_one() if cautious else (batch,):
            poison = cautious and cursor.attempts >= _UNFINISHED_BEFORE_SET_ASIDE
            if portion.mails and not poison:
                store.begin(cursor, portion.upto)
            judged = [_set_aside(mail, _POISON) if poison else judge(mail, mailbox.trust) for mail in portion.mails]
            cursor = _moved(cursor, portion.upto, cautious=cautious)
            yield Report(portion.seen, store.record(judged, now(), cursor))
        progress(
            f"{mailbox.account} {folder.name}", batch.upto - begun_at, max(folder.uidnext - 1, batch.upto) - begun_at
        )


def _moved(cursor: Cursor, upto: int, *, cautious: bool) -> Cursor:
    """Move a cursor past a finished portion; caution lasts until the batch that failed is behind it."""
    if cautious and upto < cursor.in_hand:
        return replace(cursor, uid=upto, attempts=_UNFINISHED_BEFORE_CAUTION)
    return replace(cursor, uid=upto, in_hand=0, attempts=0)


def scan(names: Sequence[str], account: str, trust: Trust, store: Store, progress: Progress) -> Report:
    """Take in files, as `archive.files` lists them. Taking one in twice changes nothing."""
    report = Report()
    for number, name in enumerate(names):
        batch: list[Judged] = []
        for mail in archive.mails(name, account):
            if not letter.heading(mail.raw).headers:
                report += Report(troubles=(ConfigError(f"{mail.place.folder!r} is no mail: unpack archives first"),))
                continue
            batch.append(judge(replace(mail, place=replace(mail.place, folder=_absolute(mail.place.folder))), trust))
            if len(batch) == _SCAN_BATCH:
                report += Report(len(batch), store.record(batch, now()))
                batch = []
        report += Report(len(batch), store.record(batch, now()))
        progress("scan", number + 1, len(names))
    return report


def _absolute(name: str) -> str:
    whole = name if name.startswith(archive.STDIN) else Path(name).absolute()
    return os.fsencode(whole).decode("utf-8", "backslashreplace")  # file names are bytes


def judge(mail: Mail, trust: Trust) -> Judged:
    """Read and judge one mail. Whatever breaks in it breaks nothing else: such a mail is set aside."""
    if mail.trouble:
        return _set_aside(mail, mail.trouble)
    try:
        read = letter.read(mail.raw)
        return _judged(mail, read, verdict.judge(read, trust))
    except Exception as error:  # noqa: BLE001 - the one boundary: no mail may stop the round, MemoryError and RecursionError included
        log.warning(
            "%s %s: a mail broke the reader (%s), set aside",
            mail.place.account,
            mail.place.folder,
            type(error).__name__,
        )
        return _set_aside(mail, f"broke the reader: {type(error).__name__}")


def _judged(mail: Mail, read: Letter, found: Verdict | None, trouble: str = "") -> Judged:
    digest = hashlib.sha256(mail.raw).hexdigest()
    ids = [value for value in read.header("message-id") if value]
    return Judged(
        mail=mail,
        sha256=digest,
        key=ids[0][:500] if len(ids) == 1 else f"sha256:{digest}",
        sender=identifiers.one_line(header.decode(", ".join(read.header("from"))))[:200],
        subject=identifiers.one_line(read.subject)[:200],
        written_at=_written_at(read, mail.received_at),
        verdict=found,
        trouble=trouble,
    )


def _set_aside(mail: Mail, trouble: str) -> Judged:
    """Make an unjudged mail known by its bytes alone; one without bytes by its place."""
    judged = _judged(mail, Letter(), None, trouble)
    place = mail.place
    return judged if mail.raw else replace(judged, key=f"place:{place.folder}:{place.uidvalidity}:{place.uid}")


def _written_at(read: Letter, received_at: datetime | None) -> datetime | None:
    """Give the letter's date (RFC 5322, 3.6.1) if it can be believed: not in the future, not before the marketplace."""
    try:
        latest = (received_at or now()) + timedelta(days=1)
        date = parsedate_to_datetime(read.header("date")[0])
        date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)  # "-0000": UTC, place unknown
    except (IndexError, ValueError, TypeError, OverflowError):
        return received_at
    if _NO_MAIL_BEFORE <= date <= latest:
        return date
    return received_at


def now() -> datetime:
    """Give the time; the one clock of the intake."""
    return datetime.now(UTC)
