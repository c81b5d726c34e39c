"""What waits for a person is judged again when the packs or the trust change: by itself, on the next sync."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

import letters
from conftest import Shell
from faults import contents
from nosend.judging import Judging
from nosend.model import Accounts, Judged, Kind, Place, Policy, Trust
from nosend.store import rows as written
from nosend.store import schema
from nosend.store.ledger import Ledger, Recorded
from nosend.store.overview import Overview
from nosend.verdict import packfile, rules
from nosend.verdict.rules import Rules
from samples import DAY, NOW, buyer, dump, judged, notice, order, rows
from servers import Dovecot
from test_kill import SYNC

MINE = "mx.shop.example"
NOBODY = 1  # a port on which nobody listens
PACK = f"""
name = "mine"
version = 1
[[KIND]]
rule = "unknown"
confirmed = true
seen = "in my mailbox"
wording = "order {{order}} cannot be written about any more"
samples = ["Sorry, order {order(1)} cannot be written about any more."]
"""


def unknown(number: int) -> bytes:
    """Write a delivery failure in words that no pack knows."""
    return letters.mail(
        f"Sorry, order {order(number)} cannot be written about any more.",
        Message_ID=f"<unknown-{number}@x>",
        Date="Sat, 01 Mar 2025 12:00:00 +0000",
    )


def forward(number: int) -> bytes:
    """Write somebody's inline forward of a true notice."""
    text = letters.forwarded(letters.SENTENCE.replace(letters.ORDER, order(number)))
    return letters.mail(text, From=letters.STRANGER, Subject="Fwd: please look", Message_ID=f"<forward-{number}@x>")


def configure(nosend: Shell, user: str, port: int, pack: str = "", **keys: object) -> None:
    """Write the configuration, with a pack of the user's own whose wording is of `pack` ("opt_out", "other")."""
    nosend.configure(user, port, **keys)
    if pack:
        (nosend.folder / "packs").mkdir(exist_ok=True)
        (nosend.folder / "packs" / "mine.toml").write_text(PACK.replace("KIND", pack))
        config = nosend.folder / "config.toml"
        config.write_text('packs = "packs"\n' + config.read_text())


def verdicts(nosend: Shell) -> list[tuple]:
    return nosend.rows("SELECT verdict FROM ledger ORDER BY id")


# What makes them be judged again. In each case: the mail, the keys before and after, what it is then.

SAYS_FAIL = f"{MINE}; dmarc=fail header.from=amazon.com"
SAYS_PASS = "mx.other.example; dmarc=pass header.from=amazon.com"
CHANGES: dict[str, tuple[bytes, dict, dict, str]] = {
    "a pack": (unknown(1), {}, {"pack": "opt_out"}, "opt_out"),
    "a pack that knows another cause": (unknown(1), {}, {"pack": "other"}, "other_notice"),
    "trusted_forwarders": (forward(1), {}, {"trusted_forwarders": [letters.STRANGER]}, "opt_out"),
    "trusted_authserv_id": (
        notice(1, Authentication_Results=f"{SAYS_PASS}\nAuthentication-Results: {SAYS_FAIL}"),
        {"trusted_authserv_id": MINE},
        {"trusted_authserv_id": "mx.other.example"},
        "opt_out",
    ),
    "authenticity": (notice(1), {"authenticity": "require"}, {"authenticity": "prefer"}, "opt_out"),
    "accounts": (
        notice(1, To="us@shop.example"),
        {"unknown_account": "suspect", "plus_accounts": True},
        {"unknown_account": "suspect", "accounts": "us@shop.example"},
        "opt_out",
    ),
}


def _accounts(keys: dict) -> dict:
    """Leave the table out: the shell writes JSON, of which TOML knows no tables."""
    return {name: value for name, value in keys.items() if name != "accounts"}


@pytest.mark.parametrize("reached", [True, False], ids=["mailbox reached", "mailbox away"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_suspect_is_judged_again_when_this_changes(nosend: Shell, dovecot: Dovecot, name: str, reached: bool) -> None:
    raw, before, after, kind = CHANGES[name]
    user = f"again-{list(CHANGES).index(name)}-{reached:d}"
    dovecot.fill(user, [raw])
    configure(nosend, user, dovecot.port, **before)
    nosend("sync")
    assert (verdicts(nosend), nosend.rows("SELECT * FROM blacklist")) == ([("suspect",)], [])
    configure(nosend, user, dovecot.port if reached else NOBODY, **_accounts(after))
    if "accounts" in after:
        with (nosend.folder / "config.toml").open("a") as config:
            config.write(f'accounts = {{ "{after["accounts"]}" = "shop" }}\n')
    nosend("sync", code=0 if reached else 75)
    listed = [(order(1), 1)] if kind == "opt_out" else []
    assert verdicts(nosend) == [(kind,)]
    assert nosend.rows("SELECT value, notices FROM blacklist") == listed
    assert nosend.rows("SELECT action, value FROM changes") == [("added", value) for value, _ in listed]
    assert nosend("review").stdout == ""


BASE = Trust(frozenset({"a.example", "b.example"}), MINE, Policy.PREFER, Accounts((("us@x.example", "us"),)))
OTHERS = {
    "a forwarder": replace(BASE, forwarders=frozenset({"a.example"})),
    "the server": replace(BASE, authserv_id=""),
    "the policy": replace(BASE, policy=Policy.REQUIRE),
    "an address": replace(BASE, accounts=Accounts((("us@x.example", "de"),))),
    "plus": replace(BASE, accounts=replace(BASE.accounts, plus=True)),
    "unknown accounts": replace(BASE, accounts=replace(BASE.accounts, must_be_known=True)),
}


class Nobody:
    def signed_by(self, raw: bytes) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize("name", OTHERS)
def test_anything_that_is_trusted_is_in_the_fingerprint(name: str) -> None:
    assert Judging(OTHERS[name], rules.builtin()).fingerprint != Judging(BASE, rules.builtin()).fingerprint


def test_packs_and_who_verifies_signatures_are_in_the_fingerprint() -> None:
    pack = packfile.read(PACK.replace("KIND", "opt_out"), "mine.toml", "mine.toml")
    changed = (replace(pack, version=2), replace(pack, failure_subjects=("x",)), replace(pack, opt_outs=()))
    known = [Rules.of([*rules.builtin().packs, *more]) for more in ((), (pack,), *((one,) for one in changed))]
    prints = {Judging(BASE, one).fingerprint for one in known}
    prints |= {Judging(BASE, known[0], Nobody()).fingerprint}
    assert len(prints) == len(known) + 1


def test_what_is_the_same_has_one_fingerprint_in_every_process() -> None:
    """Sets are written in an order that is another one in each process."""
    code = (
        "from nosend.judging import Judging; from nosend.model import Trust; from nosend.verdict import rules;"
        "print(Judging(Trust(frozenset(map(str, range(50)))), rules.builtin()).fingerprint)"
    )
    envs = [os.environ | {"PYTHONHASHSEED": seed} for seed in "123"]
    told = {subprocess.check_output([sys.executable, "-c", code], env=env) for env in envs}
    assert len(told) == 1


# A process that dies, or breaks, when it reads a certain mail.

DEADLY = """
import os, sys, pathlib
from nosend import config, judging, service
from nosend.store.ledger import Ledger
real = judging.verdict.read
def read(raw, *more):
    if b"<{ident}@" in raw:
        {how}
    return real(raw, *more)
judging.verdict.read = read
settings = config.load(pathlib.Path("config.toml"))
with Ledger(settings.database) as ledger:
    service.sync(settings, ledger, os.environ, lambda *_: None)
"""


def deadly_sync(nosend: Shell, ident: str, how: str = "os._exit(9)") -> int:
    code = DEADLY.format(ident=ident, how=how)
    done = subprocess.run([sys.executable, "-c", code], cwd=nosend.folder, env=nosend.env, check=False)
    return done.returncode


def test_nothing_is_judged_again_when_nothing_changed(nosend: Shell, dovecot: Dovecot) -> None:
    """A process that dies on reading the suspect lives, until something changes."""
    dovecot.fill("unchanged", [forward(1)])
    configure(nosend, "unchanged", dovecot.port)
    nosend("sync")
    before = nosend.dump('INSERT INTO "rounds"')
    assert deadly_sync(nosend, "forward-1") == 0
    configure(nosend, "unchanged", dovecot.port, timeout=19, folders=["INBOX"])
    assert deadly_sync(nosend, "forward-1") == 0
    assert nosend.dump('INSERT INTO "rounds"') == before
    configure(nosend, "unchanged", dovecot.port, trusted_forwarders=["else.example"])
    assert deadly_sync(nosend, "forward-1") == 9


def test_what_was_set_aside_is_judged_again(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("aside", [notice(1, ident="<broken@x>"), notice(2)])
    configure(nosend, "aside", dovecot.port)
    assert deadly_sync(nosend, "broken", "raise RecursionError") == 0
    assert verdicts(nosend) == [("set_aside",), ("opt_out",)]
    configure(nosend, "aside", NOBODY, trusted_forwarders=["new.example"])
    nosend("sync", code=75)
    assert nosend.rows("SELECT verdict, key FROM ledger") == [
        ("opt_out", "<broken@x>"),
        ("opt_out", "<2@email.amazonses.com>"),
    ]
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [(order(1), 1), (order(2), 1)]
    assert nosend("review").stdout == ""


def test_a_suspect_that_cannot_be_read_any_more_stays_what_it_was(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("worse", [forward(1)])
    configure(nosend, "worse", dovecot.port)
    nosend("sync")
    listed = nosend("review").stdout
    configure(nosend, "worse", dovecot.port, trusted_forwarders=["new.example"])
    assert deadly_sync(nosend, "forward-1", "raise RecursionError") == 0
    assert nosend("review").stdout == listed
    assert deadly_sync(nosend, "forward-1") == 0, "it is not tried again before something changes"
    assert "a suspect mail names it" in nosend("check", order(1)).stderr


def finnish(number: int) -> bytes:
    """Write a notice whose language and subject no pack knows; no marker."""
    return letters.mail(
        f"Emme toimittaneet viestiä tilauksesta {order(number)}, koska ostaja on kieltänyt myyjien viestit.",
        Subject="Ilmoitus ostajalle lähetetystä viestistä",
        Message_ID=f"<finnish-{number}@x>",
        Content_Type="text/plain; charset=utf-8",
    )


FINNISH = f"""
name = "fi"
version = 1
[[opt_out]]
rule = "opt-out"
confirmed = true
seen = "in my mailbox"
wording = "viestiä tilauksesta {{order}}, koska ostaja on kieltänyt"
samples = ["Emme toimittaneet viestiä tilauksesta {order(1)}, koska ostaja on kieltänyt myyjien viestit."]
"""


def test_a_new_pack_lists_what_was_passed_over_before_it(nosend: Shell, dovecot: Dovecot) -> None:
    """Nothing of these mails is kept: they are read again, those that are still there; others of Amazon's as well."""
    other = letters.mail("Your report is ready.", Subject="Report", Message_ID="<report@x>")
    dovecot.fill("passed-over", [finnish(1), other, finnish(2), finnish(3)])
    configure(nosend, "passed-over", dovecot.port)
    nosend("sync")
    assert verdicts(nosend) == [("other_notice",)] * 4
    (nosend.folder / "packs").mkdir()
    (nosend.folder / "packs" / "fi.toml").write_text(FINNISH)
    config = nosend.folder / "config.toml"
    config.write_text('packs = "packs"\n' + config.read_text())
    with dovecot.client("passed-over") as client:
        client.select_folder("INBOX")
        client.delete_messages([3])
        client.expunge()
    nosend("sync")
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [(order(1), 1), (order(3), 1)]
    assert verdicts(nosend) == [("opt_out",), ("other_notice",), ("other_notice",), ("opt_out",)]
    for _ in range(written.TRIES + 1):
        nosend("sync")
    assert nosend.rows("SELECT tries FROM ledger WHERE rule = 'amazon-other' ORDER BY id") == [(1,), (written.TRIES,)]
    assert nosend.rows("SELECT count(*) FROM changes") == [(2,)]


def test_a_decision_stands_whatever_nosend_thinks_later(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("stands", [forward(1), forward(2), forward(3)])
    configure(nosend, "stands", dovecot.port)
    nosend("sync")
    nosend("review", "reject", "1")
    nosend("review", "accept", "2", "--account", "other")
    before = nosend.rows("SELECT * FROM blacklist")
    configure(nosend, "stands", dovecot.port, trusted_forwarders=[letters.STRANGER])
    nosend("sync")
    assert verdicts(nosend) == [("suspect",), ("suspect",), ("opt_out",)]
    listed = nosend.rows("SELECT value, account FROM blacklist ORDER BY 1")
    assert listed == [(order(2), "other"), (order(3), "shop")]
    assert before[0] in nosend.rows("SELECT * FROM blacklist")
    assert deadly_sync(nosend, "forward-1") == 0


def test_a_decision_that_comes_while_a_mail_is_judged_again_stands(tmp_path: Path) -> None:
    """Set aside, so that its key was another one when it was decided about."""
    path = tmp_path / "nosend.db"
    set_aside = judged(kind=None)
    with Ledger(path) as ledger:
        ledger.record([replace(set_aside, key=f"sha256:{set_aside.sha256}")], NOW)
        (ident,) = ledger.stale("shop", "new rules")
        ledger.begin_again(ident, "new rules")
        from nosend.store.review import Review  # noqa: PLC0415 - another process

        with Review(path) as person:
            person.reject([ident], NOW)
        assert ledger.record_again(ident, replace(judged(), judged_by="new rules"), NOW + DAY) == Recorded()
    assert rows(path, "SELECT * FROM blacklist") == []
    assert rows(path, "SELECT verdict FROM ledger") == [("set_aside",)]


def test_all_copies_of_a_mail_change_together(nosend: Shell, dovecot: Dovecot) -> None:
    for folder in ("INBOX", "Archive"):
        dovecot.fill("copies", [forward(1)], folder=folder)
    keys = {"folders": ["INBOX", "Archive"]}
    configure(nosend, "copies", dovecot.port, **keys)
    nosend("sync")
    assert len(nosend("review").stdout.splitlines()) == 1
    configure(nosend, "copies", dovecot.port, trusted_forwarders=[letters.STRANGER], **keys)
    nosend("sync")
    assert verdicts(nosend) == [("opt_out",)] * 2
    assert nosend.rows("SELECT value, notices, source FROM blacklist") == [(order(1), 1, "forward")]
    assert nosend("review").stdout == ""


def test_each_account_judges_its_own_copy(nosend: Shell, dovecot: Dovecot) -> None:
    for user in ("own-a", "own-b"):
        dovecot.fill(user, [forward(1)])

    def write(**keys: object) -> None:
        configure(nosend, "own-a", dovecot.port, account="shop-a", **keys)
        first = (nosend.folder / "config.toml").read_text()
        configure(nosend, "own-b", dovecot.port, account="shop-b")
        (nosend.folder / "config.toml").write_text(first + (nosend.folder / "config.toml").read_text())

    write()
    nosend("sync")
    write(trusted_forwarders=[letters.STRANGER])
    nosend("sync")
    assert nosend.rows("SELECT account, value FROM blacklist") == [("shop-a", order(1))]
    assert nosend("review").stdout.count(" shop-b ") == 1


def test_a_scanned_suspect_of_the_account_is_judged_again_too(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("scanned", [])
    configure(nosend, "scanned", dovecot.port)
    (nosend.folder / "1.eml").write_bytes(forward(1))
    nosend("scan", "1.eml")
    assert verdicts(nosend) == [("suspect",)]
    configure(nosend, "scanned", dovecot.port, trusted_forwarders=[letters.STRANGER])
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == [(order(1),)]


def test_a_mail_whose_bytes_expired_stays_what_it_was(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("gone", [forward(1)])
    configure(nosend, "gone", dovecot.port)
    nosend("sync")
    with Ledger(nosend.folder / "nosend.db") as ledger:
        ledger.expire(NOW + 10_000 * DAY, DAY, 1)
    configure(nosend, "gone", dovecot.port, trusted_forwarders=[letters.STRANGER])
    nosend("sync")
    assert verdicts(nosend) == [("suspect",)]
    assert "1 mails that wait for a person are not kept any more" in nosend("status").stdout


# Deadly mails and killed processes.


def test_a_mail_that_kills_is_left_alone_after_five_attempts(nosend: Shell, dovecot: Dovecot) -> None:
    """With all its copies; the others are judged meanwhile, and then new mail is read; until something changes."""
    for folder in ("INBOX", "Archive"):
        dovecot.fill("kills-again", [forward(1), forward(2), forward(3)], folder=folder)
    keys = {"folders": ["INBOX", "Archive"]}
    configure(nosend, "kills-again", dovecot.port, **keys)
    nosend("sync")
    dovecot.fill("kills-again", [notice(9)])
    configure(nosend, "kills-again", dovecot.port, trusted_forwarders=[letters.STRANGER], **keys)
    assert [deadly_sync(nosend, "forward-2") for _ in range(7)] == [9] * 5 + [0] * 2
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [
        (order(1), 1),
        (order(3), 1),
        (order(9), 1),
    ]
    assert nosend.rows("SELECT verdict FROM ledger WHERE key = '<forward-2@x>'") == [("suspect",)] * 2
    assert [line.split()[0] for line in nosend("review").stdout.splitlines()] == ["2"]
    configure(nosend, "kills-again", dovecot.port, trusted_forwarders=[letters.STRANGER, "b.example"], **keys)
    assert deadly_sync(nosend, "forward-2") == 9
    nosend("sync")
    assert (order(2), 1) in nosend.rows("SELECT value, notices FROM blacklist")


def test_attempts_are_counted_for_all_copies_and_only_for_the_same_rules(tmp_path: Path) -> None:
    suspect = judged(kind=Kind.SUSPECT)
    copies = [suspect, replace(suspect, mail=replace(suspect.mail, place=Place("shop", "Archive", 7, 1)))]
    with Ledger(tmp_path / "nosend.db") as ledger:
        ledger.record(copies, NOW)
        for by in ("first", "second"):
            for _ in range(written.TRIES):
                assert ledger.stale("shop", by) == (1,)
                ledger.begin_again(1, by)
            assert ledger.stale("shop", by) == ()


def test_killed_while_judging_again_nothing_is_lost_or_doubled(nosend: Shell, dovecot: Dovecot) -> None:
    mails = [forward(n) if n % 2 else unknown(n) for n in range(160)]
    dovecot.fill("kill-again", mails)
    configure(nosend, "kill-again", dovecot.port)
    nosend("sync")
    assert verdicts(nosend) == [("suspect",)] * 160
    database = nosend.folder / "nosend.db"
    suspects = database.read_bytes()
    configure(nosend, "kill-again", dovecot.port, pack="opt_out", trusted_forwarders=[letters.STRANGER])
    began = time.monotonic()
    nosend("sync")
    undisturbed = time.monotonic() - began
    wanted = contents(nosend)
    assert len(wanted["blacklist"]) == 160

    for name in ("nosend.db-wal", "nosend.db-shm"):
        database.with_name(name).unlink(missing_ok=True)
    database.write_bytes(suspects)
    chance = random.Random(20260910)
    for number in range(8):
        with subprocess.Popen(SYNC, cwd=nosend.folder, env=nosend.env, stderr=subprocess.DEVNULL) as running:
            if number:
                time.sleep(chance.uniform(0, undisturbed))
            else:  # in the middle for certain
                while nosend.rows("SELECT count(*) FROM blacklist") == [(0,)]:
                    time.sleep(0.01)
            running.send_signal(signal.SIGKILL)
    nosend("sync")
    assert contents(nosend) == wanted


# A database of version 0.1


def old_database(path: Path, *mails: Judged, raw: bytes = b"") -> None:
    """Make a database as nosend 0.1 wrote it, with its own tables alone: these mails, their events and entries."""
    old = Migrations("nosend")

    @old()
    def first_tables(db: Database) -> None:
        schema._run(db, schema._FIRST_TABLES)

    db = Database(path)
    old.apply(db)
    for mail in mails:
        verdict, place = mail.verdict, mail.mail.place
        row = {
            **written.values(place), "key": mail.key, "sha256": mail.sha256, "size": mail.mail.size,
            "verdict": verdict.kind if verdict else "set_aside", "rule": verdict.rule if verdict else "",
            "rule_version": 1, "why": verdict.why if verdict else mail.trouble,
            "orders": f" {' '.join(verdict.orders)} " if verdict else "", "buyer": verdict.buyer if verdict else None,
            "sender": mail.sender, "subject": mail.subject, "written_at": _stamp(mail.written_at),
            "received_at": None, "read_at": written.stamp(NOW),
        }  # fmt: skip
        db["ledger"].insert(row)
        if not verdict or verdict.kind is Kind.SUSPECT:
            db["kept"].insert({"sha256": mail.sha256, "raw": mail.mail.raw})
        for one in verdict.opt_outs if verdict else ():
            said = {"source": "notice", "why": f"marker: {verdict.why}", "opted_out_at": row["written_at"]}
            event = {"account": place.account, "key": mail.key, "order_id": one.order_id, "buyer": one.buyer}
            db["events"].insert({**event, **said, "marketplace": one.marketplace, "recorded_at": row["read_at"]})
            for kind, value in (("order", one.order_id), ("buyer", one.buyer)):
                entry = {"kind": kind, "value": value, "account": place.account, "marketplace": one.marketplace}
                dates = {"listed_at": row["read_at"], "last_notice_at": row["written_at"], "notices": 1}
                db["entries"].insert({**entry, **said, **dates, "expires_at": None})
                change = {"at": row["read_at"], "action": "added", "kind": kind, "value": value}
                db["change_log"].insert({**change, "account": place.account})
    db.conn.commit()
    db.close()


def _stamp(when: datetime | None) -> str | None:
    return written.stamp(when) if when else None


EVENTS = "SELECT id, key, order_id, buyer, marketplace, source, why, opted_out_at, recorded_at FROM events ORDER BY id"
KEPT = ("blacklist", "changes", "cursors", "rounds")


def test_an_older_database_is_migrated_with_all_that_is_in_it(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    mails = [
        judged(1, alias=buyer()),
        judged(2, kind=Kind.SUSPECT),
        judged(3, kind=None),
        judged(4, kind=Kind.OTHER_NOTICE),
    ]
    old_database(old, *mails)
    before = {name: rows(old, f"SELECT * FROM {name}") for name in KEPT}
    before |= {"events": rows(old, EVENTS), "bytes": rows(old, "SELECT sha256, raw FROM kept ORDER BY 1")}
    with Ledger(old) as ledger, Ledger(new) as other:
        other.record(mails, NOW)
        assert ledger.rebuild(NOW) == (2, 0)
    after = {name: rows(old, f"SELECT * FROM {name}") for name in KEPT}
    after |= {"events": rows(old, EVENTS), "bytes": rows(old, "SELECT sha256, raw FROM kept ORDER BY 1")}
    assert after == before
    assert after["blacklist"] == rows(new, "SELECT * FROM blacklist")
    assert rows(old, "SELECT DISTINCT kept_at FROM kept") == [(written.stamp(NOW),)]
    assert _tables(old) == _tables(new), "it has the tables of a new one"
    with Overview(old) as overview:
        assert [mail.id for mail in overview.waiting()] == [2, 3]


def _tables(path: Path) -> list[tuple]:
    """Give the columns of every table, and the indexes: a table that was altered is written otherwise."""
    columns = rows(
        path,
        "SELECT m.name, p.name, p.type, p.[notnull], p.pk FROM sqlite_master m, pragma_table_info(m.name) p"
        " WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2",
    )
    return columns + rows(path, "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name")


def test_bytes_of_a_mail_whose_place_another_took_do_not_stop_the_migration(tmp_path: Path) -> None:
    """Version 0.1 left them without a row; they are the first to go."""
    path = tmp_path / "nosend.db"
    old_database(path, judged(1, kind=Kind.SUSPECT), judged(2, kind=Kind.SUSPECT))
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM ledger WHERE uid = 1")
    db.close()
    with Ledger(path) as ledger:
        assert len(rows(path, "SELECT * FROM kept")) == 2
        assert ledger.expire(NOW, DAY, 10**6) == 0
    assert rows(path, "SELECT raw FROM kept") == [(b"mail 2",)]


def test_suspects_of_an_older_database_are_judged_again(nosend: Shell, dovecot: Dovecot) -> None:
    """Also those whom an older nosend set aside, or could not believe."""
    dovecot.fill("older", [])
    raws = {1: unknown(1), 2: notice(2), 3: forward(3)}
    mails = [judged(n, kind=None if n == 2 else Kind.SUSPECT) for n in raws]
    mails = [replace(mail, mail=replace(mail.mail, raw=raw)) for mail, raw in zip(mails, raws.values(), strict=True)]
    old_database(nosend.folder / "nosend.db", *mails, judged(4, alias=buyer()))
    configure(nosend, "older", dovecot.port, pack="opt_out", trusted_forwarders=[letters.STRANGER])
    told = nosend("status", code=75).stderr
    assert told == "nosend: database 'nosend.db' was written by an older nosend: `nosend sync` brings it up to date\n"
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist WHERE kind = 'order' ORDER BY 1") == [
        (order(n),) for n in (1, 2, 3, 4)
    ]
    assert nosend("review").stdout == ""
    before = nosend.rows("SELECT * FROM blacklist")
    nosend("rebuild")
    assert nosend.rows("SELECT * FROM blacklist") == before


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "nosend.db"
    old_database(path, judged(1, alias=buyer()), judged(2, kind=Kind.SUSPECT))
    with Ledger(path):
        before = dump(path)
    with Ledger(path):
        assert dump(path) == before
