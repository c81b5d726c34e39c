"""The verbs that read mail: sync, watch, scan, explain, rebuild, demo."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, NoReturn

import click

from nosend.cli.terminal import Bar, Session, database_option, rewrite_exports, tell, tell_troubles
from nosend.errors import ConfigError
from nosend.identifiers import one_line

if TYPE_CHECKING:
    from nosend.config import Settings
    from nosend.model import Judged
    from nosend.visit import Report


def day(context: click.Context, parameter: click.Parameter, value: str | None) -> date | None:
    """Read a day of ISO 8601."""
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs

    if value is None:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no date: write it like 2026-01-31", context, parameter) from error
    if found > now().date() + timedelta(days=1):  # it may be tomorrow elsewhere
        raise click.BadParameter(f"{value!r} is in the future: nothing was received since", context, parameter)
    return found


@click.command()
@click.option(
    "--since",
    metavar="DATE",
    callback=day,
    help="Of folders never read before, and with --rescan of all, only look at mails received on that day or later.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1),
    default=None,
    help="Look at no more than about N mails of each folder; the next run goes on from there.",
)
@click.option("--rescan", is_flag=True, help="Read the folders from their start again; nothing is counted twice.")
@click.pass_obj
def sync(session: Session, since: date | None, limit: int | None, rescan: bool) -> int:
    """Read what is new in the mailboxes, once. For cron: prints nothing when all is well.

    The mailbox is opened read-only, and no mail is touched unless mark_notices or move_notices_to says so. A mailbox
    in trouble does not hold up the others; the exit code tells the worst of what happened.

    A first look or rescan that was cut short is finished by the next run, from the same day on.
    """
    from nosend import delivery, monitor, service  # noqa: PLC0415 - each verb loads what it needs
    from nosend.judging import now  # noqa: PLC0415
    from nosend.store.lock import one_round  # noqa: PLC0415
    from nosend.store.outbox import Outbox  # noqa: PLC0415
    from nosend.visit import Report, Span  # noqa: PLC0415

    settings = with_mailboxes(session)
    signal.signal(signal.SIGTERM, terminated)
    try:
        with Outbox(settings.database) as store:
            store.know(sink.name for sink in settings.sinks)  # what this round changes is for new ones, too
            with one_round(settings.database), Bar() as bar:
                report = service.sync(settings, store, os.environ, bar, Span(since, limit or 0, rescan))
                if not report.troubles:
                    monitor.alive(settings)
                report += Report(troubles=rewrite_exports(session, settings.database))
                report += Report(troubles=monitor.after_round(settings, store, os.environ, now()))
            report += Report(troubles=delivery.deliver(settings, store, os.environ))
    except Terminated:
        return 0  # the batch at hand was rolled back; the next run takes it up
    return _told(report)


@click.command()
@click.pass_obj
def watch(session: Session) -> None:
    """Read the mailboxes again and again: the daemon. Ends with SIGTERM or Ctrl-C.

    New mail is seen at once where the server has IDLE, else every `poll_seconds`. A mailbox in trouble is tried
    again and again, and holds up no other; `nosend status` tells how each one is. SIGHUP reads the configuration
    again, SIGUSR1 looks at every mailbox now.
    """
    for number in (signal.SIGHUP, signal.SIGUSR1):  # which would end it before it has begun
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, terminated)
    try:
        from nosend.store.lock import one_round  # noqa: PLC0415 - each verb loads what it needs
        from nosend.watch.daemon import Daemon  # noqa: PLC0415

        session.start_log("info", times="JOURNAL_STREAM" not in os.environ)
        settings = with_mailboxes(session)
        with one_round(settings.database):
            Daemon(settings, os.environ).run()
    except (Terminated, KeyboardInterrupt):
        return  # before it had begun


def with_mailboxes(session: Session) -> Settings:
    """Give the configuration if it names a mailbox."""
    settings = session.settings
    if not settings.mailboxes:
        raise ConfigError(f"{settings.path}: no [[mailbox]], nothing to read: add one, as `nosend init` shows")
    return settings


class Terminated(BaseException):
    """SIGTERM came; transactions roll back and connections close on the way out."""


def terminated(*_: object) -> NoReturn:
    """Be the handler of SIGTERM."""
    raise Terminated


def _told(report: Report) -> int:
    recorded = report.recorded
    if sys.stderr.isatty():
        tell(f"mails {report.seen}, entries added {recorded.listed}, renewed {recorded.renewed}")
    if recorded.suspects or recorded.set_aside:
        counts = f"{recorded.suspects} suspect, {recorded.set_aside} set aside"
        tell(f"for a person to look at: {counts}; `nosend review` lists them", level=logging.WARNING)
    tell(*(f"{folder} is not read to its end (--limit): the next `nosend sync` goes on" for folder in report.left))
    return tell_troubles(report.troubles)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--account",
    metavar="NAME",
    help="The account to list under; needed unless the configuration has just one.",
)
@database_option
@click.pass_obj
def scan(session: Session, paths: tuple[str, ...], account: str | None, database: str | None) -> int:
    """Take in .eml files, mbox files, Maildirs, folders of those, or - for standard input.

    Files are only read. Scanning a mail again, or one that `sync` has read, changes nothing.
    """
    from nosend import service  # noqa: PLC0415 - each verb loads what it needs
    from nosend.mailbox import archive  # noqa: PLC0415
    from nosend.store.ledger import Ledger  # noqa: PLC0415
    from nosend.visit import Report  # noqa: PLC0415

    settings = session.settings_or_none if database else session.settings
    known = [mailbox.account for mailbox in settings.mailboxes] if settings else []
    if not account and len(known) != 1:
        raise ConfigError(
            f"--account is needed: which seller account are these mails of? Configured: {', '.join(known) or 'none'}"
        )
    account = known_account(account or known[0], known)
    names = archive.files(paths)
    judging = service.judging_of(settings, account)
    path = session.database(database)
    with session.opened(Ledger, path) as ledger, Bar() as bar:
        report = service.scan(names, account, judging, ledger, bar)
    return _told(report + Report(troubles=rewrite_exports(session, path)))


def known_account(account: str, known: list[str]) -> str:
    """Take the account of a configured mailbox, whose trust counts; without a configuration any."""
    if known and account not in known:
        raise ConfigError(f"--account {account!r} is no mailbox of the configuration: {', '.join(known)}")
    return account


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--account", metavar="NAME", help="Judge as in the mailbox of this account; else the only one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, a mail each.")
@click.pass_obj
def explain(session: Session, paths: tuple[str, ...], account: str | None, as_json: bool) -> None:
    """Judge mails and show why; store nothing.

    Takes what `scan` takes. With a configuration its packs, trusted_forwarders and trusted_authserv_id count.
    """
    from nosend import service  # noqa: PLC0415 - each verb loads what it needs
    from nosend.mailbox import archive  # noqa: PLC0415

    settings = session.settings_or_none
    known = [mailbox.account for mailbox in settings.mailboxes] if settings else []
    judging = service.judging_of(
        settings, known_account(account, known) if account else known[0] if len(known) == 1 else ""
    )
    for name in archive.files(paths):
        for mail in archive.mails(name, ""):
            judged = judging.judge(mail)
            click.echo(_as_json(judged) if as_json else _as_text(judged))


def _as_json(judged: Judged) -> str:
    verdict = judged.verdict
    told = {
        "path": judged.mail.place.folder,
        "verdict": verdict.kind if verdict else "set_aside",
        "rule": verdict.rule if verdict else "",
        "why": verdict.why if verdict else judged.trouble,
        "orders": verdict.orders if verdict else (),
        "buyer": verdict.buyer if verdict else None,
        "marketplace": verdict.marketplace if verdict else None,
        "sender": verdict.sender if verdict else "other",
        "authenticity": verdict.authenticity if verdict else "unknown",
    }
    return json.dumps(told, ensure_ascii=False)


_COLOURS = {"opt_out": "red", "suspect": "yellow", "set_aside": "yellow"}


def _as_text(judged: Judged) -> str:
    told = json.loads(_as_json(judged))
    path, verdict = told.pop("path"), told.pop("verdict")
    told["orders"] = ", ".join(told["orders"])
    lines = [f"{one_line(path)}: {click.style(verdict, fg=_COLOURS.get(verdict), bold=True)}"]
    lines += [f"  {name:12} {value}" for name, value in told.items() if value]
    if judged.verdict:
        lines += [
            f"  {'asked' if n == 0 else '':12} {trial.rule}: {trial.answer}"
            for n, trial in enumerate(judged.verdict.trials)
        ]
    return "\n".join(lines)


@click.command()
@database_option
@click.pass_obj
def rebuild(session: Session, database: str | None) -> int:
    """Drop the entries and fold all events again: gives what was there, or mends it."""
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs
    from nosend.store.ledger import Ledger  # noqa: PLC0415

    path = session.database(database)
    if not path.exists():
        raise ConfigError(f"database {str(path)!r} does not exist: `nosend sync` makes it")
    with Ledger(path) as ledger:
        count, differing = ledger.rebuild(now())
    tell(f"{count} entries, {differing} of them changed")
    return tell_troubles(rewrite_exports(session, path))


@click.command()
def demo() -> int:
    """Show it all on sample mail: a throw-away IMAP server, a sync, the list, a check, an export."""
    try:
        from nosend.demo import show  # noqa: PLC0415 - each verb loads what it needs

        return show(click.echo)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the demo's IMAP server is not installed ({error.name}): pip install 'nosend[demo]'"
        ) from error
