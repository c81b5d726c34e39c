"""After reading: only recognised notices are marked or moved, once, whatever happens in between."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from between import Between
from conftest import Shell
from nosend import config, service
from nosend.model import Kind, Place
from nosend.store.ledger import Ledger
from samples import NOW, judged, rows
from servers import Dovecot, Scripted
from test_sync import noise, notice, order
from test_watch import Watching, configure

KEYWORD = "$NosendOptOut"
SUSPECT = (  # Amazon's, and of a delivery failure that no rule knows
    b"From: Amazon.com <auto-communication@amazon.com>\nMessage-ID: <suspect@amazon.example>\n"
    b"Subject: Your message to a buyer could not be delivered\n\nOrder 112-9999999-9999999: qwertz uiop.\n"
)
OTHER = (
    b"From: Amazon.com <auto-communication@amazon.com>\nMessage-ID: <other@amazon.example>\n"
    b"Subject: Your weekly report\n\nYou sold things.\n"
)
NOT_ONES = [noise(1), noise(2), SUSPECT, OTHER]
NOTICES = [notice(1), notice(2), notice(3)]
SERVERS = {"MOVE": (), "COPY": ("MOVE",)}  # what the server does not announce


def bodies(raws: list[bytes]) -> Counter[bytes]:
    return Counter(raw.replace(b"\r\n", b"\n") for raw in raws)


def inside(dovecot: Dovecot, user: str, folder: str) -> Counter[bytes]:
    """Give the mails of a folder, as another client sees them."""
    return bodies([raw for name, (raw, _) in dovecot.snapshot(user).items() if name.rpartition("/")[0] == folder])


def states(nosend: Shell) -> Counter[str]:
    return Counter(state for (state,) in nosend.rows("SELECT settled FROM ledger WHERE verdict = 'opt_out'"))


# Only recognised notices


@pytest.mark.parametrize("way", SERVERS)
def test_only_recognised_notices_are_moved(nosend: Shell, dovecot: Dovecot, way: str) -> None:
    """Flags and bytes of all others are untouched, also of those that another client marked as deleted."""
    user = f"settle-{way.lower()}"
    dovecot.fill(user, [*NOT_ONES, *NOTICES])
    with dovecot.client(user) as client:
        client.select_folder("INBOX")
        client.add_flags([1, 6], ["\\Flagged", "Mine"])
        client.add_flags([2, 3], ["\\Deleted"])
    before = dovecot.snapshot(user)
    assert len(before) == 7
    with Between(dovecot.port, *SERVERS[way]) as between:
        nosend.configure(user, between.port, move_notices_to="Amazon/Opt-outs")
        nosend("sync")
        after = dovecot.snapshot(user)
        assert {name: mail for name, mail in before.items() if int(name[6:]) <= len(NOT_ONES)} == {
            name: mail for name, mail in after.items() if name.startswith("INBOX/")
        }
        moved = {name: mail for name, mail in after.items() if name.startswith("Amazon/Opt-outs/")}
        assert bodies([raw for raw, _ in moved.values()]) == bodies(NOTICES)
        assert [flags for raw, flags in moved.values() if b"<notice-2@" in raw] == [(b"Mine", b"\\Flagged")]
        assert states(nosend) == {"moved Amazon/Opt-outs": 3}
        assert not [line for line in between.lines if b" EXPUNGE" in line.upper() and b" UID " not in line.upper()]
        assert not between.said("CLOSE")
        assert bool(between.said("UID MOVE")) == (way == "MOVE")
        assert bool(between.said("UID COPY")) == (way == "COPY")
        asked = len(between.lines)
        nosend("sync")
        assert not [line for line in between.lines[asked:] if b"SELECT" in line or b"LIST" in line], "nothing to do"
    assert dovecot.snapshot(user) == after
    assert nosend.rows("SELECT value FROM blacklist ORDER BY value") == [(order(n),) for n in (1, 2, 3)]


@pytest.mark.parametrize("flag", [KEYWORD, "\\Flagged", "\\Seen"])
def test_only_recognised_notices_are_marked(nosend: Shell, dovecot: Dovecot, flag: str) -> None:
    user = f"mark-{flag[1:].lower()}"
    dovecot.fill(user, [*NOT_ONES, *NOTICES])
    before = dovecot.snapshot(user)
    nosend.configure(user, dovecot.port, mark_notices=flag)
    nosend("sync")
    wanted = {
        name: (raw, (flag.encode(),) if int(name[6:]) > len(NOT_ONES) else flags)
        for name, (raw, flags) in before.items()
    }
    assert dovecot.snapshot(user) == wanted
    assert states(nosend) == {f"marked {flag}": 3}


def test_nothing_is_touched_without_being_asked(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("untouched", [*NOT_ONES, *NOTICES])
    before = dovecot.snapshot("untouched")
    with Between(dovecot.port) as between:
        nosend.configure("untouched", between.port)
        nosend("sync")
        assert between.said("EXAMINE")
        assert not [word for word in ("SELECT", "LIST", "CREATE", "UID STORE", "UID MOVE") if between.said(word)]
    assert dovecot.snapshot("untouched") == before
    assert states(nosend) == {"": 3}


def test_notices_read_before_are_settled_when_it_is_switched_on(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("settled-later", [*NOT_ONES, *NOTICES])
    nosend.configure("settled-later", dovecot.port)
    nosend("sync")
    nosend.configure("settled-later", dovecot.port, mark_notices=KEYWORD)
    nosend("sync")
    assert states(nosend) == {f"marked {KEYWORD}": 3}
    nosend.configure("settled-later", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    assert states(nosend) == {"moved Opt-outs": 3}
    assert inside(dovecot, "settled-later", "Opt-outs") == bodies(NOTICES)


def test_what_a_person_rejected_stays_and_what_he_accepts_again_goes(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("rejected", NOTICES)
    nosend.configure("rejected", dovecot.port)
    nosend("sync")
    ((ident,),) = nosend.rows("SELECT id FROM ledger WHERE uid = 2")
    nosend("review", "reject", str(ident))
    nosend.configure("rejected", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    assert inside(dovecot, "rejected", "INBOX") == bodies([notice(2)])
    nosend("review", "accept", str(ident))
    nosend("sync")
    assert inside(dovecot, "rejected", "Opt-outs") == bodies(NOTICES)


def test_a_moved_mail_that_is_read_in_its_new_folder_doubles_nothing(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("settled-again", NOTICES)
    nosend.configure("settled-again", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    before = nosend.rows("SELECT * FROM blacklist"), nosend.rows("SELECT * FROM events")
    nosend.configure("settled-again", dovecot.port, folders=["INBOX", "Opt-outs"])
    nosend("sync")
    assert (nosend.rows("SELECT * FROM blacklist"), nosend.rows("SELECT * FROM events")) == before
    assert nosend.rows("SELECT count(*) FROM ledger") == [(6,)]


# The folder


def test_the_folder_is_made_subscribed_and_found_again(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("made", NOTICES)
    with Between(dovecot.port) as between:
        nosend.configure("made", between.port, move_notices_to="Büro/Abgemeldet")
        nosend("sync")
        with dovecot.client("made") as client:
            assert [name for _, _, name in client.list_sub_folders()] == ["Büro/Abgemeldet"]
        dovecot.fill("made", [notice(4)])
        nosend("sync")
        assert len(between.said("CREATE")) == 1
    assert inside(dovecot, "made", "Büro/Abgemeldet") == bodies([*NOTICES, notice(4)])


def test_a_refused_folder_is_told_with_what_the_server_would_take(nosend: Shell) -> None:
    """The folders of many servers stand below INBOX, with a delimiter of their own; reading goes on all the same."""
    server = Dovecot(prefix="INBOX.")
    try:
        server.fill("prefix", NOTICES)
        with server.client("prefix") as client:
            client.create_folder("INBOX.Other")
        for name, spelled in (("Opt-outs", "INBOX.Opt-outs"), ("Amazon/Opt-outs", "INBOX.Amazon.Opt-outs")):
            nosend.configure("prefix", server.port, move_notices_to=name)
            told = nosend("sync", code=2).stderr
            assert f"cannot make folder '{name}'" in told
            assert f"try move_notices_to = '{spelled}'" in told
            assert "There are: INBOX" in told
            assert "INBOX.Other" in told
        assert nosend.rows("SELECT count(*) FROM blacklist") == [(3,)]
        nosend.configure("prefix", server.port, move_notices_to=spelled)
        nosend("sync")
        assert inside(server, "prefix", spelled) == bodies(NOTICES)
    finally:
        server.remove()


# What the server does not do is told, and the reading goes on


def test_without_move_and_uidplus_nothing_is_moved_and_it_says_so(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("neither", [*NOT_ONES, *NOTICES])
    before = dovecot.snapshot("neither")
    with Between(dovecot.port, "MOVE", "UIDPLUS") as between:
        nosend.configure("neither", between.port, move_notices_to="Opt-outs")
        for _ in range(2):  # at each round, until it is mended
            done = nosend("sync", code=2)
            assert "neither MOVE nor UIDPLUS" in done.stderr
            assert 'mark_notices = "$NosendOptOut"' in done.stderr
        assert not between.said("UID COPY")
    assert dovecot.snapshot("neither") == before
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(3,)]
    assert "neither MOVE" in nosend("status", code=None).stdout
    nosend.configure("neither", dovecot.port, mark_notices=KEYWORD)
    nosend("sync")
    assert states(nosend) == {f"marked {KEYWORD}": 3}


def test_a_keyword_that_is_not_kept_is_told(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("nokeyword", NOTICES)
    with Between(dovecot.port, "\\*") as between:
        nosend.configure("nokeyword", between.port, mark_notices=KEYWORD)
        done = nosend("sync", code=2)
        assert f"does not keep '{KEYWORD}' in folder 'INBOX'" in done.stderr
        assert "\\flagged" in done.stderr
        assert not between.said("UID STORE")
        assert states(nosend) == {"": 3}
        nosend.configure("nokeyword", between.port, mark_notices="\\Flagged")
        nosend("sync")
    assert [flags for _, flags in dovecot.snapshot("nokeyword").values()] == [(b"\\Flagged",)] * 3


def test_a_trouble_here_does_not_keep_other_folders_from_being_read(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("others", [notice(1)])
    dovecot.fill("others", [notice(2)], "Second")
    with Between(dovecot.port, "MOVE", "UIDPLUS") as between:
        nosend.configure("others", between.port, folders=["INBOX", "Second"], move_notices_to="Opt-outs")
        assert len(nosend("sync", code=2).stderr.splitlines()) == 1
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(2,)]


@pytest.mark.parametrize("says", [b"TAG NO [OVERQUOTA] x\r\n", b"TAG NO [INUSE] try again\r\n"], ids=["no", "not now"])
def test_the_daemon_stays_on_the_line_and_reads_on(nosend: Shell, says: bytes) -> None:
    """What cannot be moved is tried again in each round, and told once."""
    with Scripted(scripted((b"UID MOVE", says))) as server:
        configure(nosend, "x", server.port, {"poll_seconds": 5}, move_notices_to="Opt-outs")
        watching = Watching(nosend)
        try:
            watching.until(lambda: sum(b"UID MOVE" in line for line in server.lines) == 2, 40)
        finally:
            watching.end()
        assert sum(b"LOGIN" in line for line in server.lines) == 1
    assert watching.told().count("cannot move mails") == 1
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(3,)]


def test_the_folder_itself_is_not_settled_when_a_pattern_names_it(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("pattern", NOTICES)
    nosend.configure("pattern", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    settings = config.load(nosend.folder / "config.toml")
    both = replace(settings, mailboxes=(replace(settings.mailboxes[0], folders=("INBOX", "Opt-outs")),))
    with Ledger(nosend.folder / "nosend.db") as ledger:
        assert service.sync(both, ledger, nosend.env, lambda *_: None).troubles == ()
    assert sorted(dovecot.snapshot("pattern")) == ["Opt-outs/1", "Opt-outs/2", "Opt-outs/3"], "nothing was moved again"


# Others at the mailbox


def test_a_mail_that_another_client_moved_is_gone_and_nothing_else_happens(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("meanwhile", [*NOTICES, *NOT_ONES])
    nosend.configure("meanwhile", dovecot.port)
    nosend("sync")
    with dovecot.client("meanwhile") as client:
        client.create_folder("Elsewhere")
        client.select_folder("INBOX")
        client.move([2], "Elsewhere")
    nosend.configure("meanwhile", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    assert states(nosend) == {"moved Opt-outs": 2, "gone": 1}
    assert inside(dovecot, "meanwhile", "Elsewhere") == bodies([notice(2)])
    assert inside(dovecot, "meanwhile", "Opt-outs") == bodies([notice(1), notice(3)])
    assert inside(dovecot, "meanwhile", "INBOX") == bodies(NOT_ONES)


def test_all_mails_gone_from_the_folder(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("emptied", NOTICES)
    nosend.configure("emptied", dovecot.port)
    nosend("sync")
    with dovecot.client("emptied") as client:
        client.select_folder("INBOX")
        client.delete_messages([1, 2, 3])
        client.expunge()
    nosend.configure("emptied", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    assert states(nosend) == {"gone": 3}


def test_uidvalidity_change_touches_no_other_mail(nosend: Shell, dovecot: Dovecot) -> None:
    """The folder is made again between the reading and the settling; the same UIDs are other mails now."""
    dovecot.fill("validity", NOTICES, "Work")
    nosend.configure("validity", dovecot.port, folders=["Work"])
    nosend("sync")
    with dovecot.client("validity") as client:
        client.delete_folder("Work")
        client.create_folder("Work")
        for raw in (noise(1), notice(9), noise(2)):
            client.append("Work", raw)
    nosend.configure("validity", dovecot.port, folders=["Work"], move_notices_to="Opt-outs")
    nosend("sync")
    assert inside(dovecot, "validity", "Work") == bodies([noise(1), noise(2)])
    assert inside(dovecot, "validity", "Opt-outs") == bodies([notice(9)])
    assert states(nosend) == {"": 3, "moved Opt-outs": 1}


def test_another_mailbox_with_the_same_uidvalidity_is_not_taken_for_the_old(nosend: Shell, dovecot: Dovecot) -> None:
    """What is recorded of a UID is compared with the mail that is there: by its Message-ID, else by its bytes."""
    nameless = [raw.replace(b"Message-ID", b"X-Was") for raw in NOTICES]
    dovecot.fill("exchanged", [*NOTICES, *nameless])
    nosend.configure("exchanged", dovecot.port)
    nosend("sync")
    home = dovecot.maildir("exchanged")
    files = sorted(path for part in ("new", "cur") for path in (home / part).iterdir())
    for at in (0, 3):  # other mails of the same size under the UIDs of notices
        raw = files[at].read_bytes().replace(b"notice-1@", b"letter-1@")
        files[at].write_bytes(raw.replace(b"opt out of", b"opted inin"))
    for cache in home.glob("dovecot.index*"):
        cache.unlink()
    nosend.configure("exchanged", dovecot.port, move_notices_to="Opt-outs")
    nosend("sync")
    assert inside(dovecot, "exchanged", "Opt-outs") == bodies([*NOTICES[1:], *nameless[1:]])
    assert states(nosend) == {"moved Opt-outs": 4, "gone": 2}


# Servers that misbehave


def scripted(*answers: tuple[bytes, bytes], switched: Sequence[tuple[bytes, bytes]] = ()):
    """Answer as a small server with three notices would; pairs of a command's beginning and its answer come first;
    `switched` may grow while it runs."""
    raws = [raw.replace(b"\n", b"\r\n") for raw in NOTICES]

    def fetched(part: bytes, values: list[bytes]) -> bytes:
        lines = [
            b"* %d FETCH (UID %d RFC822.SIZE %d FLAGS () %s {%d}\r\n%s)\r\n"
            % (n, n, len(raws[n - 1]), part, len(value), value)
            for n, value in enumerate(values, 1)
        ]
        return b"".join(lines)

    headers = [raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for raw in raws]

    def answer(tag: bytes, command: bytes, line: bytes) -> bytes | None:
        for begins, said in (*answers, *switched):
            if command.startswith(begins):
                return said.replace(b"TAG", tag) or None
        said = b""
        if command.startswith(b"CAPABILITY"):
            said = b"* CAPABILITY IMAP4REV1 UIDPLUS MOVE\r\n"
        elif command.startswith((b"SELECT", b"EXAMINE")):
            said = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n"
        elif command.startswith(b"UID SEARCH"):
            said = b"* SEARCH 1 2 3\r\n"
        elif command.startswith(b"UID FETCH") and b"BODY.PEEK[]" in command:
            said = fetched(b"BODY[]<0>", raws)
        elif command.startswith(b"UID FETCH"):
            said = fetched(b"BODY[HEADER.FIELDS (X)]<0>", headers)
        elif command.startswith(b"LIST"):
            said = b'* LIST () "/" "Opt-outs"\r\n'
        return said + tag + b" OK done\r\n"

    return answer


@pytest.mark.parametrize(
    ("answers", "code", "told", "settled"),
    [
        ([(b"UID MOVE", b"TAG NO [OVERQUOTA] the box is full\r\n")], 2, "OVERQUOTA", ""),
        ([(b"UID MOVE", b"TAG NO [INUSE] not now\r\n")], 75, "cannot move mails to folder 'Opt-outs'", ""),
        ([(b"UID MOVE", b"")], 75, "broke off", ""),
        ([(b"SELECT", b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK [READ-ONLY] x\r\n")], 2, "only read", ""),
        ([(b"SELECT", b"TAG NO gone\r\n")], 2, "cannot open folder 'INBOX' for writing (", ""),
        ([(b"SELECT", b"* 3 EXISTS\r\n* OK [UIDVALIDITY 8] x\r\nTAG OK x\r\n")], 0, "", ""),
        ([(b"LIST", b"TAG OK x\r\n"), (b"CREATE", b"TAG NO [ALREADYEXISTS] x\r\n")], 0, "", "moved Opt-outs"),
        ([(b"LIST", b"TAG OK x\r\n"), (b"CREATE", b"TAG NO no rights\r\n")], 2, "cannot make folder 'Opt-outs'", ""),
    ],
    ids=["quota", "not now", "hangs up", "read-only", "deleted", "uidvalidity", "hidden", "no folder"],
)
def test_what_servers_say_instead(nosend: Shell, answers, code: int, told: str, settled: str) -> None:
    with Scripted(scripted(*answers)) as server:
        nosend.configure("x", server.port, move_notices_to="Opt-outs", timeout=5)
        done = nosend("sync", code=code)
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == (code != 0)
    assert not server.lines[-1].endswith(b"CLOSE\r\n")
    assert states(nosend) == {settled: 3}
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(3,)]


def test_no_data_is_not_taken_for_gone(nosend: Shell) -> None:
    """Exchange answered OK without data when its store was away."""
    silent: list[tuple[bytes, bytes]] = []
    with Scripted(scripted(switched=silent)) as server:
        nosend.configure("x", server.port)
        nosend("sync")
        silent += [(b"UID FETCH", b"TAG OK x\r\n"), (b"UID SEARCH", b"TAG OK x\r\n")]
        nosend.configure("x", server.port, move_notices_to="Opt-outs")
        done = nosend("sync", code=75)
    assert "without data" in done.stderr
    assert states(nosend) == {"": 3}


COPIES = (
    (b"CAPABILITY", b"* CAPABILITY IMAP4REV1 UIDPLUS\r\nTAG OK x\r\n"),
    (b"STATUS", b'* STATUS "Opt-outs" (UIDVALIDITY 9 UIDNEXT 5)\r\nTAG OK x\r\n'),
)


def test_mails_that_another_client_kept_from_being_expunged_are_expunged_later(nosend: Shell) -> None:
    """They stand in both folders meanwhile, and it is told."""
    with Scripted(scripted(*COPIES)) as server:
        nosend.configure("x", server.port, move_notices_to="Opt-outs")
        assert "copied 3 mails to 'Opt-outs' and did not expunge them" in nosend("sync", code=75).stderr
        assert states(nosend) == {"copying 9 5 Opt-outs": 3}


def test_refused_copy_is_begun_anew_at_once(nosend: Shell) -> None:
    with Scripted(scripted(*COPIES, (b"UID COPY", b"TAG NO [OVERQUOTA] x\r\n"))) as server:
        nosend.configure("x", server.port, move_notices_to="Opt-outs")
        assert "OVERQUOTA" in nosend("sync", code=2).stderr
        assert states(nosend) == {"": 3}
        assert not [line for line in server.lines if b"DELETED" in line.upper()]
    with Scripted(scripted(*COPIES, (b"UID COPY", b""))) as server:
        nosend.configure("x", server.port, move_notices_to="Opt-outs")
        nosend("sync", code=75)
        assert states(nosend) == {"copying 9 5 Opt-outs": 3}


# The ledger


def notices_of(path: Path, done: str, after: int = 0) -> list[tuple[int, str]]:
    with Ledger(path) as ledger:
        found = ledger.unsettled(Place("shop", "INBOX", 7), (done, "gone"), after)
        return [(one.uid, one.settled) for one in found]


def test_what_is_not_settled_is_given_in_order_and_in_batches(tmp_path: Path) -> None:
    """Notices of this folder only; also what was settled in another way, or begun."""
    path = tmp_path / "nosend.db"
    other_place = [Place("shop", "Other", 7, 8), Place("shop", "INBOX", 8, 8), Place("us", "INBOX", 7, 8)]
    with Ledger(path) as ledger:
        ledger.record([judged(n) for n in range(1, 7)], NOW)
        ledger.record([judged(n, place=place) for n, place in enumerate(other_place, 20)], NOW)
        ledger.record([judged(7, kind=Kind.SUSPECT), judged(8, kind=None), judged(9, kind=Kind.OTHER_NOTICE)], NOW)
        here = Place("shop", "INBOX", 7)
        for uid, how in ((1, "moved A"), (2, "gone"), (3, "marked $x"), (4, "copying 1 2 A"), (7, "moved A")):
            ledger.settle(here, [uid], how, NOW)
    assert notices_of(path, "moved A") == [(3, "marked $x"), (4, "copying 1 2 A"), (5, ""), (6, "")]
    assert notices_of(path, "marked $x", 4) == [(5, ""), (6, "")]
    assert rows(path, "SELECT settled, settled_at FROM ledger WHERE uid IN (1, 7) ORDER BY uid") == [
        ("moved A", "2025-03-09T08:00:00Z"),
        ("", None),
    ], "a suspect is never settled"


def test_another_mail_at_the_place_of_a_settled_one_is_not_settled(tmp_path: Path) -> None:
    path = tmp_path / "nosend.db"
    with Ledger(path) as ledger:
        ledger.record([judged(1)], NOW)
        ledger.settle(Place("shop", "INBOX", 7), [1], "moved A", NOW)
        ledger.record([judged(1)], NOW)  # read again
        assert notices_of(path, "moved A") == []
        ledger.record([judged(2, place=Place("shop", "INBOX", 7, 1))], NOW)
    assert notices_of(path, "moved A") == [(1, "")]


def test_finding_what_is_not_settled_does_not_grow_with_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "nosend.db"
    with Ledger(path) as ledger:
        ledger.record([judged(1)], NOW)
    db = sqlite3.connect(path)
    columns = [name for (name,) in db.execute("SELECT name FROM pragma_table_info('ledger') WHERE name != 'id'")]
    values = ", ".join({"uid": "n", "settled": "'moved A'", "verdict": "'opt_out'"}.get(name, name) for name in columns)
    with db:
        db.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)"
            f" INSERT INTO ledger ({', '.join(columns)}) SELECT {values} FROM ledger, numbers"
        )
    db.close()
    with Ledger(path) as ledger:
        began = time.perf_counter()
        for _ in range(20):
            assert [one.uid for one in ledger.unsettled(Place("shop", "INBOX", 7), ("moved A", "gone"), 0)] == [1]
        assert time.perf_counter() - began < 0.2, "20 times; a look at each row would take seconds"
