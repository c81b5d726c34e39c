"""What people and other tools' lists say: add, remove, allow, disallow, import, undo."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from test_sync import notice

if TYPE_CHECKING:
    from conftest import Shell

ORDER, OTHER = "111-1111111-1111111", "222-2222222-2222222"
BUYER = "abc123def456ghi@marketplace.amazon.de"


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    nosend.configure("nobody", 9)
    nosend("scan", "-", input="From: a@b.example\n\na mail was read\n")
    return nosend


def values(shop: Shell) -> set[str]:
    return {value for (value,) in shop.rows("SELECT value FROM blacklist")}


def changes(shop: Shell) -> list[tuple]:
    return shop.rows("SELECT action, value FROM changes ORDER BY seq")


def test_a_key_is_added_and_removed_with_a_reason_and_who(shop: Shell) -> None:
    told = shop("add", ORDER, BUYER, "--reason", "asked by phone", "--by", "anna").stderr
    assert "2 keys added for shop: 2 entries added, 0 removed" in told
    found = shop.rows("SELECT value, account, source, why, notices, marketplace FROM blacklist ORDER BY kind DESC")
    assert found == [
        (ORDER, "shop", "person", "added by anna: asked by phone", 0, None),
        (BUYER, "shop", "person", "added by anna: asked by phone", 0, "DE"),
    ]
    shop("remove", ORDER, "--reason", "a mistake", "--by", "ben")
    assert values(shop) == {BUYER}
    assert changes(shop) == [("added", BUYER), ("added", ORDER), ("removed", ORDER)]
    shown = shop("show", ORDER).stdout
    assert "added by anna: asked by phone" in shown
    assert "removed by ben: a mistake" in shown


@pytest.mark.parametrize("verb", ["add", "remove", "allow", "disallow"])
def test_what_is_said_needs_keys_a_reason_and_an_account(shop: Shell, verb: str) -> None:
    assert "--reason" in shop(verb, ORDER, code=2).stderr
    assert "must not be empty" in shop(verb, ORDER, "--reason", " ", code=2).stderr
    assert "anna@example.com" in shop(verb, "anna@example.com", "--reason", "x", code=2).stderr
    assert "'shpo' is not known" in shop(verb, ORDER, "--reason", "x", "--account", "shpo", code=2).stderr
    assert values(shop) == set()


def test_a_removed_order_stays_off_when_its_notice_is_read_again(shop: Shell) -> None:
    (shop.folder / "1.eml").write_bytes(notice(1))
    shop("scan", "1.eml")
    (order,) = (v for v in values(shop) if "@" not in v)
    listed = values(shop)
    shop("remove", *listed, "--reason", "told otherwise")
    assert values(shop) == set()
    again = notice(1).replace(b"Message-ID: <", b"Message-ID: <again-")
    (shop.folder / "2.eml").write_bytes(again)
    shop("scan", "1.eml", "2.eml")
    assert values(shop) == set()
    shop("rebuild")
    assert values(shop) == set()
    shop("add", order, "--reason", "asked again")
    assert values(shop) == {order}


def test_an_allowance_wins_over_notices_until_it_is_withdrawn(shop: Shell) -> None:
    (shop.folder / "1.eml").write_bytes(notice(1))
    shop("scan", "1.eml")
    listed = values(shop)
    shop("allow", *listed, "--reason", "she wants mail", "--by", "anna")
    assert values(shop) == set()
    order = min(listed)
    assert "send" in shop("check", order).stdout
    assert "allowed by anna: she wants mail" in shop("show", order).stdout
    shop("disallow", *listed, "--reason", "not any more")
    assert values(shop) == listed
    assert "0 of them changed" in shop("rebuild").stderr


LIST = f"Order-ID;Added at;Note\n{ORDER};2026-03-04;x\n{OTHER};;\nnothing;;\n"


def test_a_list_is_imported_once_and_undone(shop: Shell) -> None:
    (shop.folder / "list.csv").write_text(LIST)
    told = shop("import", "list.csv", "--source", "feedback-tool").stderr
    assert "2 keys listed, 2 entries added; 0 were known" in told
    assert "1 lines name no order id and no buyer alias, the first is line 4" in told
    assert shop.rows("SELECT opted_out_at, source FROM blacklist WHERE value = ?", ORDER) == [
        ("2026-03-04T00:00:00Z", "feedback-tool")
    ]
    before = shop.dump()
    assert (
        "0 keys listed, 0 entries added; 2 were known" in shop("import", "list.csv", "--source", "feedback-tool").stderr
    )
    assert shop.dump() == before
    assert "the import from feedback-tool of " in shop("undo").stderr
    assert values(shop) == set()
    assert "no import that could be undone" in shop("undo", code=2).stderr
    shop("import", "list.csv", "--source", "feedback-tool")
    assert values(shop) == {ORDER, OTHER}


def test_an_import_does_not_bring_back_what_a_person_removed(shop: Shell) -> None:
    shop("import", "-", "--source", "tool", input=f"{ORDER}\n{OTHER}\n")
    shop("remove", ORDER, "--reason", "told otherwise")
    told = shop("import", "-", "--source", "tool2", input=f"{ORDER}\n{BUYER}\n").stderr
    assert "1 keys listed" in told and "1 were removed by a person and stay off" in told  # noqa: PT018
    assert values(shop) == {OTHER, BUYER}


@pytest.mark.parametrize("form", ["csv", "txt"])
def test_our_own_export_can_be_imported(shop: Shell, form: str) -> None:
    shop("add", ORDER, BUYER, "--reason", "r")
    (shop.folder / "list").write_text(shop("export", "--format", form).stdout, newline="")
    told = shop("import", "list", "--source", "old", "--account", "other", "--database", "other.db", code=2).stderr
    assert "'other' is not known: name one of shop" in told
    assert (
        "2 keys listed, 2 entries added" in shop("import", "list", "--source", "old", "--database", "other.db").stderr
    )


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("a;b\n1;2\n", [], "no column holds order ids or buyer aliases by its name: 'a', 'b'"),
        (LIST, ["--columns", "order_id=Bestellung"], "there is no column 'Bestellung'"),
        (LIST, ["--columns", "orders=x"], "'orders' is no column with a name"),
        ("x\ny\n", [], "no column holds"),
        (f'order_id,note\n{ORDER},a\n{ORDER},"b\n{ORDER},c\n', [], "line 3 is no CSV (unexpected end of data)"),
        (f'{ORDER},"a" b\n', [], "line 1 is no CSV"),
    ],
)
def test_a_file_that_is_no_list_changes_nothing(shop: Shell, text: str, words: list[str], told: str) -> None:
    (shop.folder / "list.csv").write_text(text)
    assert told in shop("import", "list.csv", "--source", "tool", *words, code=2).stderr
    assert values(shop) == set()


def test_without_a_header_every_cell_that_is_a_key_is_one(shop: Shell) -> None:
    listed = f"{ORDER},x,2026-01-01\ny,{OTHER},{BUYER}\n"
    assert "3 keys listed" in shop("import", "-", "--source", "tool", input=listed).stderr
    assert {ORDER, OTHER, BUYER} <= values(shop)


def test_names_that_nosend_uses_itself_are_no_source(shop: Shell) -> None:
    assert "cannot be the name of a list" in shop("import", "-", "--source", "notice", input=ORDER, code=2).stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("import", "-", "--source", "tool"), f"{ORDER}\n"),
        (("orders", "import", "-"), f"order-id,buyer-email\n{ORDER},{BUYER}\n"),
    ],
    ids=["list", "orders"],
)
def test_a_list_that_is_still_being_written_holds_up_nobody(shop: Shell, words: tuple[str, ...], line: str) -> None:
    command = [sys.executable, "-m", "nosend", *words]
    with subprocess.Popen(
        command, cwd=shop.folder, env=shop.env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as slow:
        assert slow.stdin
        slow.stdin.write(line * 10_000)  # more than the pipe holds: it was read
        slow.stdin.flush()
        shop("add", OTHER, "--reason", "meanwhile", "--by", "anna")
        assert values(shop) == {OTHER}
        slow.stdin.close()
        assert slow.wait(30) == 0
        assert slow.stderr
        assert "1 keys listed" in (told := slow.stderr.read()) or "1 orders new" in told
