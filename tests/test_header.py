"""Header fields are read as they were meant, however they were written."""

from __future__ import annotations

import pytest

from nosend.letter import header


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        (b"Subject: one\r\nTo: two\r\n", (("Subject", "one"), ("To", "two"))),
        (b"Subject: one\n two\n\tthree\n", (("Subject", "one two\tthree"),)),
        (b"Subject:\n one\n", (("Subject", "one"),)),
        (b"Subject : one\n", (("Subject", "one"),)),
        (b"SUBJECT:one\n", (("SUBJECT", "one"),)),
        (b"Subject:\n", (("Subject", ""),)),
        (b"Subject: a: b\n", (("Subject", "a: b"),)),
        (b"To: 1\nTo: 2\n", (("To", "1"), ("To", "2"))),
        (b"Subject: caf\xc3\xa9\n", (("Subject", "café"),)),
        (b"Subject: caf\xe9\n", (("Subject", "café"),)),
        ("Subject: 注文についてのお知らせ\n".encode("cp932"), (("Subject", "注文についてのお知らせ"),)),
        ("Subject: 注文\n".encode("iso2022_jp"), (("Subject", "注文"),)),
        (b"Subject: a\x00b\rc\n", (("Subject", "a b c"),)),
        (b"Subject: =?utf-8?q?caf=C3=A9?=\n", (("Subject", "=?utf-8?q?caf=C3=A9?="),)),
        (b" folded before any field\nTo: x\n", (("To", "x"),)),
        (b"From me Fri Sep 11 2026\nTo: x\n", (("To", "x"),)),
        (b"", ()),
    ],
)
def test_fields_are_unfolded_and_made_text(section: bytes, fields: header.Fields) -> None:
    assert header.fields(section) == fields


@pytest.mark.parametrize("broken", [b"no colon here", b": no name", b"two words: no", b"caf\xe9: no", b"\x00: no"])
def test_a_broken_line_costs_only_itself(broken: bytes) -> None:
    assert header.fields(b"To: x\n" + broken + b"\nSubject: y\n") == (("To", "x"), ("Subject", "y"))


def test_a_field_is_read_up_to_20_000_characters() -> None:
    assert header.fields(b"A:" + b"x" * 20_000 + b"\nB: y") == (("A", "x" * 20_000), ("B", "y"))
    assert header.fields(b"A:" + b"x" * 20_001 + b"\nB: y") == (("A", "x" * 20_000), ("B", "y"))
    assert header.fields(b"A:" + b"\n x" * 40_000 + b"\nB: y") == (("A", "x " * 10_000), ("B", "y"))


def test_a_section_is_read_up_to_1_000_fields() -> None:
    assert header.fields(b"A: x\n" * 2_000) == (("A", "x"),) * 1_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?caf=C3=A9_noir?=", "café noir"),
        ("=?UTF-8?Q?caf=c3=a9?=", "café"),
        ("=?utf-8?B?Y2Fmw6k=?=", "café"),
        ("=?iso-8859-1?q?caf=E9?=", "café"),
        ("=?utf-8*fr?q?caf=C3=A9?=", "café"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("a=?utf-8?q?b?=c", "abc"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a_?= =?utf-8?q?b?=", "a b"),
        ("=?utf-8?q?a?=  \t =?iso-8859-1?q?=E9?=", "aé"),
        ("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        ("=?utf-8?q?caf=C3?= =?utf-8?q?=A9?=", "café"),
        ("=?utf-8?b?Y2Fmww==?= =?UTF-8?b?qSE=?=", "café!"),
        ("=?iso-2022-jp?b?GyRCQ21KOBsoQg==?=", "注文"),
        ("=?shift_jis?b?ko2Vtg==?=", "注文"),
        ("=?euc-jp?q?=C3=ED=CA=B8?=", "注文"),
        ("é =?utf-8?q?=C3=A9?= é", "é é é"),
        ("=?utf-8?q?a b?=", "a b"),
    ],
)
def test_encoded_words_are_decoded(value: str, text: str) -> None:
    assert header.decode(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?b?Y2Fmw6k?= =?iso-8859-1?q?!?=", "café!"),  # no padding
        ("=?utf-8?b?Y2 Fm*w6k=?=", "café"),  # foreign characters
        ("=?utf-8?b?Y2Fmw6lxx?= x", "caféq x"),  # a torn end
        ("=?utf-8?q?a=ZZb?=", "a=ZZb"),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("=?utf-8?q?never closed", "=?utf-8?q?never closed"),
        ("=?utf-8?q??=", ""),
        ("=?nobody-knows?q?caf=C3=A9?=", "café"),
        ("=?nobody-knows?q?caf=E9?=", "café"),
        ("=?utf-8?q?caf=E9_et_th=E9?=", "café et thé"),  # a lying label
        ("=?rot13?q?nop?=", "nop"),
        ("=?utf-7?q?+AOk-?=", "+AOk-"),
        ("bad \udc80 =?utf-8?q?caf=C3=A9?=", "bad \ufffd café"),
    ],
)
def test_a_broken_encoded_word_gives_what_can_be_read(value: str, text: str) -> None:
    assert header.decode(value) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Y2Fmw6k=", b"caf\xc3\xa9"),
        (b"Y2Fm\r\nw6k=\r\n", b"caf\xc3\xa9"),
        (b"Y2Fmw6k", b"caf\xc3\xa9"),
        (b"!Y-2Fm w6k=", b"caf\xc3\xa9"),
        (b"Y2Fmw6kh", b"caf\xc3\xa9!"),
        (b"Y2Fmw6khY", b"caf\xc3\xa9!"),
        (b"YQ", b"a"),
        (b"Y", b""),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64_is_read_as_far_as_it_goes(data: bytes, text: bytes) -> None:
    assert header.from_base64(data) == text
