"""What providers do otherwise, each on a scripted server: docs/quirks.md names these tests."""

from __future__ import annotations

import re
import time

import pytest

from conftest import ROOT, Shell
from nosend.errors import MailboxBusyError, MailboxUnreachableError
from nosend.mailbox import dialect
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.reading import FolderReader
from nosend.verdict import rules
from quirky import Quirky
from servers import PASSWORD
from test_imap import mailbox, nothing_written
from test_sync import noise, notice, order

TWO = {3: notice(1), 9: notice(2)}


def read(server: Quirky, after: int = 0, timeout: float = 2) -> list[bytes]:
    settings = mailbox(server.port, timeout=timeout)
    with ImapMailbox(settings, PASSWORD) as inbox:
        reader = FolderReader(settings, inbox, inbox.open_folder("INBOX"), rules.builtin())
        return [mail.raw for batch in reader.new_mails(after) for mail in batch.mails]


def commands(server: Quirky, name: bytes) -> list[bytes]:
    return [line for line in server.lines if line.split(b" ", 1)[1].upper().startswith(name)]


def sync(nosend: Shell, server: Quirky, **keys: object) -> tuple[str, int]:
    """Do a round with a server; gives its troubles in words and the exit code."""
    nosend.configure("x", server.port, **keys)
    return nosend.sync_here()


def both_are_listed(nosend: Shell, server: Quirky, **keys: object) -> None:
    """Sync: all is well, both notices are listed, and a second round asks for no mail again."""
    assert sync(nosend, server, **keys) == ("", 0)
    assert nosend.rows("SELECT value FROM blacklist ORDER BY value") == [(order(1),), (order(2),)]
    fetched = len(commands(server, b"UID FETCH"))
    assert sync(nosend, server, **keys) == ("", 0)
    assert len(commands(server, b"UID FETCH")) == fetched


# What a server cannot do


def test_server_that_can_do_nothing_but_imap4rev1_is_read(nosend: Shell) -> None:
    """No IDLE, UIDPLUS, MOVE, CONDSTORE, ID: none of them is asked for."""
    with Quirky(TWO, capabilities=b"IMAP4rev1") as server:
        nosend.configure("x", server.port)
        nosend("sync")
        both_are_listed(nosend, server)
    said = {line.split(b" ", 1)[1].split()[0].upper() for line in server.lines}
    assert said == {b"CAPABILITY", b"LOGIN", b"EXAMINE", b"UID", b"LOGOUT"}


def test_searches_are_ascii_and_name_no_charset(nosend: Shell) -> None:
    """The server answers BADCHARSET to anything else."""
    with Quirky(TWO) as server:
        both_are_listed(nosend, server)
    searches = commands(server, b"UID SEARCH")
    assert searches
    assert all(re.fullmatch(rb"\w+ UID SEARCH (UID )?[\d:,*]+\r\n", line) for line in searches)


def test_nothing_is_sent_as_a_literal_whatever_the_server_takes() -> None:
    with Quirky(TWO, capabilities=b"IMAP4rev1 LITERAL+ AUTH=PLAIN") as server:
        assert read(server) == [notice(1), notice(2)]
    assert not [line for line in server.lines if b"{" in line]


# Answers without data


@pytest.mark.parametrize("command", [b"SEARCH", b"FETCH"])
def test_ok_without_data_takes_nothing_for_read_and_the_next_round_reads_it(nosend: Shell, command: bytes) -> None:
    with Quirky(TWO, answers={command: b"OK done"}) as server:
        said, code = sync(nosend, server)
        assert "without data" in said
        assert code == 75
        assert nothing_written(nosend)
        server.quirks.answers.clear()
        both_are_listed(nosend, server)


def test_search_that_gives_data_no_more_in_mid_folder_takes_nothing_more_for_read(nosend: Shell) -> None:
    """The second window is answered without data; the cursor stays before it."""
    folder = {number: noise(number) for number in range(1, 2_001)} | {2_001: notice(1), 2_002: notice(2)}
    with Quirky(folder, finds=lambda found: found if 5 in found else []) as server:
        said, code = sync(nosend, server)
        assert "without data" in said
        assert code == 75
        assert nosend.rows("SELECT uid FROM cursors") == [(2_000,)]
        server.quirks.finds = list
        both_are_listed(nosend, server)


def test_ok_without_data_to_examine_is_try_again_later(nosend: Shell) -> None:
    with Quirky(TWO, answers={b"EXAMINE": b"OK done"}) as server:
        said, code = sync(nosend, server)
        assert "without telling anything: try again later" in said
        assert code == 75


@pytest.mark.parametrize("nothing", [b"NIL", b'""', b"{0}\r\n"])
def test_mail_whose_body_is_nil_or_empty_is_set_aside_beside_others(nosend: Shell, nothing: bytes) -> None:
    def content(uid: int, data: bytes) -> bytes:
        return nothing if uid == 3 and b"unable" in data else b"{%d}\r\n%s" % (len(data), data)

    with Quirky(TWO, content=content) as server:
        assert sync(nosend, server) == ("", 0)
    assert nosend.rows("SELECT uid, why FROM ledger WHERE verdict = 'set_aside'") == [
        (3, "the server gives no data of it")
    ]
    assert nosend.rows("SELECT value FROM blacklist") == [(order(2),)]


def test_all_bodies_nil_is_a_server_in_trouble_and_nothing_is_taken_for_read(nosend: Shell) -> None:
    with Quirky(TWO, content=lambda uid, data: b"NIL") as server:
        said, code = sync(nosend, server)
        assert "without data" in said
        assert code == 75
        assert nosend.rows("SELECT count(*) FROM ledger") == [(0,)]
        server.quirks.content = lambda uid, data: b"{%d}\r\n%s" % (len(data), data)
        both_are_listed(nosend, server)


# Fetches


NEWS = (
    b"* 2 FETCH (FLAGS (\\Seen))\r\n* 7 EXISTS\r\n* 1 RECENT\r\n* 9 EXPUNGE\r\n* OK Still here\r\n* NO [ALERT] Full\r\n"
)
STRANGE = b'X-GM-LABELS ("\\\\Inbox" "a b") MODSEQ (624140003) EMAILID NIL BODY[1.MIME] NIL FLAGS (\\Seen $x)'


@pytest.mark.parametrize(
    "knobs",
    [
        pytest.param({"gives": lambda uids: uids[::-1]}, id="out of order"),
        pytest.param({"gives": lambda uids: [*uids, *uids]}, id="twice"),
        pytest.param({"split": True}, id="split"),
        pytest.param({"more_items": STRANGE}, id="unexpected items"),
        pytest.param({"news": NEWS}, id="unsolicited"),
        pytest.param({"gives": lambda uids: uids[::-1], "split": True, "more_items": STRANGE, "news": NEWS}, id="all"),
    ],
)
def test_fetch_answers_out_of_order_split_strange_and_with_news_between(nosend: Shell, knobs: dict) -> None:
    with Quirky(TWO, **knobs) as server:
        both_are_listed(nosend, server)


def test_quoted_strings_instead_of_literals() -> None:
    def quoted(uid: int, data: bytes) -> bytes:
        one_line = data.replace(b"\r\n", b"\n").replace(b"\n", b" ")
        return b'"%s"' % one_line.replace(b"\\", b"\\\\").replace(b'"', b'\\"')

    mail = b'From: "Amazon \\ .com" <auto-communication@amazon.com>'
    settings_item = ["BODY.PEEK[HEADER.FIELDS (FROM)]"]
    with Quirky({3: mail}, content=quoted) as server, ImapMailbox(mailbox(server.port), PASSWORD) as inbox:
        inbox.open_folder("INBOX")
        (item,) = inbox.fetch([3], settings_item).values()
    assert [value.strip() for key, value in item.items() if key.startswith(b"BODY[")] == [mail]


# The line breaks


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "open"])
@pytest.mark.parametrize("command", [b"LOGIN", b"EXAMINE", b"SEARCH", b"FETCH", b"CAPABILITY"])
def test_bye_anywhere_is_try_again_later_at_once(nosend: Shell, command: bytes, closes: bool) -> None:
    """Also when the server leaves the line open: the timeout is not waited for."""
    with Quirky(TWO, bye=command, closes=closes) as server:
        started = time.monotonic()
        said, code = sync(nosend, server, timeout=30)
        assert time.monotonic() - started < 15
        assert code == 75
        assert "shutting down" in said
        assert said.endswith("try again later")
        server.quirks.bye = b""
        both_are_listed(nosend, server)


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b"* BYE Server shutting down", MailboxUnreachableError),
        (b"* BYE [ALERT] Too many connections from your address", MailboxBusyError),
        (b"* NO go away", MailboxUnreachableError),
    ],
)
def test_greeting_that_says_no(greeting: bytes, error: type[Exception]) -> None:
    with Quirky(TWO, greeting=greeting) as server, pytest.raises(MailboxUnreachableError) as told:
        read(server)
    assert type(told.value) is error
    assert greeting.split(b" ", 3)[3].decode() in str(told.value)


def test_greeting_that_comes_late_is_waited_for(nosend: Shell) -> None:
    with Quirky(TWO, greets_after=1.5) as server:
        both_are_listed(nosend, server, timeout=5)
        assert "did not answer in 1 s" in sync(nosend, server, timeout=1)[0]


@pytest.mark.soak
def test_greeting_after_20_seconds_is_waited_for_by_default(nosend: Shell) -> None:
    with Quirky(TWO, greets_after=20) as server:
        both_are_listed(nosend, server, timeout=None)


# Log-in


@pytest.mark.parametrize("command", [b"LOGIN", b"EXAMINE", b"SEARCH", b"FETCH"])
@pytest.mark.parametrize("kind", [b"NO", b"BAD"])
def test_authenticated_but_not_connected_is_try_again_later(nosend: Shell, command: bytes, kind: bytes) -> None:
    """Exchange, when its front door is there and the mailbox behind it is not: no wrong password, no wrong folder."""
    with Quirky(TWO, answers={command: kind + b" User is authenticated but not connected."}) as server:
        said, code = sync(nosend, server)
    assert code == 75
    assert "not connected" in said
    assert len(said.splitlines()) == 1
    assert nosend.rows("SELECT count(*) FROM ledger") == [(0,)]


@pytest.mark.parametrize("command", [b"LOGIN", b"EXAMINE", b"SEARCH", b"FETCH"])
@pytest.mark.parametrize(
    "said",
    [
        b"NO [LIMIT] LOGIN Rate limit hit.",
        b"NO [ALERT] Too many simultaneous connections. (Failure)",
        b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
        b"BAD Request is throttled. Suggested Backoff Time: 299910 milliseconds",
    ],
)
def test_throttling_is_told_apart_wherever_it_is_said(command: bytes, said: bytes) -> None:
    with Quirky(TWO, answers={command: said}) as server, pytest.raises(MailboxBusyError) as told:
        read(server)
    assert said.split(b" ", 1)[1].decode() in str(told.value)
    assert told.value.exit_code == 75


def test_preauth_greeting_needs_no_log_in(nosend: Shell) -> None:
    with Quirky(TWO, greeting=b"* PREAUTH IMAP4rev1 logged in as x") as server:
        both_are_listed(nosend, server)
    assert commands(server, b"LOGIN") == []


def test_preauth_before_starttls_is_refused(nosend: Shell) -> None:
    """Else whoever sits on the line could keep it in clear with one word."""
    with Quirky(TWO, greeting=b"* PREAUTH logged in", capabilities=b"IMAP4rev1 STARTTLS") as server:
        said, code = sync(nosend, server, tls="starttls")
        assert "STARTTLS" in said
        assert code == 2
    assert commands(server, b"EXAMINE") == []


@pytest.mark.parametrize("told_with", ["command", "greeting", "login"])
def test_capabilities_told_anywhere_and_changed_by_the_log_in(told_with: str) -> None:
    later = b"IMAP4rev1 IDLE MOVE"
    with Quirky(TWO, told_with=told_with, capabilities_after_login=later) as server:
        with ImapMailbox(mailbox(server.port), PASSWORD) as inbox:
            known = inbox.capabilities()
        assert read(server) == [notice(1), notice(2)]
    changed = {"IMAP4REV1", "IDLE", "MOVE"}
    assert known == (changed if told_with != "greeting" else {"IMAP4REV1", "AUTH=PLAIN"})


def test_id_is_sent_after_log_in_where_the_server_has_it() -> None:
    """NetEase opens no folder before."""
    with Quirky(TWO, capabilities=b"IMAP4rev1 ID", wants_id=True) as server:
        assert read(server) == [notice(1), notice(2)]
    said = [line.split(b" ", 1)[1] for line in server.lines]
    (sent,) = (line for line in said if line.startswith(b"ID "))
    assert re.fullmatch(rb'ID \("name" "nosend" "version" "[\d.]+"\)\r\n', sent)
    names = [line.split()[0] for line in said]
    assert names.index(b"LOGIN") < names.index(b"ID") < names.index(b"EXAMINE")


def test_id_is_not_sent_where_the_server_has_none(nosend: Shell) -> None:
    with Quirky(TWO, wants_id=True) as server:
        said, code = sync(nosend, server)
    assert code == 2
    assert commands(server, b"ID") == []
    assert "refused to open folder 'INBOX'" in said
    assert "Unsafe Login" in said


@pytest.mark.parametrize("said", [b"NO not you", b"BAD what", b"OK thanks"])
@pytest.mark.parametrize("told", [b"* ID NIL", b"* ID (", b"* ID", b'* ID ("name" {3}\r\nxyz)', b'* ID ("a")'])
def test_answer_to_id_never_matters(said: bytes, told: bytes) -> None:
    knobs = {"id_answer": told} if said.startswith(b"OK") else {"answers": {b"ID": said}}
    with Quirky(TWO, capabilities=b"IMAP4rev1 ID", **knobs) as server:
        assert read(server) == [notice(1), notice(2)]


# Folders and UIDs


@pytest.mark.parametrize(
    ("delimiter", "wanted", "there"),
    [
        (b".", "Amazon", "INBOX.Amazon"),
        (b".", "INBOX/Amazon", "INBOX.Amazon"),
        (b".", "Amazon/Notices", "INBOX.Amazon.Notices"),
        (b"\\\\", "Amazon/Notices", "Amazon\\\\Notices"),
        (b"/", "inbox/amazon", "INBOX/Amazon"),
        (b"|", "Notices", "Amazon|Notices"),
    ],
)
def test_prefix_and_delimiter_of_the_server_are_told(nosend: Shell, delimiter: bytes, wanted: str, there: str) -> None:
    folders = {"INBOX": TWO, there: {}, "Trash": {}}
    with Quirky(folders, delimiter=delimiter) as server:
        said, code = sync(nosend, server, folders=["INBOX", wanted])
    assert code == 2
    assert f"has no folder {wanted!r}" in said
    assert f"did you mean {there.replace(chr(92) * 2, chr(92))!r}" in said
    assert len(nosend.rows("SELECT value FROM blacklist")) == 2, "the folder that is there is read all the same"


def test_missing_folder_is_told_though_the_server_lists_none(nosend: Shell) -> None:
    with Quirky(TWO, answers={b"LIST": b"NO not today"}) as server:
        said, code = sync(nosend, server, folders=["Amazon"])
        assert "has no folder 'Amazon'" in said
        assert code == 2


@pytest.mark.parametrize("names_last", [True, False])
def test_last_mail_given_for_any_range_is_read_once(nosend: Shell, names_last: bool) -> None:
    with Quirky(TWO, names_last=names_last) as server:
        both_are_listed(nosend, server)
        assert read(server, after=9) == []


def test_star_is_the_uid_of_a_mail_that_is_gone(nosend: Shell) -> None:
    with Quirky(TWO, star=11, uidnext=12, names_last=False) as server:
        both_are_listed(nosend, server)
        assert read(server, after=9) == []
        assert read(server, after=11) == []


def test_uids_up_to_the_end_of_their_range(nosend: Shell) -> None:
    with Quirky({2**31 + 5: notice(1), 2**32 - 1: notice(2)}, uidvalidity=2**32 - 1) as server:
        both_are_listed(nosend, server)
    assert len(commands(server, b"UID SEARCH")) < 40
    assert nosend.rows("SELECT uid FROM cursors") == [(2**32 - 1,)]


@pytest.mark.parametrize("uidnext", [None, 0, 1, 4, 9], ids=str)
def test_uidnext_missing_or_too_low(nosend: Shell, uidnext: int | None) -> None:
    with Quirky(dict(TWO), uidnext=uidnext) as server:
        both_are_listed(nosend, server)
        server.folders["INBOX"][10] = notice(3)
        assert sync(nosend, server) == ("", 0)
    assert len(nosend.rows("SELECT value FROM blacklist")) == 3


def test_uidvalidity_missing_is_refused_in_words(nosend: Shell) -> None:
    with Quirky(TWO, uidvalidity=None) as server:
        said, code = sync(nosend, server)
        assert "'INBOX' has no UIDVALIDITY" in said
        assert code == 2
    assert nothing_written(nosend)


def test_answers_to_examine_that_nobody_knows(nosend: Shell) -> None:
    strange = (
        b"* OK [PERMANENTFLAGS ()] none\r\n* OK [NOMODSEQ] x\r\n* OK [CLOSED] x\r\n* OK [UNSEEN 1] first\r\n"
        b"* OK [X-STRANGE (a b {c)] x\r\n* OK [MAILBOXID (F2212ea87)] x\r\n* X-LICENSE 5\r\n* OK\r\n"
    )
    with Quirky(TWO, examine=strange) as server:
        both_are_listed(nosend, server)


def test_server_without_examine_is_refused_and_never_selected(nosend: Shell) -> None:
    with Quirky(TWO, answers={b"EXAMINE": b"BAD unknown command"}) as server:
        said, code = sync(nosend, server)
        assert "refused to open folder 'INBOX'" in said
        assert code == 2
    assert commands(server, b"SELECT") == []


# Spelling and length of lines


def lower(line: bytes) -> bytes:
    """Write the words of an answer in lower case, and leave text and numbers."""
    return re.sub(rb"(?<![\"@.\w])[A-Z]{2,}(?=[ \[\]\r.])", lambda found: found[0].lower(), line)


def spaced(line: bytes) -> bytes:
    return re.sub(rb"^(\S+) (\d+ )?(\S+)", lambda found: b"  ".join(filter(None, found.groups())), line)


def tagged_bare(line: bytes) -> bytes:
    return re.sub(rb"^([A-Z]+\d+ OK) [^\r]*", rb"\1", line)


@pytest.mark.parametrize("spelling", [lower, spaced, tagged_bare], ids=lambda one: one.__name__)
def test_lower_case_odd_spaces_and_answers_without_text(nosend: Shell, spelling) -> None:
    with Quirky(TWO, spelling=spelling, capabilities=b"IMAP4rev1 ID", told_with="login") as server:
        both_are_listed(nosend, server)


def test_answer_to_search_in_several_lines(nosend: Shell) -> None:
    folder = {number: noise(number) for number in range(10, 40)} | TWO
    with Quirky(folder, find_lines=7) as server:
        both_are_listed(nosend, server)


def test_a_million_uids_in_one_line_are_no_trouble(nosend: Shell) -> None:
    """The server answers every search with all it has, which is eleven megabytes in a line."""
    many = list(range(2**32 - 1_000_000, 2**32))
    with Quirky(TWO, finds=lambda found: [*found, *many], exists=2, uidnext=10) as server:
        settings = mailbox(server.port, timeout=20)
        with ImapMailbox(settings, PASSWORD) as inbox:
            inbox.open_folder("INBOX")
            assert len(inbox.search("1:9")) == 1_000_002


def test_line_without_end_is_given_up(nosend: Shell) -> None:
    with Quirky(TWO, examine=b"* OK " + b"x" * dialect.LONGEST_LINE + b"\r\n") as server:
        said, code = sync(nosend, server)
        assert f"a line of more than {dialect.LONGEST_LINE} bytes" in said
        assert code == 75


# The page


def test_each_quirk_of_the_page_has_a_test() -> None:
    page = (ROOT / "docs" / "quirks.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| ")][1:]
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    named = [name for row in rows for name in re.findall(r"`(test_\w+)`", row[3])]
    assert len(rows) >= 25
    assert all(re.search(r"`test_\w+`", row[3]) for row in rows)
    assert [name for name in named if f"def {name}(" not in tests] == []
    mine = re.findall(r"^def (test_\w+)", (ROOT / "tests" / "test_quirks.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(mine) - set(named) == {"test_each_quirk_of_the_page_has_a_test"}
