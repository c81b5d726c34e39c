"""Which folders are read and how far: names, patterns, uses; --since, --limit, --rescan, adopt; what changes below."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import Shell
from nosend.errors import MailboxRefusedError
from nosend.judging import Judging
from nosend.mailbox.folders import chosen
from nosend.mailbox.imap import ImapMailbox
from nosend.store.ledger import Ledger
from nosend.verdict import rules
from nosend.visit import Visit
from servers import Counted, Dovecot, Scripted
from test_imap import mailbox, scripted
from test_sync import noise, notice, order

VALUES = "SELECT value FROM blacklist ORDER BY 1"
OLD = datetime(2025, 6, 1, 12, tzinfo=UTC)
NEW = datetime(2026, 2, 1, 12, tzinfo=UTC)


def listed(*numbers: int) -> list[tuple[str]]:
    return [(order(number),) for number in sorted(numbers)]


def put(dovecot: Dovecot, user: str, mails: list[tuple[bytes, datetime]], folder: str = "INBOX") -> None:
    with dovecot.client(user) as client:
        for raw, received_at in mails:
            client.append(folder, raw, msg_time=received_at)


def doveadm(dovecot: Dovecot, *words: str) -> None:
    subprocess.run(["doveadm", "-c", str(dovecot.configuration), *words], check=True, capture_output=True)


def wholly(nosend: Shell) -> list[tuple]:
    return nosend.rows("SELECT last_success_at IS NOT NULL FROM rounds")


# Folders


def of_server(names: list[str], wanted: list[str], *, excluded: tuple[str, ...] = (), answer=None) -> tuple:
    """Ask which folders are meant on a server with folders given as lines of LIST; gives what it was asked, too."""

    def said(command: bytes, told: bytes) -> bytes:
        tag = told.split(b" ")[0]
        if command.startswith((b"LIST", b"XLIST")):
            lines = answer(command) if answer else names
            verb = b"XLIST" if command.startswith(b"XLIST") else b"LIST"
            return b"".join(b"* %s %s\r\n" % (verb, line.encode()) for line in lines) + tag + b" OK done\r\n"
        return told.replace(b"IMAP4rev1", b"IMAP4rev1 SPECIAL-USE LIST-EXTENDED XLIST")

    with Scripted(scripted({}, change=said)) as server:
        with ImapMailbox(mailbox(server.port), "secret") as inbox:
            found, troubles = chosen(inbox, wanted, excluded)
        return found, [str(one) for one in troubles], [line for line in server.lines if b"LIST" in line]


PLAIN = [
    '(\\HasNoChildren) "/" INBOX', '(\\HasChildren) "/" "Amazon"', '(\\HasNoChildren) "/" "Amazon/DE"',
    '(\\HasNoChildren) "/" "Amazon/FR/Old"', '(\\Noselect) "/" "Amazon/IT"', '(\\NonExistent) "/" "Amazon/Gone"',
    '() "/" "Amazon/*"', '(\\Junk \\HasNoChildren) "/" "Unwanted"', '(\\HasNoChildren) "/" "[Gmail]/All Mail"',
    '() "/" "R&APw-ckl&AOQ-ufer/2026"', '() "." "INBOX.Shop"',
]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["Amazon/D*"], ["Amazon/DE"]),
        (["Amazon*"], ["Amazon", "Amazon/DE", "Amazon/FR/Old", "Amazon/*"]),
        (["*/Old"], ["Amazon/FR/Old"]),
        (["Amazon/*"], ["Amazon/*"]),  # the exact name wins
        (["\\Junk"], ["Unwanted"]),
        (["\\junk", "Unwanted"], ["Unwanted"]),
        (["[Gmail]/*"], ["[Gmail]/All Mail"]),
        (["Rückläufer/*"], ["Rückläufer/2026"]),
        (["INBOX.*"], ["INBOX.Shop"]),
        (["inbox", "INB*X", "*DE", "Inbox"], ["INBOX", "Amazon/DE"]),
        (["Amazon/DE", "Nowhere", "*/D?"], ["Amazon/DE", "Nowhere"]),
    ],
)
def test_entries_mean_folders(wanted: list[str], found: list[str]) -> None:
    names, troubles, asked = of_server(PLAIN, wanted)
    assert names == tuple(found)
    assert len(troubles) == ("*/D?" in wanted)
    assert len(asked) == 1


def test_exact_names_cost_no_list_and_excluded_folders_are_meant_by_no_pattern() -> None:
    assert of_server(PLAIN, ["INBOX", "Amazon/DE"]) == (("INBOX", "Amazon/DE"), [], [])
    names, _, _ = of_server(PLAIN, ["Amazon/*E", "*Unwant*", "\\Junk"], excluded=("Unwanted",))
    assert names == ("Amazon/DE",)
    names, _, _ = of_server(PLAIN, ["Unwanted", "*DE"], excluded=("Unwanted",))
    assert names == ("Unwanted", "Amazon/DE"), "who names it means it"


@pytest.mark.parametrize("older", [False, True])
def test_uses_that_are_told_only_when_asked_for(older: bool) -> None:
    def answer(command: bytes) -> list[str]:
        if command.startswith(b"XLIST"):
            return ['(\\AllMail) "/" "Alle"', '(\\Spam) "/" "Post"']
        return ['(\\All) "/" "Alle"', '(\\Junk) "/" "Post"'] if b"RETURN" in command else ['() "/" "Alle"']

    def without(command: bytes) -> list[str]:
        return [] if b"RETURN" in command and older else answer(command)

    names, troubles, asked = of_server([], ["\\All", "\\Junk"], answer=without)
    assert (names, bool(troubles)) == ((), True) if older else (("Alle", "Post"), False)
    assert len(asked) == 2


def test_xlist_is_asked_where_nothing_newer_is_known() -> None:
    def said(command: bytes, told: bytes) -> bytes:
        tag = told.split(b" ")[0]
        if command.startswith(b"XLIST"):
            return b'* XLIST (\\AllMail) "/" "Alle"\r\n' + tag + b" OK done\r\n"
        return told.replace(b"IMAP4rev1", b"IMAP4rev1 XLIST")

    with Scripted(scripted({}, change=said)) as server, ImapMailbox(mailbox(server.port), "secret") as inbox:
        assert chosen(inbox, ["\\All"]) == (("Alle",), ())


def test_an_entry_that_means_nothing_is_told_with_what_is_there_and_the_others_are_read(
    nosend: Shell, dovecot: Dovecot
) -> None:
    dovecot.fill("meant", [notice(1)])
    dovecot.fill("meant", [notice(2)], folder="Amazon/DE")
    dovecot.fill("meant", [notice(3)], folder="Amazon/FR/Old")
    nosend.configure("meant", dovecot.port, folders=["Amazn/*", "\\Junk", "Amazon/*", "INBOX"])
    done = nosend("sync", code=2)
    first, second = done.stderr.splitlines()
    assert "has no folder that matches 'Amazn/*'" in first
    assert "Amazon/FR/Old" in first
    assert "has no folder that is used as '\\\\Junk'" in second
    assert nosend.rows(VALUES) == listed(1, 2, 3)
    assert nosend.rows("SELECT folder FROM cursors ORDER BY 1") == [("Amazon/DE",), ("Amazon/FR/Old",), ("INBOX",)]
    assert "has no folder that matches" in nosend("doctor", code=2).stdout


# --since, --limit, --rescan, adopt


def test_since_passes_over_older_mails_of_a_folder_never_read_and_of_no_other(nosend: Shell, dovecot: Dovecot) -> None:
    put(dovecot, "since", [(notice(1), OLD), (notice(2), NEW), (notice(3), OLD)])
    nosend.configure("since", dovecot.port)
    nosend("sync", "--since", "2026-01-31")
    assert nosend.rows(VALUES) == listed(2)
    assert nosend.rows("SELECT uid, since FROM cursors") == [(3, "")]
    assert wholly(nosend) == [(1,)]
    nosend("sync")
    assert nosend.rows(VALUES) == listed(2), "the older ones were passed over for good"
    put(dovecot, "since", [(notice(4), OLD)])
    nosend("sync", "--since", "2026-01-31")
    assert nosend.rows(VALUES) == listed(2, 4), "a folder that was read goes on as always"
    nosend("sync", "--rescan", "--since", "2026-02-01")
    assert nosend.rows(VALUES) == listed(2, 4)
    nosend("sync", "--rescan")
    assert nosend.rows(VALUES) == listed(1, 2, 3, 4)
    assert nosend.rows("SELECT sum(notices) FROM blacklist") == [(4,)]


@pytest.mark.parametrize("since", ["31.1.2026", "2026-02-30", "yesterday", ""])
def test_a_wrong_day_is_told_with_the_form(nosend: Shell, since: str) -> None:
    nosend.configure("x", 1)
    assert f"{since!r} is no date: write it like 2026-01-31" in nosend("sync", "--since", since, code=2).stderr


def test_a_day_to_come_is_refused(nosend: Shell) -> None:
    nosend.configure("x", 1)
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    assert "is in the future" in nosend("sync", "--since", day, code=2).stderr


def test_limit_cuts_a_batch_tells_what_is_left_and_the_next_run_goes_on(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("limit", [notice(n) for n in range(7)])
    dovecot.fill("limit", [notice(n) for n in range(7, 9)], folder="More")
    nosend.configure("limit", dovecot.port, folders=["INBOX", "More"])
    told = nosend("sync", "--limit", "3").stderr
    assert "account 'shop': folder 'INBOX' is not read to its end (--limit): the next `nosend sync` goes on" in told
    assert "More" not in told
    assert nosend.rows("SELECT folder, uid FROM cursors ORDER BY 1") == [("INBOX", 3), ("More", 2)]
    assert nosend.rows(VALUES) == listed(0, 1, 2, 7, 8)
    assert wholly(nosend) == [(0,)]
    assert "never read to its end: shop" in nosend("check", order(5)).stderr
    assert "folder 'INBOX'" in nosend("sync", "--limit", "3").stderr
    assert nosend("sync", "--limit", "1").stderr == "", "it ends exactly there"
    assert nosend.rows(VALUES) == listed(*range(9))
    assert wholly(nosend) == [(1,)]
    assert "Usage" in nosend("sync", "--limit", "0", code=2).stderr


def test_a_first_look_that_was_cut_short_is_finished_from_the_same_day_on(nosend: Shell, dovecot: Dovecot) -> None:
    put(dovecot, "short", [(notice(1), NEW), (notice(2), NEW), (notice(3), OLD), (notice(4), NEW)])
    nosend.configure("short", dovecot.port)
    nosend("sync", "--since", "2026-01-31", "--limit", "1")
    assert nosend.rows("SELECT uid, since FROM cursors") == [(1, "2026-01-31")]
    nosend("sync")
    assert nosend.rows(VALUES) == listed(1, 2, 4)
    assert nosend.rows("SELECT uid, since FROM cursors") == [(4, "")]


def test_rescan_doubles_nothing_and_what_a_person_decided_stands(nosend: Shell, dovecot: Dovecot) -> None:
    doubtful = notice(2).replace(b"auto-communication@amazon.com", b"bot@amazon.example")
    dovecot.fill("rescan", [notice(1), doubtful, notice(3)])
    nosend.configure("rescan", dovecot.port)
    nosend("sync")
    ((waiting,),) = nosend.rows("SELECT id FROM ledger WHERE verdict = 'suspect'")
    ((wrong,),) = nosend.rows("SELECT id FROM ledger WHERE uid = 3")
    nosend("review", "accept", str(waiting))
    nosend("review", "reject", str(wrong))
    before = nosend.dump('"rounds"')
    assert nosend.rows(VALUES) == listed(1, 2)
    done = nosend("sync", "--rescan")
    assert done.stderr == ""
    assert nosend.dump('"rounds"') == before


def test_a_rescan_that_is_killed_loses_nothing_and_is_finished_by_the_next_run(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("killed", [notice(n) if n % 3 == 0 else noise(n) for n in range(1_500)])
    nosend.configure("killed", dovecot.port)
    nosend("sync")
    before = nosend.dump('"rounds"')
    killed(nosend, "Span(rescan=True)")
    uid = reached(nosend)
    assert 0 < uid < 1_500
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(500, 500)]
    dovecot.fill("killed", [notice(9_000)])
    nosend("sync")
    assert nosend.rows("SELECT uid FROM cursors") == [(1_501,)]
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(501, 501)]
    after = set(nosend.dump())
    assert [line for line in before if line not in after] == [
        line for line in before if "INSERT" in line and ('"cursors"' in line or "sqlite_sequence" in line)
    ]


def test_adopt_takes_what_is_there_as_read_and_rescan_takes_it_back(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("adopt", [notice(1), notice(2)])
    dovecot.fill("adopt", [], folder="Empty")
    nosend.configure("adopt", dovecot.port, folders=["INBOX", "E*", "Nowhere"])
    done = nosend("adopt", code=2)
    assert done.stdout.splitlines() == [
        "shop: INBOX: taken as read up to UID 2, 2 mails",
        "shop: Empty: taken as read up to UID 0, 0 mails",
    ]
    assert "has no folder 'Nowhere'" in done.stderr
    assert "`nosend sync --rescan` takes it back" in done.stderr
    nosend.configure("adopt", dovecot.port, folders=["INBOX", "E*"])
    nosend("sync")
    assert nosend.rows(VALUES) == []
    dovecot.fill("adopt", [notice(3)])
    nosend("adopt", "--account", "shop")
    dovecot.fill("adopt", [notice(4)])
    nosend("sync")
    assert nosend.rows(VALUES) == listed(4)
    nosend("sync", "--rescan")
    assert nosend.rows(VALUES) == listed(1, 2, 3, 4)
    assert (
        "--account 'shp' is no mailbox of the configuration: shop" in nosend("adopt", "--account", "shp", code=2).stderr
    )


def test_adopt_ends_a_first_look_and_waits_its_turn(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("ends", [notice(n) for n in range(4)])
    nosend.configure("ends", dovecot.port)
    nosend("sync", "--limit", "1")
    hold = (
        "import sys, pathlib; from nosend.store.lock import one_round\n"
        "with one_round(pathlib.Path('nosend.db')): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], cwd=nosend.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert f"process {holder.pid}" in nosend("adopt", code=75).stderr
        holder.communicate()
    nosend("adopt")
    nosend("sync")
    assert nosend.rows(VALUES) == listed(0)
    assert nosend.rows("SELECT uid, in_hand, attempts FROM cursors") == [(4, 0, 0)]


# A server that tells no UIDNEXT


def untold(folder: dict[int, bytes], *, modseq: list[int]):
    """Answer like a server that tells no UIDNEXT, and HIGHESTMODSEQ when there is one in the list."""

    def change(command: bytes, said: bytes) -> bytes:
        said = re.sub(rb"\* OK \[UIDNEXT \d+\] x\r\n", b"", said)
        if command.startswith(b"EXAMINE") and modseq:
            return b"* OK [HIGHESTMODSEQ %d] x\r\n" % modseq[0] + said
        return said

    answer = scripted(folder, change=change)
    return lambda tag, command, line: answer(tag, command, line.replace(b"UID *", b"UID %d" % max(folder, default=1)))


def commands(server: Scripted) -> list[bytes]:
    words = [line.split(b" ", 1)[1].strip() for line in server.lines]
    server.lines.clear()
    asked = words[words.index(next(word for word in words if word.startswith(b"LOGIN"))) + 1 :]
    return [word.split(b" (")[0] for word in asked if word not in {b"CAPABILITY", b"LOGOUT"}]


@pytest.mark.parametrize(("told", "quiet"), [([7], 1), ([], 2)])
def test_nothing_new_is_seen_without_uidnext(nosend: Shell, told: list[int], quiet: int) -> None:
    folder, modseq = {3: notice(1), 9: notice(2)}, told
    with Scripted(untold(folder, modseq=modseq)) as server:
        nosend.configure("x", server.port)
        nosend("sync")
        commands(server)
        nosend("sync")
        assert len(commands(server)) == quiet
        if modseq:
            modseq[0] = 8  # a flag has changed
            nosend("sync")
            assert len(commands(server)) == 2
            nosend("sync")
            assert len(commands(server)) == 1
            modseq[0] = 9
        folder[12] = notice(3)
        nosend("sync")
    assert nosend.rows(VALUES) == listed(1, 2, 3)


def test_adopt_without_uidnext_searches_the_last_mail(nosend: Shell) -> None:
    folder = {3: notice(1), 9: notice(2)}
    with Scripted(untold(folder, modseq=[])) as server:
        nosend.configure("x", server.port)
        assert "up to UID 9, 2 mails" in nosend("adopt").stdout
        folder[10] = notice(3)
        nosend("sync")
    assert nosend.rows(VALUES) == listed(3)


@pytest.mark.parametrize("mails", [0, 1, 1_000])
def test_nothing_new_costs_at_most_four_round_trips(nosend: Shell, dovecot: Dovecot, mails: int) -> None:
    """Here in two folders named by a pattern; `make bench` counts them for 100,000 mails."""
    user = f"quiet-{mails}"
    for folder in ("INBOX", "Amazon/DE"):
        dovecot.fill(user, [noise(n) for n in range(mails)], folder=folder)
    with Counted(dovecot.port) as line:
        nosend.configure(user, line.port, folders=["INBOX", "Amazon/*"])
        nosend("sync")
        line.lines.clear()
        nosend("sync")
        assert line.after_log_in() <= 7, "ID, ENABLE, LIST for the pattern; EXAMINE and SEARCH of each folder at most"
        line.lines.clear()
        nosend("sync")
        assert line.after_log_in() == 5, "EXAMINE alone of each folder: its HIGHESTMODSEQ is what it was"


# What changes underneath


def test_a_folder_deleted_and_made_again_is_read_from_its_start(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("identity-again", [notice(1), notice(2)], folder="Shop")
    nosend.configure("identity-again", dovecot.port, folders=["Shop"])
    nosend("sync")
    with dovecot.client("identity-again") as client:
        client.delete_folder("Shop")
    assert "has no folder 'Shop'" in nosend("sync", code=2).stderr
    time.sleep(1.1)  # Dovecot's UIDVALIDITY is the second in which a folder was made
    with dovecot.client("identity-again") as client:
        client.create_folder("Shop")
    put(dovecot, "identity-again", [(notice(1), NEW), (notice(3), NEW)], folder="Shop")
    nosend("sync")
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [
        (order(1), 1), (order(2), 1), (order(3), 1),
    ]  # fmt: skip
    assert nosend.rows("SELECT uid FROM cursors") == [(2,)]


def test_uidvalidity_changes_in_the_middle_of_a_first_look(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("middle", [notice(n) for n in range(5)])
    nosend.configure("middle", dovecot.port)
    nosend("sync", "--limit", "2")
    doveadm(dovecot, "mailbox", "update", "--uid-validity", "777", "-u", "middle", "INBOX")
    nosend("sync")
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [(order(n), 1) for n in range(5)]
    assert nosend.rows("SELECT uidvalidity, uid FROM cursors") == [(777, 5)]


def test_two_accounts_with_equal_uids_and_mails_keep_their_own(nosend: Shell, dovecot: Dovecot) -> None:
    boxes = []
    for user in ("twin-a", "twin-b"):
        dovecot.fill(user, [notice(1), notice(2)])
        doveadm(dovecot, "mailbox", "update", "--uid-validity", "5", "-u", user, "INBOX")
        nosend.configure(user, dovecot.port, account=user)
        boxes.append((nosend.folder / "config.toml").read_text())
    (nosend.folder / "config.toml").write_text("\n".join(boxes))
    nosend("sync")
    assert nosend.rows("SELECT account, uidvalidity, uid FROM cursors ORDER BY 1") == [
        ("twin-a", 5, 2),
        ("twin-b", 5, 2),
    ]
    assert nosend.rows("SELECT account, value, notices FROM blacklist ORDER BY 1, 2") == [
        (user, order(n), 1) for user in ("twin-a", "twin-b") for n in (1, 2)
    ]
    nosend("adopt", "--account", "twin-a")
    nosend("sync", "--rescan")
    assert nosend.rows("SELECT sum(notices) FROM blacklist") == [(4,)]


def test_a_mail_that_vanishes_between_header_and_body_is_no_trouble(nosend: Shell) -> None:
    folder = {3: notice(1), 9: notice(2)}

    def vanishing(command: bytes, said: bytes) -> bytes:
        if command.startswith(b"UID FETCH") and b"HEADER" in command:
            folder.pop(3, None)
        return said

    with Scripted(scripted(folder, change=vanishing)) as server:
        nosend.configure("x", server.port)
        nosend("sync")
    assert nosend.rows(VALUES) == listed(2)
    assert nosend.rows("SELECT uid FROM cursors") == [(9,)]


def test_a_killed_first_look_goes_on_from_its_last_batch(nosend: Shell, dovecot: Dovecot) -> None:
    """What was committed is not fetched again."""
    dovecot.fill("identity-first", [notice(n) if n % 10 == 0 else noise(n) for n in range(3_000)])
    with Counted(dovecot.port) as line:
        nosend.configure("identity-first", line.port)
        killed(nosend, "Span()")
        uid = reached(nosend)
        assert 0 < uid < 3_000
        line.lines.clear()
        nosend("sync")
        fetched = [int(words[1]) for said in line.lines if (words := re.search(rb"UID FETCH (\d+)", said))]
    assert min(fetched) > uid
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(300, 300)]


DEADLY = """
import os, pathlib, signal
from nosend import config, service
from nosend.store.ledger import Ledger
from nosend.visit import Span
settings = config.load(pathlib.Path("config.toml"))
with Ledger(settings.database) as ledger:
    service.sync(settings, ledger, os.environ, lambda *_: os.kill(os.getpid(), signal.SIGKILL), SPAN)
"""


def killed(nosend: Shell, span: str) -> None:
    """Let a sync be killed when its first batch is committed."""
    command = [sys.executable, "-c", DEADLY.replace("SPAN", span)]
    done = subprocess.run(command, cwd=nosend.folder, env=nosend.env, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def reached(nosend: Shell) -> int:
    ((uid,),) = nosend.rows("SELECT uid FROM cursors")
    return uid


def test_refused_is_what_an_entry_without_a_folder_is(dovecot: Dovecot) -> None:
    with ImapMailbox(mailbox(dovecot.port, "empty"), "secret") as inbox:
        _, (trouble,) = chosen(inbox, ["x*"])
    assert isinstance(trouble, MailboxRefusedError)


# What is said of a round holds for all its folders, also when it is cut short


@pytest.mark.parametrize("words", [("--rescan",), ("--since", "2026-01-01")])
def test_a_round_killed_in_its_first_folder_is_finished_in_all(
    nosend: Shell, dovecot: Dovecot, words: tuple[str, ...]
) -> None:
    user = f"cut-short-{len(words)}"
    put(dovecot, user, [(notice(1), OLD), (notice(2), NEW)])
    dovecot.maildir(user, "Second")
    put(dovecot, user, [(notice(3), OLD), (notice(4), NEW)], folder="Second")
    nosend.configure(user, dovecot.port, folders=["INBOX", "Second"])
    if words == ("--rescan",):
        nosend("adopt")
    with subprocess.Popen(
        [sys.executable, "-m", "nosend", "sync", *words], cwd=nosend.folder, env=nosend.env
    ) as running:
        deadline = time.monotonic() + 20
        while running.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(sqlite3.OperationalError):
                if len(nosend.rows("SELECT 1 FROM cursors WHERE uid = 0 OR since != ''")) == 2:
                    running.kill()
    nosend("sync")
    assert nosend.rows(VALUES) == listed(*((1, 2, 3, 4) if words == ("--rescan",) else (2, 4)))


def test_a_folder_put_back_to_what_it_was_is_read_from_its_start() -> None:
    """The same UIDVALIDITY, and a UIDNEXT below what was read: a restored mailbox."""
    folder = {uid: notice(uid) for uid in range(1, 32)}
    with Scripted(scripted(folder)) as server, tempfile.TemporaryDirectory() as place:
        settings = mailbox(server.port)
        with Ledger(Path(place) / "nosend.db") as ledger:
            judging = Judging(settings.trust, rules.builtin())

            def read() -> int:
                with ImapMailbox(settings, "secret") as inbox:
                    visit = Visit(settings, judging, ledger, lambda *_: None, lambda: contextlib.nullcontext(inbox))
                    return visit.report().recorded.listed

            assert read() == 31
            for uid in range(3, 32):
                del folder[uid]
            folder[3] = notice(40)
            assert read() == 1
            assert read() == 0
