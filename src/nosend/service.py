"""The route from a mailbox to the list: mailbox -> Mail -> letter.read -> verdict.judge -> ledger.record.

`sync` is one round over all mailboxes; cron runs it once. `scan` takes in files. Both end in `Ledger.record`.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nosend import identifiers, letter, log, workers
from nosend.config import packs
from nosend.errors import ConfigError, MailboxRefusedError, MailboxUnreachableError, NosendError
from nosend.judging import Judging, now
from nosend.mailbox import archive, dkim, login
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.reading import FolderReader
from nosend.model import Trust
from nosend.store.ledger import Recorded
from nosend.verdict import rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from nosend.config import Mailbox, Settings
    from nosend.mailbox.imap import Folder
    from nosend.model import Judged, Mail
    from nosend.store.ledger import Cursor

_log = logging.getLogger(__name__)

_UNFINISHED_BEFORE_CAUTION = 2  # a batch that was begun so often and not finished is taken mail by mail
_UNFINISHED_BEFORE_SET_ASIDE = 5  # a mail that was begun so often alone is set aside unread
_SCAN_BATCH = 200

_POISON = f"the process died {_UNFINISHED_BEFORE_SET_ASIDE} times while it was judged"


class Store(Protocol):
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


def judging_of(settings: Settings | None, account: str) -> Judging:
    """Say by what mails out of files are judged for an account; without a configuration nobody is trusted."""
    verifier = dkim.Verifier() if dkim.installed() else None
    if settings is None:
        return Judging(Trust(), rules.builtin(), verifier)
    return Judging(settings.trust_of(account), rules.load(packs.sources(settings.packs)), verifier)


def sync(settings: Settings, store: Store, environment: Mapping[str, str], progress: Progress) -> Report:
    """Do one round: read what is new in every folder of every mailbox and record it.

    What waits for a person is judged again first, if the rules or the trust have changed. A mailbox in trouble
    stops neither the others nor what it gave before; troubles of the store stop the round.
    """
    report = Report()
    try:
        known = rules.load(packs.sources(settings.packs))
    except ConfigError as trouble:
        for mailbox in settings.mailboxes:
            store.round_done(mailbox.account, now(), identifiers.one_line(str(trouble)))
        raise
    verifier = dkim.Verifier() if dkim.installed() else None
    for mailbox in settings.mailboxes:
        judging = Judging(mailbox.trust, known, verifier)
        store.round_begun(mailbox.account)
        report += judge_again(mailbox.account, judging, store)
        found = _Visit(mailbox, judging, store, progress).report(environment)
        store.round_done(mailbox.account, now(), "; ".join(identifiers.one_line(str(t)) for t in found.troubles))
        _log_round(mailbox.account, found)
        report += found
    store.expire(now(), timedelta(days=settings.keep_days), settings.keep_megabytes * 1_000_000)
    return report


def judge_again(account: str, judging: Judging, store: Store) -> Report:
    """Judge again what waits for a person, where the rules or the trust have changed since; decisions stand."""
    report = Report()
    for ident in store.stale(account, judging.fingerprint):
        mail = store.begin_again(ident, judging.fingerprint)
        judged = judging.judge(mail)
        report += Report(recorded=store.record_again(ident, judged, now()))
        log.recorded([judged])
    return report


def _log_round(account: str, found: Report) -> None:
    """Log what a round gave, as INFO if it gave anything. Its troubles are told by whoever asked for the round."""
    counts = found.recorded
    level = logging.INFO if found.seen else logging.DEBUG
    told = "round done: %s mails seen, entries added %s, renewed %s, %s suspect, %s set aside"
    numbers = (found.seen, counts.listed, counts.renewed, counts.suspects, counts.set_aside)
    _log.log(level, told, *numbers, extra={"account": account})


@dataclass(frozen=True, slots=True)
class _Visit:
    """One round's visit to one mailbox."""

    mailbox: Mailbox
    judging: Judging
    store: Store
    progress: Progress

    def report(self, environment: Mapping[str, str]) -> Report:
        """Read every folder; a folder in trouble does not hold up the others."""
        report = Report()
        try:
            with ImapMailbox(self.mailbox, login.credentials(self.mailbox, environment)) as inbox:
                for name in self.mailbox.folders:
                    try:
                        folder = inbox.open_folder(name)
                    except MailboxRefusedError as trouble:  # this folder; the others may be there
                        report += Report(troubles=(trouble,))
                        continue
                    for found in chain(self._read(inbox, folder), self._read_again(inbox, folder)):
                        report += found
        except (MailboxRefusedError, MailboxUnreachableError, ConfigError) as trouble:
            report += Report(troubles=(trouble,))
        return report

    def _read_again(self, inbox: ImapMailbox, folder: Folder) -> Iterator[Report]:
        """Read what was passed over by other rules: a new pack may know it."""
        mailbox, judging, store = self.mailbox, self.judging, self.store
        cursor = store.cursor(mailbox.account, folder.name, mailbox.origin, folder.uidvalidity)
        uids = store.passed_over(cursor, judging.fingerprint)
        if uids:
            store.begin_passed_over(cursor, uids, judging.fingerprint)
        for batch in FolderReader(mailbox, inbox, folder, judging.rules).mails(uids):
            yield Report(recorded=store.record([judging.judge(mail) for mail in batch.mails], now()))

    def _read(self, inbox: ImapMailbox, folder: Folder) -> Iterator[Report]:
        mailbox, judging, store = self.mailbox, self.judging, self.store
        known = store.cursor(mailbox.account, folder.name, mailbox.origin, folder.uidvalidity)
        cursor = replace(known, last_uid=max(0, folder.uidnext - 1))
        begun_at = cursor.uid
        for batch in FolderReader(mailbox, inbox, folder, judging.rules).new_mails(cursor.uid):
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


def scan(names: Sequence[str], account: str, judging: Judging, store: Store, progress: Progress) -> Report:
    """Take in files, as `archive.files` lists them, on all cores. Taking one in twice changes nothing."""
    report = Report()
    troubles: list[NosendError] = []
    mails = _mails(names, account, troubles, progress)
    judged = workers.judge_all(judging, mails)
    try:
        while batch := list(islice(judged, _SCAN_BATCH)):
            report += Report(len(batch), store.record(batch, now()))
            log.recorded(batch)
    finally:
        judged.close()  # ends the other processes
    return report + Report(troubles=tuple(troubles))


def _mails(names: Sequence[str], account: str, troubles: list[NosendError], progress: Progress) -> Iterator[Mail]:
    """Give the mails in files; what is none is told in `troubles`."""
    for number, name in enumerate(names):
        for mail in archive.mails(name, account):
            if letter.heading(mail.raw).headers:
                yield replace(mail, place=replace(mail.place, folder=_absolute(mail.place.folder)))
            else:
                troubles.append(ConfigError(f"{mail.place.folder!r} is no mail: unpack archives first"))
        progress("scan", number + 1, len(names))


def _absolute(name: str) -> str:
    whole = name if name.startswith(archive.STDIN) else Path(name).absolute()
    return os.fsencode(whole).decode("utf-8", "backslashreplace")  # file names are bytes
