"""The verbs that tell whose orders are: orders import, orders scan-sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nosend.cli.lists import account_option, chosen_account, columns_option, naming
from nosend.cli.terminal import Session, database_option, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nosend.reports.orders import Told


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
) -> None:
    """Read whose orders are from Amazon's order reports; - is standard input.

    Takes New Orders, Unshipped Orders, JSON and XML of the Orders API, and any CSV with a column of order ids and one
    of buyers' addresses. Reports without addresses (All Orders) teach nothing. Importing one again changes nothing.
    """
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs
    from nosend.reports import orders as reports  # noqa: PLC0415
    from nosend.store.lists import Lists  # noqa: PLC0415

    with Lists(session.database(database)) as lists:
        name = chosen_account(session, lists, account)
        for file in files:
            count = _Counted(reports.read(file, columns))
            with naming(file.name):
                known = lists.know(reports.pairs(count), name, "report", now())
            said = f"{known.new} orders new, {known.known} rows known"
            tell(f"{file.name}: {said}; {known.added} entries added because their buyers had opted out")
            if known.contradicting:
                tell(f"{known.contradicting} rows give an order to another buyer than was known: the first stands")
            if count.without_buyer:
                tell(f"{count.without_buyer} of {count.rows} rows name no buyer's alias")
            if count.without_order:
                tell(f"{count.without_order} of {count.rows} rows name no order id")


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
