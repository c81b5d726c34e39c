"""The verbs as a user runs them: the real command, on lists made by `nosend scan`."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import ROOT, UNTRUSTING, Shell, expected
from nosend.model import Place
from nosend.store.ledger import Ledger
from samples import NOW, buyer, judged, notice, order

LISTED = [(mail, expected(mail)) for mail in UNTRUSTING if expected(mail)["verdict"] == "opt_out"]
ORDERS = sorted({order for _, told in LISTED for order in told["orders"]})
BUYERS = sorted({told["buyer"] for _, told in LISTED if told["buyer"]})
SUSPECTS = [mail for mail in UNTRUSTING if expected(mail)["verdict"] == "suspect"]
MAIL, TOLD = next((mail, told) for mail, told in LISTED if mail.stem == "it-specimen-like")
LIST = ("--database", "nosend.db")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that `nosend scan` made of all fixtures; read it only."""
    folder = tmp_path_factory.mktemp("scanned")
    words = ["scan", "--account", "shop", "--database", "nosend.db", *UNTRUSTING]
    done = subprocess.run(
        [sys.executable, "-m", "nosend", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        f"nosend: for a person to look at: {len(SUSPECTS)} suspect, 0 set aside; `nosend review` lists them\n"
    )
    return folder / "nosend.db"


@pytest.fixture
def shop(nosend: Shell, scanned: Path) -> Shell:
    """A shell in a folder with that database, and no configuration."""
    shutil.copy(scanned, nosend.folder / "nosend.db")
    return nosend


@pytest.fixture
def small(nosend: Shell) -> Shell:
    """A shell in a folder with a list of two orders, one of them with its buyer."""
    with Ledger(nosend.folder / "nosend.db") as ledger:
        again = judged(1, alias=buyer(), key="<again@x>", day=2, place=Place("shop", "INBOX", 7, 3))
        ledger.record([judged(1, alias=buyer()), judged(2), again], NOW)
    return nosend


# The command itself.


def test_help_shows_verbs_and_exit_codes(nosend: Shell) -> None:
    text = nosend("--help").stdout
    codes = dict(re.findall(r"^ +(\d+)  +(.+)$", text, re.MULTILINE))
    assert codes == {
        "0": "done; `check`: the message may be sent",
        "1": "`check`: at least one must not be sent",
        "2": "wrong usage or configuration",
        "70": "a fault of nosend",
        "75": "try again later (mailbox or database not reachable)",
    }
    verbs = set(re.findall(r"^  ([a-z]+)  ", text.partition("Commands:")[2], re.MULTILINE))
    assert verbs == {
        "add", "adopt", "allow", "backup", "changes", "check", "demo", "disallow", "doctor", "explain", "export",
        "filter", "import", "init", "list", "login", "orders", "outbox", "privacy", "rebuild", "remove", "review",
        "rules", "scan", "show", "status", "sync", "undo", "watch",
    }  # fmt: skip


def test_version(nosend: Shell) -> None:
    assert nosend("--version").stdout == "nosend, version 0.1.0\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Usage: nosend"),
        (("chekc",), "No such command 'chekc'"),
        (("check",), "Missing argument 'KEY...'"),
        (("check", order(), "--purpose"), "Option '--purpose' requires an argument"),
        (("export", "--format", "xml", *LIST), "'xml' is not one of 'csv', 'json', 'jsonl', 'txt'"),
        (("list", "--kind", "seller", *LIST), "'seller' is not one of 'order', 'buyer', 'both'"),
        (("scan",), "Missing argument 'PATH...'"),
        (("scan", "--account", "shop", "nowhere.eml", *LIST), "'nowhere.eml' does not exist"),
        (("scan", str(MAIL), *LIST), "--account is needed"),
        (("scan", "--account", "", str(MAIL), *LIST), "--account is needed"),
        (("explain", "nowhere.eml"), "'nowhere.eml' does not exist"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_made(nosend: Shell, words: tuple[str, ...], told: str) -> None:
    done = nosend(*words, code=2)
    assert (done.stdout, told in done.stderr) == ("", True), done.stderr
    assert list(nosend.folder.iterdir()) == []


@pytest.mark.parametrize("verb", ["sync", "list", "status", "review", "export", "rebuild", ("check", order())])
def test_without_any_configuration_it_says_what_to_do(nosend: Shell, verb: str | tuple[str, str]) -> None:
    done = nosend(*([verb] if isinstance(verb, str) else verb), code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("nosend: no configuration: looked for config.toml, ")
    assert done.stderr.endswith("`nosend init` writes one; --config FILE names another\n")
    assert list(nosend.folder.iterdir()) == []


def test_configuration_names_the_database(small: Shell) -> None:
    """By --config, by $NOSEND_CONFIG, in this folder; $NOSEND_DATABASE and --database go before it."""
    (small.folder / "conf").mkdir()
    (small.folder / "conf" / "my.toml").write_text('database = "../nosend.db"')
    told = small("list", *LIST).stdout
    assert told.count("\n") == 3
    assert small("--config", "conf/my.toml", "list").stdout == told
    assert small("list", env={"NOSEND_CONFIG": "conf/my.toml"}).stdout == told
    assert small("list", env={"NOSEND_DATABASE": "nosend.db"}).stdout == told
    (small.folder / "config.toml").write_text("")
    assert small("list").stdout == told
    assert "'elsewhere.db' does not exist" in small("list", "--database", "elsewhere.db", code=2).stderr


def test_all_mistakes_of_a_configuration_are_told_a_line_each(nosend: Shell) -> None:
    nosend.configure("me", 0, tls="ssl", folders=[], pasword="x")
    done = nosend("sync", code=2)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("nosend: config.toml: mailbox 1: ") for line in lines)
    assert [name.name for name in nosend.folder.iterdir()] == ["config.toml"]


# init


def test_init_writes_a_configuration_for_the_owner_alone(nosend: Shell) -> None:
    done = nosend("init")
    path = nosend.folder / "config.toml"
    assert (done.stdout, stat.S_IMODE(path.stat().st_mode)) == ("", 0o600)
    assert path.read_text() == (ROOT / "config.example.toml").read_text()
    assert "run `nosend --config config.toml sync`" in done.stderr
    nosend("init", "other.toml")
    assert (nosend.folder / "other.toml").read_text() == path.read_text()


def test_init_never_overwrites(nosend: Shell) -> None:
    (nosend.folder / "config.toml").write_text("mine")
    assert "exists already and stays as it is" in nosend("init", code=2).stderr
    assert (nosend.folder / "config.toml").read_text() == "mine"
    assert "its folder does not exist" in nosend("init", "nowhere/config.toml", code=2).stderr


_FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from nosend.cli import run
run()
"""


def on_full_disk(shell: Shell, size: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command where no file may grow beyond `size` bytes; assert that it says 75 and shows no traceback."""
    command = [sys.executable, "-c", _FULL, str(size), *words]
    done = subprocess.run(command, cwd=shell.folder, env=shell.env, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (75, False), done.stderr
    return done


def test_init_on_a_full_disk_leaves_nothing(nosend: Shell) -> None:
    done = on_full_disk(nosend, 100, "init")
    assert done.stderr == "nosend: 'config.toml' cannot be written: File too large\n"
    assert list(nosend.folder.iterdir()) == []
    nosend("init")


# scan


def test_scan_lists_exactly_what_the_fixtures_say(shop: Shell) -> None:
    assert shop.rows("SELECT value FROM blacklist WHERE kind = 'order' ORDER BY 1") == [(o,) for o in ORDERS]
    assert shop.rows("SELECT value FROM blacklist WHERE kind = 'buyer' ORDER BY 1") == [(b,) for b in BUYERS]
    assert shop.rows("SELECT DISTINCT account FROM blacklist") == [("shop",)]
    assert stat.S_IMODE((shop.folder / "nosend.db").stat().st_mode) == 0o600


def test_scanning_twice_changes_nothing(shop: Shell) -> None:
    before = shop.dump()
    done = shop("scan", "--account", "shop", *LIST, *UNTRUSTING)
    assert (done.stdout, done.stderr) == ("", "")
    assert shop.dump() == before


def test_scan_takes_mbox_maildir_and_standard_input_and_a_mail_counts_once(nosend: Shell) -> None:
    (nosend.folder / "Maildir" / "cur").mkdir(parents=True)
    (nosend.folder / "Maildir" / "cur" / "1.host:2,S").write_bytes(notice(1))
    separator = b"From sender@x Sat Mar  1 12:00:00 2025\n"
    (nosend.folder / "mails").write_bytes(separator + notice(1) + b"\n" + separator + notice(2))
    nosend("scan", "--account", "shop", *LIST, "Maildir", "mails")
    subprocess.run(
        [sys.executable, "-m", "nosend", "scan", "--account", "shop", *LIST, "-"],
        input=notice(1) + b"\n", cwd=nosend.folder, env=nosend.env, check=True,
    )  # fmt: skip
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [(order(1), 1), (order(2), 1)]
    folders = [folder for (folder,) in nosend.rows("SELECT folder FROM ledger ORDER BY id")]
    assert folders == [str(nosend.folder / name) for name in ("Maildir/cur/1.host:2,S", "mails:1", "mails:2")] + ["-"]


def test_mail_without_a_message_id_counts_once_in_whatever_file_it_lies(nosend: Shell) -> None:
    raw = notice(1).replace(b"Message-ID: <1@email.amazonses.com>\n", b"")
    (nosend.folder / "one.eml").write_bytes(raw)
    separator = b"From sender@x Sat Mar  1 12:00:00 2025\n"
    (nosend.folder / "two.mbox").write_bytes(separator + raw + b"\n" + separator + notice(2) + b"\n")
    nosend("scan", "--account", "shop", *LIST, "one.eml", "two.mbox")
    assert nosend.rows("SELECT value, notices FROM blacklist ORDER BY 1") == [(order(1), 1), (order(2), 1)]


def test_scan_takes_account_and_forwarders_from_the_configuration(nosend: Shell) -> None:
    forward = ROOT / "fixtures" / "forwarded" / "attached-message.eml"
    sender = re.search(r"^From:.*?([\w.+-]+@[\w.-]+)", forward.read_text(encoding="latin-1"), re.MULTILINE)[1]
    nosend.configure("me", 0, account="shop-fr")
    nosend("scan", forward)
    assert nosend.rows("SELECT value FROM blacklist") == []
    (nosend.folder / "nosend.db").unlink()
    nosend.configure("me", 0, account="shop-fr", trusted_forwarders=[sender])
    nosend("scan", forward)
    (told,) = expected(forward)["orders"]
    assert nosend.rows("SELECT value, account, source FROM blacklist WHERE kind = 'order'") == [
        (told, "shop-fr", "forward")
    ]


def test_file_name_that_is_no_utf_8_does_not_stop_a_scan(nosend: Shell) -> None:
    """Exports of old mail programs carry Latin-1 names."""
    name = os.fsencode(nosend.folder) + b"/\xe9t\xe9.eml"
    Path(os.fsdecode(name)).write_bytes(notice(1))
    nosend("scan", "--account", "shop", *LIST, ".")
    assert nosend.rows("SELECT value FROM blacklist") == [(order(1),)]
    nosend("explain", ".")
    nosend("show", *LIST, order(1))


def test_full_disk_is_told_and_the_list_stays_whole(small: Shell) -> None:
    before = small.dump()
    for number in range(3, 400):
        (small.folder / f"{number}.eml").write_bytes(notice(number))
    done = on_full_disk(small, 80_000, "scan", "--account", "shop", *LIST, ".")
    assert "nothing was half-written; is the disk full?" in done.stderr
    assert small.dump()[:1] == before[:1]
    assert small.rows("PRAGMA integrity_check") == [("ok",)]
    listed = {value for (value,) in small.rows("SELECT value FROM blacklist WHERE kind = 'order'")}
    read = {key for (key,) in small.rows("SELECT order_id FROM events")}
    assert {order(1), order(2)} <= listed == read
    small("scan", "--account", "shop", *LIST, ".")
    assert small.rows("SELECT count(*) FROM blacklist") == [(400,)]


def test_export_on_a_full_disk_leaves_the_old_file(nosend: Shell, long_list: Path) -> None:
    (nosend.folder / "list.csv").write_text("old")
    done = on_full_disk(nosend, 40_000, "export", "--database", str(long_list), "-o", "list.csv")
    assert done.stderr == "nosend: 'list.csv' cannot be written (File too large): what stood there is untouched\n"
    assert {path.name: path.read_text() for path in nosend.folder.iterdir()} == {"list.csv": "old"}


def test_question_on_a_full_disk_may_be_asked_again_later(small: Shell) -> None:
    """A reader needs a few bytes beside the database (SQLite's WAL): the database is right, only the moment is not."""
    assert on_full_disk(small, 100, "check", *LIST, order(1)).stdout == ""


# explain


def test_explain_tells_verdict_reason_and_every_rule_that_was_asked(nosend: Shell) -> None:
    sentence = ROOT / "fixtures" / "wording" / "en-2017-plain.eml"
    lines = nosend("explain", sentence).stdout.splitlines()
    told = expected(sentence)
    assert lines == [
        f"{sentence}: opt_out",
        f"  rule         {told['rule']}",
        f"  why          {told['why']}",
        f"  orders       {told['orders'][0]}",
        *([f"  buyer        {told['buyer']}"] if told["buyer"] else []),
        *([f"  marketplace  {told['marketplace']}"] if told["marketplace"] else []),
        "  sender       amazon",
        f"  authenticity {told['authenticity']}",
        "  asked        buyer-message: no",
        "               marker: no",
        f"               opt-out-wording: {told['why']}",
    ]


def test_explain_json_is_an_object_a_mail_in_the_order_given(nosend: Shell) -> None:
    some = [UNTRUSTING[-1], MAIL, UNTRUSTING[0]]
    objects = [json.loads(line) for line in nosend("explain", "--json", *some).stdout.splitlines()]
    assert objects == [expected(mail) | {"path": str(mail)} for mail in some]
    keys = ["path", "verdict", "rule", "why", "orders", "buyer", "marketplace", "sender", "authenticity"]
    assert list(objects[0]) == keys


def test_explain_stores_nothing(nosend: Shell) -> None:
    nosend("explain", MAIL, env={"NOSEND_DATABASE": "nosend.db"})
    assert list(nosend.folder.iterdir()) == []


def _nested_multiparts() -> bytes:
    parts = (f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3_000))
    return "".join(parts).encode() + b"Content-Type: text/plain\n\nthe end\n"


@pytest.mark.parametrize("verb", ["scan", "explain"])
def test_an_account_that_is_no_mailbox_is_refused(nosend: Shell, verb: str) -> None:
    """By a misspelled label nothing would be trusted, or more than the user wants."""
    nosend.configure("me", 1, authenticity="require")
    told = nosend(verb, "--account", "shopp", MAIL, code=2).stderr
    assert told == "nosend: --account 'shopp' is no mailbox of the configuration: shop\n"
    assert not (nosend.folder / "nosend.db").exists()


MONSTERS = {
    "random": lambda: os.urandom(3_000_000),
    "empty": lambda: b"",
    "nul": lambda: bytes(3_000_000),
    "multiparts": _nested_multiparts,
    "divs": lambda: b"Content-Type: text/html\n\n" + b"<div>" * 60_000,
    "blanks": lambda: b"Subject: " + b"\n " * 1_000_000,
    "comments": lambda: b"Content-Type: text/html\n\n" + b"<!--" * 500_000,
    "quotes": lambda: b"Subject: x\n\n" + b">" * 1_000_000 + b"\n" + b"> " * 500_000,
}


BOUNDED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000))
from nosend import cli
cli.run()
"""


@pytest.mark.parametrize("name", MONSTERS)
def test_any_bytes_get_a_verdict_in_bounded_time_and_memory(nosend: Shell, name: str) -> None:
    (nosend.folder / "monster.eml").write_bytes(MONSTERS[name]())
    process = subprocess.Popen(
        [sys.executable, "-c", BOUNDED, "explain", "--json", "monster.eml"],
        cwd=nosend.folder, env=nosend.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        said, talk = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert (process.returncode, talk) == (0, b"")
    assert json.loads(said)["verdict"] == "unrelated"
    assert usage.ru_utime + usage.ru_stime < 5


# check


def test_check_answers_by_its_exit_code(small: Shell) -> None:
    assert small("check", *LIST, order(9), code=0).stdout == f"{order(9)}: send: not on the blacklist\n"
    assert small("check", *LIST, order(2), code=1).stdout == (
        f"{order(2)}: do not send: the buyer opted out on 2025-03-01: marker: the buyer has chosen to opt out\n"
        "  listed 2025-03-09 for shop, 1 notice, the last of 2025-03-01, source: notice\n"
        "  only critical messages may be sent\n"
    )


def test_one_listed_key_among_several_decides(small: Shell) -> None:
    done = small("check", *LIST, order(9), buyer().upper(), f"[{order(8)}]", code=1)
    answers = [line.split(":")[:2] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert answers == [[order(9), " send"], [buyer().upper(), " do not send"], [f"[{order(8)}]", " send"]]
    small("check", *LIST, order(8), order(9), code=0)


def test_check_knows_critical_purposes(small: Shell) -> None:
    critical = small("check", *LIST, "--purpose", "shipping-address", order(2), code=0).stdout
    assert critical.startswith(f"{order(2)}: send as critical: the buyer opted out on 2025-03-01: ")
    assert '"Additional Information Required"' in critical
    assert "delay is not critical" in small("check", *LIST, "--purpose", "delay", order(2), code=1).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--purpose", "spam", order(9)), "unknown purpose 'spam': choose one of "),
        ((order(9), "anna@gmail.com"), "'anna@gmail.com' is neither an order id"),
        (("",), "'' is neither an order id"),
    ],
)
def test_question_that_cannot_be_answered_is_no_permission(small: Shell, words: tuple[str, ...], told: str) -> None:
    done = small("check", *LIST, *words, code=2)
    assert done.stdout == ("111-1111111-0000009: send: not on the blacklist\n" if "anna@gmail.com" in words else "")
    assert told in done.stderr


def test_check_json_is_an_object_a_key(small: Shell) -> None:
    lines = small("check", "--json", *LIST, f"#{order(2)}", order(9), code=1).stdout.splitlines()
    listed, free = map(json.loads, lines)
    assert listed == {
        "key": f"#{order(2)}",
        "kind": "order",
        "value": order(2),
        "permission": "do-not-send",
        "reason": "the buyer opted out on 2025-03-01: marker: the buyer has chosen to opt out",
        "advice": "only critical messages may be sent",
        "entries": [
            {
                "kind": "order", "value": order(2), "account": "shop", "marketplace": "US",
                "opted_out_at": "2025-03-01T12:00:00Z", "listed_at": "2025-03-09T08:00:00Z",
                "last_notice_at": "2025-03-01T12:00:00Z", "notices": 1, "source": "notice",
                "why": "marker: the buyer has chosen to opt out", "expires_at": None,
            }
        ],
    }  # fmt: skip
    assert free == {
        "key": order(9), "kind": "order", "value": order(9), "permission": "send", "reason": "not on the blacklist",
        "advice": "", "entries": [],
    }  # fmt: skip


# list, show, review, status, rebuild


def test_list_is_a_line_an_entry(small: Shell) -> None:
    lines = [line.split() for line in small("list", *LIST).stdout.splitlines()]
    assert lines == [
        ["order", order(1), "shop", "US", "2025-03-01", "2"],
        ["order", order(2), "shop", "US", "2025-03-01", "1"],
        ["buyer", buyer(), "shop", "US", "2025-03-01", "2"],
    ]
    assert small("list", "--kind", "buyer", *LIST).stdout.split() == lines[2]
    assert small("list", "--kind", "order", *LIST).stdout.split() == lines[0] + lines[1]


def test_long_names_do_not_run_into_each_other_in_the_list(nosend: Shell) -> None:
    alias = "a" * 32 + "@marketplace.amazon.com.mx"
    (nosend.folder / "1.eml").write_bytes(notice(1, alias=alias))
    nosend("scan", "--account", "the-shop-in-mexico-city", *LIST, "1.eml")
    day = "2025-03-01"
    assert [line.split() for line in nosend("list", *LIST).stdout.splitlines()] == [
        ["order", order(1), "the-shop-in-mexico-city", "MX", day, "1"],
        ["buyer", alias, "the-shop-in-mexico-city", "MX", day, "1"],
    ]


def test_empty_list_says_so_to_the_person_only(nosend: Shell) -> None:
    with Ledger(nosend.folder / "nosend.db") as ledger:
        assert "no mail was ever read" in nosend("check", *LIST, order(1), code=75).stderr
        assert "no mail was ever read" in nosend("export", *LIST, code=75).stderr
        ledger.round_done("shop", datetime.now(UTC))
    for verb, told in (("list", "nothing is listed"), ("review", "nothing waits")):
        done = nosend(verb, *LIST)
        assert (done.stdout, done.stderr) == ("", f"nosend: {told}\n")
    assert nosend("status", *LIST).stdout.splitlines()[1:] == ["blacklist: 0 orders, 0 buyers"]
    assert nosend("export", "--format", "txt", *LIST).stdout == ""


def test_show_tells_the_history_of_a_key(small: Shell) -> None:
    history = (
        f"\n  2025-03-01T12:00:00Z notice (opt_out) for shop: about {order(1)}, buyer {buyer()}\n"
        "    marker: the buyer has chosen to opt out\n    recorded 2025-03-09T08:00:00Z\n    in mail 1: INBOX UID 1\n"
    ).replace("about", "order")
    shown = small("show", *LIST, buyer()).stdout
    assert shown.startswith(f"{buyer()}: do not send: the buyer opted out on 2025-03-01: ")
    assert "  listed 2025-03-09 for shop, 2 notices, the last of 2025-03-03, source: notice\n" in shown
    assert history in shown
    assert shown.count("recorded") == 2
    assert small("show", *LIST, order(2)).stdout.count("recorded") == 1
    assert small("show", *LIST, order(9)).stdout == f"{order(9)}: send: not on the blacklist\n"


def test_review_lists_the_suspects_and_only_those_a_line_each(shop: Shell) -> None:
    lines = shop("review", *LIST).stdout.splitlines()
    places = sorted(re.search(r" shop \[(.*?)\] ", line)[1] for line in lines)
    assert places == sorted(map(str, SUSPECTS))
    why = expected(SUSPECTS[0])["why"]
    (line,) = (line for line in lines if f"[{SUSPECTS[0]}]" in line)
    assert line.endswith(f" | {why}")


def test_status_counts_mails_by_verdict_and_entries(shop: Shell) -> None:
    kinds = [expected(mail)["verdict"] for mail in UNTRUSTING]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    entries = {"order": len(ORDERS), "buyer": len(BUYERS)}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    assert shop("status", *LIST).stdout.splitlines()[:3] == [
        f"shop: {told}",
        f"  for a person to look at: {len(SUSPECTS)}; `nosend review` lists them",
        f"blacklist: {len(ORDERS)} orders, {len(BUYERS)} buyers",
    ]
    shown = json.loads(shop("status", "--json", *LIST).stdout)
    assert shown.keys() >= {"amazon_mails", "kept", "warnings"}  # these depend on the day
    assert {name: told for name, told in shown.items() if name not in {"amazon_mails", "kept", "warnings"}} == {
        "mailboxes": [],
        "folders": [],
        "mails": {"shop": counts},
        "waiting": {"shop": len(SUSPECTS)},
        "entries": entries,
        "exports": [],
        "sinks": [],
    }


def test_rebuild_gives_what_was_there_and_mends_what_was_damaged(shop: Shell) -> None:
    before = shop.dump()
    total = len(ORDERS) + len(BUYERS)
    assert shop("rebuild", *LIST).stderr == f"nosend: {total} entries, 0 of them changed\n"
    assert shop.dump() == before
    db = sqlite3.connect(shop.folder / "nosend.db")
    with db:
        db.execute("DELETE FROM entries WHERE value = ?", (ORDERS[0],))
    db.close()
    shop("check", *LIST, ORDERS[0], code=0)
    assert shop("rebuild", *LIST).stderr == f"nosend: {total} entries, 1 of them changed\n"
    shop("check", *LIST, ORDERS[0], code=1)
    assert shop.dump("change_log", "sqlite_sequence") == [
        line for line in before if "change_log" not in line and "sqlite_sequence" not in line
    ]


# export


@pytest.mark.parametrize("form", ["csv", "txt"])
def test_export_is_the_same_bytes_each_time_on_stdout_and_in_a_file(shop: Shell, form: str) -> None:
    (shop.folder / f"old.{form}").write_text("old")
    (shop.folder / f"old.{form}").chmod(0o644)
    done = shop("export", "--format", form, *LIST)
    assert done.stderr == ""
    for name, mode in ((f"new.{form}", 0o600), (f"old.{form}", 0o644)):
        assert shop("export", *LIST, "--output", name).stdout == ""
        path = shop.folder / name
        with path.open(encoding="utf-8", newline="") as file:
            assert file.read().replace("\r\n", "\n") == done.stdout
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert sorted(path.name for path in shop.folder.iterdir() if path.name.startswith(".")) == []


def test_export_of_a_rebuilt_list_is_the_same(shop: Shell) -> None:
    before = shop("export", *LIST).stdout
    shop("rebuild", *LIST)
    assert shop("export", *LIST).stdout == before


@pytest.mark.parametrize(
    ("kind", "values"), [("order", ORDERS), ("buyer", BUYERS), ("both", sorted([*ORDERS, *BUYERS]))]
)
def test_export_of_one_kind_or_both_is_ordered_by_value(shop: Shell, kind: str, values: list[str]) -> None:
    assert shop("export", "--format", "txt", "--kind", kind, *LIST).stdout.split() == values
    found = json.loads(shop("export", "--format", "json", "--kind", kind, *LIST).stdout)
    assert [entry["value"] for entry in found] == values


def test_export_to_standard_output_by_any_of_its_names(small: Shell) -> None:
    text = small("export", *LIST).stdout
    assert text.count("\n") == 4
    assert small("export", *LIST, "-o", "-").stdout == text
    assert small("export", *LIST, "-o", "/dev/stdout").stdout == text


def test_place_that_cannot_be_written_is_told(small: Shell) -> None:
    (small.folder / "folder.csv").mkdir()
    done = small("export", *LIST, "-o", "folder.csv", code=2)
    assert "'folder.csv' is no file that can be made (it is a folder)" in done.stderr
    before = sorted(small.folder.iterdir())
    small("export", *LIST, "-o", "nowhere/list.csv", code=2)
    assert "no such format 'xlsx'" in small("export", *LIST, "-o", "list.xlsx", code=2).stderr
    assert sorted(small.folder.iterdir()) == before


# Databases that are none.

NONE = ("folder", "garbage", "missing", "nowhere/nosend.db")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("check", order()), NONE),
        (("rebuild",), NONE),
        *(((verb,), ("missing",)) for verb in ("list", "export", "status", "review")),
        (("show", order()), ("missing",)),
    ],
    ids=lambda value: value[0] if value[0] not in NONE else "",
)
def test_database_that_is_none_is_told_and_stays_as_it_is(
    nosend: Shell, words: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """A folder, garbage, a missing file: one clear message, exit 2, nothing written; never taken for permission."""
    (nosend.folder / "folder").mkdir()
    (nosend.folder / "garbage").write_bytes(b"no database, but a long text " * 100)
    before = sorted(nosend.folder.rglob("*")), (nosend.folder / "garbage").read_bytes()
    for name in names:
        done = nosend(*words, "--database", name, code=2)
        assert (done.stdout, done.stderr.count("\n"), f"database {name!r}" in done.stderr) == ("", 1, True)
    assert (sorted(nosend.folder.rglob("*")), (nosend.folder / "garbage").read_bytes()) == before


@pytest.mark.parametrize("name", ["folder", "garbage", "nowhere/nosend.db"])
def test_scan_into_what_is_no_database_is_told(nosend: Shell, name: str) -> None:
    (nosend.folder / "folder").mkdir()
    (nosend.folder / "garbage").write_bytes(b"no database, but a long text " * 100)
    before = sorted(nosend.folder.rglob("*"))
    done = nosend("scan", "--account", "shop", "--database", name, MAIL, code=2)
    assert (done.stdout, done.stderr.count("\n"), f"database {name!r}" in done.stderr) == ("", 1, True)
    assert sorted(nosend.folder.rglob("*")) == before


# Terminals and pipes.


@pytest.fixture(scope="module")
def long_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list that is larger than a pipe."""
    path = tmp_path_factory.mktemp("long") / "nosend.db"
    with Ledger(path) as ledger:
        ledger.record([judged(number) for number in range(5_000)], NOW)
    return path


@pytest.mark.parametrize("words", [("export",), ("list",)], ids=" ".join)
def test_reader_that_has_enough_is_no_trouble(nosend: Shell, long_list: Path, words: tuple[str, ...]) -> None:
    """`nosend export | head -1`: no traceback, no word; and not the 1 that means "must not be sent"."""
    command = [sys.executable, "-m", "nosend", *words, "--database", str(long_list)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=nosend.env, text=True
    ) as process:
        assert process.stdout.readline() != ""
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode not in {1, 2, 70}


def test_output_that_cannot_be_written_is_no_permission(small: Shell) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nosend", "check", *LIST, order(9)],
            cwd=small.folder, env=small.env, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (75, "nosend: No space left on device: standard output\n")


def on_terminal(shell: Shell, *words: str | Path, **env: str) -> tuple[int, str]:
    """Run the command on a terminal of its own; give the exit code and all that appeared."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in shell.env.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | env
    process = subprocess.Popen(
        [sys.executable, "-m", "nosend", *map(str, words)],
        cwd=shell.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(30), shown.decode()


TALKING = [
    ("check", *LIST, order(1)),
    ("check", *LIST, "no key"),
    ("list", "--database", "missing.db"),
    ("explain", MAIL),
    ("show", *LIST, buyer()),
]


@pytest.mark.parametrize("words", TALKING, ids=lambda words: " ".join(map(str, words[:3:2])))
def test_colours_never_appear_with_no_color_or_in_a_pipe(small: Shell, words: tuple[str | Path, ...]) -> None:
    code, plain = on_terminal(small, *words, NO_COLOR="1")
    assert "\x1b" not in plain
    piped = small(*words, code=code, env={"NO_COLOR": ""})
    assert "\x1b" not in piped.stdout + piped.stderr
    assert plain.replace("\r\n", "\n") == piped.stdout + piped.stderr


@pytest.mark.parametrize("words", [TALKING[0], TALKING[1], TALKING[4]], ids=["check", "error", "explain"])
def test_colours_appear_on_a_terminal(small: Shell, words: tuple[str | Path, ...]) -> None:
    """The other half: there are colours to leave out."""
    assert "\x1b[1m" in on_terminal(small, *words)[1]


def test_scan_shows_a_bar_and_a_summary_only_on_a_terminal(nosend: Shell) -> None:
    (nosend.folder / "1.eml").write_bytes(notice(1))
    code, shown = on_terminal(nosend, "scan", "--account", "shop", *LIST, "1.eml")
    assert code == 0
    assert "100%" in shown
    assert "mails 1, entries added 1, renewed 0" in shown
    done = nosend("scan", "--account", "shop", *LIST, "1.eml")
    assert (done.stdout, done.stderr) == ("", "")


# What a mail says reaches the terminal as text only.

TRICK = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\x00\x08\x7f"
ENCODED = "=?utf-8?q?" + "".join(f"={byte:02X}" for byte in f"{TRICK} could not be delivered".encode()) + "?="
RAW = TRICK.replace("\x00", "")
HOSTILE = {
    "listed": {"ident": f"<1{RAW}@x>", "Subject": ENCODED},
    "from": {"From": f'"{RAW}" <auto-communication@amazon.com>', "Subject": RAW},
    "encoded from": {"From": f"{ENCODED} <a@b.example>"},
    "other marker": {"X_Space_Notification_Type": f"ELSE{RAW}"},
    "two markers": {"X_Space_Notification_Type": f"BUYER_OPTED_OUT_BSM_MESSAGES\nX-Space-Notification-Type: {RAW}"},
    "failure subject": {"X_Space_Notification_Type": "", "Subject": f"Your message could not be delivered {ENCODED}"},
    "alias": {"alias": f"buyer00000001@marketplace.amazon.com{RAW}"},
    "link": {"X_Space_Notification_Type": "", "alias": f"x@y?nt=BUYER_OPTED_OUT_BSM_MESSAGES{RAW}"},
    "authentication": {"Authentication_Results": f"mx; dkim=fail {RAW}"},
    "date": {"Date": f"Sat, 01 Mar 2025 12:00:00 +0000 ({RAW})"},
}


def control_characters(text: str) -> set[str]:
    return {repr(char) for char in text if not char.isprintable() and char != "\n"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hostile mails, each also with a hostile text, and the list that was made of them."""
    folder = tmp_path_factory.mktemp("hostile")
    for number, headers in enumerate(HOSTILE.values()):
        raw = notice(number, **headers)
        (folder / f"{number}.eml").write_bytes(raw)
        (folder / f"{number}-text.eml").write_bytes(raw.replace(b"<p>", f"<p>{RAW}".encode()))
    words = ["scan", "--account", "shop", *LIST, "."]
    subprocess.run([sys.executable, "-m", "nosend", *words], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "."),
        ("explain", "--json", "."),
        ("list", *LIST),
        ("review", *LIST),
        ("status", *LIST),
        ("show", *LIST, order(0)),
        ("check", *LIST, order(0)),
        ("check", "--json", *LIST, order(0)),
        ("export", *LIST),
        ("export", "--format", "jsonl", *LIST),
    ],
    ids=lambda words: " ".join(word for word in words[:2] if "database" not in word),
)
def test_escape_sequences_of_hostile_mails_never_reach_the_terminal(
    nosend: Shell, hostile: Path, words: tuple[str, ...]
) -> None:
    nosend.folder = hostile
    _, shown = on_terminal(nosend, *words, NO_COLOR="1")
    lines = shown.replace("\r\n", "\n").replace("\r\n", "\n").splitlines()
    assert lines != [], "something was said"
    assert [line for line in lines if control_characters(line)] == []


def test_hostile_mails_are_hostile() -> None:
    """The other half: what the test above looks for is in the mails it makes."""
    for name in HOSTILE.keys() - {"encoded from", "failure subject"}:
        assert b"\x1b[2J" in notice(1, **HOSTILE[name]), name
    assert control_characters(TRICK) == {repr(char) for char in "\x1b\x07\x9b\u202e\x00\x08\x7f"}


def test_entries_of_hostile_mails_are_a_line_each_in_every_export(nosend: Shell, hostile: Path) -> None:
    nosend.folder = hostile
    (count,) = nosend.rows("SELECT count(*) FROM blacklist")[0]
    assert count > 1
    for form, lines in (("csv", count + 1), ("jsonl", count), ("txt", count)):
        assert nosend("export", "--format", form, *LIST).stdout.count("\n") == lines
