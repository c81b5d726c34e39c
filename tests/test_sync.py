"""`nosend sync` against a real Dovecot: the main job, end to end, and what it leaves alone."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from conftest import ROOT, UNTRUSTING, Shell, expected
from servers import Dovecot

NOISE = 300 - len(UNTRUSTING)
# what differs between two runs that found the same
TIMES_OF_THE_RUN = ('INSERT INTO "rounds"',)


def noise(number: int) -> bytes:
    """Give a mail that no rule asks about."""
    date = format_datetime(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number))
    return (
        f"From: Shop {number} <news{number}@shop.example>\nTo: orders@shop.example\nDate: {date}\n"
        f"Message-ID: <noise-{number}@shop.example>\nSubject: Order 111-{number:07}-{number:07}\n\nHello {number}\n"
    ).encode()


def notice(number: int) -> bytes:
    """Give an English notice of 2017 for an order of its own."""
    date = format_datetime(datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=number))
    return (
        f"From: Amazon.com <auto-communication@amazon.com>\nTo: orders@shop.example\nDate: {date}\n"
        f"Message-ID: <notice-{number}@amazon.example>\nSubject: Your message to a buyer could not be delivered\n\n"
        f"We were unable to deliver the message you sent for order [{order(number)}] because the buyer has\n"
        "chosen to opt out of receiving unsolicited messages from sellers.\n"
    ).encode()


def order(number: int) -> str:
    return f"112-{number + 1:07}-{7654321 - number:07}"


def every_fixture_and_noise() -> list[bytes]:
    mails = [mail.read_bytes() for mail in UNTRUSTING] + [noise(n) for n in range(NOISE)]
    return [mails[(at * 7) % 300] for at in range(300)]  # 7 and 300 have no common factor: each mail once


def values_of_fixtures(kind: str) -> set[str]:
    listed = [expected(mail) for mail in UNTRUSTING if expected(mail)["verdict"] == "opt_out"]
    values = [told["orders"][0] if kind == "order" else told["buyer"] for told in listed]
    return {value for value in values if value}


def test_sync_lists_exactly_the_orders_and_buyers_of_the_notices(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("whole", every_fixture_and_noise())
    before = dovecot.snapshot("whole")
    assert len(before) == 300
    nosend.configure("whole", dovecot.port)

    done = nosend("sync")

    assert done.stdout == ""
    for kind in ("order", "buyer"):
        assert {v for (v,) in nosend.rows("SELECT value FROM blacklist WHERE kind = ?", kind)} == values_of_fixtures(
            kind
        )
    assert dovecot.snapshot("whole") == before, "a flag or a mail was touched"

    first = nosend.dump(*TIMES_OF_THE_RUN)
    second = nosend("sync")
    assert (second.stdout, second.stderr) == ("", ""), "in cron it prints nothing when all is well"
    assert nosend.dump(*TIMES_OF_THE_RUN) == first
    assert dovecot.snapshot("whole") == before


def test_sync_and_scan_of_the_same_mails_change_nothing_more(nosend: Shell, dovecot: Dovecot) -> None:
    mails = [mail for mail in UNTRUSTING if mail.parent.name in {"marker", "wording", "doubtful"}]
    dovecot.fill("both", [mail.read_bytes() for mail in mails])
    nosend.configure("both", dovecot.port)
    nosend("sync")
    before = nosend.rows("SELECT * FROM blacklist"), nosend.rows("SELECT * FROM changes")
    nosend("scan", "--account", "shop", *mails)
    assert (nosend.rows("SELECT * FROM blacklist"), nosend.rows("SELECT * FROM changes")) == before


def test_new_mail_is_found_by_the_next_sync_only(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("later", [notice(1), noise(1)])
    nosend.configure("later", dovecot.port)
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == [(order(1),)]
    dovecot.fill("later", [notice(2)])
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist ORDER BY listed_at, value") == [(order(1),), (order(2),)]
    assert nosend.rows("SELECT action, value FROM changes ORDER BY seq") == [("added", order(1)), ("added", order(2))]


def test_several_notices_for_one_order_are_one_entry_with_a_count(nosend: Shell, dovecot: Dovecot) -> None:
    twice = notice(3).replace(b"<notice-3@", b"<again-3@")
    dovecot.fill("count", [notice(3), twice, notice(3)])  # the third is the first one, delivered twice
    nosend.configure("count", dovecot.port)
    nosend("sync")
    assert nosend.rows("SELECT value, notices FROM blacklist") == [(order(3), 2)]


def test_uidvalidity_change_reads_again_and_doubles_nothing(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("valid", [notice(4), noise(4)])
    nosend.configure("valid", dovecot.port)
    nosend("sync")
    doveadm = [
        "doveadm",
        "-c",
        str(dovecot.configuration),
        "mailbox",
        "update",
        "--uid-validity",
        "4242",
        "-u",
        "valid",
        "INBOX",
    ]
    subprocess.run(doveadm, check=True, capture_output=True)
    dovecot.fill("valid", [notice(5)])
    nosend("sync")
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [(order(4), 1), (order(5), 1)]
    assert nosend.rows("SELECT uidvalidity FROM cursors") == [(4242,)]
    assert len(nosend.rows("SELECT * FROM changes")) == 2


def test_another_mailbox_under_the_same_account_is_read_from_its_start(nosend: Shell, dovecot: Dovecot) -> None:
    """Gmail's UIDVALIDITY of INBOX is often 1: it does not tell two mailboxes apart, the log-in name does."""
    for user, number in (("first", 6), ("second", 7)):
        dovecot.fill(user, [notice(number)])
        doveadm = [
            "doveadm",
            "-c",
            str(dovecot.configuration),
            "mailbox",
            "update",
            "--uid-validity",
            "1",
            "-u",
            user,
            "INBOX",
        ]
        subprocess.run(doveadm, check=True, capture_output=True)
        nosend.configure(user, dovecot.port)
        nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist ORDER BY 1") == [(order(6),), (order(7),)]


def test_a_blacklist_is_read_by_another_process_while_sync_runs(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("busy", [])
    nosend.configure("busy", dovecot.port)
    nosend("sync")  # makes the file
    dovecot.fill("busy", [notice(n) for n in range(1_500)])
    counts = set()
    with subprocess.Popen([sys.executable, "-m", "nosend", "sync"], cwd=nosend.folder, env=nosend.env) as running:
        while running.poll() is None and 1_500 not in counts:
            ask = ["sqlite3", "nosend.db", "select count(value) from blacklist"]
            done = subprocess.run(ask, cwd=nosend.folder, capture_output=True, text=True, check=False)
            if done.returncode and running.wait(5) == 0:
                break  # the moment in which sync closes the file and SQLite clears the WAL away
            counts.add(int(done.stdout))
            time.sleep(0.02)
    assert running.returncode == 0
    assert {count for count in counts if 0 < count < 1_500}, f"nothing was seen while sync ran: {sorted(counts)}"
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(1_500,)]


def test_two_syncs_at_once_do_not_harm_each_other(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("twice", [notice(n) for n in range(400)])
    nosend.configure("twice", dovecot.port)
    command = [sys.executable, "-m", "nosend", "sync"]
    with (
        subprocess.Popen(command, cwd=nosend.folder, env=nosend.env) as one,
        subprocess.Popen(command, cwd=nosend.folder, env=nosend.env) as other,
    ):
        assert [one.wait(60), other.wait(60)] == [0, 0]
    assert nosend.rows("SELECT count(*), sum(notices) FROM blacklist") == [(400, 400)]
    assert nosend.rows("SELECT count(*) FROM ledger") == [(400,)]
    assert nosend.rows("SELECT count(*) FROM changes") == [(400,)]


def test_sync_waits_for_another_and_then_says_whose_turn_it_is(nosend: Shell, dovecot: Dovecot) -> None:
    nosend.configure("held", dovecot.port)
    hold = (
        "import sys, pathlib; from nosend.store.lock import one_round\n"
        "with one_round(pathlib.Path('nosend.db')): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], cwd=nosend.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        done = nosend("sync", code=75)
        holder.communicate()
    assert f"process {holder.pid}" in done.stderr
    nosend("sync")


def test_two_folders_and_two_mailboxes_keep_their_accounts(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("pair-a", [notice(8)])
    dovecot.fill("pair-a", [notice(9), notice(8)], folder="Notices/Amazon")
    dovecot.fill("pair-b", [notice(8)])
    nosend.configure("pair-a", dovecot.port, account="shop-a", folders=["INBOX", "Notices/Amazon"])
    first = (nosend.folder / "config.toml").read_text()
    nosend.configure("pair-b", dovecot.port, account="shop-b")
    (nosend.folder / "config.toml").write_text(first + (nosend.folder / "config.toml").read_text())
    nosend("sync")
    assert nosend.rows("SELECT account, value, notices FROM blacklist ORDER BY 1, 2") == [
        ("shop-a", order(8), 1),
        ("shop-a", order(9), 1),
        ("shop-b", order(8), 1),
    ]
    shown = nosend("show", order(8)).stdout
    assert "Notices/Amazon UID 2" in shown
    assert "shop-b" in shown


def test_a_mailbox_in_trouble_does_not_hold_up_the_others(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("beside", [notice(10)])
    nosend.configure("ill", 1, account="ill")  # nobody listens on port 1
    first = (nosend.folder / "config.toml").read_text()
    nosend.configure("beside", dovecot.port, account="well")
    (nosend.folder / "config.toml").write_text(first + (nosend.folder / "config.toml").read_text())
    done = nosend("sync", code=75)
    assert "'ill'" in done.stderr
    assert nosend.rows("SELECT account, value FROM blacklist") == [("well", order(10))]
    state = json.loads(nosend("status", "--json").stdout)
    troubles = {box["account"]: (box["last_success_at"] is None, bool(box["trouble"])) for box in state["mailboxes"]}
    assert troubles == {"ill": (True, True), "well": (False, False)}


def test_read_all_finds_what_the_header_does_not_promise(nosend: Shell, dovecot: Dovecot) -> None:
    hidden = notice(11).replace(b"auto-communication@amazon.com", b"bot@shop.example")
    hidden = hidden.replace(b"Your message to a buyer could not be delivered", b"FYI").replace(b"Amazon.com", b"Bot")
    dovecot.fill("all", [hidden])
    nosend.configure("all", dovecot.port)
    nosend("sync")
    assert nosend.rows("SELECT count(*) FROM ledger") == [(0,)], "a stranger's mail is passed over by its header"
    (nosend.folder / "nosend.db").unlink()
    nosend.configure("all", dovecot.port, read_all=True)
    nosend("sync")
    assert nosend.rows("SELECT verdict FROM ledger") == [("suspect",)]


def test_trusted_forwarders_of_the_mailbox_are_believed(nosend: Shell, dovecot: Dovecot) -> None:
    mail = ROOT / "fixtures/forwarded/attached-message.eml"
    told = expected(mail)
    dovecot.fill("trust", [mail.read_bytes()])
    nosend.configure("trust", dovecot.port)
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == []
    (nosend.folder / "nosend.db").unlink()
    nosend.configure("trust", dovecot.port, trusted_forwarders=["NEGOZIO.example"])
    nosend("sync")
    listed = nosend.rows("SELECT value, source FROM blacklist ORDER BY kind DESC")
    assert listed == [(value, "forward") for value in (*told["orders"], told["buyer"]) if value]


def test_what_sync_writes_into_the_database_is_whole_for_sqlite(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("sound", [notice(12)])
    nosend.configure("sound", dovecot.port)
    nosend("sync")
    db = sqlite3.connect(nosend.folder / "nosend.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
