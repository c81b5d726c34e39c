"""The line is cut after N bytes, N swept over a whole conversation: the daemon finds what it finds undisturbed."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from faults import findings
from proxy import Proxy
from test_settling import bodies, inside, states
from test_sync import noise, notice
from test_watch import Watching, configure

if TYPE_CHECKING:
    from conftest import Shell
    from servers import Dovecot

MAILS = [notice(1), noise(1), notice(2), noise(2), notice(3)]
MOVED = {"move_notices_to": "Opt-outs"}


class Looks:
    """First looks at mailboxes that hold the same, each by a daemon and over a proxy of its own."""

    def __init__(self, nosend: Shell, dovecot: Dovecot, name: str, keys: dict[str, object]) -> None:
        self._nosend, self._dovecot, self._name, self._keys = nosend, dovecot, name, keys

    def look(self, number: int, side: str = "", cut_after: int = 0) -> tuple[dict[str, list[tuple]], Proxy]:
        """Let a daemon read all, over a line that is cut if a side is given, and end; gives what it found."""
        user, folder = f"cut-{self._name}-{number}", self._nosend.folder / str(number)
        self._dovecot.fill(user, MAILS)
        folder.mkdir()
        shop = replace(self._nosend, folder=folder)
        with Proxy(self._dovecot.port) as proxy:
            if side:
                setattr(proxy, side, cut_after)
            configure(shop, user, proxy.port, {"poll_seconds": 290}, timeout=5, **self._keys)
            watch = Watching(shop)
            try:
                watch.until_told("watches 1 mailboxes")
                watch.until(lambda: self._is_done(shop, watch, bool(side) and getattr(proxy, side) is None), 60)
                time.sleep(0.3)  # it idles by now
                watch.end()
            finally:
                watch.process.kill()
        told = f"cut after {cut_after} bytes ({side}): {watch.told()}"
        assert "a fault of nosend" not in told, told
        moved = bool(self._keys)
        assert inside(self._dovecot, user, "INBOX") == bodies(MAILS[1::2] if moved else MAILS), told
        assert inside(self._dovecot, user, "Opt-outs") == bodies(MAILS[::2] if moved else []), told
        return findings(shop), proxy

    def _is_done(self, shop: Shell, watch: Watching, was_cut: bool) -> bool:
        if was_cut:
            watch.poll_now()  # it may wait for its next attempt
            time.sleep(0.2)
        with contextlib.suppress(sqlite3.OperationalError):  # the tables are not made yet
            is_listed = shop.rows("SELECT count(*) FROM blacklist") == [(3,)]
            return is_listed and (not self._keys or set(states(shop)) <= {"moved Opt-outs", "gone"})
        return False


def cut_anywhere(nosend: Shell, dovecot: Dovecot, side: str, keys: dict[str, object], points: int) -> None:
    """Cut a whole conversation, log-out included, after N bytes of one side, at so many points."""
    looks = Looks(nosend, dovecot, f"{side[10:]}{len(keys)}-{points}", keys)
    wanted, proxy = looks.look(0)
    whole = proxy.up if side == "cut_after_client" else proxy.down
    places = [1 + number * (whole - 1) // points for number in range(points)]

    def look(number: int) -> bool:
        found, cut = looks.look(number + 1, side, places[number])
        assert found == wanted, f"{side} {places[number]} of {whole} bytes"
        return getattr(cut, side) is None

    with ThreadPoolExecutor(4) as pool:
        cut = sum(pool.map(look, range(points)))
    print(f"{side}, {keys}: {cut} of {points} first looks were cut in {whole} bytes")
    assert cut > 0.9 * points, "the others ended before: no conversation is as long as another"


CUTS = [("cut_after", {}), ("cut_after", MOVED), ("cut_after_client", MOVED)]


@pytest.mark.parametrize(("side", "keys"), CUTS, ids=["server", "server-moving", "client-moving"])
def test_cuts_anywhere_in_a_conversation(nosend: Shell, dovecot: Dovecot, side: str, keys: dict[str, object]) -> None:
    cut_anywhere(nosend, dovecot, side, keys, 12)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("side", "keys"), CUTS, ids=["server", "server-moving", "client-moving"])
def test_cuts_at_two_hundred_points(nosend: Shell, dovecot: Dovecot, side: str, keys: dict[str, object]) -> None:
    cut_anywhere(nosend, dovecot, side, keys, 200)
