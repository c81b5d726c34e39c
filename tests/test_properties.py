"""What holds for any bytes at all, and for every fixture however it is damaged or wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import letters
from conftest import UNTRUSTING, expected
from letters import AMAZON, ORDER, SENTENCE, STRANGER, judge, mail, worth_reading
from nosend import recognize, verdict
from nosend.letter import charset
from nosend.model import Kind, Letter, Trust, Verdict

bounded = settings(derandomize=True, max_examples=300, deadline=None)
RAW = {path: path.read_bytes() for path in UNTRUSTING}
NOTICES = [path for path in UNTRUSTING if expected(path)["verdict"] == "opt_out"]
OTHERS = [path for path in UNTRUSTING if path.parent.name in {"forged", "other", "unrelated", "forwarded"}]
TRUST = Trust(frozenset({STRANGER}))
RULES = verdict.rules.builtin()
SNIPPETS = st.sampled_from(
    [
        b"\n", b"\r\n", b"\r", b"\n\n", b"\x00", b"\xff", b"\xe3\x81", b"\x1b$B", b"=", b"=?utf-8?b?", b"?=", b"--",
        b"> ", b'"', b"-" * 30, b"(" * 30, b"<!--", b"<div>", b"<blockquote>", b"&#xD800;", b"\\ud800", b"+AOk-",
        ORDER.encode(), SENTENCE.encode(), "注文".encode("cp932"), "購入者".encode(), b"charset=unicode_escape",
        b"From: " + AMAZON.encode() + b"\n", b"Authentication-Results: x; dkim=fail\n",
        b"----- Forwarded Message -----\n", b"Content-Type: multipart/mixed; boundary=x\n",
        b"Content-Type: message/rfc822\n", b"Content-Transfer-Encoding: base64\n",
    ]
)  # fmt: skip
BYTES = st.lists(st.one_of(SNIPPETS, st.binary(max_size=20)), max_size=30).map(b"".join)


def written(told: Letter) -> str:
    """Give all text of a letter; must be text that can be stored."""
    parts = [told.subject, *told.paragraphs, *told.links, *told.cuts, *(part for pair in told.headers for part in pair)]
    return "\n".join([*parts, *map(written, told.inside)])


def check(raw: bytes) -> Verdict:
    """Read and judge a mail; assert what holds for every mail."""
    told_letter = letters.read(raw)
    told = judge(told_letter, TRUST)
    written(told_letter).encode("utf-8")
    repr(told).encode("utf-8")
    assert recognize(raw, TRUST) == told
    assert told.why.isprintable()
    if told.kind is Kind.OPT_OUT:
        assert len(told.orders) == 1
    for trust in (Trust(), TRUST):
        assert worth_reading(told_letter, trust) in verdict.Worth
    return told


@bounded
@given(st.one_of(BYTES, st.binary(max_size=400)))
def test_any_bytes_give_a_letter_and_a_verdict(raw: bytes) -> None:
    check(raw)


@bounded
@given(
    fields=st.lists(
        st.sampled_from(
            [
                "From: " + AMAZON, "Subject: =?iso-2022-jp?b?GyRC?=", "Content-Type: text/html; charset=shift_jis",
                "Content-Type: multipart/digest; boundary=x", "Content-Transfer-Encoding: quoted-printable",
                "Content-Type: text/plain; format=flowed; delsp=yes", "Content-Transfer-Encoding: x-uuencode",
                "Content-Type: text/plain; charset=unicode_escape", "Content-Type: text/plain; charset=utf-16",
                "Content-Type: text/plain; charset=rot13", "X-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES",
            ]
        ),
        max_size=5,
    ),
    body=BYTES,
)  # fmt: skip
def test_any_body_under_any_label_gives_a_letter_and_a_verdict(fields: list[str], body: bytes) -> None:
    check("\n".join(fields).encode() + b"\n\n" + body)


@bounded
@given(
    st.binary(max_size=60), st.one_of(st.text(max_size=20), st.sampled_from("utf-7 unicode_escape hz cp932".split()))
)
def test_any_bytes_under_any_charset_label_are_text(data: bytes, label: str) -> None:
    charset.decode(data, label).encode("utf-8")


@bounded
@given(st.data())
def test_a_damaged_fixture_never_raises(data: st.DataObject) -> None:
    raw = RAW[data.draw(st.sampled_from(UNTRUSTING))]
    at = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.sampled_from([at, at + 1, at + 40, len(raw)]))
    check(raw[:at] + data.draw(st.one_of(SNIPPETS, st.just(b""))) + raw[end:])


@pytest.mark.parametrize("path", UNTRUSTING, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_line_ends_and_the_order_of_fields_do_not_matter(path: Path) -> None:
    raw = RAW[path].replace(b"\r\n", b"\n")
    told = recognize(raw)
    assert recognize(raw.replace(b"\n", b"\r\n")) == told
    head, body = split_fields(raw)
    distinct = len({field.partition(b":")[0].lower() for field in head}) == len(head)
    if distinct and all(b":" in field for field in head):  # below a line that is no field a From proves nothing
        assert recognize(b"".join(head[::-1]) + body) == told
        assert recognize(b"".join(sorted(head)) + body) == told


def split_fields(raw: bytes) -> tuple[list[bytes], bytes]:
    """Part a mail into whole header fields, folded lines with them, and the rest."""
    end = raw.index(b"\n\n") + 1
    fields: list[bytes] = []
    for line in raw[:end].splitlines(keepends=True):
        if line[:1] in b" \t" and fields:
            fields[-1] += line
        else:
            fields.append(line)
    return fields, raw[end:]


def attached(raw: bytes, sender: str) -> list[bytes]:
    """Give the ways to hand a mail on whole: beside a text, as a file, alone."""
    kinds = (b"message/rfc822", b"application/octet-stream; name=n.eml")
    outer = "multipart/mixed; boundary=outer"
    return [
        *(
            mail(
                b"--outer\n\nLook.\n--outer\nContent-Type: " + kind + b"\n\n" + raw + b"\n--outer--\n",
                From=sender, Subject="Fwd: x", Content_Type=outer,
            )
            for kind in kinds
        ),
        mail(raw, From=sender, Content_Type="message/rfc822"),
    ]  # fmt: skip


def wrapped(raw: bytes, sender: str = "stranger@elsewhere.example") -> list[bytes]:
    """Give the ways a stranger can hand a mail on: attached, twice, inline, quoted, in HTML, as a text."""
    quoted = b"> " + raw.replace(b"\r\n", b"\n").replace(b"\n", b"\n> ")
    whole = attached(raw, sender)
    return [
        *whole,
        mail(whole[0], From=sender, Content_Type="message/rfc822"),
        mail(b"---------- Forwarded message ---------\n" + raw, From=sender),
        mail(b"Begin forwarded message:\n\n" + quoted, From=sender),
        mail(quoted, From=sender),
        mail(b"<blockquote>" + raw + b"</blockquote>", From=sender, Content_Type="text/html"),
        mail(raw, From=sender),
    ]


@pytest.mark.parametrize("path", UNTRUSTING, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_reading_no_more_than_the_verdict_depends_on_gives_the_same_verdict(path: Path) -> None:
    """Of strangers' mails most is not read; handed on, a notice lies deeper."""
    for raw in (RAW[path], *wrapped(RAW[path]), *attached(RAW[path], STRANGER)):
        for trust in (Trust(), TRUST):
            assert judge(verdict.read(raw, trust, RULES), trust) == judge(letters.read(raw), trust)


@pytest.mark.parametrize("path", NOTICES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_true_notice_is_believed_only_from_a_trusted_forwarder(path: Path) -> None:
    told = recognize(RAW[path])
    assert told.kind is Kind.OPT_OUT
    kinds = [recognize(raw, TRUST).kind for raw in wrapped(RAW[path])]
    assert kinds[:3] == [Kind.SUSPECT] * 3
    assert Kind.OPT_OUT not in kinds
    believed = [recognize(raw, TRUST) for raw in attached(RAW[path], STRANGER)]
    assert {(v.kind, v.rule, v.orders, v.buyer, v.marketplace) for v in believed} == {
        (told.kind, told.rule, told.orders, told.buyer, told.marketplace)
    }


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_no_notice_becomes_none_by_being_handed_on(path: Path) -> None:
    assert recognize(RAW[path]).kind is not Kind.OPT_OUT
    assert Kind.OPT_OUT not in [recognize(raw).kind for raw in wrapped(RAW[path])]


@bounded
@given(st.data())
def test_a_damaged_mail_handed_on_by_a_stranger_is_never_an_opt_out(data: st.DataObject) -> None:
    raw = RAW[data.draw(st.sampled_from(NOTICES + OTHERS))]
    at = data.draw(st.integers(0, len(raw)))
    raw = raw[:at] + data.draw(SNIPPETS) + raw[data.draw(st.sampled_from([at, at + 3, len(raw)])) :]
    assert check(data.draw(st.sampled_from(wrapped(raw)))).kind is not Kind.OPT_OUT


@bounded
@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from([1, 2]))
def test_text_around_the_sentence_in_a_buyers_message_never_makes_a_notice(before: str, after: str, times: int) -> None:
    raw = mail(
        (before + SENTENCE + after).encode("utf-8", "replace") * times, From="abcdefgh12345@marketplace.amazon.it"
    )
    assert check(raw).kind is Kind.OTHER_NOTICE
