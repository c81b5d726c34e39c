"""Faults of the line between nosend and its server, each a block during which it lasts; and what two runs agree on.

A fault that is over at once, as a cut, happens at the beginning of its block.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy import Proxy


@contextlib.contextmanager
def refused(proxy: Proxy) -> Iterator[None]:
    """No connection is taken, and those that were there are cut."""
    proxy.refuse()
    proxy.cut()
    yield
    proxy.allow()


@contextlib.contextmanager
def silent(proxy: Proxy) -> Iterator[None]:
    """Connections are taken and nothing is said."""
    proxy.silent = True
    proxy.cut()
    yield
    proxy.silent = False
    proxy.cut()


@contextlib.contextmanager
def fin(proxy: Proxy) -> Iterator[None]:
    proxy.cut()
    yield


@contextlib.contextmanager
def rst(proxy: Proxy) -> Iterator[None]:
    proxy.cut(reset=True)
    yield


@contextlib.contextmanager
def blackhole(proxy: Proxy) -> Iterator[None]:
    """The connections that are there die in silence; new ones pass."""
    proxy.bury()
    yield


@contextlib.contextmanager
def unplugged(proxy: Proxy) -> Iterator[None]:
    """Nothing passes, on no connection, and nobody is told."""
    proxy.silent = True
    proxy.bury()
    yield
    proxy.silent = False


@contextlib.contextmanager
def garbage(proxy: Proxy) -> Iterator[None]:
    proxy.replace = lambda data: bytes(255 - byte for byte in data)
    yield
    proxy.replace = lambda data: data


@contextlib.contextmanager
def slow(proxy: Proxy) -> Iterator[None]:
    proxy.per_second = 3_000
    yield
    proxy.per_second = 0


@contextlib.contextmanager
def dripping(proxy: Proxy) -> Iterator[None]:
    """Always a byte in time, never an answer."""
    proxy.per_second = 3
    yield
    proxy.per_second = 0


@contextlib.contextmanager
def far(proxy: Proxy) -> Iterator[None]:
    proxy.delay = 0.5
    yield
    proxy.delay = 0.0


@contextlib.contextmanager
def bye(proxy: Proxy) -> Iterator[None]:
    """Whatever the server says is BYE, and the line stays open."""
    proxy.replace = lambda _: b"* BYE too busy\r\n"
    yield
    proxy.replace = lambda data: data


OF_THE_LINE: tuple[Callable[[Proxy], contextlib.AbstractContextManager[None]], ...] = (
    refused, silent, fin, rst, blackhole, unplugged, garbage, slow, dripping, far, bye,
)  # fmt: skip


class Asked(Protocol):
    """Whoever may ask the database."""

    def rows(self, query: str) -> list[tuple]: ...


def contents(shop: Asked) -> dict[str, list[tuple]]:
    """Give all that two runs over the same mailbox must agree on: everything but the times of the run."""
    return {
        "blacklist": shop.rows(
            "SELECT kind, value, account, marketplace, opted_out_at, last_notice_at, notices, source, why"
            " FROM blacklist ORDER BY 1, 2, 3"
        ),
        "events": shop.rows(
            "SELECT account, key, order_id, buyer, why, opted_out_at FROM events ORDER BY key, order_id"
        ),
        "ledger": shop.rows("SELECT folder, uid, key, sha256, verdict, rule, why FROM ledger ORDER BY folder, uid"),
        "changes": shop.rows("SELECT action, kind, value, account FROM changes ORDER BY kind, value, action"),
        "kept": shop.rows("SELECT sha256, raw FROM kept ORDER BY sha256"),
        "cursors": shop.rows("SELECT * FROM cursors"),
    }


def findings(shop: Asked) -> dict[str, list[tuple]]:
    """Give the same without the cursors, which name the port."""
    return {name: rows for name, rows in contents(shop).items() if name != "cursors"}
