"""Plain text becomes lines and running paragraphs: quotes counted, wraps undone."""

from __future__ import annotations

import pytest

from nosend.letter.lines import Line, from_plain, links, paragraphs


def running(text: str, **how: bool) -> tuple[str, ...]:
    return paragraphs(from_plain(text, **how))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ()),
        ("\n\n \t\n", ()),
        ("a b", ("a b",)),
        ("a\nb", ("a b",)),
        ("a\r\nb", ("a b",)),
        ("a\rb", ("a b",)),
        ("a\n\nb", ("a", "b")),
        ("a\r\n\r\nb", ("a", "b")),
        ("a\n \t\nb", ("a", "b")),
        ("  a   b\t c  \n", ("a b c",)),
        ("a\fb\vc", ("a b c",)),
        ("a\xa0 b", ("a b",)),
    ],
)
def test_hard_wrapped_lines_run_on_until_an_empty_line(text: str, told: tuple[str, ...]) -> None:
    assert running(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("order 123-\n4567890-1234567", "order 123-4567890-1234567"),
        ("order 123-4567890-\r\n1234567.", "order 123-4567890-1234567."),
        ("well-\nknown", "well- known"),
        ("12-\nabc", "12- abc"),
        ("a -\n5", "a - 5"),
        ("123\n4567", "123 4567"),
        ("注文に\n関する", "注文に関する"),
        ("カタカナ\nひらがな", "カタカナひらがな"),
        ("送信できません。\nでした", "送信できません。でした"),
        ("注文\n503-1234567-1234567\nに関する", "注文 503-1234567-1234567 に関する"),
        ("注文 503-1234567-\n1234567に", "注文 503-1234567-1234567に"),
    ],
)
def test_a_wrap_becomes_a_space_only_where_one_was(text: str, told: str) -> None:
    assert running(text) == (told,)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("> a", [Line("a", 1, opens=True)]),
        (">a", [Line("a", 1, opens=True)]),
        ("> > a\n>>b", [Line("a", 2, opens=True), Line("b", 2)]),
        ("a\n> b", [Line("a", 0, opens=True), Line("b", 1)]),
        ("> a\n>\n> b", [Line("a", 1, opens=True), Line("b", 1, opens=True)]),
        ("a > b", [Line("a > b", 0, opens=True)]),
        (" > a", [Line("> a", 0, opens=True)]),
        ("＞ a", [Line("＞ a", 0, opens=True)]),
        (">" * 60 + "a", [Line("a", 50, opens=True)]),
    ],
)
def test_quote_marks_at_the_beginning_of_a_line_are_counted(text: str, lines: list[Line]) -> None:
    assert from_plain(text) == lines


@pytest.mark.parametrize(
    ("text", "delsp", "lines"),
    [
        ("a \nb", False, [Line("a b", 0, opens=True)]),
        ("un \nable", True, [Line("unable", 0, opens=True)]),
        ("a  \nb", True, [Line("a b", 0, opens=True)]),
        ("a \nb \nc\nd", False, [Line("a b c", 0, opens=True), Line("d")]),
        (" >a", False, [Line(">a", 0, opens=True)]),
        ("  a", False, [Line("a", 0, opens=True)]),
        (" From me", False, [Line("From me", 0, opens=True)]),
        ("> a \n> b", False, [Line("a b", 1, opens=True)]),
        ("> a \n>> b", False, [Line("a", 1, opens=True), Line("b", 2)]),
        ("a \n\nb", False, [Line("a", 0, opens=True), Line("b", 0, opens=True)]),
        ("a\n-- \nb", False, [Line("a", 0, opens=True), Line("--"), Line("b")]),
        ("a \n-- \nb", False, [Line("a", 0, opens=True), Line("--"), Line("b")]),  # RFC 3676, 4.3
        ("123-4567890- \n1234567", True, [Line("123-4567890-1234567", 0, opens=True)]),
    ],
)
def test_flowed_text_flows_as_rfc_3676_says(text: str, delsp: bool, lines: list[Line]) -> None:
    assert from_plain(text, flowed=True, delsp=delsp) == lines


def test_text_that_is_not_flowed_keeps_its_lines() -> None:
    assert from_plain("a \nb") == [Line("a", 0, opens=True), Line("b")]
    assert from_plain(" >a") == [Line(">a", 0, opens=True)]


def test_links_are_found_once_each_in_order() -> None:
    text = "see https://a.example/x?y=1 or\n<mailto:b@c.example>, http://d.example and https://a.example/x?y=1 ftp://e"
    found = from_plain(text)
    assert [line.links for line in found] == [
        ("https://a.example/x?y=1",),
        ("mailto:b@c.example", "http://d.example", "https://a.example/x?y=1"),
    ]
    assert links(found) == ("https://a.example/x?y=1", "mailto:b@c.example", "http://d.example")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("line", "count"),
    [("a \n", 700_000), ("> a \n", 100_000), ("\n", 500_000), (">\n", 250_000), ("> > \n", 100_000), ("注\n", 100_000)],
)
def test_many_short_lines_are_read_in_bounded_time(line: str, count: int) -> None:
    assert len(running(line * count, flowed=True)) <= 1


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["-", "> ", "http://", "mailto:a ", "注", " "])
def test_one_long_line_is_read_in_bounded_time(piece: str) -> None:
    assert len(running(piece * (2_000_000 // len(piece)))) <= 1
