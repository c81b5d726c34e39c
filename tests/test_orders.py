"""Order reports tell whose orders are; an opt-out for one order then blocks the buyer's other orders."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from nosend.errors import ConfigError
from nosend.reports import orders

if TYPE_CHECKING:
    from conftest import Shell
    from servers import Dovecot

ORDER, OTHER, THIRD = "111-1111111-1111111", "222-2222222-2222222", "333-3333333-3333333"
BUYER = "abc123def456ghi@marketplace.amazon.de"
WANTED = [(ORDER, BUYER), (ORDER, BUYER), (OTHER, BUYER)]
FLAT = (
    "order-id\torder-item-id\tbuyer-email\tbuyer-name\tsku\n"
    f'{ORDER}\t1\t{BUYER}\tJürgen "Jo" Groß\tA\n'
    f"{ORDER}\t2\t{BUYER.upper()}\tJürgen\tB\n"
    f"{OTHER}\t3\tabc123def456ghi+17@marketplace.amazon.de\tJürgen\tC\n"
)
API = {"payload": {"Orders": [{"AmazonOrderId": order, "BuyerInfo": {"BuyerEmail": buyer}} for order, buyer in WANTED]}}
XML = "".join(
    f"<Order><AmazonOrderID>{order}</AmazonOrderID><Buyer><BuyerEmail>{buyer}</BuyerEmail></Buyer></Order>"
    for order, buyer in WANTED
)


def read(raw: bytes, **columns: str) -> list[tuple[str, str]]:
    return list(orders.pairs(orders.read(io.BufferedReader(io.BytesIO(raw)), columns)))


@pytest.mark.parametrize(
    "raw",
    [
        FLAT.encode(),
        b"\xef\xbb\xbf" + FLAT.encode(),
        FLAT.encode("windows-1252"),
        FLAT.encode("utf-16"),
        FLAT.replace("\n", "\r\n").encode(),
        FLAT.replace('"Jo" Groß', "").replace("Jürgen", "鈴木").encode("shift-jis"),
        FLAT.replace("\t", ",").replace('"', "").encode(),
        FLAT.replace("\t", ";").replace('"', "").encode(),
        "\n".join("\t".join(reversed(line.split("\t"))) for line in FLAT.splitlines()).encode(),
        json.dumps(API).encode(),
        json.dumps([{"AmazonOrderId": order, "BuyerEmail": buyer} for order, buyer in WANTED]).encode("utf-8-sig"),
        f"<?xml version='1.0'?><Message>{XML}</Message>".encode(),
        f'<Orders xmlns="https://x.example/2013">{XML}</Orders>'.replace("ID>", "Id>").encode(),
    ],
    ids=[
        "utf-8", "bom", "windows-1252", "utf-16", "crlf", "shift-jis", "comma", "semicolon", "columns turned", "api",
        "list", "xml", "xml with a namespace",
    ],
)  # fmt: skip
def test_reports_tell_whose_orders_are(raw: bytes) -> None:
    assert read(raw) == WANTED


def test_columns_may_be_named() -> None:
    raw = f"注文番号\t連絡先\n{ORDER}\t{BUYER}\n".encode("cp932")
    assert read(raw, order_id="注文番号", buyer="連絡先") == [(ORDER, BUYER)]


@pytest.mark.parametrize("buyer", ["", "no-reply-amazon-iba-buyer@marketplace.amazon.de", "a@b.example", "x"])
def test_orders_of_nobody_known_are_not_spread(buyer: str) -> None:
    assert read(f"order-id\tbuyer-email\n{ORDER}\t{buyer}\n".encode()) == []


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"a\tb\n1\t2\n", "no column holds order ids"),
        (b"", "no column holds order ids"),
        (b"{", "no JSON"),
        (b"[1]", "AmazonOrderId"),
        (b"<a><b></a>", "no XML"),
        (b"<a/>", "AmazonOrderId"),
        (b"<!DOCTYPE a [" + b"".join(
            b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 20 if n else b"x" * 9999) for n in range(9)
        ) + b"]><a>&e8;</a>", "no XML"),
    ],
    ids=["columns", "empty", "half json", "other json", "half xml", "other xml", "a billion laughs"],
)  # fmt: skip
def test_what_is_no_report_is_told(raw: bytes, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read(raw)


@pytest.fixture
def shop(nosend: Shell) -> Shell:
    nosend.configure("nobody", 9)
    nosend("scan", "-", input="From: a@b.example\n\na mail was read\n")
    return nosend


def listed(shop: Shell) -> set[str]:
    return {value for (value,) in shop.rows("SELECT value FROM blacklist")}


def notice(order: str, number: int) -> str:
    return (
        f"From: Amazon <auto-communication@amazon.de>\nTo: shop@seller.example\nMessage-ID: <{number}@x>\n"
        "Date: Thu, 10 Sep 2026 10:00:00 +0000\nSubject: Your message could not be delivered\n"
        "X-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES\n\n"
        f"We were unable to deliver the message you sent for order {order} because the buyer has chosen to opt "
        "out of receiving unsolicited messages from sellers.\n"
    )


@pytest.mark.parametrize("first", ["orders", "notice"])
def test_an_opt_out_blocks_orders_imported_before_and_after(shop: Shell, first: str) -> None:
    (shop.folder / "report.txt").write_text(FLAT)
    steps = [("orders", "import", "report.txt"), ("scan", "-")]
    for step in steps if first == "orders" else reversed(steps):
        shop(*step, input=notice(ORDER, 1))
    assert listed(shop) == {ORDER, BUYER, OTHER}
    told = shop("check", OTHER, code=1).stdout
    assert f"order of buyer {BUYER}, who opted out on 2026-09-10 by notice for order {ORDER}" in told
    assert "BUYER_OPTED_OUT" in shop("show", OTHER).stdout
    assert "0 of them changed" in shop("rebuild").stderr
    before = shop.dump()
    assert "0 orders new, 3 rows known; 0 entries added" in shop("orders", "import", "report.txt").stderr
    assert shop.dump() == before
    later = f"amazon-order-id,buyer-email\n{THIRD},{BUYER}\n"
    assert "1 orders new" in shop("orders", "import", "-", input=later).stderr
    assert listed(shop) == {ORDER, BUYER, OTHER, THIRD}
    assert shop.rows("SELECT action, value FROM changes ORDER BY seq DESC LIMIT 1") == [("added", THIRD)]


def test_what_a_report_lacks_is_told(shop: Shell) -> None:
    told = shop("orders", "import", "-", input=f"amazon-order-id\tsku\n{ORDER}\tA\nx\tB\n").stderr
    assert "1 of 2 rows name no buyer's alias" in told
    assert "1 of 2 rows name no order id" in told
    other = f"order-id,buyer-email\n{ORDER},{BUYER}\n{ORDER},zzz123def456ghi@marketplace.amazon.de\n"
    assert "1 rows give an order to another buyer" in shop("orders", "import", "-", input=other).stderr


@pytest.mark.parametrize("encoding", ["shift_jis", "windows-1252", "latin-1", "utf-8-sig"])
def test_xml_is_read_in_the_encoding_that_it_names(shop: Shell, encoding: str) -> None:
    named = "utf-8" if encoding == "utf-8-sig" else encoding
    name = "山田太郎" if encoding == "shift_jis" else "José"
    text = f'<?xml version="1.0" encoding="{named}"?><Orders><!-- {name * 5_000} -->{XML}</Orders>'
    (shop.folder / "report.xml").write_bytes(text.encode(encoding))
    shop("orders", "import", "report.xml")
    assert shop.rows("SELECT count(*) FROM orders") != [(0,)]


def test_xml_in_an_encoding_that_there_is_not_is_told(shop: Shell) -> None:
    text = f'<?xml version="1.0" encoding="martian"?><Orders>{XML}</Orders>'
    assert "that is no XML: unknown encoding" in shop("orders", "import", "-", input=text, code=2).stderr


def test_a_report_that_breaks_off_changes_nothing(shop: Shell) -> None:
    broken = f"<Orders>{XML}<Order><AmazonOrderId>"
    assert "that is no XML" in shop("orders", "import", "-", input=broken, code=2).stderr
    assert shop.rows("SELECT count(*) FROM orders") == [(0,)]


def test_two_sellers_thousand_orders_sixty_notices(shop: Shell) -> None:
    """The check of all orders is what an independent computation gives; nothing spreads between accounts."""
    chance = random.Random(4)
    owner: dict[tuple[str, str], str] = {}
    for account in ("de", "fr"):
        buyers = [f"b{chance.randrange(10**14):014d}@marketplace.amazon.{account}" for _ in range(200)]
        for _ in range(500):
            order = f"3{chance.randrange(100):02d}-{chance.randrange(10**7):07d}-{chance.randrange(10**7):07d}"
            owner[account, order] = chance.choice(buyers)
    shared = chance.choice([order for account, order in owner if account == "de"])
    owner["fr", shared] = next(buyer for (account, _), buyer in owner.items() if account == "fr")
    opted = chance.sample(sorted(owner), 60)
    (shop.folder / "config.toml").write_text("".join(
        f'[[mailbox]]\naccount = "{account}"\nhost = "127.0.0.1"\nport = 9\ntls = "none"\nusername = "{account}"\n'
        'password_env = "NOSEND_PASSWORD"\n' for account in ("de", "fr")
    ))  # fmt: skip
    halves = chance.sample(sorted(owner), len(owner))
    for number, half in enumerate((halves[:500], None, halves[500:])):
        for account in ("de", "fr"):
            if half is None:
                folder = shop.folder / account
                folder.mkdir()
                for at, (seller, order) in enumerate(opted):
                    if seller == account:
                        (folder / f"{at}.eml").write_text(notice(order, at))
                shop("scan", "--account", account, *sorted(folder.iterdir()))
            else:
                rows = "".join(f"{o}\t{owner[a, o]}\n" for a, o in half if a == account)
                (shop.folder / f"{number}.txt").write_text("order-id\tbuyer-email\n" + rows)
                shop("orders", "import", f"{number}.txt", "--account", account)
    blocked = {(account, owner[account, order]) for account, order in opted}
    wanted = {(account, order) for (account, order), buyer in owner.items() if (account, buyer) in blocked}
    assert set(shop.rows("SELECT account, value FROM blacklist WHERE kind = 'order'")) == wanted
    assert set(shop.rows("SELECT account, value FROM blacklist WHERE kind = 'buyer'")) == blocked
    asked = sorted({order for _, order in owner})
    told = [json.loads(line) for line in shop("check", "--json", *asked, code=1).stdout.splitlines()]
    assert {one["value"] for one in told if one["permission"] != "send"} == {order for _, order in wanted}
    assert "0 of them changed" in shop("rebuild").stderr


def sent(number: int, to: str, subject: str, text: str = "Hello.") -> bytes:
    head = f"From: shop@seller.example\nTo: {to}\nSubject: {subject}\nMessage-ID: <s{number}@x>\n"
    return f"{head}Date: Thu, 10 Sep 2026 10:00:00 +0000\n\n{text}\n".encode()


SENT = [
    sent(1, f"Jo <{BUYER}>", f"Your order {ORDER}"),
    sent(2, f'"K. O." <{BUYER.replace("@", "+1f@")}>', "Where is it?", f"It is about {OTHER}: it left today."),
    sent(3, BUYER, f"{THIRD} or {ORDER}?"),
    sent(4, BUYER, "two", f"{THIRD} or {ORDER}?"),
    sent(5, f"{BUYER}, zzz123def456ghi@marketplace.amazon.de", THIRD),
    sent(6, "supplier@b.example", THIRD),
    sent(7, "no-reply-amazon-iba-buyer@marketplace.amazon.de", THIRD),
]


def test_sent_mail_tells_whose_orders_are(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("sent-orders", SENT, folder="Sent")
    nosend.configure("sent-orders", dovecot.port)
    nosend("sync")
    told = nosend("orders", "scan-sent", "--folder", "Sent").stderr
    assert "shop: sent mail: 2 orders new, 0 rows known" in told
    assert set(nosend.rows("SELECT order_id, buyer, source FROM orders")) == {
        (ORDER, BUYER, "sent"), (OTHER, BUYER, "sent"),
    }  # fmt: skip
    assert "0 orders new, 2 rows known" in nosend("orders", "scan-sent", "--folder", "Sent").stderr
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert "0 orders new, 0 rows" in nosend("orders", "scan-sent", "--folder", "Sent", "--since", tomorrow).stderr
    assert "Sen" in nosend("orders", "scan-sent", "--folder", "Sen", code=2).stderr
    assert "no mailbox" in nosend("orders", "scan-sent", "--account", "x", code=2).stderr
