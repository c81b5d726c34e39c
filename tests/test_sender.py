"""Who sent a letter: only what no program can read in two ways counts; one explicit failure outweighs all passes."""

from __future__ import annotations

import pytest

from letters import ALIAS, AMAZON, mail
from nosend.judging import Judging
from nosend.model import Authenticity, Letter, Mail, Place, Sender, Trust
from nosend.verdict import rules, sender
from nosend.verdict.authenticity import authenticity as weigh

EVIL = "x@evil.example"


def sent(*froms: str) -> Letter:
    return Letter(headers=tuple(("From", value) for value in froms))


@pytest.mark.parametrize(
    "value",
    [
        AMAZON,
        AMAZON.upper(),
        f"<{AMAZON}>",
        f"Amazon.it <{AMAZON}>",
        f'"Amazon.it" <{AMAZON}>',
        f'"Amazon.it"<{AMAZON}>',
        f'"Amazon, Inc. <x>" <{AMAZON}>',
        f'"say \\"hi\\" to {EVIL}" <{AMAZON}>',
        f"=?utf-8?q?Amazon_=3C{EVIL}=3E?= <{AMAZON}>".replace("@", "=40", 1),
        f"{AMAZON} (Amazon.it)",
        f"(comment) Amazon (another (nested) one) <{AMAZON}> (last)",
        f"(<{EVIL}>) <{AMAZON}>",
        f"< {AMAZON} >",
    ],
)
def test_one_address_is_read_past_names_and_comments(value: str) -> None:
    assert sender.address(sent(value)) == AMAZON
    assert sender.who(sender.address(sent(value)), Trust()) is Sender.AMAZON


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        ("Amazon",),
        (AMAZON, AMAZON),
        (AMAZON, EVIL),
        (EVIL, AMAZON),
        (f"{AMAZON}, {AMAZON}",),
        (f"{AMAZON}, {EVIL}",),
        (f"{EVIL} <{AMAZON}>",),
        (f"{AMAZON} <{AMAZON}>",),
        (f"<{EVIL}> <{AMAZON}>",),
        (f"Amazon <{AMAZON}> {EVIL}",),
        (f"<{AMAZON}",),
        (f"{AMAZON}>",),
        (f"<<{AMAZON}>>",),
        (f"Amazon: {AMAZON};",),
        (f"undisclosed: {EVIL}, {AMAZON};",),
        (f"<@evil.example:{AMAZON}>",),
        (f"<@evil.example,@b.example:{AMAZON}>",),
        ("auto communication@amazon.com",),
        ('"auto communication"@amazon.com',),
        ("auto-communication@[192.0.2.1]",),
        ("auto-communication@amazon.com@evil.example",),
        ("x@evil.example@amazon.com",),
        ("auto-communication@ amazon.com",),
        ("auto-communication@amazon.cοm",),  # a Greek omicron
        ("auto-communication@аmazon.com",),  # a Cyrillic a
        ("auto-communication＠amazon.com",),
        ("auto-communication@amazon。com",),
        (f"{AMAZON}\u200b",),
        (f"=?utf-8?q?{AMAZON}?=".replace("@", "=40"),),
        ("a" * 65 + "@amazon.com",),
        ("x" * 1_000 + f" <{AMAZON}>",),
    ],
)
def test_what_could_be_read_in_two_ways_is_nobody(values: tuple[str, ...]) -> None:
    assert sender.address(sent(*values)) == ""
    assert sender.who(sender.address(sent(*values)), Trust(frozenset({"", "amazon.com", EVIL}))) is Sender.OTHER


@pytest.mark.parametrize(
    "value",
    [
        f'(") <{EVIL}> (") <{AMAZON}>',  # in a comment a quotation mark means nothing (RFC 5322, 3.2.2)
        f'(") <{EVIL}> (""(") <{AMAZON}> ("))(")',  # correct by the RFC, and sent by EVIL alone
        f'"a\\" <{EVIL}>, "b" <{AMAZON}>',
        f'"<{EVIL}>, <{AMAZON}>',
        f'" <{AMAZON}>',
        f"(never closed <{AMAZON}>",
        f"closed) <{AMAZON}>",
    ],
)
def test_quotes_and_comments_that_overlap_hide_no_second_address(value: str) -> None:
    assert sender.address(sent(value)) in {"", EVIL}
    assert sender.who(sender.address(sent(value)), Trust()) is Sender.OTHER


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("auto-communication@amazon.com", Sender.AMAZON),
        ("auto-communication@amazon.it", Sender.AMAZON),
        ("auto-communication@AMAZON.CO.JP", Sender.AMAZON),
        ("anybody@amazon.com.mx", Sender.AMAZON),
        ("auto-communication@amazon.com.", Sender.OTHER),
        ("auto-communication@.amazon.com", Sender.OTHER),
        ("auto-communication@amaz0n.com", Sender.OTHER),
        ("auto-communication@amazon.com.evil.example", Sender.OTHER),
        ("auto-communication@evil-amazon.com", Sender.OTHER),
        ("auto-communication@mail.amazon.com", Sender.OTHER),
        ("auto-communication@amazon.zz", Sender.OTHER),
        ("auto-communication@amazon", Sender.OTHER),
        ("auto-communicator@amazonpay.amazon.co.jp", Sender.OTHER),
        (ALIAS, Sender.OTHER),
        ("amazon.com@evil.example", Sender.OTHER),
        ("Me@Shop.Example", Sender.FORWARDER),
        ("other@shop.example", Sender.OTHER),
        ("anybody@office.example", Sender.FORWARDER),
        ("anybody@sub.office.example", Sender.OTHER),
        ("anybody@myoffice.example", Sender.OTHER),
    ],
)
def test_only_exact_domains_are_amazons_or_trusted(address: str, who: Sender) -> None:
    trust = Trust(frozenset({"me@shop.example", "office.example"}))
    assert sender.who(sender.address(sent(address)), trust) is who
    assert sender.who(sender.address(sent(f"Amazon <{address}>")), trust) is who


def authenticity(*values: str) -> Authenticity:
    return weigh(Letter(headers=tuple(("Authentication-Results", value) for value in values)), Trust())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((), Authenticity.UNKNOWN),
        (("",), Authenticity.UNKNOWN),
        (("mx.example; none",), Authenticity.UNKNOWN),
        (("mx.example; spf=pass",), Authenticity.UNKNOWN),
        (("mx.example 1; dkim=pass header.d=amazon.com; spf=pass; dmarc=pass",), Authenticity.UNKNOWN),
        (("mx.example; dkim=fail",), Authenticity.FAIL),
        (("mx.example; spf=fail smtp.mailfrom=x",), Authenticity.FAIL),
        (("mx.example; dmarc=fail (p=REJECT) header.from=amazon.com",), Authenticity.FAIL),
        (("mx.example; spf=hardfail",), Authenticity.FAIL),
        (("mx.example; spf=softfail",), Authenticity.UNKNOWN),
        (("mx.example; dkim=neutral; spf=temperror; dmarc=permerror",), Authenticity.UNKNOWN),
        (("mx.example; dkim=pass; spf=fail; dmarc=pass",), Authenticity.FAIL),
        (("mx.example; dkim=pass", "mx2.example; dkim=fail"), Authenticity.FAIL),
        (("mx2.example; dkim=fail", "mx.example; dkim=pass"), Authenticity.FAIL),
        (("mx.example;DKIM=FAIL",), Authenticity.FAIL),
        (("mx.example; dkim = fail",), Authenticity.FAIL),
        (("mx.example; dkim/1=fail",), Authenticity.FAIL),
        (("mx.example; dkim / 1 = fail",), Authenticity.FAIL),
        (("mx.example; dkim (a comment) = (another; one) fail",), Authenticity.FAIL),
        (('mx.example; dkim=fail reason="good signature"',), Authenticity.FAIL),
        (("spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=x; dkim=none; dmarc=none",), Authenticity.FAIL),
        (('mx.example; dkim=pass reason="dkim=fail; spf=fail"',), Authenticity.FAIL),
        (('mx.example; dkim=pass reason="a \\"; dkim=fail"',), Authenticity.FAIL),
        (("mx.example; dkim=pass (was; dkim=fail (really; spf=fail))",), Authenticity.FAIL),
        (("mx.example; dkim=pass (closed \\); dkim=fail)",), Authenticity.FAIL),
        (("mx.example; dkim=pass header.x=dkim=fail",), Authenticity.FAIL),
        # whoever writes what stands in comments and strings could hide a failure there: all of these count
        (('mx; spf=pass (5" wide); dmarc=fail (6" wide)',), Authenticity.FAIL),
        (('mx; spf=pass smtp.helo=\\"; dmarc=fail; x="',), Authenticity.FAIL),
        (('mx; dkim="fail"',), Authenticity.FAIL),
        (("mx; dkim/1.0=fail",), Authenticity.FAIL),
        (("mx dmarc=fail header.from=amazon.com",), Authenticity.FAIL),
        (("mx.example; arc=fail; iprev=fail; dkim=pass",), Authenticity.UNKNOWN),
        (("mx.example; x-dkim=fail; dkim-adsp=fail",), Authenticity.UNKNOWN),
        (("mx.example; dmarc=bestguesspass",), Authenticity.UNKNOWN),
        (("mx.example; dkim=failed",), Authenticity.UNKNOWN),
        (('mx.example; spf=pass (he said ") smtp.mailfrom=x; dmarc=fail (p=reject ")',), Authenticity.FAIL),
        (('mx.example; spf=pass (a " in a comment); dkim=fail reason="x"',), Authenticity.FAIL),
    ],
)
def test_without_a_trusted_server_a_failure_counts_wherever_it_stands_and_a_pass_nowhere(
    values: tuple[str, ...], told: Authenticity
) -> None:
    assert authenticity(*values) is told


def test_only_authentication_results_count() -> None:
    headers = (("Received-SPF", "fail"), ("ARC-Authentication-Results", "i=1; mx; dkim=fail"), ("X-Spam", "dkim=fail"))
    assert weigh(Letter(headers=headers), Trust()) is Authenticity.UNKNOWN
    assert weigh(Letter(headers=(("authentication-RESULTS", "mx; dkim=fail"),)), Trust()) is Authenticity.FAIL


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "value", ["(" * 9_900 + ")" * 9_900, "(" * 19_000, '"' + '\\"' * 9_900, "()" * 9_900, ";" * 19_000]
)
def test_hostile_results_are_read_in_bounded_time(value: str) -> None:
    assert authenticity(*[value] * 12) is Authenticity.UNKNOWN


def test_a_from_that_only_looks_like_somebodys_address_is_told_as_none() -> None:
    """So that it is not alike a mail of his, for whoever accepts mails that are alike."""
    by = Judging(Trust(), rules.builtin())

    def told(value: str) -> str:
        raw = mail(From=value)
        return by.judge(Mail(raw, Place("shop", "x"), None, len(raw))).sender

    assert told("Anna <anna@shop.example>") == "Anna <anna@shop.example>"
    assert told("=?utf-8?q?Anna_=3Canna@shop.example=3E?=") == "no one address: Anna <anna@shop.example>"
    assert told("=?utf-8?q?Anna_=3Canna@shop.example=3E?= <x@evil.example>") == (
        "no one address: Anna <anna@shop.example> <x@evil.example>"
    )
