"""What is read on a quick way is what the long way gives: header sections, strangers' mails, FETCH answers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from nosend import letter, verdict
from nosend.letter import header
from nosend.mailbox import answers
from nosend.model import Trust
from nosend.verdict import Worth, rules
from nosend.verdict.wording import Phrases, normal

PIECES = [
    b"From", b"Subject", b"subject ", b"X-Space-Notification-Type", b":", b": ", b"\r\n", b"\n", b"\r\n ",
    b"\n\t", b"\r", b" ", b"x", b"::", b"Fwd:", b"WG:", b"could not be ", b"delivered",
    b"Undelivered Mail Returned to Sender", b"amazon", b"ama", b"zon", b"@marketplace.amazon.de",
    b"anna@shop.example", b"<", b">", b'"', b"(", b"=?utf-8?q?Fwd=3A?=", b"\x00", b"\x1b", b"\x0b", b"\x1c",
    b"\xe4", b"\x7f", b"OPT_OUT",
]  # fmt: skip
SECTIONS = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)
TRUST = Trust(frozenset({"anna@shop.example", "office.example"}))


@given(SECTIONS)
@settings(max_examples=1_500, deadline=None)
def test_a_tidy_section_is_read_as_any_other(section: bytes) -> None:
    tidy = header.tidy(section)
    if tidy is not None:
        assert tidy == header.fields(section)
        assert not header.is_damaged(section)


@given(SECTIONS)
@settings(max_examples=1_500, deadline=None)
def test_what_is_surely_nothing_is_worth_nothing(section: bytes) -> None:
    known = rules.builtin()
    if verdict.surely_nothing(section, TRUST, known):
        assert verdict.worth_reading(letter.heading(section), TRUST, known) is Worth.NOTHING


WORDS = st.lists(
    st.sampled_from(["was", "not", "delivered", "undelivered", "x", "wurde nicht", "\u914d\u4fe1", ""]), max_size=8
)
PHRASES = Phrases.of(("was not delivered", "delivered x", "x", "not was not x", "\u914d\u4fe1 not"))


@given(WORDS.map(" ".join).map(normal), st.sampled_from(("", "y")))
@settings(max_examples=1_500, deadline=None)
def test_phrases_are_found_as_any_substring_is(text: str, grown: str) -> None:
    text = grown + text + grown
    assert PHRASES.any_in(text) == any(phrase in text for phrase in PHRASES.phrases)


def test_most_strangers_are_surely_nothing_and_none_that_matters() -> None:
    known = rules.builtin()

    def sure(text: str) -> bool:
        return verdict.surely_nothing(text.encode(), TRUST, known)

    assert sure("From: News <a@b.example>\r\nSubject: A week of\r\n offers\r\n\r\n")
    assert not sure("From: x@amazon.de\r\nSubject: y\r\n\r\n")
    assert not sure("From: Anna@shop.example\r\nSubject: y\r\n\r\n")
    assert not sure("From: a@b.example\r\nSubject:\r\n Fwd: y\r\n\r\n")
    assert not sure("From: a@b.example\r\nSubject: =?utf-8?q?y?=\r\n\r\n")
    assert not sure("From: a@b.example\r\nX-Space-Notification-TYPE: y\r\n\r\n")


HEAD = b'7 (UID 9 RFC822.SIZE 12 INTERNALDATE " 1-Feb-2026 12:00:00 +0100" BODY[HEADER.FIELDS (FROM SUBJECT)]<0> {3}'


def test_answers_in_the_common_form_are_read_as_imapclient_reads_them() -> None:
    given = [(HEAD, b"abc"), b")", (b"8 (BODY[] {2}", b"xy"), b" UID 10)"]
    read = answers.read(given)
    assert read is not None
    other = parse_fetch_response(given, normalise_times=False)
    assert {uid: {key.partition(b"<")[0] for key in item} for uid, item in read.items()} == {
        uid: {key.partition(b"<")[0] for key in item} - {b"SEQ"} for uid, item in other.items()
    }
    assert answers.content(read[9], b"BODY[HEADER") == b"abc" == answers.content(other[9], b"BODY[HEADER")
    assert answers.time(read[9][b"INTERNALDATE"]) == answers.time(other[9][b"INTERNALDATE"]) is not None
    assert (read[9][b"RFC822.SIZE"], answers.content(read[10], b"BODY[]")) == (12, b"xy")


def test_answers_in_another_form_are_left_to_imapclient() -> None:
    for other in (
        [None],
        [b"1 (FLAGS (\\Seen))"],
        [(HEAD, b"abc"), b")", b"1 (FLAGS (\\Seen))"],
        [(HEAD, b"abc"), b" FLAGS (UID 3))"],
        [(HEAD.replace(b"UID 9 ", b""), b"abc"), b")"],
        [(HEAD.replace(b"UID 9", b"FLAGS (UID 3) UID 9"), b"abc"), b")"],
        [(HEAD.replace(b"RFC822.SIZE", b"X-GM-MSGID"), b"abc"), b")"],
        [(HEAD, b"abc"), (b" BODY[] {1}", b"x"), b")"],
    ):
        assert answers.read(other) is None, other
