"""The verb `doctor`: check the configuration and each mailbox, and say how to mend what is wrong."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from nosend import health
from nosend.errors import NosendError
from nosend.model import Policy

if TYPE_CHECKING:
    from collections import Counter

    from nosend.cli.terminal import Session
    from nosend.config import Mailbox, Settings


@click.command()
@click.pass_obj
def doctor(session: Session) -> int:
    """Check configuration, packs, database and mailboxes; say what is wrong and how to mend it.

    Of each mailbox it tells which servers wrote Authentication-Results into its newest mails: the one of your own
    provider is what trusted_authserv_id asks for. Exit 0 when nothing failed, else the code of the first failure.
    """
    settings = session.settings
    _say("ok", f"configuration {settings.path}")
    codes = [_packs(settings), _database(settings)]
    codes += [_mailbox(mailbox) for mailbox in settings.mailboxes]
    if not settings.mailboxes:
        _say("warning", "no [[mailbox]], nothing to read: add one, as `nosend init` shows")
    return next((code for code in codes if code), 0)


def _packs(settings: Settings) -> int:
    from nosend import config, verdict  # noqa: PLC0415 - each verb loads what it needs

    try:
        known = verdict.rules.load(config.packs.sources(settings.packs))
    except NosendError as trouble:
        return _failed(trouble)
    own = [pack.name for pack in known.packs if pack.source != "built in"]
    _say("ok", f"{len(known.packs)} language packs, of your own: {', '.join(own) or 'none'}")
    replaced = [pack.name for pack in verdict.rules.builtin().packs if pack.name in own]
    if replaced:
        _say("warning", f"these go for nosend's own packs of the same name: {', '.join(replaced)}; rename them to add")
    return 0


def _database(settings: Settings) -> int:
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs
    from nosend.store.overview import Overview  # noqa: PLC0415

    if not settings.database.exists():
        _say("warning", f"database {settings.database} does not exist yet: `nosend sync` makes it")
        return 0
    try:
        with Overview(settings.database) as overview:
            sightings = {days: overview.sightings(now() - timedelta(days=days)) for days in health.DAYS}
            entries = overview.counts()
    except NosendError as trouble:
        return _failed(trouble)
    _say("ok", f"database {settings.database}: {entries['order']} orders, {entries['buyer']} buyers")
    for warning in health.of_template(sightings):
        _say("warning", warning)
    return 0


def _mailbox(mailbox: Mailbox) -> int:
    from nosend import service  # noqa: PLC0415 - each verb loads what it needs

    try:
        servers = service.servers_seen(mailbox, os.environ)
    except NosendError as trouble:
        return _failed(trouble)
    _say("ok", f"{mailbox.account}: logged in to {mailbox.host}, {len(mailbox.folders)} folders")
    _authenticity(mailbox, servers)
    return 0


def _authenticity(mailbox: Mailbox, servers: Counter[str]) -> None:
    """Tell who wrote Authentication-Results, and whether what the configuration trusts is among them."""
    from nosend.mailbox import dkim  # noqa: PLC0415 - each verb loads what it needs

    trusted, account = mailbox.trust.authserv_id, mailbox.account
    for name, count in servers.most_common(5):
        mark = " (trusted_authserv_id)" if name == trusted else ""
        _say("ok", f"{account}: topmost Authentication-Results of {count} of the newest mails: {name[:100]!r}{mark}")
    if not servers:
        _say("ok", f"{account}: none of the newest mails has Authentication-Results on top")
    if trusted and not servers[trusted]:
        spelled = "is it spelled as above?" if servers else "it proves nothing there"
        _say("warning", f"{account}: none is of trusted_authserv_id = {trusted!r}: {spelled}")
    elif not trusted and servers:
        best = servers.most_common(1)[0][0]
        _say("warning", f"{account}: if that is your provider's server, set trusted_authserv_id = {best!r}")
    if mailbox.trust.policy is Policy.REQUIRE and not trusted and not dkim.installed():
        _say(
            "warning",
            f'{account}: authenticity = "require", and nothing can prove it: every notice will be suspect. '
            "Set trusted_authserv_id, or pip install 'nosend[dkim]'",
        )


def _failed(trouble: NosendError) -> int:
    for line in str(trouble).splitlines():
        _say("failed", line)
    return trouble.exit_code


_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def _say(state: str, text: str) -> None:
    printable = "".join(char if char.isprintable() else " " for char in text)
    click.echo(f"{click.style(f'{state:8}', fg=_COLOURS[state])}{printable}")
