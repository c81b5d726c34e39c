"""Aliases kept as hashes; what is kept about a buyer; taking it out."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from conftest import ROOT, Shell
from nosend import Blacklist
from nosend.errors import StoreRefusedError, UnknownKeyError
from nosend.model import Action, Kind
from nosend.store import hashing
from nosend.store.ledger import Ledger
from nosend.store.lists import Lists
from samples import AT, DAY, NOW, buyer, dump, judged, notice, order

DATABASE = ("--database", "nosend.db")
NAME = "Maria Musterfrau"
WHY = f"unable to deliver the message you sent to {NAME} ({buyer()}) because the buyer has chosen to opt out"


def held(folder: Path) -> bytes:
    """Give all bytes of the database, whatever table they belong to."""
    return b"".join(part.read_bytes() for part in sorted(folder.glob("nosend.db*")) if not part.match("*.key"))


def configure(nosend: Shell, *lines: str) -> None:
    nosend.configure("nobody", 9)
    config = nosend.folder / "config.toml"
    config.write_text("\n".join([*lines, config.read_text()]))


def fill(path: Path) -> None:
    """Let a shop know a listed buyer with three orders, one of which is only imported, a suspect, and another buyer."""
    with Lists(path) as lists:
        lists.know([(order(2), buyer()), (order(3), buyer()), (order(8), buyer(8))], "shop", "report", NOW)
        mails = [
            judged(1, alias=buyer(), why=WHY),
            judged(2, alias=buyer(), day=400, why=WHY),
            judged(8, alias=buyer(8), day=500, why="the buyer has chosen to opt out"),
            judged(9, alias=buyer(), kind=Kind.SUSPECT, why=WHY),
        ]
        lists.record(mails, NOW)
        lists.round_begun("shop")
        lists.round_done("shop", NOW)


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    fill(nosend.folder / "nosend.db")
    return nosend


@pytest.fixture
def hashed(nosend: Shell) -> Shell:
    """The same shop, which kept hashes from the first day."""
    configure(nosend, 'privacy = "hash"')
    nosend("undo", code=2)  # makes the database
    fill(nosend.folder / "nosend.db")
    return nosend


def answers(path: Path) -> dict[str, list[str]]:
    with Blacklist(path) as blacklist:
        keys = [order(number) for number in range(1, 10)] + [buyer(number) for number in range(1, 10)]
        told = {key: blacklist.check(key) for key in keys}
        assert blacklist.blocked(keys) == {key for key in keys if key in blacklist}
        assert {key for key, one in told.items() if not one.may_send} == blacklist.blocked(keys)
        return {key: [one.permission, *(str(entry.opted_out_at) for entry in one.entries)] for key, one in told.items()}


def test_with_hashes_every_answer_is_the_same_and_no_alias_is_in_the_file(shop: Shell, tmp_path_factory) -> None:
    plain = answers(shop.folder / "nosend.db")
    assert [key for key, told in plain.items() if told[0] != "send"] == [
        order(1), order(2), order(3), order(8), buyer(1), buyer(8)
    ]  # fmt: skip
    other = Shell(tmp_path_factory.mktemp("hashed"), shop.env)
    configure(other, 'privacy = "hash"')
    other("undo", code=2)
    fill(other.folder / "nosend.db")
    assert answers(other.folder / "nosend.db") == plain
    assert b"marketplace.amazon" not in held(other.folder)
    assert b"marketplace.amazon" in held(shop.folder)
    assert other.rows("SELECT count(*) FROM kept") == [(0,)]
    assert stat.S_IMODE((other.folder / "nosend.db.key").stat().st_mode) == 0o600


def test_turning_it_on_leaves_no_alias_and_no_byte_of_a_mail(shop: Shell) -> None:
    path = shop.folder / "nosend.db"
    with Lists(path) as lists:  # of two reasons of the same second the entry tells the first by the alphabet
        for reason in (buyer(), "c"):
            lists.say(Action.ADD, [hashing.identifiers.Key("order", order(40))], "shop", f"added by sue: {reason}", NOW)
    before, count = answers(path), shop.rows("SELECT max(seq) FROM changes")[0][0]
    configure(shop, 'privacy = "hash"')
    shop("sync", code=75)  # nobody answers at that port
    assert answers(path) == before
    assert b"marketplace.amazon" not in held(shop.folder)
    assert b"mail 9" not in held(shop.folder)
    assert "0 of them changed" in shop("rebuild").stderr
    renewed = shop.rows("SELECT action, kind, value FROM changes WHERE seq > ? ORDER BY kind", count)
    assert {(action, kind) for action, kind, _ in renewed} == {("renewed", "buyer"), ("renewed", "order")}
    assert all(value.startswith("hmac-sha256:") for _, kind, value in renewed if kind == "buyer")
    after = dump(path)
    shop("sync", code=75)
    assert [line for line in dump(path) if "rounds" not in line] == [line for line in after if "rounds" not in line]


def test_a_reader_and_a_writer_that_are_open_see_it_turned_on(shop: Shell) -> None:
    path = shop.folder / "nosend.db"
    with Blacklist(path) as one, Blacklist(path) as other, Blacklist(path) as third, Ledger(path) as writer:
        assert buyer() in one
        assert not other.check(buyer()).may_send
        with Ledger(path) as ledger:
            assert ledger.keep_hashes(NOW)
            assert not ledger.keep_hashes(NOW)
        assert shop.rows("SELECT count(*) FROM kept") == [(0,)]
        assert buyer() in one
        assert not other.check(buyer()).may_send
        assert third.blocked([buyer(), buyer(5)]) == {buyer()}
        writer.record([judged(5, alias=buyer(5))], NOW)
        assert buyer(5) in one
        assert third.blocked([buyer(), buyer(5)]) == {buyer(), buyer(5)}
        writer.wipe()
    assert b"marketplace.amazon" not in held(shop.folder)


def test_the_hash_is_what_the_docs_say(hashed: Shell) -> None:
    command = next(
        line for line in (ROOT / "docs" / "privacy.md").read_text().splitlines() if "openssl dgst -sha256" in line
    ).strip()
    assert "q8f3kd0s7h2m1xz@marketplace.amazon.com" in command
    command = command.replace("q8f3kd0s7h2m1xz@marketplace.amazon.com", buyer())
    done = subprocess.run(command, shell=True, cwd=hashed.folder, capture_output=True, text=True, check=True)
    assert len(done.stdout.split()[-1]) == 64
    listed = hashed("export", "--format", "txt", "--kind", "buyer").stdout.split()
    assert f"hmac-sha256:{done.stdout.split()[-1]}" in listed
    assert "marketplace.amazon" not in hashed("export", "--format", "json").stdout


def test_verbs_take_the_alias_or_its_hash(hashed: Shell) -> None:
    (name, *_) = [
        one for one in hashed("export", "--format", "txt", "--kind", "buyer").stdout.split()
        if one == hashing.hashed(hashing.make_key(hashed.folder / "nosend.db"), buyer())
    ]  # fmt: skip
    for key in (buyer(), buyer().upper(), name):
        assert "do not send" in hashed("check", key, code=1).stdout
        assert hashed("filter", input=f"{key}\n{buyer(7)}\n").stdout == f"{buyer(7)}\n"
        assert "(opt_out) for shop" in hashed("show", key).stdout
    said = ("--reason", f"{buyer()} rang up", "--by", "sue")
    assert "4 removed" in hashed("remove", buyer(), *said).stderr
    assert "send: not on the blacklist: removed by sue" in hashed("check", buyer()).stdout
    hashed("add", name, buyer(6), *said)
    hashed("import", "-", "--source", "tool", input=f"{buyer(5)}\n")
    hashed("orders", "import", "-", input=f"order-id,buyer-email\n{order(60)},{buyer(6)}\n")
    assert hashed.rows("SELECT marketplace FROM blacklist WHERE source = 'tool'") == [("US",)]
    hashed("check", order(3), order(60), buyer(5), code=1)
    assert b"marketplace.amazon" not in held(hashed.folder)
    assert "0 of them changed" in hashed("rebuild").stderr


def test_scan_and_review_keep_only_hashes(nosend: Shell) -> None:
    configure(nosend, 'privacy = "hash"')
    mails = [notice(1, alias=buyer()), notice(2, alias=buyer(), From="Buyer <auto-communication@amazon.com.example>")]
    for number, mail in enumerate(mails):
        (nosend.folder / f"{number}.eml").write_bytes(mail)
    nosend("scan", "0.eml", "1.eml")
    nosend("check", buyer(), order(1), code=1)
    assert "do not send" not in nosend("check", order(2)).stdout
    listed = nosend("review").stdout
    assert "hmac" not in nosend("status").stdout
    assert "not kept any more" not in nosend("status").stdout
    number = listed.split()[0]
    assert "its bytes are not kept" in nosend("review", "show", number).stderr
    nosend("review", "accept", number)
    nosend("check", order(2), code=1)
    assert b"marketplace.amazon" not in held(nosend.folder)


def test_without_its_key_a_buyer_is_not_answered_for_and_an_order_is(hashed: Shell) -> None:
    key = hashed.folder / "nosend.db.key"
    kept = key.read_text()
    for content, told in (
        (None, "does not exist"), ("f" * 64, "is not the one of database"), ("secret", "holds no key: 64 hex digits")
    ):  # fmt: skip
        key.unlink() if content is None else key.write_text(content)
        found = hashed("check", buyer(), *DATABASE, code=2)
        assert told in found.stderr
        assert found.stdout == ""
        assert told in hashed("sync", code=2).stderr
        assert told in hashed("doctor", code=None).stdout
        hashed("check", order(1), *DATABASE, code=1)
    key.write_text(kept.upper())
    hashed("check", buyer(), code=1)
    key.chmod(0o640)
    assert "others can read the key of the hashes" in hashed("doctor", code=None).stdout


def test_a_hash_means_nothing_where_aliases_are_kept(shop: Shell) -> None:
    name = f"hmac-sha256:{'0' * 64}"
    assert "is a hash, and database" in shop("check", name, *DATABASE, code=2).stderr
    assert "is a hash, and database" in shop("add", name, *DATABASE, "--reason", "r", code=2).stderr
    before = dump(shop.folder / "nosend.db")
    with Blacklist(shop.folder / "nosend.db") as blacklist, pytest.raises(UnknownKeyError):
        blacklist.blocked([order(1), name])
    with Lists(shop.folder / "nosend.db") as lists, pytest.raises(UnknownKeyError):
        lists.say(Action.ADD, [hashing.identifiers.Key("buyer", name)], "shop", "r", NOW)
    assert dump(shop.folder / "nosend.db") == before


def test_the_key_is_found_through_links_and_two_make_the_same(tmp_path: Path) -> None:
    real, link = tmp_path / "data" / "nosend.db", tmp_path / "nosend.db"
    real.parent.mkdir()
    fill(real)
    link.symlink_to(real)
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(hashing.make_key(link))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert set(made) == {bytes.fromhex((tmp_path / "data" / "nosend.db.key").read_text())}
    assert sorted(path.name for path in real.parent.iterdir()) == ["nosend.db", "nosend.db.key"]
    with Ledger(link) as ledger:
        ledger.keep_hashes(NOW)
    with Blacklist(link) as blacklist:
        assert buyer() in blacklist
    (tmp_path / "data" / "nosend.db.key").unlink()
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(real)) as db:
        db.execute("VACUUM INTO ?", (str(other),))
    with Blacklist(other) as blacklist:
        assert order(1) in blacklist
        with pytest.raises(StoreRefusedError, match=r"other\.db\.key' does not exist"):
            blacklist.check(buyer())


def test_report_shows_every_row_about_a_buyer(shop: Shell) -> None:
    found = json.loads(shop("privacy", "report", buyer(), *DATABASE).stdout)
    assert {table: len(rows) for table, rows in found.items()} == {
        "orders": 2, "events": 2, "entries": 4, "changes": 7, "mails": 3
    }  # fmt: skip
    assert found["mails"][-1]["bytes_kept"] == 6
    assert json.loads(shop("privacy", "report", order(3), *DATABASE).stdout) == found, "by any of the orders"
    assert buyer(8) not in json.dumps(found)
    nothing = shop("privacy", "report", buyer(7), *DATABASE)
    assert not any(json.loads(nothing.stdout).values())
    assert f"nothing is kept about {buyer(7)}" in nothing.stderr


@pytest.mark.parametrize("key", [buyer(), order(3)], ids=["alias", "order"])
@pytest.mark.parametrize("privacy", ["plain", "hash"])
def test_forget_takes_out_names_and_leaves_orders(nosend: Shell, key: str, privacy: str) -> None:
    target = '[[export]]\nfile = "out.csv"'
    configure(nosend, f'privacy = "{privacy}"')
    with (nosend.folder / "config.toml").open("a") as stream:
        stream.write(target)
    nosend("undo", code=2)
    fill(nosend.folder / "nosend.db")
    nosend("add", order(50), "--reason", f"a friend of {buyer()}", "--by", "sue")
    name = f"{buyer()}"
    if privacy == "hash":
        name = hashing.hashed(hashing.make_key(nosend.folder / "nosend.db"), buyer())
    assert name.encode() in held(nosend.folder)
    told = nosend("privacy", "forget", key).stderr
    assert "1 aliases, the names in 3 mails and 3 records" in told
    for word in (name, buyer(), NAME, "mail 9"):
        assert word.encode() not in held(nosend.folder)
    assert buyer(8).encode() in held(nosend.folder) or privacy == "hash"
    nosend("check", order(1), order(2), order(3), order(8), buyer(8), code=1)
    assert "a buyer who was forgotten, who opted out on" in nosend("check", order(3), code=1).stdout
    assert "do not send" not in nosend("check", buyer()).stdout
    exported = (nosend.folder / "out.csv").read_text()
    assert order(3) in exported
    assert name not in exported
    assert "forgotten:" not in nosend("list").stdout
    assert "0 of them changed" in nosend("rebuild").stderr
    query = "SELECT action FROM changes WHERE value LIKE 'forgotten:%' ORDER BY seq"
    assert [action for (action,) in nosend.rows(query)] == ["added", "renewed", "removed"]
    assert name not in nosend("changes", "--since", "0").stdout
    if key == buyer():
        assert "nothing is kept about" in nosend("privacy", "forget", key, code=2).stderr
    with Ledger(nosend.folder / "nosend.db") as ledger:  # what comes later is a new buyer's
        ledger.record([judged(30, alias=buyer(), day=600)], NOW)
    nosend("check", buyer(), order(30), code=1)
    assert "0 of them changed" in nosend("rebuild").stderr


def test_purge_takes_out_what_is_old_and_buyers_of_whom_nothing_is_newer(shop: Shell) -> None:
    path = shop.folder / "nosend.db"
    with Lists(path) as lists:
        lists.record([judged(20, alias=buyer(2), why=WHY), judged(21, alias=buyer(2), day=1, why=WHY)], NOW)
    listed = set(shop("export", "--format", "txt", "--kind", "order", *DATABASE).stdout.split())
    from nosend.store.privacy import Privacy  # noqa: PLC0415 - beside its use

    with Privacy(path) as store:
        done = store.purge(AT + 2 * DAY, NOW)
        assert (done.buyers, done.mails, done.bytes_of, done.entries) == (1, 4, 1, 1)
        store.wipe()
        again = store.purge(AT + 2 * DAY, NOW)
        assert (again.buyers, again.mails, again.events, again.bytes_of, again.entries) == (0, 0, 0, 0, 0)
    assert set(shop("export", "--format", "txt", "--kind", "order", *DATABASE).stdout.split()) == listed
    assert buyer(2).encode() not in held(shop.folder)
    assert b"mail 9" not in held(shop.folder)
    shop("check", buyer(), buyer(8), *DATABASE, code=1)
    assert shop.rows("SELECT why FROM events WHERE order_id = ?", order(1)) == [("marker",)]
    assert NAME in shop.rows("SELECT why FROM events WHERE order_id = ?", order(2))[0][0]
    assert "0 of them changed" in shop("rebuild", *DATABASE).stderr
    found = shop("privacy", "purge", "--older-than", "1", *DATABASE)
    assert "taken out: " in found.stderr
    shop("privacy", "purge", "--older-than", "0", *DATABASE, code=2)


def test_bytes_that_a_reader_holds_are_wiped_by_the_next_sync(shop: Shell) -> None:
    configure(shop)
    with closing(sqlite3.connect(shop.folder / "nosend.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM blacklist LIMIT 1").fetchone()
        told = shop("privacy", "forget", buyer(), code=75).stderr
        assert "bytes of it are left in the file. The next `nosend sync` tries again" in told
        assert shop.rows("SELECT remnants FROM policy") == [(1,)]
    shop("sync", code=75)
    assert shop.rows("SELECT remnants FROM policy") == [(0,)]
    assert buyer().encode() not in held(shop.folder)


def test_no_log_names_a_buyer(shop: Shell) -> None:
    configure(shop, 'privacy = "hash"')
    told = shop("--log-level", "debug", "sync", code=75).stderr
    assert (
        "buyers' aliases are kept as hashes from now on" in shop("--log-level", "info", "sync", code=75).stderr + told
    )
    assert "marketplace.amazon" not in told
    assert "marketplace.amazon" not in shop("--log-level", "debug", "privacy", "forget", buyer()).stderr
