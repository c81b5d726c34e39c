"""The verb `adopt`: what lies in the mailboxes already is none of ours."""

from __future__ import annotations

import logging
import os
import signal

import click

from nosend.cli.intake import Terminated, known_account, terminated, with_mailboxes
from nosend.cli.terminal import Session, tell
from nosend.identifiers import one_line


@click.command()
@click.option("--account", "accounts", metavar="NAME", multiple=True, help="Only this mailbox; may be given again.")
@click.pass_obj
def adopt(session: Session, accounts: tuple[str, ...]) -> int:
    """Take what is in the mailboxes now as read, without looking at it: only later mails are taken in.

    Nothing is listed by it, and nothing taken off the list. `nosend sync --rescan` takes it back.
    """
    from nosend import service  # noqa: PLC0415 - each verb loads what it needs
    from nosend.errors import NosendError  # noqa: PLC0415
    from nosend.store.ledger import Ledger  # noqa: PLC0415
    from nosend.store.lock import one_round  # noqa: PLC0415

    settings = with_mailboxes(session)
    known = [mailbox.account for mailbox in settings.mailboxes]
    wanted = {known_account(account, known) for account in accounts or known}
    mailboxes = [mailbox for mailbox in settings.mailboxes if mailbox.account in wanted]
    troubles: list[NosendError] = []
    signal.signal(signal.SIGTERM, terminated)
    try:
        with Ledger(settings.database) as ledger, one_round(settings.database):
            for found in service.adopt(mailboxes, ledger, os.environ):
                if isinstance(found, NosendError):
                    troubles.append(found)
                    tell(*str(found).splitlines(), level=logging.ERROR)
                else:
                    read = f"taken as read up to UID {found.uid}, {found.exists} mails"
                    click.echo(f"{one_line(found.account)}: {one_line(found.folder)}: {read}")
    except Terminated:
        return 0  # what was told is done
    tell("`nosend sync --rescan` takes it back")
    return min((trouble.exit_code for trouble in troubles), default=0)
