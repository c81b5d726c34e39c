"""The table of docs/list.md, each cell asked of a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conftest import ROOT
from nosend import Blacklist
from nosend.permission import PURPOSES
from test_orders import notice

if TYPE_CHECKING:
    from conftest import Shell

BUYER = "abc123def456ghi@marketplace.amazon.de"
KEYS = {
    column: f"111-1111111-111111{number}"
    for number, column in enumerate(
        (
            "nothing known", "notice for the order", "order of a listed buyer", "added by hand", "allowed", "removed",
            "expired",
        )
    )
}  # fmt: skip


def table() -> tuple[list[str], dict[str, list[str]]]:
    lines = [line for line in (ROOT / "docs" / "list.md").read_text().splitlines() if line.startswith("|")]
    start = next(number for number, line in enumerate(lines) if line.startswith("| purpose"))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:]]
    return cells[0][1:], {row[0].strip("`"): row[1:] for row in cells[2:]}


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    """A shop that knows a key of each column."""
    nosend.configure("nobody", 9)
    config = nosend.folder / "config.toml"
    config.write_text(f"expire_days = 36500\n{config.read_text()}")
    for number, column in enumerate(("notice for the order", "allowed", "removed", "expired")):
        nosend("scan", "-", input=notice(KEYS[column], number))
    rows = f"order-id,buyer-email\n{KEYS['order of a listed buyer']},{BUYER}\n"
    nosend("orders", "import", "-", input=rows)
    nosend("add", BUYER, KEYS["added by hand"], "--reason", "r", "--by", "anna")
    nosend("allow", KEYS["allowed"], "--reason", "she wants it", "--by", "anna")
    nosend("remove", KEYS["removed"], "--reason", "a mistake", "--by", "anna")
    nosend.sync_here()
    return nosend


def expire(shop: Shell) -> None:
    """Let one entry have ended, as a hundred years would."""
    from nosend.store.ledger import Ledger  # noqa: PLC0415

    with Ledger(shop.folder / "nosend.db") as ledger:
        ledger._db.execute("UPDATE entries SET expires_at = '2026-01-01T00:00:00Z' WHERE value = ?", (KEYS["expired"],))


def test_every_purpose_gets_the_answer_of_the_docs(shop: Shell) -> None:
    expire(shop)
    columns, told = table()
    assert columns == list(KEYS)
    assert list(told) == [*PURPOSES, "none told"]
    with Blacklist(shop.folder / "nosend.db") as blacklist:
        for purpose, answers in told.items():
            asked = [blacklist.check(key, None if purpose == "none told" else purpose) for key in KEYS.values()]
            assert [one.permission.replace("-", " ") for one in asked] == answers, purpose


def test_check_tells_why_a_key_is_off_the_list(shop: Shell) -> None:
    expire(shop)
    told = {column: shop("check", KEYS[column]).stdout for column in ("nothing known", "allowed", "removed", "expired")}
    assert told["nothing known"].endswith("send: not on the blacklist\n")
    assert "not on the blacklist: allowed by anna: she wants it (20" in told["allowed"]
    assert "not on the blacklist: removed by anna: a mistake (20" in told["removed"]
    assert "its entry ended some days after the last notice" in told["expired"]
    shop("disallow", KEYS["allowed"], "--reason", "no more")
    assert shop("check", KEYS["allowed"], code=1).stdout.startswith(f"{KEYS['allowed']}: do not send")
