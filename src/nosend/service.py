"""The route from a mailbox to the list: mailbox -> Mail -> letter.read -> verdict.judge -> ledger.record.

`sync` is one round over all mailboxes; cron runs it once. `scan` takes in files. Both end in `Ledger.record`.
"""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nosend import identifiers, letter, log, workers
from nosend.config import packs
from nosend.errors import ConfigError, StoreUnavailableError
from nosend.judging import Judging, now
from nosend.mailbox import archive, dkim, folders, login, sent
from nosend.mailbox.imap import ImapMailbox
from nosend.model import Trust
from nosend.verdict import rules
from nosend.visit import Report, Span, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from nosend.config import Mailbox, Settings
    from nosend.errors import NosendError
    from nosend.model import Mail
    from nosend.visit import Adopted, Progress, Store

_log = logging.getLogger(__name__)

_SCAN_BATCH = 200


def judging_of(settings: Settings | None, account: str) -> Judging:
    """Say by what mails out of files are judged for an account; without a configuration nobody is trusted."""
    verifier = dkim.Verifier() if dkim.installed() else None
    if settings is None:
        return Judging(Trust(), rules.builtin(), verifier)
    return Judging(settings.trust_of(account), rules.load(packs.sources(settings.packs)), verifier)


_ALL_NEW = Span()


def sync(
    settings: Settings, store: Store, environment: Mapping[str, str], progress: Progress, span: Span = _ALL_NEW
) -> Report:
    """Do one round: read what is new in every folder of every mailbox, or what `span` says, and record it.

    What waits for a person is judged again first, if the rules or the trust have changed. A mailbox in trouble
    stops neither the others nor what it gave before; troubles of the store stop the round.
    """
    report = Report()
    keep_names(settings, store)
    try:
        known = rules.load(packs.sources(settings.packs))
    except ConfigError as trouble:
        for mailbox in settings.mailboxes:
            store.round_done(mailbox.account, now(), identifiers.one_line(str(trouble)))
        raise
    verifier = dkim.Verifier() if dkim.installed() else None
    visits = [
        Visit(box, Judging(box.trust, known, verifier), store, progress, partial(_connection, box, environment), span)
        for box in settings.mailboxes
    ]
    if span.since or span.rescan:
        for visit in visits:
            visit.begin()
    for visit in visits:
        report += one_round(visit)
    keep_house(settings, store)
    return report


def keep_names(settings: Settings, store: Store) -> None:
    """Begin to keep hashes in the place of aliases, if the configuration says so; before anything is written."""
    if settings.keeps_hashes and store.keep_hashes(now()):
        _log.info("buyers' aliases are kept as hashes from now on; keep the key beside the database safe")


def keep_house(settings: Settings, store: Store) -> None:
    """Let end what ends by its age: entries, and kept bytes; wipe off the file what was taken out, if nobody reads."""
    store.end_entries(now(), settings.expire_days)
    store.expire(now(), timedelta(days=settings.keep_days), settings.keep_megabytes * 1_000_000)
    with contextlib.suppress(StoreUnavailableError):
        store.wipe()


def one_round(visit: Visit) -> Report:
    """Do one mailbox's part of a round, and remember how it fared. Raises what the store raises."""
    account, store = visit.mailbox.account, visit.store
    store.round_begun(account)
    again = judge_again(account, visit.judging, store)
    found = visit.report()
    told = "; ".join(identifiers.one_line(str(trouble)) for trouble in found.troubles)
    store.round_done(account, now(), told, whole=not found.left)
    _log_round(account, found)
    return again + found


def adopt(
    mailboxes: Sequence[Mailbox], store: Store, environment: Mapping[str, str]
) -> Iterator[Adopted | NosendError]:
    """Take what is in the folders of mailboxes now as read, unseen. Gives each folder, and the troubles."""
    for mailbox in mailboxes:
        connect = partial(_connection, mailbox, environment)
        judging = Judging(mailbox.trust, rules.builtin())  # not asked
        yield from Visit(mailbox, judging, store, lambda *_: None, connect).adopt()


def sent_orders(
    mailbox: Mailbox, environment: Mapping[str, str], folder: str, since: date | None
) -> list[tuple[str, str]]:
    """Give whose orders are, (order id, buyer alias), as the mails of a folder with sent mail tell.

    Raises what the mailbox raises, a folder that is not there included.
    """
    with _connection(mailbox, environment) as inbox:
        names, troubles = folders.chosen(inbox, (folder,))
        for trouble in troubles:
            raise trouble
        found: list[tuple[str, str]] = []
        for name in names:
            if inbox.open_folder(name).exists:
                found += sent.orders(inbox, since, rules.builtin().marks)
        return found


def _connection(mailbox: Mailbox, environment: Mapping[str, str]) -> ImapMailbox:
    return ImapMailbox(mailbox, login.credentials(mailbox, environment))


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
