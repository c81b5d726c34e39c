"""The mailbox: TLS, log-in, folders, windows, and servers that misbehave."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

import pytest

from conftest import Shell
from nosend.config import Mailbox
from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.letter.mime import LIMITS
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.reading import FolderReader
from nosend.model import Trust
from nosend.verdict import rules
from servers import Dovecot, Scripted
from test_sync import noise, notice, order


def mailbox(port: int, user: str = "someone", **keys: object) -> Mailbox:
    values: dict[str, object] = {
        "account": "shop", "host": "127.0.0.1", "port": port, "tls": "none", "ca_file": None, "username": user,
        "secret": None, "oauth": None,
        "folders": ("INBOX",), "read_all": False, "trust": Trust(), "timeout": 5,
    } | keys  # fmt: skip
    return Mailbox(**values)


def nothing_written(nosend: Shell) -> bool:
    """Tell whether no mail, entry, event or cursor stands in the database."""
    tables = ("ledger", "events", "entries", "change_log", "cursors", "kept")
    return all(nosend.rows(f"SELECT count(*) FROM {table}") == [(0,)] for table in tables)


# One clear message each, the documented exit code, nothing written


def test_server_stopped(nosend: Shell) -> None:
    nosend.configure("x", 1)
    done = nosend("sync", code=75)
    assert "127.0.0.1:1 cannot be reached (Connection refused): try again later" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert nothing_written(nosend)


def test_unknown_host(nosend: Shell) -> None:
    nosend.configure("x", 993, host="imap.shop.invalid", tls="implicit")
    done = nosend("sync", code=75)
    assert "no such host" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_wrong_password(nosend: Shell, dovecot: Dovecot) -> None:
    nosend.configure("wrong", dovecot.port)
    done = nosend("sync", code=2, env={"NOSEND_PASSWORD": "not-the-one"})
    assert "refused the log-in of 'wrong'" in done.stderr
    assert "check username and password" in done.stderr
    assert "not-the-one" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert nothing_written(nosend)


def test_password_beyond_ascii_is_sent_as_utf_8_and_refused_in_words(nosend: Shell, dovecot: Dovecot) -> None:
    nosend.configure("wrong", dovecot.port)
    done = nosend("sync", code=2, env={"NOSEND_PASSWORD": "pässwörd"})
    assert "refused the log-in" in done.stderr
    assert "pässwörd" not in done.stderr


def test_untrusted_certificate(nosend: Shell, dovecot: Dovecot) -> None:
    nosend.configure("tls", dovecot.tls_port, tls="implicit", host="localhost")
    done = nosend("sync", code=2)
    assert "certificate is not trusted" in done.stderr
    assert "ca_file" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert nothing_written(nosend)


@pytest.mark.parametrize(("tls", "port"), [("implicit", "tls_port"), ("starttls", "port")])
def test_certificate_of_ones_own_ca_is_trusted_by_ca_file(nosend: Shell, dovecot: Dovecot, tls: str, port: str) -> None:
    user = f"own-ca-{tls}"
    dovecot.fill(user, [notice(1)])
    nosend.configure(user, getattr(dovecot, port), tls=tls, host="localhost", ca_file=str(dovecot.ca))
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == [(order(1),)]


def test_certificate_for_another_host_is_refused(nosend: Shell, dovecot: Dovecot) -> None:
    """The CA is trusted and the server answers, but the certificate names localhost and 127.0.0.1, not 127.1."""
    nosend.configure("tls", dovecot.tls_port, tls="implicit", host="127.1", ca_file=str(dovecot.ca))
    done = nosend("sync", code=2)
    assert "certificate is not trusted" in done.stderr
    assert "127.1" in done.stderr
    assert nothing_written(nosend)


def test_starttls_is_refused_where_the_server_has_none() -> None:
    def answer(tag: bytes, command: bytes, line: bytes) -> bytes:
        if command == b"CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n"
        return tag + b" BAD unknown\r\n"

    with Scripted(answer) as server, pytest.raises(MailboxRefusedError, match="STARTTLS"):
        ImapMailbox(mailbox(server.port, tls="starttls"), "secret")
    assert not [line for line in server.lines if b"LOGIN" in line.upper()], "the password was sent in clear"


def test_tls_port_spoken_to_in_clear_and_the_other_way_round(nosend: Shell, dovecot: Dovecot) -> None:
    nosend.configure("tls", dovecot.port, tls="implicit", host="localhost")
    done = nosend("sync", code=2)
    assert "no TLS" in done.stderr
    assert 'tls = "starttls"' in done.stderr
    nosend.configure("tls", dovecot.tls_port, timeout=2)
    assert len(nosend("sync", code=75).stderr.splitlines()) == 1


def test_folder_that_does_not_exist(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("folders", [notice(2)])
    dovecot.fill("folders", [notice(3)], folder="Amazon/Notices")
    nosend.configure("folders", dovecot.port, folders=["amazon/notices", "INBOX", "Notices"])
    done = nosend("sync", code=2)
    assert "has no folder 'amazon/notices'" in done.stderr
    assert "did you mean 'Amazon/Notices'?" in done.stderr
    assert "INBOX" in done.stderr
    assert len(done.stderr.splitlines()) == 2, "a line for each wrong folder"
    assert nosend.rows("SELECT value FROM blacklist") == [(order(2),)], "the folder that is there is read all the same"


def test_folder_beyond_ascii_is_found_by_its_name(nosend: Shell, dovecot: Dovecot) -> None:
    with dovecot.client("umlaut") as client:
        client.create_folder("Rückläufer & 注文")
        client.append("Rückläufer & 注文", notice(4))
    nosend.configure("umlaut", dovecot.port, folders=["Rückläufer & 注文"])
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == [(order(4),)]


# Reading


def batches(dovecot: Dovecot, user: str, after: int = 0, **options: int) -> list:
    settings = mailbox(dovecot.port, user)
    with ImapMailbox(settings, "secret") as inbox:
        reader = FolderReader(settings, inbox, inbox.open_folder("INBOX"), rules.builtin(), **options)
        return list(reader.new_mails(after))


def test_fewer_at_once_are_the_same_mails_in_smaller_batches(dovecot: Dovecot) -> None:
    dovecot.fill("at-once", [notice(n) if n % 2 else noise(n) for n in range(60)])
    whole = [mail for batch in batches(dovecot, "at-once") for mail in batch.mails]
    assert len(whole) == 30
    for at_once, bodies in ((1, 1), (20, 4), (50, 10)):
        found = batches(dovecot, "at-once", at_once=at_once)
        assert [mail for batch in found for mail in batch.mails] == whole
        assert max(len(batch.mails) for batch in found) == bodies
        assert sum(batch.seen for batch in found) == 60
        assert found[-1].upto == 60


def test_uid_holes_and_the_last_mail_below_the_cursor(dovecot: Dovecot) -> None:
    dovecot.fill("holes", [notice(n) for n in range(6)])
    with dovecot.client("holes") as client:
        client.select_folder("INBOX")
        client.delete_messages([2, 3, 6])
        client.uid_expunge([2, 3, 6])
    seen = [mail.place.uid for batch in batches(dovecot, "holes") for mail in batch.mails]
    assert seen == [1, 4, 5]
    assert [batch.upto for batch in batches(dovecot, "holes")][-1] == 6, "the cursor reaches past the hole"
    assert batches(dovecot, "holes", after=6) == []


def test_a_folder_larger_than_one_window_is_read_whole_in_order(dovecot: Dovecot) -> None:
    dovecot.fill("wide", [notice(n) if n % 500 == 0 else noise(n) for n in range(2_601)])
    found = batches(dovecot, "wide")
    assert [mail.place.uid for batch in found for mail in batch.mails] == [1, 501, 1001, 1501, 2001, 2501]
    assert sum(batch.seen for batch in found) == 2_601
    uptos = [batch.upto for batch in found]
    assert uptos == sorted(set(uptos))
    assert uptos[-1] == 2_601


def test_empty_folder_gives_nothing(dovecot: Dovecot) -> None:
    dovecot.fill("empty", [])
    assert batches(dovecot, "empty") == []


def test_bodies_of_strangers_are_never_fetched_but_amazons_are(dovecot: Dovecot) -> None:
    dovecot.fill("thrifty", [noise(1), notice(1), noise(2)])
    found = [mail for batch in batches(dovecot, "thrifty") for mail in batch.mails]
    assert [mail.raw.replace(b"\r\n", b"\n") for mail in found] == [notice(1)]
    assert found[0].received_at is not None
    assert found[0].received_at.tzinfo is not None


def test_a_mail_with_another_marker_is_judged_by_its_header_alone(nosend: Shell, dovecot: Dovecot) -> None:
    other = notice(5).replace(b"Subject: Your message to a buyer could not be delivered", b"Subject: A refund")
    other = other.replace(b"Subject:", b"X-Space-Notification-Type: REFUND_ISSUED\r\nSubject:")
    dovecot.fill("other", [other])
    (mail,) = (mail for batch in batches(dovecot, "other") for mail in batch.mails)
    assert b"unable to deliver" not in mail.raw
    nosend.configure("other", dovecot.port)
    nosend("sync")
    assert nosend.rows("SELECT verdict, rule, key FROM ledger") == [
        ("other_notice", "marker-other", "<notice-5@amazon.example>")
    ]


def test_a_mail_over_the_cap_is_cut_and_suspect(nosend: Shell, dovecot: Dovecot) -> None:
    big = notice(6) + b"x" * 70 * 1_000 + (b"y" * 76 + b"\n") * (LIMITS.size // 77)
    dovecot.fill("big", [big])
    nosend.configure("big", dovecot.port)
    done = nosend("sync")
    assert "1 suspect," in done.stderr
    ((verdict, why, size),) = nosend.rows("SELECT verdict, why, size FROM ledger")
    assert verdict == "suspect"
    assert f"| but not read: bytes after the first {LIMITS.size}, " in why
    assert size > LIMITS.size
    assert nosend.rows("SELECT length(raw) FROM kept") == [(LIMITS.size + 1,)]


def test_memory_does_not_grow_with_the_folder(dovecot: Dovecot) -> None:
    """What is held at a time is a batch: at most 100 bodies, at most 8 MB."""
    dovecot.fill("heavy", [notice(n) + b"z" * 200_000 for n in range(120)])
    sizes = [sum(len(mail.raw) for mail in batch.mails) for batch in batches(dovecot, "heavy")]
    assert len(sizes) > 2
    assert max(sizes) <= 8 * 1024 * 1024


# Servers that misbehave, on a real socket


def scripted(folder: dict[int, bytes], *, change=None):
    """Answer like a small IMAP server with these mails; `change(command, answer)` may spoil an answer."""

    def answer(tag: bytes, command: bytes, line: bytes) -> bytes | None:
        said = reply(tag, command, line)
        return change(command, said) if change else said

    def reply(tag: bytes, command: bytes, line: bytes) -> bytes:
        done = tag + b" OK done\r\n"
        if command.startswith(b"CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1\r\n" + done
        if command.startswith(b"EXAMINE"):
            told = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\n"
            return told % (len(folder), max(folder, default=0) + 1) + tag + b" OK [READ-ONLY] done\r\n"
        if command.startswith(b"UID SEARCH"):
            asked = uids(line.split()[-1], folder)
            return b"* SEARCH " + b" ".join(b"%d" % uid for uid in asked) + b"\r\n" + done
        if command.startswith(b"UID FETCH"):
            return b"".join(fetched(uid, command, folder) for uid in uids(line.split()[3], folder)) + done
        if command.startswith(b"LOGOUT"):
            return b"* BYE\r\n" + done
        return done

    return answer


def uids(asked: bytes, folder: dict[int, bytes]) -> list[int]:
    found: list[int] = []
    for piece in asked.split(b","):
        first, _, last = piece.replace(b"*", b"%d" % max(folder, default=0)).partition(b":")
        found += [uid for uid in folder if int(first) <= uid <= int(last or first)]
        if b"*" in piece and not found and folder:
            found.append(max(folder))  # RFC 3501, 6.4.8
    return found


def fetched(uid: int, command: bytes, folder: dict[int, bytes]) -> bytes:
    raw = folder[uid]
    head = raw.partition(b"\n\n")[0] + b"\r\n\r\n"
    header = b"BODY[HEADER.FIELDS (FROM SUBJECT)]"
    name, data = (header, head) if b"HEADER" in command else (b"BODY[]", raw)
    place = list(folder).index(uid) + 1
    return b'* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE "10-Sep-2026 08:15:30 +0000" %s {%d}\r\n%s)\r\n' % (
        place, uid, len(raw), name, len(data), data,
    )  # fmt: skip


def read(server: Scripted, after: int = 0) -> list[bytes]:
    settings = mailbox(server.port, timeout=1)
    with ImapMailbox(settings, "secret") as inbox:
        reader = FolderReader(settings, inbox, inbox.open_folder("INBOX"), rules.builtin())
        return [mail.raw for batch in reader.new_mails(after) for mail in batch.mails]


def test_scripted_server_as_it_should_be() -> None:
    with Scripted(scripted({3: notice(1), 9: notice(2)})) as server:
        assert read(server) == [notice(1), notice(2)]
        assert read(server, after=3) == [notice(2)]
        assert read(server, after=9) == []
    assert not [line for line in server.lines if re.search(rb"SELECT|STORE|BODY\[", line)], "only EXAMINE and PEEK"
    assert [line for line in server.lines if b"EXAMINE" in line]


def test_uidnext_untold_and_the_last_mail_given_for_any_range() -> None:
    def without_uidnext(_: bytes, said: bytes) -> bytes:
        return re.sub(rb"\* OK \[UIDNEXT \d+\] x\r\n", b"", said)

    with Scripted(scripted({3: notice(1), 9: notice(2)}, change=without_uidnext)) as server:
        assert read(server) == [notice(1), notice(2)]
        assert read(server, after=9) == []


def test_uids_near_the_end_of_their_range_are_reached_in_few_searches() -> None:
    folder = {5: notice(1), 4_294_967_200: notice(2)}
    with Scripted(scripted(folder)) as server:
        assert read(server) == [notice(1), notice(2)]
    assert len([line for line in server.lines if b"SEARCH" in line]) < 40


def test_ok_without_data_takes_nothing_for_read() -> None:
    def no_data(command: bytes, said: bytes) -> bytes:
        return said[said.rindex(b"\r\n", 0, -2) + 2 :] if command.startswith(b"UID FETCH") else said

    with (
        Scripted(scripted({3: notice(1), 9: notice(2)}, change=no_data)) as server,
        pytest.raises(MailboxUnreachableError, match="without data"),
    ):
        read(server)


def test_one_mail_without_data_is_set_aside_and_the_others_are_read(nosend: Shell) -> None:
    def one_missing(command: bytes, said: bytes) -> bytes:
        if command.startswith(b"UID FETCH"):
            return re.sub(rb"\* \d+ FETCH \(UID 3 .*?\}\r\n.*?\)\r\n(?=\*|\w+ OK)", b"", said, flags=re.DOTALL)
        return said

    with Scripted(scripted({3: notice(1), 9: notice(2)}, change=one_missing)) as server:
        nosend.configure("x", server.port)
        done = nosend("sync")
    assert "1 set aside" in done.stderr
    assert nosend.rows("SELECT uid, verdict, why FROM ledger ORDER BY uid")[0] == (
        3,
        "set_aside",
        "the server gives no data of it",
    )
    assert nosend.rows("SELECT value FROM blacklist") == [(order(2),)]


def test_a_mail_that_vanishes_between_search_and_fetch_is_no_trouble() -> None:
    folder = {3: notice(1), 9: notice(2)}

    def vanishing(command: bytes, said: bytes) -> bytes:
        if command.startswith(b"UID SEARCH"):
            folder.pop(3, None)
        return said

    with Scripted(scripted(folder, change=vanishing)) as server:
        assert read(server) == [notice(2)]


def test_answers_out_of_order_with_unexpected_items_and_news_in_between() -> None:
    def shuffled(command: bytes, said: bytes) -> bytes:
        if not command.startswith(b"UID FETCH"):
            return said
        untagged, tagged = said[: said.rindex(b"\r\n", 0, -2) + 2], said[said.rindex(b"\r\n", 0, -2) + 2 :]
        found = re.split(rb"(?<=\)\r\n)(?=\* \d+ FETCH)", untagged)
        news = b"* 12 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 77 FLAGS () X-GM-LABELS (a))\r\n"
        return news + news.join(reversed(found)) + news + tagged

    with Scripted(scripted({3: notice(1), 9: notice(2)}, change=shuffled)) as server:
        assert read(server) == [notice(1), notice(2)]


@pytest.mark.parametrize("command", [b"CAPABILITY", b"LOGIN", b"EXAMINE", b"UID SEARCH", b"UID FETCH"])
@pytest.mark.parametrize("trouble", ["silence", "hang up", "garbage", "bye", "half"])
def test_connection_that_breaks_anywhere_is_unreachable(command: bytes, trouble: str) -> None:
    def spoil(said_command: bytes, said: bytes) -> bytes | None:
        if not said_command.startswith(command):
            return said
        spoilt = {
            "silence": b"",
            "hang up": None,
            "garbage": b"\x00\xff garbage\r\n* (\r\n",
            "half": said[: len(said) // 2],
        }
        return spoilt.get(trouble, b"* BYE shutting down\r\n")

    with Scripted(scripted({3: notice(1)}, change=spoil)) as server, pytest.raises(MailboxUnreachableError) as told:
        read(server)
    assert "127.0.0.1" in str(told.value)


@pytest.mark.parametrize(
    "words", [b"[UNAVAILABLE] down", b"[LIMIT] Too many simultaneous connections", b"try again later"]
)
def test_log_in_refused_for_now_is_no_wrong_password(words: bytes) -> None:
    def not_now(command: bytes, said: bytes) -> bytes:
        return said.split(b" ")[0] + b" NO " + words + b"\r\n" if command.startswith(b"LOGIN") else said

    with Scripted(scripted({}, change=not_now)) as server, pytest.raises(MailboxUnreachableError, match="now"):
        read(server)


def test_a_silent_greeting_ends_after_the_timeout() -> None:
    with (
        Scripted(scripted({}), greeting=b"") as server,
        pytest.raises(MailboxUnreachableError, match="did not answer in 1 s"),
    ):
        read(server)


def test_a_cut_at_any_byte_of_the_conversation_leaves_what_was_committed(nosend: Shell, dovecot: Dovecot) -> None:
    """A proxy cuts the line after N bytes from the server, N swept; each run exits 0 or 75, and the last has all."""
    dovecot.fill("cut", [notice(n) for n in range(5)])
    whole = _bytes_of_a_sync(nosend, dovecot, "cut", None)
    (nosend.folder / "nosend.db").unlink()
    for limit in range(1, whole, max(1, whole // 12)):
        _bytes_of_a_sync(nosend, dovecot, "cut", limit)
        assert nosend.rows("SELECT coalesce(sum(notices), 0) = count(*) FROM blacklist") == [(1,)]
    _bytes_of_a_sync(nosend, dovecot, "cut", None)
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [(order(n), 1) for n in range(5)]


def _bytes_of_a_sync(nosend: Shell, dovecot: Dovecot, user: str, limit: int | None) -> int:
    """Sync through a proxy that cuts after `limit` bytes; gives how many bytes the server sent."""
    passed = 0
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        nonlocal passed
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", dovecot.port))
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        with client, server:
            while (limit is None or passed < limit) and (data := server.recv(4096)):
                room = len(data) if limit is None else limit - passed
                client.sendall(data[:room])
                passed += len(data[:room])
            for end in (client, server):  # closing alone would wait for the thread that reads from it
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def pump(client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(4096):
                server.sendall(data)
        except OSError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    nosend.configure(user, listener.getsockname()[1])
    done = nosend("sync", code=None)
    assert done.returncode == (0 if limit is None else done.returncode)
    assert done.returncode in {0, 75}, done.stderr
    thread.join(10)
    listener.close()
    return passed


def test_ca_file_that_is_missing_is_told(nosend: Shell, dovecot: Dovecot) -> None:
    nosend.configure("x", dovecot.tls_port, tls="implicit", ca_file="nowhere.pem")
    done = nosend("sync", code=2)
    assert "ca_file" in done.stderr
    assert "'nowhere.pem' cannot be read: [Errno 2] No such file or directory" in done.stderr


# What a hostile server says


def test_search_answered_without_data_takes_nothing_for_read() -> None:
    def no_data(command: bytes, said: bytes) -> bytes:
        return said[said.rindex(b"\r\n", 0, -2) + 2 :] if command.startswith(b"UID SEARCH") else said

    with (
        Scripted(scripted({3: notice(1), 9: notice(2)}, change=no_data)) as server,
        pytest.raises(MailboxUnreachableError, match="without data"),
    ):
        read(server)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b'"10-Sep-2026 08:15:30 +0000"', b'"31-Dec-9999 23:00:00 +0000"'),
        (b'"10-Sep-2026 08:15:30 +0000"', b'"10-Sep-2026 08:15:30 +9999"'),
        (b"UIDNEXT 10", b"UIDNEXT 18446744073709551616"),
    ],
)
def test_numbers_and_times_that_cannot_be_do_no_harm(nosend: Shell, said: bytes, instead: bytes) -> None:
    folder = {3: notice(1), 9: notice(2)}
    with Scripted(scripted(folder, change=lambda _, answer: answer.replace(said, instead))) as server:
        nosend.configure("x", server.port)
        nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == [(order(1),), (order(2),)]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b"UIDVALIDITY 7", b"UIDVALIDITY 18446744073709551616"),
        (b"* SEARCH ", b"* SEARCH a b "),
        (b"{", b"{99999999999"),
    ],
)
def test_answers_that_cannot_be_read_are_told_in_words(nosend: Shell, said: bytes, instead: bytes) -> None:
    folder = {3: notice(1), 9: notice(2)}
    with Scripted(scripted(folder, change=lambda _, answer: answer.replace(said, instead))) as server:
        nosend.configure("x", server.port, timeout=2)
        done = nosend("sync", code=None)
    assert done.returncode in {2, 75}
    assert len(done.stderr.splitlines()) == 1
    assert nothing_written(nosend)


def test_what_the_server_says_reaches_no_terminal_raw_and_repeats_no_password(nosend: Shell) -> None:
    def rude(command: bytes, said: bytes) -> bytes:
        if command.startswith(b"LOGIN"):
            return said.split(b" ")[0] + b" NO \x1b]0;owned\x07 wrong: secret\r\n"
        return said

    with Scripted(scripted({}, change=rude)) as server:
        nosend.configure("x", server.port)
        done = nosend("sync", code=2)
    assert "\x1b" not in done.stderr
    assert "\x07" not in done.stderr
    assert "wrong: ***" in done.stderr
    assert "secret" not in done.stderr
    assert "secret" not in "".join(nosend.dump())


def test_a_password_with_a_line_break_is_never_sent(nosend: Shell) -> None:
    with Scripted(scripted({})) as server:
        nosend.configure("x", server.port)
        done = nosend("sync", code=2, env={"NOSEND_PASSWORD": "a\r\nX1 DELETE INBOX"})
    assert "line break" in done.stderr
    assert not [line for line in server.lines if b"DELETE" in line or b"LOGIN" in line]


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".com"])
def test_a_host_that_is_no_name_is_told(nosend: Shell, host: str) -> None:
    nosend.configure("x", 993, host=host, tls="implicit")
    assert "no name of a host" in nosend("sync", code=2).stderr


def test_a_lock_file_that_is_a_link_is_not_followed(nosend: Shell, dovecot: Dovecot) -> None:
    victim = nosend.folder / "victim"
    victim.write_text("precious")
    (nosend.folder / "nosend.db.lock").symlink_to(victim)
    nosend.configure("linked", dovecot.port)
    nosend("sync", code=75)
    assert victim.read_text() == "precious"


def test_only_the_beginning_of_header_and_body_is_ever_asked_for() -> None:
    with Scripted(scripted({3: notice(1)})) as server:
        read(server)
    fetches = [line for line in server.lines if b"FETCH" in line]
    assert len(fetches) == 2
    assert all(re.search(rb"\]<0\.\d+>", line) for line in fetches)


@pytest.mark.parametrize("kind", ["literal", "lines"])
def test_an_answer_without_end_fills_no_memory(kind: str) -> None:
    """64 MB are enough for whatever is asked for; of a larger literal not a byte is read."""

    answer = scripted({3: notice(1)})

    def flood(tag: bytes, command: bytes, line: bytes) -> bytes:
        if command.startswith(b"UID FETCH") and kind == "literal":
            return b"* 1 FETCH (UID 3 BODY[HEADER] {4000000000}\r\n"
        if command.startswith(b"UID SEARCH") and kind == "lines":
            return (b"* SEARCH" + b" 3" * 4_000_000 + b"\r\n") * 10
        return answer(tag, command, line)

    with Scripted(flood) as server, pytest.raises(MailboxUnreachableError, match="an answer of more than 67108864"):
        read(server)


def test_order_ids_and_aliases_in_a_servers_words_are_masked(nosend: Shell) -> None:
    said = b"NO refused for abc123def456@marketplace.amazon.com and order 111-2345678-1234567 of user@example.com\r\n"
    answer = scripted({3: notice(1)})

    def refuse(tag: bytes, command: bytes, line: bytes) -> bytes:
        return tag + b" " + said if command.startswith(b"EXAMINE") else answer(tag, command, line)

    with Scripted(refuse) as server:
        nosend.configure("x", server.port)
        told = nosend("sync", code=2).stderr
    assert "refused for *** and order *** of user@example.com" in told
