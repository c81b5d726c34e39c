"""What counts as proof of who sent a letter: the topmost word of the trusted server, read in just one way."""

from __future__ import annotations

import re
import time

import pytest

from letters import AMAZON, ORDER, mail, read
from nosend import recognize
from nosend.letter import header
from nosend.model import Authenticity, Kind, Letter, Policy, Trust
from nosend.verdict import authenticity as rooms
from nosend.verdict.authenticity import authenticity, has_results, server

PASS, FAIL, UNKNOWN = Authenticity.PASS, Authenticity.FAIL, Authenticity.UNKNOWN
SERVER = "mx.shop.example"
TRUST = Trust(authserv_id=SERVER)
EXCHANGE = Trust(authserv_id=rooms.NO_ID)
GOOD = f"{SERVER}; dkim=pass header.d=amazon.com; spf=pass smtp.mailfrom=bounces.amazon.com; dmarc=pass"
BAD = f"{SERVER}; dkim=fail header.d=amazon.com; dmarc=fail header.from=amazon.com"
OTHERS = GOOD.replace(SERVER, "mx.evil.example")


def weigh(*values: str, trust: Trust = TRUST, sender: str = AMAZON, signed_by: tuple[str, ...] = ()) -> Authenticity:
    """Weigh a letter with these Authentication-Results, the topmost first."""
    fields = [("From", sender), *((rooms.RESULTS, value) for value in values)]
    return authenticity(Letter(headers=tuple(fields)), trust, signed_by)


# Whose word counts.


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((), UNKNOWN),
        ((GOOD,), PASS),
        ((BAD,), FAIL),
        ((GOOD, BAD), FAIL),
        ((GOOD, f"{SERVER}; spf=fail smtp.mailfrom=x.example"), PASS),
        ((f"{SERVER}; dkim=none", f"{SERVER}; dmarc=fail header.from=amazon.com"), FAIL),
        ((f"{SERVER}; dkim=none", f'{SERVER}; dmarc=fail "'), FAIL),
        ((f"{SERVER}; spf=pass smtp.mailfrom=amazon.com", f"{SERVER}; dkim=fail header.d=amazon.com"), FAIL),
        ((BAD, GOOD), FAIL),
        ((f"{SERVER}; none", GOOD), UNKNOWN),
        ((f"{SERVER}; none", BAD), FAIL),
        ((SERVER, GOOD), UNKNOWN),
        ((f"{SERVER};", GOOD), UNKNOWN),
        ((OTHERS,), UNKNOWN),
        ((OTHERS, BAD), FAIL),
        ((OTHERS.replace("pass", "fail"), GOOD), PASS),
        ((GOOD.upper(),), PASS),
        ((GOOD.replace(SERVER, f'"{SERVER}"'),), PASS),
        ((GOOD.replace(SERVER, f"(a; (b)) {SERVER} (c) 1 (d)"),), PASS),
        ((GOOD.replace(SERVER, f"{SERVER} x"),), UNKNOWN),
        ((GOOD.replace(SERVER, f"{SERVER} 1 2"),), UNKNOWN),
        ((GOOD.replace(SERVER, f"x.{SERVER}"),), UNKNOWN),
        ((GOOD.replace(SERVER, f"{SERVER}.evil.example"),), UNKNOWN),
        ((GOOD.replace(SERVER, f"evil.example ({SERVER})"),), UNKNOWN),
        ((GOOD.replace(SERVER, ""),), UNKNOWN),
        ((GOOD.replace(f"{SERVER}; ", ""),), UNKNOWN),
    ],
)
def test_of_the_trusted_server_the_topmost_field_counts_and_all_failures(
    values: tuple[str, ...], told: Authenticity
) -> None:
    assert weigh(*values) is told
    assert weigh(*values, trust=Trust()) is (FAIL if "fail" in " ".join(values) else UNKNOWN), "nobody is trusted"


@pytest.mark.parametrize(
    "damage",
    [
        '"y"',
        ' y="a"b',
        ' y="a""b"',
        ' y="a"=b',
        " a b=c",
        " (",
        ' "',
        " )",
        " \\",
        ' "a" "',
        ' x"y"',
        " smtp.helo",
        " a b c",
        ' "a"b',
        " (a (b)",
        "; =",
        ' ; x=y "',
        " @x",
    ],
)
def test_a_damaged_topmost_field_hides_no_failure_and_gives_no_word_to_those_below(damage: str) -> None:
    """Whoever can damage the server's field, by what he says in SMTP, could have written the one below it."""
    good = f"{SERVER}; spf=none smtp.helo=x{damage}; dkim=pass header.d=amazon.com"
    assert weigh(good, GOOD) is UNKNOWN
    assert weigh(f"{good}; dmarc=fail (p=reject) header.from=amazon.com", GOOD) is FAIL
    assert weigh(good, GOOD, signed_by=("amazon.com",)) is UNKNOWN, "the server has spoken, and is not understood"


MICROSOFT = (
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=amazon.com; dkim=pass (signature was verified) "
    "header.d=amazon.com;dmarc=pass action=none header.from=amazon.com;compauth=pass reason=100"
)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((MICROSOFT,), PASS),
        (("spf = pass smtp.mailfrom=amazon.com",), PASS),
        (("spf/1=pass smtp.mailfrom=amazon.com",), PASS),
        (("spf / 1 = pass smtp.mailfrom=amazon.com",), PASS),
        (("dkim=none (message not signed) header.d=none;dmarc=none action=none header.from=amazon.com;",), UNKNOWN),
        (("spf=fail smtp.mailfrom=x.example; dkim=none", "spf=pass smtp.mailfrom=amazon.com"), FAIL),
        ((GOOD,), UNKNOWN),
        ((GOOD, BAD.partition(";")[2]), FAIL),
        (("",), UNKNOWN),
    ],
)  # fmt: skip
def test_none_names_the_server_that_writes_no_id(values: tuple[str, ...], told: Authenticity) -> None:
    assert weigh(*values, trust=EXCHANGE) is told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (GOOD, SERVER),
        ("MX.Shop.Example 1; none", SERVER),
        ("(x) mx.shop.example(y);", SERVER),
        ('"mx.shop.example" 1', SERVER),
        (f"{SERVER} (never closed; dkim=pass", SERVER),
        (f'{SERVER}; dkim=pass "', SERVER),
        (f"{SERVER} dkim=pass", SERVER),
        ("dkim=pass", "(none)"),
        ("dkim (x) = pass", "(none)"),
        ("; dkim=pass", "(none)"),
        ("", "(none)"),
        ("(", "(none)"),
        ('"', "(none)"),
    ],
)
def test_doctor_is_told_the_id_as_the_configuration_wants_it(value: str, told: str) -> None:
    assert server(value) == told
    assert has_results(Letter(headers=((rooms.RESULTS, value),)), Trust(authserv_id=told))
    assert not has_results(Letter(headers=((rooms.RESULTS, value),)), Trust(authserv_id="elsewhere"))


# What the words mean: DMARC's alignment.


def test_fields_of_the_great_providers_are_understood() -> None:
    gmail = (
        "mx.google.com; dkim=pass header.i=@amazon.com header.s=yg4mwqurec7fkhzutopddd3ytuaqrvuz header.b=Pm+q/1c=; "
        "dkim=pass header.i=@amazonses.com header.s=224i4yxa5dv7c2xz3womw6peuasteono header.b=\"a/B+=\"; spf=pass "
        "(google.com: domain of 0100@bounces.amazon.com designates 192.0.2.1 as permitted sender) "
        "smtp.mailfrom=0100@bounces.amazon.com; dmarc=pass (p=QUARANTINE sp=QUARANTINE dis=NONE) header.from=amazon.com"
    )  # fmt: skip
    fastmail = (
        "mx5.messagingengine.com; arc=none (no signatures found); bimi=none (No BIMI records found); dkim=pass "
        "(1024-bit rsa key sha256) header.d=amazon.com header.i=@amazon.com header.b=a1b2 header.a=rsa-sha256 "
        "header.s=x; dmarc=pass policy.published-domain-policy=quarantine (p=quarantine,d=none,d.eval=none) "
        "policy.policy-from=p header.from=amazon.com; iprev=pass smtp.remote-ip=192.0.2.1 (a.example); spf=pass "
        "smtp.mailfrom=0100@bounces.amazon.com smtp.helo=a.example; x-tls=pass smtp.version=TLSv1.2 smtp.bits=128/128"
    )
    yahoo = (
        "atlas.mail.yahoo.com; dkim=pass header.i=@amazon.com header.s=x; spf=pass smtp.mailfrom=bounces.amazon.com; "
        "dmarc=pass(p=QUARANTINE) header.from=amazon.com;"
    )
    ses = (
        "amazonses.com; spf=pass (spfCheck: domain of amazon.com designates 192.0.2.1) client-ip=192.0.2.1; "
        "envelope-from=0100@bounces.amazon.com; helo=a.example; dkim=pass header.i=@amazon.com; dmarc=pass "
        "header.from=amazon.com;"
    )
    cisco = (
        "esa1.example; dkim=pass (signature verified) header.i=@amazon.com; spf=Pass "
        "smtp.mailfrom=x@bounces.amazon.com; spf=None smtp.helo=postmaster@a.example; dmarc=pass (p=quarantine) "
        "d=amazon.com"
    )
    for value in (gmail, fastmail, yahoo, ses, cisco):
        trust = Trust(authserv_id=server(value))
        assert weigh(value, trust=trust) is PASS, value
        forged = re.sub("(?<=[a-z]=)pass", "fail", value, flags=re.IGNORECASE)
        assert weigh(forged, trust=trust) is FAIL, forged


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ("dkim=pass header.d=amazon.com", PASS),
        ("dkim=pass header.d=AMAZON.COM", PASS),
        ("dkim=pass header.i=@amazon.com", PASS),
        ("dkim=pass header.i=x@a.amazon.com", PASS),
        ("dkim=pass header.d=a.b.amazon.com", PASS),
        ("dkim=pass header.d=amazon.com header.i=@a.amazon.com", PASS),
        ('dkim=pass header.d="amazon.com"', PASS),
        ("dkim = pass header . d = amazon.com", PASS),
        ("dkim=pass (2048-bit key) header.d=amazon.com (x) header.s=y (z)", PASS),
        ("dkim/1=pass header.d=amazon.com", PASS),
        ('dkim=pass reason="a; dkim=fail; (b" header.d=amazon.com', FAIL),  # a result inside a string was swallowed
        ('dkim=pass reason="a; spf=none \\" (b" header.d=amazon.com', PASS),
        ("dkim=pass (see; (dmarc=fail) there) header.d=amazon.com", PASS),
        ("dkim=pass", UNKNOWN),
        ("dkim=pass header.s=amazon.com", UNKNOWN),
        ("dkim=pass header.d=com", UNKNOWN),
        ("dkim=pass header.d=evilamazon.com", UNKNOWN),
        ("dkim=pass header.d=amazon.com.evil.example", UNKNOWN),
        ("dkim=pass header.d=evil.example", UNKNOWN),
        ("dkim=pass header.d=.amazon.com", UNKNOWN),
        ("dkim=pass header.d=amazon.com.", UNKNOWN),
        ("dkim=pass header.d=evil.example header.i=@amazon.com", UNKNOWN),
        ("dkim=pass header.d=amazon.com header.i=@evil.example", UNKNOWN),
        ("dkim=pass header.d=amazon.com header.d=evil.example", UNKNOWN),
        ("dkim=pass header.i=amazon.com@evil.example", UNKNOWN),
        ("dkim=pass x-header.d=amazon.com", UNKNOWN),
        ("dkim=pass header.d= header.i=@amazon.com", UNKNOWN),
        ("dkim=pass header.d=x/amazon.com", UNKNOWN),
        ("dkim=pass header.d=evil.example,amazon.com", UNKNOWN),
        ("dkim=pass-through header.d=amazon.com", UNKNOWN),
        ("dkim=passed header.d=amazon.com", UNKNOWN),
        ("x-dkim=pass header.d=amazon.com", UNKNOWN),
        ("dkim-adsp=pass header.from=amazon.com", UNKNOWN),
        ("domainkeys=pass header.from=amazon.com", UNKNOWN),
        ("dkim=fail header.d=amazon.com", FAIL),
        ("dkim=fail header.d=other.example", FAIL),
        ("dkim=hardfail", FAIL),
        ("dkim=fail header.d=amazonses.com; dkim=pass header.d=amazon.com", PASS),
        ("dkim=pass header.d=amazon.com; dkim=fail header.d=amazonses.com", PASS),
        ("dkim=pass header.d=amazonses.com; dkim=fail header.d=amazon.com", FAIL),
        ("dkim=none; dkim=pass header.d=amazon.com", UNKNOWN),  # a server finds no signature, or one
        *((f"dkim={word} header.d=amazon.com", UNKNOWN)
          for word in ("none", "neutral", "policy", "temperror", "permerror", "softfail", "nxdomain", "")),
        ("spf=pass smtp.mailfrom=amazon.com", PASS),
        ("spf=pass smtp.mailfrom=x@bounces.amazon.com", PASS),
        ('spf=pass smtp.mailfrom="a b;c"@bounces.amazon.com', PASS),
        ("spf=pass smtp.mailfrom=@amazon.com", PASS),
        ("spf=pass", UNKNOWN),
        ("spf=pass smtp.helo=amazon.com", UNKNOWN),
        ("spf=pass smtp.mailfrom=amazon.com@evil.example", UNKNOWN),
        ("spf=pass smtp.mailfrom=evil.example smtp.helo=amazon.com", UNKNOWN),
        ("spf=pass smtp.mailfrom= smtp.helo=x.amazon.com", UNKNOWN),
        ("spf=pass smtp.mailfrom= (null)  smtp.helo=@amazon.com", UNKNOWN),
        ("spf=pass smtp.mailfrom=com", UNKNOWN),
        ("spf=pass smtp.mailfrom=evilamazon.com", UNKNOWN),
        ("spf=fail smtp.mailfrom=amazon.com", FAIL),
        ("spf=softfail smtp.mailfrom=amazon.com", UNKNOWN),
        ("spf=fail smtp.mailfrom=shop.example; dkim=pass header.d=amazon.com", PASS),  # a forward
        ("spf=pass smtp.mailfrom=amazon.com; dkim=fail header.d=amazon.com", FAIL),  # changed on its way
        ("spf=pass smtp.mailfrom=amazon.com; spf=fail smtp.mailfrom=x.example", FAIL),
        ("spf=pass smtp.mailfrom=amazon.com; spf=none smtp.helo=x.example", PASS),
        ("dmarc=pass", PASS),
        ("dmarc=pass header.from=amazon.com", PASS),
        ("dmarc=pass header.from=Amazon.Com", PASS),
        ("dmarc=pass header.from=x@amazon.com", PASS),
        ("dmarc=pass (p=none) action=none header.from=amazon.com", PASS),
        ("dmarc=pass header.from=evil.example", UNKNOWN),
        ("dmarc=pass header.from=a.amazon.com", UNKNOWN),
        ("dmarc=pass header.from=amazon.com; dmarc=pass header.from=evil.example", UNKNOWN),
        ("dmarc=pass header.from=amazon.com; dmarc=none", UNKNOWN),
        ("dmarc=bestguesspass header.from=amazon.com", UNKNOWN),
        ("dmarc=fail header.from=evil.example", FAIL),
        ("dmarc=fail; dmarc=pass header.from=amazon.com", FAIL),
        ("dmarc=fail header.from=amazon.com; dkim=pass header.d=amazon.com; spf=pass smtp.mailfrom=amazon.com", FAIL),
        ("dmarc=temperror; dkim=pass header.d=amazon.com", PASS),
        ("dmarc=none; spf=pass smtp.mailfrom=amazon.com", PASS),
        ("iprev=fail; auth=fail; arc=fail; compauth=fail reason=001; x=y; spf=none", UNKNOWN),
        ("none", UNKNOWN),
        ("; none; dkim=pass header.d=amazon.com; ;", PASS),
    ],
)  # fmt: skip
def test_one_aligned_pass_is_enough_and_one_failure_of_dmarc_too(results: str, told: Authenticity) -> None:
    assert weigh(f"{SERVER}; {results}") is told
    assert weigh(results, trust=EXCHANGE) is told


def test_folded_fields_are_one_line() -> None:
    folded = GOOD.replace("; ", ";\r\n\t").replace(" header", "\r\n  header").replace("=pass", "=\r\n pass")
    (value,) = (value for _, value in header.fields(f"{rooms.RESULTS}: {folded}\r\n".encode()))
    assert "\n" not in value
    assert weigh(value) is PASS


@pytest.mark.parametrize("sender", ["", "nobody", f"{AMAZON}, x@evil.example", f"{AMAZON}>", "@", "x@evil.example"])
def test_who_is_nobody_has_passed_nothing(sender: str) -> None:
    assert weigh(GOOD, sender=sender, signed_by=("amazon.com", "")) is UNKNOWN or "evil" in sender
    assert weigh(f"{SERVER}; dmarc=pass", sender=sender) is (PASS if sender == "x@evil.example" else UNKNOWN)
    assert weigh(sender=sender, signed_by=("amazon.com", "")) is UNKNOWN


# What a stranger can say in SMTP or in a signature, and careless servers copy into their field.


@pytest.mark.parametrize(
    "told_by_a_stranger",
    [
        '"a;dkim=pass header.d=amazon.com"@evil.example',
        '"a; dkim=pass header.d=amazon.com; x=y "@evil.example',
        '"a\\"; dkim=pass header.d=amazon.com; x=\\""@evil.example',
        '"a" ; dkim=pass header.d=amazon.com @evil.example',
        'a";dkim=pass header.d=amazon.com;"@evil.example',
        "a(;dkim=pass header.d=amazon.com;@evil.example",
        "a); dkim=pass header.d=amazon.com (@evil.example",
        "a\\;dkim=pass header.d=amazon.com@evil.example",
        "a;dkim=pass header.d=amazon.com@evil.example",
        "a; dkim=pass header.d=amazon.com;@evil.example",
        "a; dkim=pass header.d=amazon.com x@evil.example",
        "a dkim=pass header.d=amazon.com@evil.example",
        "a;dmarc=pass header.from=amazon.com;dmarc=pass x=@evil.example",
        "a;dkim=pass header.d=amazon.com x=@evil.example",
        " header.d=amazon.com",
        "=amazon.com",
        "<a@amazon.com>@evil.example",
        "evil.example, amazon.com",
        "evil.example/amazon.com",
        "evil.example\u3002amazon.com",
    ],
)
def test_what_a_stranger_says_makes_no_pass_of_a_servers_failure(told_by_a_stranger: str) -> None:
    """The server has found no signature, SPF of the stranger's own domain, and no alignment."""
    before = f"{SERVER}; spf=pass smtp.mailfrom={told_by_a_stranger}"
    after = f"{SERVER}; dkim=none; dmarc=fail (p=QUARANTINE) header.from=amazon.com; spf=pass smtp.mailfrom="
    assert weigh(f"{before}; dkim=none; dmarc=none header.from=amazon.com", GOOD) is not PASS
    assert weigh(f"{before}; dkim=none; dmarc=fail (p=QUARANTINE) header.from=amazon.com", GOOD) is FAIL
    assert weigh(f"{after}{told_by_a_stranger}", GOOD) is FAIL
    assert weigh(f"{before}; dkim=none; dmarc=fail header.from=amazon.com; x-helo={told_by_a_stranger}") is FAIL


@pytest.mark.parametrize(
    "signer",
    [
        "header.d=evil.example header.i=x header.d=amazon.com@evil.example",
        'header.d=evil.example header.i="x header.d=amazon.com"@evil.example',
        'header.i="@amazon.com"@evil.example',
        'header.i="x@amazon.com header.s="@evil.example',
        "header.i=x;dkim=pass header.d=amazon.com@evil.example",
        "header.d=evil.example header.s=x.header.d=amazon.com",
        "header.d=evil.example header.b=a=header.d=amazon.com",
    ],
)
def test_what_a_signature_says_makes_no_pass_for_another_domain(signer: str) -> None:
    assert weigh(f"{SERVER}; dkim=pass {signer}", GOOD) is UNKNOWN


def test_quoted_values_that_swallow_a_failure_hide_it_from_nobody() -> None:
    """HELO and the envelope's sender may hold a quotation mark or a parenthesis each: between them is a failure."""
    for opens, closes in (('"', '"@evil.example'), ('"', '"'), ("(", ")"), ("((", "))")):
        for failure in ("dmarc=fail header.from=amazon.com", "dkim = hardfail", "SPF=fail"):
            value = f"{SERVER}; spf=none smtp.helo={opens}; {failure}; spf=none smtp.mailfrom={closes}"
            assert weigh(value, GOOD) is FAIL, value
    google = "arc=pass (i=1 spf=pass dkim=fail dkdomain=x dmarc=fail fromdomain=x)"
    assert weigh(f"{SERVER}; {google}; dkim=pass header.d=amazon.com") is PASS, "the comment is Google's own"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    ["(", "()", '"', '""', '\\"', "(\\", ";", "=", "a=", "a = ", "a ", "a. ", "dkim", "dkim ", "dkim=", "dkim (x) ",
     "; dkim=pass header.d=amazon.com", "; ", "/", "@", '"a"@b ', " ", "header.d=x.", "é"],
)  # fmt: skip
def test_hostile_fields_are_read_in_bounded_time(piece: str) -> None:
    value = (f"{SERVER}; dkim=pass header.d=amazon.com " + piece * 20_000)[: header.LONGEST]
    fields = ((rooms.RESULTS, value), ("ARC-Seal", value), ("ARC-Authentication-Results", value)) * 12
    began = time.process_time()
    for trust in (TRUST, EXCHANGE, Trust(), Trust(authserv_id="elsewhere")):
        authenticity(Letter(headers=(("From", AMAZON), *fields)), trust)
    assert time.process_time() - began < 2


# ARC: what a trusted forwarder saw before it broke the signature.

BROKEN = f"{SERVER}; spf=fail smtp.mailfrom=x; dkim=fail header.d=amazon.com; dmarc=fail; arc=pass (i=2)"
SEEN = "mx.office.example; dkim=pass header.d=amazon.com; dmarc=pass header.from=amazon.com"
OFFICE, GATE = "office.example", "gate.example"


def arc(number: int, domain: str, seen: str = SEEN, **tags: str) -> list[tuple[str, str]]:
    told = {"i": str(number), "a": "rsa-sha256", "cv": "none", "d": domain, "s": "x", "b": "ab c=="} | tags
    return [
        ("ARC-Seal", "; ".join(f"{name}={value}" for name, value in told.items())),
        ("ARC-Message-Signature", f"i={number}; d={domain}"),
        ("ARC-Authentication-Results", f"i={number}; {seen}"),
    ]


def chain(*sets: list[tuple[str, str]], results: str = BROKEN, trust: tuple[str, ...] = (OFFICE, GATE)) -> Authenticity:
    fields = [("From", AMAZON), (rooms.RESULTS, results), *(one for part in sets for one in part)]
    return authenticity(Letter(headers=tuple(fields)), Trust(frozenset(trust), SERVER))


def test_a_whole_chain_of_trusted_sealers_vouches_for_what_the_first_saw() -> None:
    assert chain(arc(1, OFFICE)) is PASS
    assert chain(arc(2, GATE, "gate.example; dkim=fail; dmarc=fail"), arc(1, OFFICE)) is PASS
    assert chain(arc(1, OFFICE), arc(2, GATE)) is PASS, "in any order"
    assert chain(arc(1, OFFICE.upper())) is PASS
    assert chain(arc(1, OFFICE), results=BROKEN.replace("=fail", "=neutral")) is PASS
    assert chain(*(arc(number, OFFICE) for number in range(1, 51))) is PASS


@pytest.mark.parametrize(
    "seen",
    [
        "mx; dkim=none; spf=pass smtp.mailfrom=office.example",
        "mx; dkim=fail header.d=amazon.com; dmarc=fail header.from=amazon.com",
        "mx; dkim=pass header.d=evil.example; dmarc=pass header.from=evil.example",
        "mx; dmarc=pass header.from=amazon.com (",
        'mx; spf=none smtp.mailfrom="a; dkim=pass header.d=amazon.com"@evil.example',
        "dkim=pass header.d=amazon.com",
        "none",
        "",
    ],
)
def test_a_chain_whose_first_sealer_saw_no_pass_vouches_for_nothing(seen: str) -> None:
    assert chain(arc(1, OFFICE, seen)) is FAIL
    assert chain(arc(1, OFFICE, seen), arc(2, GATE)) is FAIL, "what the second saw does not count"


@pytest.mark.parametrize(
    "sets",
    [
        [],
        [arc(1, "evil.example")],
        [arc(1, "evil.example"), arc(2, OFFICE)],
        [arc(1, OFFICE), arc(2, "evil.example")],
        [arc(1, f"x.{OFFICE}")],
        [arc(1, "")],
        [arc(2, OFFICE)],
        [arc(0, OFFICE)],
        [arc(1, OFFICE), arc(3, OFFICE)],
        [arc(1, OFFICE), arc(1, OFFICE)],
        [arc(1, OFFICE), arc(2, OFFICE, i="1")],
        [arc(1, OFFICE), arc(2, OFFICE, i="3")],
        [arc(1, OFFICE), arc(1, OFFICE)[2:]],
        [arc(1, OFFICE), [("ARC-Authentication-Results", f"i=2; {SEEN}")]],
        [arc(1, OFFICE)[:2]],
        [arc(1, OFFICE)[:2], [("ARC-Authentication-Results", SEEN)]],
        [arc(1, OFFICE)[:2], [("ARC-Authentication-Results", f"{SEEN}; i=1")]],
        [arc(1, OFFICE)[2:]],
        [arc(1, "evil.example", s=f"x; d={OFFICE}")],
        [arc(1, OFFICE, s="x; i=1")],
        [arc(number, OFFICE) for number in range(1, 52)],
    ],
    ids=range(21),
)  # fmt: skip
def test_a_chain_that_anybody_could_have_written_vouches_for_nothing(sets: list[list[tuple[str, str]]]) -> None:
    assert chain(*sets) is FAIL


@pytest.mark.parametrize("results", ["arc=fail", "arc=none", "", "arc=pass; arc=fail", "x-arc=pass"])
def test_a_chain_that_the_trusted_server_did_not_find_whole_vouches_for_nothing(results: str) -> None:
    assert chain(arc(1, OFFICE), results=BROKEN.replace("arc=pass", results)) is FAIL


def test_a_chain_counts_only_with_the_trusted_servers_word() -> None:
    fields = (("From", AMAZON), (rooms.RESULTS, BROKEN), *arc(1, OFFICE))
    assert authenticity(Letter(headers=fields), Trust(frozenset({OFFICE}))) is FAIL
    assert authenticity(Letter(headers=fields), Trust(frozenset({OFFICE}), "mx.elsewhere.example")) is FAIL
    assert chain(arc(1, OFFICE), trust=("me@office.example",)) is FAIL, "an address seals nothing"


# Signatures that were verified here.


@pytest.mark.parametrize(
    ("signers", "told"),
    [
        ((), UNKNOWN),
        (("amazon.com",), PASS),
        (("a.amazon.com",), PASS),
        (("amazonses.com", "amazon.com"), PASS),
        (("amazonses.com",), UNKNOWN),
        (("com",), UNKNOWN),
        (("evilamazon.com", "amazon.com.evil.example", ""), UNKNOWN),
    ],
)
def test_an_own_verification_counts_where_the_trusted_server_is_silent(
    signers: tuple[str, ...], told: Authenticity
) -> None:
    for trust in (TRUST, Trust()):
        assert weigh(trust=trust, signed_by=signers) is told
        assert weigh(OTHERS, trust=trust, signed_by=signers) is told
    failed = "mx.elsewhere.example; dkim=fail"
    assert weigh(failed, signed_by=signers) is (PASS if told is PASS else FAIL), "before what anybody may have written"
    assert weigh(BAD, signed_by=signers) is FAIL, "the trusted server's word goes before it"
    assert weigh(f"{SERVER}; none", signed_by=signers) is UNKNOWN


# The policies.

FIELDS = {
    "pass": GOOD,
    "fail": BAD,
    "silent": f"{SERVER}; spf=none; dkim=temperror",
    "forged below": [BAD, GOOD],
    "stranger's pass": OTHERS,
    "stranger's fail": OTHERS.replace("pass", "fail"),
    "nothing": None,
}
LISTED = {
    Policy.REQUIRE: {"pass"},
    Policy.PREFER: {"pass", "silent", "stranger's pass", "nothing"},
    Policy.OFF: set(FIELDS),
}


@pytest.mark.parametrize("policy", Policy)
def test_a_policy_lists_exactly_what_it_says(policy: Policy) -> None:
    trust = Trust(authserv_id=SERVER, policy=policy)
    told = {name: recognize(mail(Authentication_Results=value), trust) for name, value in FIELDS.items()}
    assert {name for name, verdict in told.items() if verdict.kind is Kind.OPT_OUT} == LISTED[policy]
    assert {verdict.kind for verdict in told.values()} <= {Kind.OPT_OUT, Kind.SUSPECT}, "nothing is thrown away"
    assert all(verdict.orders == (ORDER,) for verdict in told.values())
    failed = "authentication failed"
    unproven = 'no proof of authenticity (authenticity = "require")'
    doubts = {name: verdict.why.partition(" | but ")[2] for name, verdict in told.items()}
    assert doubts == {
        name: "" if name in LISTED[policy] else failed if verdict.authenticity is FAIL else unproven
        for name, verdict in told.items()
    }


def test_the_field_is_found_in_a_mail_as_it_came_over_the_wire() -> None:
    raw = mail(authentication_results=GOOD.replace("; ", ";\r\n\t")).replace(b"\n", b"\r\n")
    assert recognize(raw, TRUST).authenticity is PASS
    assert read(raw).header(rooms.RESULTS) != ()
