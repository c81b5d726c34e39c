"""Many sellers in one mailbox: the account of a notice by the address that it was delivered to."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Shell
from letters import AMAZON, ORDER, SENTENCE, forwarded, mail, multipart
from nosend import config, recognize
from nosend.errors import ConfigError
from nosend.model import Accounts, Kind, Letter, Trust
from nosend.verdict.addressee import account
from samples import notice, order
from servers import Dovecot

TABLE = Accounts((("us@shop.example", "shop-us"), ("de@shop.example", "shop-de"), ("ceo@shop.example", "shop-us")))
PLUS = Accounts(plus=True)
BOTH = Accounts((("us@shop.example", "shop-us"), ("in+de@shop.example", "germany")), plus=True)
FORWARDER = "anna@shop.example"


def of(*fields: tuple[str, str], accounts: Accounts = TABLE) -> str | None:
    return account(Letter(headers=fields), accounts)


# The address.


def test_fields_are_asked_in_their_order_wherever_they_stand() -> None:
    """What the receiving server wrote goes before what the sender wrote; a field that names nobody is passed over."""
    fields = ["Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"]
    for number, name in enumerate(fields):
        later = [(other, "us@shop.example") for other in fields[number + 1 :]]
        unknown = [(other, "nobody@shop.example") for other in fields[:number]]
        assert of(*later, (name, "de@shop.example"), *unknown) == "shop-de"
        assert of(*later, *unknown) == ("shop-us" if later else None)
    for name in ("From", "Reply-To", "Bcc", "Return-Path", "X-Delivered-To", "Resent-To"):
        assert of((name, "de@shop.example")) is None, name


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("us@shop.example", "shop-us"),
        ("US@Shop.Example", "shop-us"),
        ("<us@shop.example>", "shop-us"),
        ('"Shop, US" <us@shop.example>', "shop-us"),
        ("=?utf-8?q?L=C3=A4den?= <us@shop.example> (the shop)", "shop-us"),
        ("=?utf-8?q?de=40shop.example?= <us@shop.example>", "shop-us"),
        ("nobody@shop.example, us@shop.example", "shop-us"),
        ("us@shop.example, ceo@shop.example", "shop-us"),
        ("Shops: us@shop.example, x@y.example;", "shop-us"),
        ("us@shop.example, de@shop.example", None),
        ('"us@shop.example" <de@shop.example>', "shop-de"),
        ('"us@shop.example" <x@shop.example>', None),
        ("x@shop.example (us@shop.example)", None),
        ("us+de@shop.example", None),
        ("xus@shop.example", None),
        ("us@shop.example.evil.example", None),
        ("us@evil-shop.example", None),
        ("us@shop", None),
        ("us", None),
        ("", None),
        ("x" * 64 + "us@shop.example", None),
        ("nobody@shop.example, " * 99 + "us@shop.example", "shop-us"),
        ("nobody@shop.example, " * 100 + "us@shop.example", None),
    ],
)
def test_a_known_address_names_its_account_and_several_accounts_name_none(value: str, told: str | None) -> None:
    assert of(("To", value)) == told
    assert of(("to", value)) == told


def test_one_field_that_names_several_accounts_is_not_made_up_for_by_the_next() -> None:
    assert (
        of(("Delivered-To", "us@shop.example"), ("Delivered-To", "de@shop.example"), ("To", "us@shop.example")) is None
    )
    assert of(("Delivered-To", "us@shop.example"), ("Delivered-To", "ceo@shop.example")) == "shop-us"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("orders+shop-de@shop.example", "shop-de"),
        ("orders+Shop-DE@shop.example", "shop-de"),
        ("orders+a+b@shop.example", None),
        ("orders+shop.de_1-x@shop.example", "shop.de_1-x"),
        ("bounces+12-ab-us=shop.example@relay.example", None),
        ("orders@shop.example", None),
        ("orders+@shop.example", None),
        ("orders+a@shop.example, orders+b@shop.example", None),
        ("orders+a@shop.example, other+a@shop.example", "a"),
        ("orders+a\x1b\x07b@shop.example", None),
        ("orders+'a'@shop.example", None),
        ("buyer12345678xy+0f8fad5b-d9cb@marketplace.amazon.it", None),
    ],
)
def test_what_follows_a_plus_is_an_account_only_where_that_is_wanted(value: str, told: str | None) -> None:
    assert of(("To", value), accounts=PLUS) == told
    assert of(("To", value), accounts=TABLE) is None


def test_the_table_goes_before_the_plus() -> None:
    assert of(("To", "in+de@shop.example"), accounts=BOTH) == "germany"
    assert of(("To", "in+fr@shop.example"), accounts=BOTH) == "fr"
    assert of(("To", "us@shop.example"), accounts=BOTH) == "shop-us"


# The verdict.


def opt_outs(raw: bytes, accounts: Accounts) -> list[tuple[str, str | None]]:
    told = recognize(raw, Trust(frozenset({FORWARDER}), accounts=accounts))
    return [(one.order_id, one.account) for one in told.opt_outs]


def strict(accounts: Accounts) -> Accounts:
    return Accounts(accounts.by_address, plus=accounts.plus, must_be_known=True)


def attached(number: int, to: str) -> str:
    return "Content-Type: message/rfc822\n\n" + notice(number, To=to).decode()


@pytest.mark.parametrize(
    ("to", "known"),
    [("de@shop.example", "shop-de"), ("x@shop.example", None), ("us@shop.example, de@shop.example", None)],
)
def test_an_unknown_account_is_the_mailboxs_own_or_suspect_as_configured(to: str, known: str | None) -> None:
    raw = mail(To=to)
    assert opt_outs(raw, TABLE) == [(ORDER, known)]
    told = recognize(raw, Trust(accounts=strict(TABLE)))
    assert (told.kind, told.orders) == (Kind.OPT_OUT if known else Kind.SUSPECT, (ORDER,))
    count = "several" if "," in to else "none"
    assert (f"to {count} of the configured accounts" in told.why) is not bool(known)


@pytest.mark.parametrize(
    ("inner", "outer", "told"),
    [
        ("de@shop.example", "us@shop.example", "shop-de"),
        ("de@shop.example", "x@shop.example", "shop-de"),
        ("x@shop.example", "us@shop.example", "shop-us"),
        ("us@shop.example, de@shop.example", "us@shop.example", "shop-us"),
        ("x@shop.example", "x@shop.example", None),
    ],
)
def test_a_forward_is_of_the_account_that_the_notice_was_sent_to_else_of_the_forwards_own(
    inner: str, outer: str, told: str | None
) -> None:
    inline = mail(forwarded().replace("<somebody@shop.example>", inner), From=FORWARDER, To=outer)
    whole = multipart(attached(7, inner), From=FORWARDER, To=outer)
    for raw, order_id in ((inline, ORDER), (whole, order(7))):
        assert opt_outs(raw, TABLE) == [(order_id, told)]
        assert opt_outs(raw, strict(TABLE)) == ([(order_id, told)] if told else [])


def test_a_digest_for_several_accounts_lists_each_under_its_own() -> None:
    parts = attached(1, "us@shop.example"), attached(2, "DE@shop.example"), attached(3, "x@shop.example")
    outside = {"From": FORWARDER, "To": "ceo@shop.example"}
    told = [(order(1), "shop-us"), (order(2), "shop-de"), (order(3), "shop-us")]
    assert opt_outs(multipart(*parts, **outside), TABLE) == told
    assert opt_outs(multipart(*parts, **outside), strict(TABLE)) == told
    outside["To"] = "x@shop.example"
    assert opt_outs(multipart(*parts, **outside), TABLE) == [*told[:2], (order(3), None)]
    assert opt_outs(multipart(*parts, **outside), strict(TABLE)) == [], "one of them is of nobody: a person looks"


# The configuration.


def loaded(folder: Path, *lines: str) -> Accounts:
    path = folder / "config.toml"
    needed = ['account = "shop"', 'host = "imap.example.com"', 'username = "me"', 'password_env = "SECRET"']
    path.write_text("\n".join(["[[mailbox]]", *needed, *lines]), encoding="utf-8")
    (mailbox,) = config.load(path).mailboxes
    return mailbox.trust.accounts


def test_the_keys_make_the_accounts(tmp_path: Path) -> None:
    assert loaded(tmp_path) == Accounts()
    table = '[mailbox.accounts]\n"US@shop.example" = "shop-us"\n"x@y" = "Shop, Ü"'
    assert loaded(tmp_path, table) == Accounts((("us@shop.example", "shop-us"), ("x@y", "Shop, Ü")))
    assert loaded(tmp_path, "plus_accounts = true", 'unknown_account = "suspect"') == Accounts((), True, True)
    assert loaded(tmp_path, 'accounts = { "a@b.c" = "d" }', 'unknown_account = "own"') == Accounts((("a@b.c", "d"),))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('accounts = ["us@shop.example"]', 'must be a table like { name = "value" }'),
        ('accounts = { "us" = "shop-us" }', "names 'us', which is no address"),
        ('accounts = { "Us <us@shop.example>" = "shop-us" }', "names 'Us <us@shop.example>', which is no address"),
        (
            'accounts = { "us@shop.example,x@y.example" = "a" }',
            "names 'us@shop.example,x@y.example', which is no address",
        ),
        ('accounts = { us@shop.example = "a" }', "is not TOML"),
        ('accounts = { "us@shop.example" = "" }', "gives 'us@shop.example' no account"),
        ('accounts = { "us@shop.example" = 7 }', "gives 'us@shop.example' no account"),
        ('accounts = { "us@shop.example" = ["a"] }', "gives 'us@shop.example' no account"),
        (r'accounts = { "us@shop.example" = "a\u001b" }', "gives 'us@shop.example' no account"),
        (r'accounts = { "us@shop.example\u0007" = "a" }', "holds a character that cannot be printed"),
        ('accounts = { "us@shop.example" = "a", "US@shop.example" = "b" }', "names 'us@shop.example' twice"),
        ('plus_accounts = "yes"', "plus_accounts = 'yes' must be true or false"),
        ('unknown_account = "suspect"', 'unknown_account = "suspect" without accounts and plus_accounts lists nothing'),
        ('unknown_account = "skip"', "unknown_account = 'skip' must be one of own, suspect"),
    ],
)
def test_a_wrong_table_is_told(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, line)
    (problem,) = caught.value.problems
    assert told in problem


ACCOUNTS = "SELECT value, account FROM blacklist WHERE kind = 'order' ORDER BY value"


def test_scan_lists_each_notice_under_its_account(nosend: Shell) -> None:
    tos = ["us@shop.example", "Orders <in+de@shop.example>", "in+fr@shop.example", "nobody@shop.example"]
    for number, to in enumerate(tos):
        (nosend.folder / f"{number}.eml").write_bytes(notice(number, To=to))
    (nosend.folder / "4.eml").write_bytes(
        multipart(attached(5, "us@shop.example"), attached(6, "x+de@shop.example"), From=FORWARDER, To="x@shop.example")
    )
    keys = {"plus_accounts": True, "trusted_forwarders": [FORWARDER]}
    nosend.configure("me", 1, **keys)
    config_file = nosend.folder / "config.toml"
    table = '[mailbox.accounts]\n"us@shop.example" = "shop-us"\n"in+de@shop.example" = "germany"\n'
    config_file.write_text(config_file.read_text() + table)
    nosend("scan", ".")
    expected = [
        (order(0), "shop-us"), (order(1), "germany"), (order(2), "fr"), (order(3), "shop"),
        (order(5), "shop-us"), (order(6), "de"),
    ]  # fmt: skip
    assert nosend.rows(ACCOUNTS) == expected
    assert "for germany" in nosend("show", order(1)).stdout

    nosend.configure("me", 1, **keys, unknown_account="suspect")
    config_file.write_text('database = "strict.db"\n' + config_file.read_text() + table)
    told = nosend("scan", ".").stderr
    assert "for a person to look at: 1 suspect" in told
    nosend("check", order(3), code=0)
    nosend("check", order(1), code=1)
    assert "to none of the configured accounts" in nosend("review").stdout


def test_sync_lists_each_notice_under_its_account(nosend: Shell, dovecot: Dovecot) -> None:
    """The server writes Delivered-To, which goes before To: an agency's sellers redirect their notices to it."""
    notices = [notice(n, To="seller@example.com").decode() for n in range(3)]
    delivered = ["agency+us@shop.example", "agency+de@shop.example", "agency@shop.example"]
    raws = [f"Delivered-To: {to}\n{text}".encode() for to, text in zip(delivered, notices, strict=True)]
    dovecot.fill("agency", raws)
    nosend.configure("agency", dovecot.port, account="agency", plus_accounts=True)
    nosend("sync")
    assert nosend.rows(ACCOUNTS) == [(order(0), "us"), (order(1), "de"), (order(2), "agency")]


def test_who_writes_the_sentence_cannot_choose_an_account_for_amazons_notice() -> None:
    """A To inside the text of a notice is no field of it."""
    raw = mail(f"{SENTENCE}\n\nTo: de@shop.example\n", To="us@shop.example", From=AMAZON)
    assert opt_outs(raw, TABLE) == [(ORDER, "shop-us")]
