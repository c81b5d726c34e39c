"""Order ids, buyer aliases and marketplaces are found in any spelling, and nothing else is taken for them."""

from __future__ import annotations

import pytest

from nosend import identifiers
from nosend.errors import UnknownKeyError
from nosend.identifiers import Key

ORDER = "123-4567890-1234567"
ALIAS = "abc123def456ghi@marketplace.amazon.it"


@pytest.mark.parametrize(
    "text",
    [
        ORDER,
        f"[{ORDER}]",
        f"({ORDER}).",
        f"#{ORDER},",
        f"order:{ORDER}",
        f"a_{ORDER}_b",
        f"x/{ORDER}?y",
        f"注文{ORDER}に関する",
        f"é{ORDER}é",
        "123\u20104567890\u20101234567",
        "123\u20114567890\u20131234567",
        "123\u20144567890\u20151234567",
        "123\uff0d4567890\u22121234567",
        "123\ufe634567890\ufe581234567",
        "１２３－４５６７８９０－１２３４５６７",
        "١٢٣-٤٥٦٧٨٩٠-١٢٣٤٥٦٧",
        "۱۲۳-۴۵۶۷۸۹۰-۱۲۳۴۵۶۷",
        "123-456\u200b7890-12\u00ad34567",
        "\u202a123-4567890-1234567\u202c",
        f"{ORDER} and again {ORDER}",
    ],
)
def test_an_order_id_is_found_in_any_spelling(text: str) -> None:
    assert identifiers.order_ids(text) == (ORDER,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123-4567890-12345678",
        "0123-4567890-1234567",
        "123-4567890-1234567-1",
        "1-123-4567890-1234567",
        "123-456789-1234567",
        "123 4567890 1234567",
        "12345678901234567",
        "P03-4567890-1234567",
        "S01-4567890-1234567",
        "d01-4567890-1234567",
        "AD01-4567890-1234567",
        "D1-4567890-1234567",
        "D001-4567890-1234567",
        "123--4567890-1234567",
        "x123-4567890-1234567",
        "123-4567890-1234567x",
        "123-4567890-\n1234567",
        "²²³-4567890-123456",
    ],
)
def test_what_is_no_order_id_is_not_cut_into_one(text: str) -> None:
    assert identifiers.order_ids(text) == ()


def test_order_ids_are_distinct_and_in_order() -> None:
    text = f"D01-0000000-0000002, {ORDER}; 999-0000000-0000001 {ORDER}"
    assert identifiers.order_ids(text) == ("D01-0000000-0000002", ORDER, "999-0000000-0000001")
    assert identifiers.replace_order_ids(text, "X") == "X, X; X X"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("l’acheteur ‘x’ `y´", "l'acheteur 'x' 'y'"),
        ("a\xa0b\u202fc\u3000d", "a b c d"),
        ("ﬁ ｶﾞ Ⅳ", "fi ガ IV"),
        ("e\u0301", "é"),
        ("a\ufeffb\u200dc\u2066d\u2069", "abcd"),
        ("–—‐", "---"),
    ],
)
def test_two_spellings_of_one_text_come_out_equal(text: str, told: str) -> None:
    assert identifiers.plain(text) == told
    assert identifiers.plain(told) == told


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (ALIAS, ALIAS),
        (ALIAS.upper(), ALIAS),
        (f" {ALIAS} ", ALIAS),
        ("abc123def456ghi+0a1b-2c3d@marketplace.amazon.it", ALIAS),
        ("ａbc123def456ghi@marketplace.amazon.it", ALIAS),
        ("a" * 8 + "@marketplace.amazon.co.uk", "a" * 8 + "@marketplace.amazon.co.uk"),
        ("a" * 32 + "@marketplace.amazon.com.mx", "a" * 32 + "@marketplace.amazon.com.mx"),
        ("a" * 7 + "@marketplace.amazon.it", None),
        ("a" * 33 + "@marketplace.amazon.it", None),
        ("abc123.def456@marketplace.amazon.it", None),
        ("no-reply-amazon-iba-buyer@marketplace.amazon.it", None),
        ("noreply12345678@marketplace.amazon.it", None),
        ("donotreply12345@marketplace.amazon.com", None),
        ("do-not-reply-x@marketplace.amazon.com", None),
        ("abc123def456ghi@amazon.it", None),
        ("abc123def456ghi@marketplace.amazon.it.evil.example", None),
        ("abc123def456ghi@evil.marketplace.amazon.it", None),
        ("abc123def456ghi@marketplace.amazon.zz", None),
        ("a@abc123def456ghi@marketplace.amazon.it", None),
        ("@marketplace.amazon.it", None),
        ("abc123def456ghi", None),
        ("", None),
    ],
)
def test_an_alias_is_normalised_and_a_shared_or_strange_address_is_none(address: str, told: str | None) -> None:
    assert identifiers.alias(address) == told


def test_aliases_are_read_from_mailto_links_once_each() -> None:
    links = (
        "https://a.example/?mail=" + ALIAS,
        f"MAILTO:{ALIAS}?subject=%5BImportante%5D",
        "mailto:abc123def456ghi%2B1@marketplace.amazon.it",
        "mailto:auto-communication@amazon.com",
        "mailto:zzz123def456ghi@marketplace.amazon.de",
        "mailto:",
    )
    assert identifiers.aliases_in(links) == (ALIAS, "zzz123def456ghi@marketplace.amazon.de")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (ALIAS, True),
        ("x@MARKETPLACE.amazon.IT", True),
        ("no-reply-amazon-iba-buyer@marketplace.amazon.it", True),
        ("auto-communication@amazon.com", False),
        ("x@marketplace.amazon.it.evil.example", False),
        ("", False),
    ],
)
def test_a_buyers_address_is_known_by_its_domain(address: str, told: bool) -> None:
    assert identifiers.is_buyer_address(address) is told


TLDS = "com ca com.mx com.br co.uk de fr it es nl se pl com.be ie com.tr eg sa ae in co.jp com.au sg".split()
CODES = "US CA MX BR UK DE FR IT ES NL SE PL BE IE TR EG SA AE IN JP AU SG".split()


def test_each_marketplace_has_its_domain() -> None:
    domains = [f"amazon.{tld}" for tld in TLDS]
    assert tuple(CODES) == identifiers.MARKETPLACES
    assert frozenset(domains) == identifiers.AMAZON_DOMAINS
    assert [identifiers.marketplace_of_alias(f"x@marketplace.{domain}") for domain in domains] == CODES
    assert [identifiers.marketplace_of_links((f"https://{domain}/x",)) for domain in domains] == CODES


@pytest.mark.parametrize(
    ("ident", "told"),
    [
        ("APJ6JRA9NG5V4", "IT"),
        (" apj6jra9ng5v4 ", "IT"),
        ("ATVPDKIKX0DER", "US"),
        ("A1VC38T7YXB528", "JP"),
        ("A000", None),
        ("", None),
    ],
)
def test_a_marketplace_id_has_a_code(ident: str, told: str | None) -> None:
    assert identifiers.marketplace_of_id(ident) == told


@pytest.mark.parametrize(
    ("links", "told"),
    [
        (("https://sellercentral.amazon.it/x", "http://www.amazon.it"), "IT"),
        (("https://sellercentral.amazon.it/x", "https://www.amazon.de"), None),
        (("https://sellercentral.amazon.it/x", "https://shop.example"), "IT"),
        (("https://amazon.it.evil.example", "https://evil.amazon.it", "https://amazon.it@evil.example"), None),
        (("mailto:x@amazon.it", "/amazon.it", "http://[x", ""), None),
        (("https://SELLERCENTRAL.AMAZON.CO.JP:443/x",), "JP"),
        ((), None),
    ],
)
def test_links_tell_a_marketplace_only_if_they_agree(links: tuple[str, ...], told: str | None) -> None:
    assert identifiers.marketplace_of_links(links) == told


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (ORDER, Key("order", ORDER)),
        (f" [{ORDER}] ", Key("order", ORDER)),
        (f"#{ORDER}", Key("order", ORDER)),
        (f'"{ORDER}"', Key("order", ORDER)),
        ("１２３－4567890–1234567", Key("order", ORDER)),
        ("d01-4567890-1234567", Key("order", "D01-4567890-1234567")),
        (f"<{ALIAS}>", Key("buyer", ALIAS)),
        ("ABC123def456ghi+uuid@Marketplace.Amazon.IT", Key("buyer", ALIAS)),
        (
            "No-Reply-amazon-iba-buyer@marketplace.amazon.it",
            Key("buyer", "no-reply-amazon-iba-buyer@marketplace.amazon.it"),
        ),
        ("short@marketplace.amazon.it", Key("buyer", "short@marketplace.amazon.it")),
    ],
)
def test_a_key_is_read_in_any_spelling(text: str, key: Key) -> None:
    assert identifiers.parse_key(text) == key
    assert identifiers.parse_key(key.value) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "123-4567890-123456",
        "P03-4567890-1234567",
        f"{ORDER} {ORDER}",
        f"order {ORDER}",
        "somebody@shop.example",
        "somebody@amazon.com",
        "abc123def456ghi",
        f"{ALIAS}.evil.example",
        f"{ALIAS}, {ALIAS}",
        f"{ALIAS} {ALIAS}",
        f"Anna <{ALIAS}>",
        f"mailto:{ALIAS}",
        "@marketplace.amazon.it",
        "a b@marketplace.amazon.it",
        "a\x00b@marketplace.amazon.it",
        "\ud800@marketplace.amazon.it",
    ],
)
def test_what_cannot_be_on_the_list_is_no_key(text: str) -> None:
    """An answer "not listed" to such a question would be false comfort."""
    with pytest.raises(UnknownKeyError, match=r"is neither an order id .* nor a buyer alias") as told:
        identifiers.parse_key(text)
    assert repr(text) in str(told.value)
