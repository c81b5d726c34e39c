"""Entries end some days after their last notice, if the configuration says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from nosend.store.ledger import Ledger
from test_orders import BUYER, FLAT, ORDER, OTHER, listed, notice

if TYPE_CHECKING:
    from conftest import Shell

NOW = datetime.now(UTC)
CHANGES = "SELECT action, value FROM changes ORDER BY seq"


def expire_after(shop: Shell, days: int) -> None:
    shop.configure("nobody", 9)
    config = shop.folder / "config.toml"
    config.write_text(f"expire_days = {days}\n{config.read_text()}")
    shop.sync_here()  # the mailbox cannot be reached, which hinders nothing


def notice_of(days_ago: int, number: int = 1) -> str:
    date = (NOW - timedelta(days=days_ago)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return notice(ORDER, number).replace("Thu, 10 Sep 2026 10:00:00 +0000", date)


def in_days(days: int) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    nosend.configure("nobody", 9)
    (nosend.folder / "report.txt").write_text(FLAT)
    nosend("scan", "-", input=notice_of(40))
    nosend("orders", "import", "report.txt")
    return nosend


def test_entries_last_for_ever_unless_it_is_asked(shop: Shell) -> None:
    shop.sync_here()
    assert shop.rows("SELECT DISTINCT expires_at FROM blacklist") == [(None,)]


def test_entries_end_with_their_buyers_and_come_back_with_a_newer_notice(shop: Shell) -> None:
    expire_after(shop, 41)
    assert listed(shop) == {ORDER, BUYER, OTHER}
    assert shop.rows("SELECT DISTINCT expires_at FROM blacklist") == [(in_days(1),)]
    with Ledger(shop.folder / "nosend.db") as ledger:
        assert ledger.end_entries(NOW + timedelta(days=2), 41) == 3
    assert shop.rows(CHANGES)[-3:] == [("expired", ORDER), ("expired", OTHER), ("expired", BUYER)]
    shop("rebuild")
    shop("scan", "-", input=notice_of(1, 2))
    assert listed(shop) == {ORDER, BUYER, OTHER}
    assert shop.rows("SELECT DISTINCT notices, expires_at FROM blacklist") == [(2, in_days(40))], "by the last notice"


def test_other_days_hold_for_all_that_is_known(shop: Shell) -> None:
    expire_after(shop, 30)
    assert listed(shop) == set()
    assert shop("check", ORDER).returncode == 0
    expire_after(shop, 90)
    assert listed(shop) == {ORDER, BUYER, OTHER}
    expire_after(shop, 0)
    assert shop.rows("SELECT DISTINCT expires_at FROM blacklist") == [(None,)]
    assert "0 of them changed" in shop("rebuild").stderr


def test_an_entry_is_gone_for_readers_at_that_second(shop: Shell) -> None:
    expire_after(shop, 41)
    with Ledger(shop.folder / "nosend.db") as ledger:
        ledger._db.execute("UPDATE entries SET expires_at = '2026-01-01T00:00:00Z' WHERE value = ?", (OTHER,))
    assert listed(shop) == {ORDER, BUYER}
    assert shop("check", OTHER).returncode == 0


@pytest.mark.parametrize("days", [-1, 40_000])
def test_days_that_cannot_be_meant_are_refused(shop: Shell, days: int) -> None:
    config = shop.folder / "config.toml"
    config.write_text(f"expire_days = {days}\n{config.read_text()}")
    assert f"expire_days = {days}" in shop("sync", code=2).stderr
