"""Many mailboxes in one process: everything is listed under its account, and one in trouble holds up nobody.

`make load` is the long form: 200 mailboxes for ten minutes.
"""

from __future__ import annotations

import random
import time

from conftest import Shell
from servers import Dovecot, free_port
from test_sync import noise, notice, order
from test_watch import Watching, add_mailbox, configure, watch  # noqa: F401 - pytest finds the fixture by its name

USERS = [f"many-{number:02}" for number in range(12)]
WRONG_PASSWORD, NOBODY_LISTENS = USERS[0], USERS[7]
WELL = [user for user in USERS if user not in (WRONG_PASSWORD, NOBODY_LISTENS)]


def begin(nosend: Shell, dovecot: Dovecot, start) -> Watching:
    """Start the daemon on all mailboxes; it looks by itself every 290 seconds only."""
    top = {"poll_seconds": 290}
    configure(nosend, WRONG_PASSWORD, dovecot.port, top, account=WRONG_PASSWORD, password_env="NOSEND_WRONG")
    for user in USERS[1:]:
        add_mailbox(nosend, user, user, free_port() if user == NOBODY_LISTENS else dovecot.port)
    return start(env={"NOSEND_WRONG": "wrong"})


def test_all_is_listed_under_its_account_and_two_in_trouble_hold_up_nobody(
    nosend: Shell,
    dovecot: Dovecot,
    watch,  # noqa: F811 - the fixture
) -> None:
    wanted = {}
    for number, user in enumerate(USERS):
        dovecot.fill(user, [noise(number), notice(number)])
        if user in WELL:
            wanted[order(number)] = user
    running = begin(nosend, dovecot, watch)
    running.until_listed(*wanted)
    running.until_told("refused the log-in")
    running.until_told("cannot be reached")
    time.sleep(1.5)  # they wait by now

    chance = random.Random(20261123)
    for number in range(100, 130):
        user = chance.choice(USERS)
        dovecot.fill(user, [noise(number), notice(number)])
        if user in WELL:
            wanted[order(number)] = user
        time.sleep(chance.uniform(0, 0.3))
    running.until_listed(*wanted, seconds=10)

    assert dict(nosend.rows("SELECT value, account FROM blacklist")) == wanted
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(len(wanted),)]
    read = {account for (account,) in nosend.rows("SELECT account FROM rounds WHERE last_success_at IS NOT NULL")}
    assert read == set(WELL)
    assert running.told().count("refused the log-in") == 1, "told once"
    assert running.told().count("cannot be reached") == 1, "told once"
    running.end()
