"""Waiting for news: the traps of IDLE on scripted servers, deadlines of whole answers, the line cut from outside."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
from imapclient import IMAPClient

from nosend.errors import MailboxUnreachableError
from nosend.mailbox.bell import Bell
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.line import Line
from test_imap import mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Dovecot

LONG = 60.0  # seconds that no test waits


class Talk:
    """A server for one connection after another: knows enough to log in and open INBOX; `idle(say, hear)` is the rest.

    `idle` is called with what sends bytes and what gives the next line of the client, once the client has sent IDLE;
    its tag is the first word of `asked`.
    """

    def __init__(self, idle: Callable[[Talk], None], context: ssl.SSLContext | None = None, exists: int = 1) -> None:
        self._idle, self._context = idle, context
        self.exists = exists
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                with contextlib.suppress(OSError, ssl.SSLError), plain:
                    self.sock = self._context.wrap_socket(plain, server_side=True) if self._context else plain
                    with self.sock, self.sock.makefile("rb") as self._file:
                        self._talk()

    def say(self, words: bytes) -> None:
        self.sock.sendall(words)

    def hear(self) -> bytes:
        line = self._file.readline()
        self.asked.append(line.strip())
        return line.strip()

    def _talk(self) -> None:
        self.say(b"* OK ready\r\n")
        while line := self.hear():
            tag, _, command = line.partition(b" ")
            if command.upper() == b"CAPABILITY":
                self.say(b"* CAPABILITY IMAP4rev1 IDLE\r\n")
            elif command.upper().startswith(b"EXAMINE"):
                self.say(b"* %d EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n" % self.exists)
                self.say(b"* OK [UIDNEXT %d] ok\r\n" % (self.exists + 1))
            elif command.upper() == b"IDLE":
                self.tag = tag
                self._idle(self)
                continue
            self.say(tag + b" OK done\r\n")

    def done(self) -> None:
        if self.hear() == b"DONE":
            self.say(self.tag + b" OK idled\r\n")


@pytest.fixture
def talk() -> Iterator[Callable[..., Talk]]:
    servers: list[Talk] = []

    def start(*args, **options) -> Talk:
        servers.append(Talk(*args, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def opened() -> Iterator[Callable[..., ImapMailbox]]:
    inboxes: list[ImapMailbox] = []

    def connect(server: Talk, **keys) -> ImapMailbox:
        inboxes.append(ImapMailbox(mailbox(server.port, **keys), "secret"))
        inboxes[-1].open_folder("INBOX")
        return inboxes[-1]

    yield connect
    for inbox in inboxes:
        inbox.drop()


@pytest.fixture
def bell() -> Iterator[Bell]:
    one = Bell()
    yield one
    one.close()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    begun_at = time.monotonic()
    yield
    assert time.monotonic() - begun_at < seconds


@contextlib.contextmanager
def idling(server: Talk) -> Iterator[IMAPClient]:
    """Give imapclient by itself, in IDLE."""
    client = IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10)
    try:
        client.login("someone", "secret")
        client.select_folder("INBOX", readonly=True)
        client.idle()
        yield client
    finally:
        client.shutdown()


# The four traps: what imapclient does by itself, and what we do.


def test_trap_a_a_closed_line_looks_like_no_news(talk, bell: Bell, opened) -> None:
    def close(server: Talk) -> None:
        server.say(b"+ idling\r\n")
        server.sock.shutdown(socket.SHUT_RDWR)

    with idling(talk(close)) as client, within(5):
        assert [client.idle_check(timeout=30) for _ in range(1000)] == [[]] * 1000, "at once, and for ever"
    inbox = opened(talk(close))
    with within(5), pytest.raises(MailboxUnreachableError):
        inbox.wait(bell, LONG)


@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_trap_b_news_in_one_packet_with_the_beginning(talk, dovecot: Dovecot, tls: str, bell: Bell, opened) -> None:
    def at_once(server: Talk) -> None:
        server.say(b"+ idling\r\n* 2 EXISTS\r\n")
        server.done()

    if tls == "none":
        with idling(talk(at_once)) as client:
            assert client.idle_check(timeout=1) == [], "it lies in a buffer"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(dovecot.ca, dovecot.home / "key.pem")
    server = talk(at_once, context if tls == "implicit" else None)
    inbox = opened(server, tls=tls, host="localhost", ca_file=dovecot.ca)
    with within(5):
        inbox.wait(bell, LONG)
    assert inbox.open_folder("INBOX").exists == 1, "the connection is good"


def test_trap_c_news_before_the_beginning(talk, bell: Bell, opened) -> None:
    def before(server: Talk) -> None:
        server.say(b"* 2 EXISTS\r\n+ idling\r\n")
        server.done()

    with pytest.raises(Exception, match="Unexpected IDLE response"), idling(talk(before)):
        pass
    server = talk(before)
    inbox = opened(server)
    with within(5):
        inbox.wait(bell, 1)
    assert inbox.open_folder("INBOX").exists == 1, "the connection is good"


def test_trap_d_a_silent_peer_ends_after_the_timeout(talk, bell: Bell, opened) -> None:
    def silent(server: Talk) -> None:
        server.say(b"+ idling\r\n")
        server.hear()  # DONE, and no answer
        server.hear()

    inbox = opened(talk(silent), timeout=0.5)
    with within(5), pytest.raises(MailboxUnreachableError, match=r"did not answer in 0\.5 s"):
        inbox.wait(bell, 0.2)


# What else may happen.


def test_news_end_the_wait_and_the_connection_goes_on(talk, bell: Bell, opened) -> None:
    def later(server: Talk) -> None:
        server.say(b"+ idling\r\n")
        time.sleep(0.3)
        server.say(b"* 2 EXISTS\r\n* 1 RECENT\r\n")
        server.done()

    server = talk(later)
    inbox = opened(server)
    for _ in range(2):
        with within(5):
            inbox.wait(bell, LONG)
    assert sum(b"IDLE" in line for line in server.asked) == 2
    inbox.close()
    assert any(b"LOGOUT" in line for line in server.asked)


def test_silence_ends_with_the_time_and_is_no_fault(talk, bell: Bell, opened) -> None:
    def quiet(server: Talk) -> None:
        server.say(b"+ idling\r\n")
        server.done()

    inbox = opened(talk(quiet))
    with within(3):
        inbox.wait(bell, 0.3)
    assert inbox.open_folder("INBOX").exists == 1


def test_a_bell_ends_the_wait_also_when_it_rang_before(talk, bell: Bell, opened) -> None:
    def quiet(server: Talk) -> None:
        server.say(b"+ idling\r\n")
        server.done()

    inbox = opened(talk(quiet))
    bell.ring()
    with within(3):
        inbox.wait(bell, LONG)
    threading.Timer(0.3, bell.ring).start()
    with within(3):
        inbox.wait(bell, LONG)
    with within(3):
        assert bell.wait(0.2) is False, "each ring is heard once"


def test_a_bell_rung_very_often_wakes_once_and_holds_up_nobody(bell: Bell) -> None:
    for _ in range(100_000):
        bell.ring()
    assert bell.wait(LONG) is True
    assert bell.wait(0) is False


def test_a_mail_that_came_after_the_folder_was_opened_ends_the_wait_before_it_begins(talk, bell: Bell, opened) -> None:
    server = talk(Talk.done)
    inbox = opened(server)
    server.exists = 2
    with within(3):
        inbox.wait(bell, LONG)
    assert not [line for line in server.asked if b"IDLE" in line]


def test_idle_refused_is_not_asked_for_again(talk, bell: Bell, opened) -> None:
    def refuse(server: Talk) -> None:
        server.say(server.tag + b" NO not here\r\n")

    server = talk(refuse)
    inbox = opened(server)
    for _ in range(2):
        inbox.wait(bell, 0.1)
    assert sum(b"IDLE" in line for line in server.asked) == 1
    assert inbox.open_folder("INBOX").exists == 1


@pytest.mark.parametrize("close", [True, False])
def test_a_bye_while_idling_is_told(talk, close: bool, bell: Bell, opened) -> None:
    def bye(server: Talk) -> None:
        server.say(b"+ idling\r\n* BYE going down\r\n")
        if not close:
            server.hear()
            server.hear()
        server.sock.shutdown(socket.SHUT_RDWR)

    inbox = opened(talk(bye), timeout=0.5)
    with within(5), pytest.raises(MailboxUnreachableError):
        inbox.wait(bell, LONG)


# Deadlines of whole answers, and a line that others cut.


def dripping(server: Talk) -> None:
    with contextlib.suppress(OSError):
        while True:
            server.say(b"*")
            time.sleep(0.05)


def test_an_answer_that_drips_ends_with_its_deadline(talk, bell: Bell, opened) -> None:
    inbox = opened(talk(dripping), timeout=0.3)
    with within(5), pytest.raises(MailboxUnreachableError, match=r"gave no whole answer in 1\.5 s"):
        inbox.wait(bell, 0.1)


def test_a_greeting_that_drips_ends_with_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def drip() -> None:
            sock, _ = listener.accept()
            with contextlib.suppress(OSError), sock:
                while True:
                    sock.sendall(b"* ")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        with within(5), pytest.raises(MailboxUnreachableError, match="gave no whole answer"):
            ImapMailbox(mailbox(port, timeout=0.3), "secret")


@pytest.mark.parametrize("cut_first", [True, False])
def test_a_line_that_is_cut_ends_what_waits_for_it(cut_first: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # never answers
        line = Line()
        if cut_first:
            line.cut()
        else:
            threading.Timer(0.3, line.cut).start()
        with within(5), pytest.raises(MailboxUnreachableError):
            ImapMailbox(mailbox(listener.getsockname()[1], timeout=LONG), "secret", line)
