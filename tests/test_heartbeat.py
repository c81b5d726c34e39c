"""Alive is who completed a round trip to its server; only then is the watchdog fed and the file touched."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nosend.monitor.heartbeat import Heartbeat, Pulse, late, stuck
from nosend.monitor.systemd import Systemd

AGO = 1_000_000_000  # a time that no touch gives


class Clock:
    """Seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Notified:
    """A socket as systemd's."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0"))
        self._socket.settimeout(0.2)
        self.systemd = Systemd({"NOTIFY_SOCKET": address})

    def heard(self) -> list[str]:
        """Give the datagrams that have come; they lie in the socket when the sender returns."""
        self._socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def notified(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Notified]:
    address = f"@nosend-test-{os.getpid()}" if request.param == "abstract" else f"/tmp/nosend-{os.getpid()}.sock"
    one = Notified(address)
    yield one
    one.close()
    Path(address).unlink(missing_ok=True)


def touched(file: Path) -> bool:
    """Tell whether the file was touched since it was asked last."""
    if not file.exists():
        return False
    fresh = file.stat().st_mtime != AGO
    os.utime(file, (AGO, AGO))
    return fresh


# The decisions.


@pytest.mark.parametrize(
    ("pulse", "is_late", "is_stuck"),
    [
        (Pulse(60, 100), True, False),
        (Pulse(60, 39), True, True),
        (Pulse(60, 0, beaten_at=40), False, False),
        (Pulse(60, 0, beaten_at=39), True, True),
        (Pulse(60, 0, beaten_at=39, excused_at=50), True, False),
        (Pulse(60, 0, excused_at=39), True, True),
        (Pulse(0, 0, beaten_at=100), False, False),
    ],
    ids=["begun", "never came", "in time", "silent", "in trouble", "silent after a trouble", "at once"],
)
def test_who_is_late_and_who_is_stuck(pulse: Pulse, is_late: bool, is_stuck: bool) -> None:
    pulses = {"b": pulse, "a": Pulse(60, 0, beaten_at=100)}
    assert late(pulses, 100) == (("b",) if is_late else ())
    assert stuck(pulses, 100) == (("b",) if is_stuck else ())


def test_without_workers_nobody_is_late() -> None:
    assert late({}, 0) == stuck({}, 0) == ()


# What is told, through real sockets and files.


def test_file_is_touched_only_after_every_worker_came(tmp_path: Path, notified: Notified) -> None:
    clock, file = Clock(), tmp_path / "alive"
    heart = Heartbeat({"a": 60, "b": 60}, notified.systemd, file, clock)
    assert heart.late() == ("a", "b")
    heart.beat("a")
    assert not touched(file)
    heart.beat("b")
    assert touched(file)
    assert heart.late() == ()
    clock.now += 50
    heart.beat("a")
    assert touched(file)
    clock.now += 11
    heart.beat("a")
    assert not touched(file), "b is late"
    assert heart.late() == ("b",)
    heart.beat("b")
    assert touched(file)


def test_watchdog_is_fed_only_by_a_beat_and_only_while_nobody_is_stuck(notified: Notified) -> None:
    clock = Clock()
    heart = Heartbeat({"a": 60, "b": 60}, notified.systemd, clock=clock)
    heart.excuse("b")
    heart.late()
    assert notified.heard() == []
    heart.beat("a")
    assert notified.heard() == ["WATCHDOG=1"]
    clock.now += 61
    heart.beat("a")
    assert notified.heard() == [], "b hangs: nothing was heard of it"
    heart.excuse("b")
    heart.beat("a")
    assert notified.heard() == ["WATCHDOG=1"], "b is in trouble and says so: a restart would not help"
    assert heart.late() == ("b",)


def test_a_changed_configuration_changes_who_is_expected(tmp_path: Path, notified: Notified) -> None:
    clock, file = Clock(), tmp_path / "alive"
    heart = Heartbeat({"a": 60, "gone": 60}, notified.systemd, file, clock)
    heart.beat("a")
    heart.expect({"a": 10, "new": 60})
    heart.beat("gone")
    assert heart.late() == ("new",)
    heart.beat("new")
    assert touched(file)
    clock.now += 11
    assert heart.late() == ("a",), "by its new time"


def test_beats_of_many_threads_are_all_heard(tmp_path: Path) -> None:
    names = [f"shop-{n}" for n in range(50)]
    heart = Heartbeat(dict.fromkeys(names, 60), Systemd({}), tmp_path / "alive")
    threads = [threading.Thread(target=heart.beat, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heart.late() == ()
    assert touched(tmp_path / "alive")


def test_all_words_reach_systemd(notified: Notified) -> None:
    systemd = notified.systemd
    for word in (systemd.ready, systemd.feed, systemd.stopping, systemd.reloading):
        word()
    systemd.status("2 mailboxes\nREADY=1")
    *heard, reloading, status = notified.heard()
    assert heard == ["READY=1", "WATCHDOG=1", "STOPPING=1"]
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert status == "STATUS=2 mailboxes READY=1", "one line, whatever is in it"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "nowhere"])
def test_without_a_socket_nothing_is_told(address: str, caplog: pytest.LogCaptureFixture) -> None:
    Systemd({"NOTIFY_SOCKET": address} if address else {}).ready()
    assert caplog.messages == []


def test_what_cannot_be_told_is_logged_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heart = Heartbeat({"a": 60}, Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}), tmp_path / "no" / "file")
    heart.beat("a")
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.messages[0].startswith("systemd could not be told WATCHDOG at $NOTIFY_SOCKET: ")
    assert caplog.messages[1].startswith("heartbeat_file '")
    assert heart.late() == ()
