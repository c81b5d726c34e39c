"""The verbs that tell whose orders are: orders import, orders scan-sent."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import click

from nosend.cli.intake import day, known_account, with_mailboxes
from nosend.cli.lists import account_option, chosen_account, columns_option, exported, naming
from nosend.cli.terminal import Session, database_option, tell
from nosend.errors import ConfigError, MailboxRefusedError, MailboxUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from nosend.reports.orders import Told
    from nosend.store.lists import Known


@click.group()
def orders() -> None:
    """Tell nosend whose orders are: an opt-out for one order then blocks the buyer's other orders, too."""


@orders.command("import")
@click.argument("files", nargs=-1, required=True, type=click.File("rb"), metavar="FILE...")
@columns_option("order_id buyer")
@account_option
@database_option
@click.pass_obj
def import_(
    session: Session, files: tuple[Any, ...], columns: dict[str, str], account: str | None, database: str | None
) -> int:
    """Read whose orders are from Amazon's order reports; - is standard input.

    Takes New Orders, Unshipped Orders, JSON and XML of the Orders API, and any CSV with a column of order ids and one
    of buyers' addresses. Reports without addresses (All Orders) teach nothing. Importing one again changes nothing.
    """
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs
    from nosend.reports import orders as reports  # noqa: PLC0415
    from nosend.store.lists import Lists  # noqa: PLC0415

    with session.opened(Lists, session.database(database)) as lists:
        name = chosen_account(session, lists, account)
        for file in files:
            count = _Counted(reports.read(file, columns))
            with naming(file.name):
                known = lists.know(reports.pairs(count), name, "report", now())
            _tell(file.name, known)
            if count.without_buyer:
                tell(f"{count.without_buyer} of {count.rows} rows name no buyer's alias")
            if count.without_order:
                tell(f"{count.without_order} of {count.rows} rows name no order id")
    return exported(session, database)


@orders.command("scan-sent")
@click.option("--account", "accounts", metavar="NAME", multiple=True, help="Only this mailbox; may be given again.")
@click.option("--folder", metavar="NAME", default="\\Sent", help="The folder with sent mail; else the server's own.")
@click.option("--since", metavar="DATE", callback=day, help="Only mails received on that day or later.")
@click.pass_obj
def scan_sent(session: Session, accounts: tuple[str, ...], folder: str, since: date | None) -> int:
    """Read whose orders are from the mails that you sent: To is a buyer's alias, subject or text name one order.

    The folder is opened read-only. Doing it again changes nothing.
    """
    from nosend import service  # noqa: PLC0415 - each verb loads what it needs
    from nosend.judging import now  # noqa: PLC0415
    from nosend.store.lists import Lists  # noqa: PLC0415

    settings = with_mailboxes(session)
    known = [mailbox.account for mailbox in settings.mailboxes]
    wanted = {known_account(account, known) for account in accounts or known}
    codes = {0}
    for mailbox in settings.mailboxes:
        if mailbox.account not in wanted:
            continue
        try:
            found = service.sent_orders(mailbox, os.environ, folder, since)
        except (MailboxRefusedError, MailboxUnreachableError, ConfigError) as trouble:  # the others may be there
            tell(*str(trouble).splitlines(), level=logging.ERROR)
            codes.add(trouble.exit_code)
            continue
        with session.opened(Lists, settings.database) as lists:
            _tell(f"{mailbox.account}: sent mail", lists.know(found, mailbox.account, "sent", now()))
    return max(*codes, exported(session, None))


def _tell(name: str, known: Known) -> None:
    said = f"{known.new} orders new, {known.known} rows known"
    tell(f"{name}: {said}; {known.added} entries added because their buyers had opted out")
    if known.contradicting:
        tell(f"{known.contradicting} rows give an order to another buyer than was known: the first stands")


class _Counted:
    """Goes through rows and counts those that tell too little."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._told = told
        self.rows = self.without_order = self.without_buyer = 0

    def __iter__(self) -> Iterator[Told]:
        for one in self._told:
            self.rows += 1
            self.without_order += one.order_id is None
            self.without_buyer += bool(one.order_id) and one.buyer is None
            yield one
