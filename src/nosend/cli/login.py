"""The verb `login`: ask a person for the access that OAuth needs."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from nosend.cli.terminal import tell
from nosend.errors import ConfigError

if TYPE_CHECKING:
    from nosend.cli.terminal import Session


@click.command()
@click.argument("account")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the browser comes back to, for `ssh -L PORT:127.0.0.1:PORT`; else any free port.",
)
@click.pass_obj
def login(session: Session, account: str, port: int) -> None:
    """Grant nosend access to the mailbox of ACCOUNT by OAuth 2, once; `sync` renews it by itself.

    Shows an address to open in a browser. With a code to type, any machine's browser will do. The grant is tried
    on the mailbox, then kept beside the database. Ask again when `sync` says that it was revoked.
    """
    from nosend.mailbox import login as mailbox_login  # noqa: PLC0415 - each verb loads what it needs

    mailboxes = {mailbox.account: mailbox for mailbox in session.settings.mailboxes}
    if account not in mailboxes:
        near = get_close_matches(account, mailboxes, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(mailboxes) or 'none'}"
        raise ConfigError(f"{session.settings.path}: no mailbox has account {account!r}: {hint}")
    tell(mailbox_login.log_in(mailboxes[account], os.environ, _show, port))


def _show(sentence: str, address: str) -> None:
    """Tell the person; on a terminal with a screen open the address, too."""
    tell(*sentence.splitlines())
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if address.startswith(("https://", "http://")) and sys.stderr.isatty() and screen:
        click.launch(address)
