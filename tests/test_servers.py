"""The same suite on Dovecot, Cyrus and pymap: the main job on three dialects of IMAP."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from conftest import Shell
from cyrus import Cyrus, cyrus_root
from nosend.demo import server as demo
from proxy import Proxy
from servers import Dovecot, Server
from test_sync import TIMES_OF_THE_RUN, noise, notice, order
from test_watch import configure as watch_for
from test_watch import watch  # noqa: F401 - a fixture


class Pymap(Server):
    """pymap has one user for each process, and so one process for each test."""

    password = demo.PASSWORD

    def __init__(self, port: int) -> None:
        self.port = port

    def login(self, user: str) -> str:
        return demo.USER


@pytest.fixture(scope="module")
def cyrus() -> Iterator[Cyrus]:
    if cyrus_root() is None:
        told = "Cyrus is not there (Debian: sh .ci/cyrus)"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    server = Cyrus()
    yield server
    server.remove()


@pytest.fixture
def pymap() -> Iterator[Pymap]:
    with demo.ImapServer() as server:
        yield Pymap(server.port)


@pytest.fixture(params=["dovecot", "cyrus", "pymap"])
def server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["dovecot", "cyrus"])
def tls_server(request: pytest.FixtureRequest) -> Dovecot | Cyrus:
    """One that speaks TLS; pymap of the demo does not."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """Give each test a mailbox of its own."""
    return re.sub(r"[^a-z]", "", request.node.originalname.removeprefix("test_"))


def configure(nosend: Shell, server: Server, user: str, **keys: object) -> None:
    nosend.env["NOSEND_PASSWORD"] = server.password
    nosend.configure(server.login(user), server.port, **keys)


def listed(nosend: Shell) -> list[str]:
    return [value for (value,) in nosend.rows("SELECT value FROM blacklist ORDER BY value")]


def separator(server: Server, user: str) -> str:
    with server.client(user) as client:
        return client.list_folders()[0][1].decode()


def below_inbox(server: Server, user: str, *names: str) -> str:
    """Give the name of a folder below INBOX as this server writes it."""
    return separator(server, user).join(("INBOX", *names))


def test_first_sync_then_nothing_new_then_new_mail(nosend: Shell, server: Server, user: str) -> None:
    server.fill(user, [noise(1), notice(1), noise(2), notice(2)])
    before = server.snapshot(user)
    configure(nosend, server, user)
    nosend("sync")
    assert listed(nosend) == [order(1), order(2)]

    first = nosend.dump(*TIMES_OF_THE_RUN)
    second = nosend("sync")
    assert (second.stdout, second.stderr) == ("", "")
    assert nosend.dump(*TIMES_OF_THE_RUN) == first
    assert server.snapshot(user) == before, "a flag or a mail was touched"

    server.fill(user, [notice(3)])
    nosend("sync")
    assert listed(nosend) == [order(1), order(2), order(3)]
    assert nosend.rows("SELECT count(*) FROM changes") == [(3,)]


def test_empty_folder(nosend: Shell, server: Server, user: str) -> None:
    server.fill(user, [])
    configure(nosend, server, user)
    assert nosend.sync_here() == ("", 0)
    server.fill(user, [notice(4)])
    assert nosend.sync_here() == ("", 0)
    assert listed(nosend) == [order(4)]


def test_six_hundred_mails_are_read_in_batches(nosend: Shell, server: Server, user: str) -> None:
    server.fill(user, [notice(n) if n % 100 == 99 else noise(n) for n in range(600)])
    before = server.snapshot(user)
    configure(nosend, server, user)
    assert nosend.sync_here() == ("", 0)
    assert len(listed(nosend)) == 6
    assert nosend.rows("SELECT uid FROM cursors") == [(max(int(name.rpartition("/")[2]) for name in before),)]
    assert server.snapshot(user) == before


def test_holes_in_the_uids(nosend: Shell, server: Server, user: str) -> None:
    server.fill(user, [notice(n) for n in range(8)])
    with server.client(user) as client:
        client.select_folder("INBOX")
        uids = client.search()
        gone = [uids[0], uids[3], uids[4], uids[7]]
        client.delete_messages(gone)
        client.uid_expunge(gone)
    configure(nosend, server, user)
    assert nosend.sync_here() == ("", 0)
    assert listed(nosend) == sorted(order(n) for n in (1, 2, 5, 6))
    server.fill(user, [notice(8)])
    assert nosend.sync_here() == ("", 0)
    assert len(listed(nosend)) == 5
    assert nosend.rows("SELECT DISTINCT notices FROM blacklist") == [(1,)]


def test_two_folders_and_a_missing_one(nosend: Shell, server: Server, user: str) -> None:
    """UIDs are equal in both; the missing one is answered with the nearest name, in the server's own spelling."""
    folder = below_inbox(server, user, "Amazon")
    server.fill(user, [notice(1)])
    server.fill(user, [notice(2)], folder)
    # many servers repeat the name, which must not be taken for their own words
    configure(nosend, server, user, folders=["Too many, try again later", "INBOX", folder, "Amazon"])
    done = nosend("sync", code=2)
    assert listed(nosend) == [order(1), order(2)]
    assert "has no folder 'Too many, try again later'" in done.stderr
    assert "has no folder 'Amazon'" in done.stderr
    assert f"did you mean '{folder}'?" in done.stderr


def test_folder_beyond_ascii(nosend: Shell, server: Server, user: str) -> None:
    folder = below_inbox(server, user, "Rückläufer & 注文")
    Server.fill(server, user, [notice(1)], folder)
    configure(nosend, server, user, folders=[folder])
    assert nosend.sync_here() == ("", 0)
    assert listed(nosend) == [order(1)]


def test_folder_deleted_and_made_again(nosend: Shell, server: Server, user: str) -> None:
    """UIDVALIDITY is another: the folder is read again, and nothing doubles."""
    folder = below_inbox(server, user, "Again")
    server.fill(user, [notice(1), notice(2)], folder)
    configure(nosend, server, user, folders=[folder])
    assert nosend.sync_here() == ("", 0)
    with server.client(user) as client:
        old = client.folder_status(folder, ["UIDVALIDITY"])[b"UIDVALIDITY"]
        client.delete_folder(folder)
    assert f"has no folder '{folder}'" in nosend("sync", code=2).stderr
    server.fill(user, [notice(3), notice(1)], folder)
    with server.client(user) as client:
        assert client.folder_status(folder, ["UIDVALIDITY"])[b"UIDVALIDITY"] != old
    assert nosend.sync_here() == ("", 0)
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY value") == [(order(n), 1) for n in (1, 2, 3)]


def test_wrong_password(nosend: Shell, server: Server, user: str) -> None:
    server.fill(user, [notice(1)])
    configure(nosend, server, user)
    done = nosend("sync", code=2, env={"NOSEND_PASSWORD": "not-the-one"})
    assert f"refused the log-in of {server.login(user)!r}" in done.stderr
    assert "check username and password" in done.stderr
    assert "not-the-one" not in done.stderr


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_tls(nosend: Shell, tls_server: Dovecot | Cyrus, user: str, tls: str) -> None:
    user = f"{user}{tls}"
    tls_server.fill(user, [notice(1)])
    port = tls_server.tls_port if tls == "implicit" else tls_server.port
    nosend.configure(user, port, tls=tls, host="localhost", ca_file=str(tls_server.ca))
    assert nosend.sync_here() == ("", 0)
    assert listed(nosend) == [order(1)]
    nosend.configure(user, port, tls=tls, host="localhost")
    assert "certificate is not trusted" in nosend("sync", code=2).stderr


def test_connection_cut_anywhere_loses_and_doubles_nothing(nosend: Shell, server: Server, user: str) -> None:
    """A relay cuts after N bytes of the server; each run ends with 0 or 75, and the last one has all."""
    server.fill(user, [notice(n) for n in range(4)])
    nosend.env["NOSEND_PASSWORD"] = server.password
    with Proxy(server.port) as line:
        nosend.configure(server.login(user), line.port)
        assert nosend.sync_here() == ("", 0)
        whole = line.down
        (nosend.folder / "nosend.db").unlink()
        for line.cut_after in range(1, whole, whole // 10):
            said, code = nosend.sync_here()
            assert code in {0, 75}, said
        line.cut_after = None
        assert nosend.sync_here() == ("", 0)
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY value") == [(order(n), 1) for n in range(4)]


def test_watch_hears_of_new_mail_and_comes_back_after_a_cut(nosend: Shell, server: Server, user: str, watch) -> None:  # noqa: F811
    """By IDLE, which all three have: the next poll is minutes away."""
    server.fill(user, [notice(1)])
    with Proxy(server.port) as line:
        nosend.env["NOSEND_PASSWORD"] = server.password
        watch_for(nosend, server.login(user), line.port, {"poll_seconds": 290})
        running = watch()
        running.until_listed(order(1))
        time.sleep(1.5)
        server.fill(user, [notice(2)])
        running.until_listed(order(2))
        line.cut()
        server.fill(user, [notice(3)])
        running.until_listed(order(3))
        running.end()
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY value") == [(order(n), 1) for n in (1, 2, 3)]


def test_notices_are_moved_and_nothing_else(nosend: Shell, server: Server, user: str) -> None:
    """Into a folder that is made, in two rounds; what is no notice stays."""
    done = below_inbox(server, user, "Done")
    server.fill(user, [noise(1), notice(1), noise(2), notice(2)])
    configure(nosend, server, user, move_notices_to=done)
    assert nosend.sync_here() == ("", 0)
    assert where(server, user) == {"INBOX": 2, done: 2}
    Server.fill(server, user, [notice(3), noise(3)])  # by IMAP: files would get the names of those that were moved
    assert nosend.sync_here() == ("", 0)
    assert where(server, user) == {"INBOX": 3, done: 3}
    assert listed(nosend) == [order(1), order(2), order(3)]
    assert all(
        b"auto-communication@" not in raw for name, (raw, _) in server.snapshot(user).items() if done not in name
    )


def where(server: Server, user: str) -> dict[str, int]:
    """Count the mails by folder."""
    return dict(Counter(name.rpartition("/")[0] for name in server.snapshot(user)))
