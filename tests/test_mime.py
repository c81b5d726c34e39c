"""A mail's bytes are cut into parts and decoded, however it was packed; caps bound the work and are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letters import mail, multipart, read
from nosend import letter
from nosend.letter import mime
from nosend.model import How, Letter
from nosend.verdict import rules

LIMITS = mime.Limits()
PLAIN = "Content-Type: text/plain\n\n{}"
HTML = "Content-Type: text/html\n\n<p>{}</p>"
ATTACHED = "Content-Type: message/rfc822\n\n"


def text(raw: bytes) -> tuple[str, ...]:
    return read(raw).paragraphs


@pytest.mark.parametrize(
    ("encoding", "body", "told"),
    [
        ("7bit", b"a=3D b", "a=3D b"),
        ("8bit", "été".encode(), "été"),
        ("binary", "été".encode(), "été"),
        ("x-unknown", b"a=3D b", "a=3D b"),
        ("", b"a=3D b", "a=3D b"),
        ("quoted-printable", b"=C3=A9t=c3=a9", "été"),
        ("Quoted-Printable", b"123-4567=\n890-123=\r\n4567", "123-4567890-1234567"),
        ("quoted-printable", b"de= \nli=\t\r\nver", "deliver"),  # RFC 2045, 6.7 (3): white space added on the way
        ("quoted-printable", b"a=ZZ b=", "a=ZZ b"),
        ("QUOTED-PRINTABLE ; x=y", b"=C3=A9", "é"),
        ("base64", b"w6l0w6k=", "été"),
        ("BASE64", b"w6l0\r\nw6k\r\n", "été"),
        ("base64", b"w6l0!!w6k=", "été"),
        ("base64", b"w6l0w6khI", "été!"),
        ("base64 (comment)", b"w6l0w6k=", "été"),
        ("x-uuencode", b"begin 644 x\n%PZETPZD \n`\nend\nafter", "été"),
        ("uuencode", b"before\nbegin 644 x\r\n%PZETPZD \r\n\xff\xff\r\n \r\nend\r\n", "été"),
        ("uuencode", b"no begin line", ""),
    ],
)
def test_transfer_encodings_are_undone(encoding: str, body: bytes, told: str) -> None:
    assert text(mail(body, Content_Transfer_Encoding=encoding)) == ((told,) if told else ())


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"A: b\n\ntext", ((("A", "b"),), b"text")),
        (b"A: b\r\n\r\ntext", ((("A", "b"),), b"text")),
        (b"A: b\n\r\ntext", ((("A", "b"),), b"text")),
        (b"A: b\r\rtext", ((("A", "b"),), b"text")),
        (b"A: b\rC: d\r\rtext\rmore", ((("A", "b"), ("C", "d")), b"text\nmore")),
        (b"A: b\nC: d", ((("A", "b"), ("C", "d")), b"")),
        (b"A: b\n folded\nno field\ntext", ((("A", "b folded"),), b"no field\ntext")),
        (b"\ntext", ((), b"text")),
        (b"no field at all\n\ntext", ((), b"no field at all\n\ntext")),
        (b"A: b\nbroken\nC: d\n\ntext", ((("A", "b"), ("C", "d")), b"text")),
        (b"", ((), b"")),
        (b"\r", ((), b"")),
    ],
)
def test_a_mail_is_parted_at_its_first_empty_line(raw: bytes, told: tuple[mime.Fields, bytes]) -> None:
    assert mime.split(raw)[:2] == told


def test_line_ends_do_not_matter() -> None:
    raw = multipart(PLAIN.format("one\ntwo\n\nthree"), HTML.format("four"), Content_Language="en")
    told = read(raw)
    assert told.paragraphs == ("one two", "three", "four")
    assert [read(raw.replace(b"\n", end)) for end in (b"\r\n", b"\r")] == [told, told]


@pytest.mark.parametrize("boundary", ["=_b", "a b", "'()+_,-./:=?", "a*b[c]+(d|e)^$.{2}", "--", "x" * 70, "été"])
def test_any_boundary_cuts(boundary: str) -> None:
    assert text(multipart(PLAIN.format("a"), PLAIN.format("b"), boundary=boundary)) == ("a", "b")


@pytest.mark.parametrize(
    ("content_type", "body", "told"),
    [
        ("multipart/mixed; boundary=b", "--b\n\none\n--b\n\ntwo\n--b--\n", ("one", "two")),
        ("multipart/mixed; boundary=b", "--b\n\none\n--b\n\ntwo", ("one", "two")),  # never closed
        ("multipart/mixed; boundary=b", "preamble\n--b\n\none\n--b--\nepilogue\n--b\n\nno", ("one",)),
        ("multipart/mixed; boundary=b", "--b  \t\n\none\n--b-- \n", ("one",)),
        ("multipart/mixed; boundary=b", "--b\n\none\n--bc\n\ntwo\n--b--", ("one --bc", "two")),
        ("multipart/mixed; boundary=b", "--b\n\none\n --b\n> --b\n--b--", ("one --b",)),
        ("multipart/mixed; boundary=b", "--b\none\n--b--", ("one",)),
        ("multipart/mixed; boundary=b", "no boundary at all", ("no boundary at all",)),
        ("multipart/mixed; boundary=b", "--b--\nnothing", ()),
        ("multipart/mixed; boundary=b", "", ()),
        ("multipart/mixed", "--b\n\none", ("--b", "one")),
        ('multipart/mixed; boundary=""', "text", ("text",)),
        ('multipart/mixed; boundary="b  "', "--b\n\none\n--b--", ("one",)),
        ('Multipart/MIXED; x="a; boundary=c"; BOUNDARY = "b"; boundary=d', "--b\n\none\n--b--", ("one",)),
        ("multipart/mixed;boundary=b; charset=utf-8", "--b\n\none\n--b--", ("one",)),
        ("multipart/unheard-of; boundary=b", "--b\n\none\n--b--", ("one",)),
        ("text/plain", "--b\n\none", ("--b", "one")),
        ("nonsense", "text", ("text",)),
        ("", "text", ("text",)),
    ],
)
def test_boundaries_cut_where_they_should(content_type: str, body: str, told: tuple[str, ...]) -> None:
    assert text(mail(body, Content_Type=content_type)) == told


def test_a_boundary_used_again_inside_cuts_both_levels() -> None:
    inner = 'Content-Type: multipart/alternative; boundary="=_b"\n\n--=_b\n\none\n--=_b\n\ntwo'
    assert text(multipart(inner, closed=False)) == ("one", "two")


@pytest.mark.parametrize(
    "part",
    [
        "Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=a.txt\n\nno",
        "Content-Type: text/html\nContent-Disposition: ATTACHMENT\n\nno",
        "Content-Type: application/pdf\n\nno",
        "Content-Type: application/octet-stream; name=a.txt\n\nno",
        "Content-Type: text/calendar\n\nno",
        "Content-Type: image/svg+xml\n\n<p>no</p>",
    ],
)
def test_only_inline_text_and_html_are_text(part: str) -> None:
    assert read(multipart(PLAIN.format("yes"), part, HTML.format("yes"))) == replace(
        read(multipart(PLAIN.format("yes"), HTML.format("yes"))), paragraphs=("yes", "yes")
    )
    assert text(multipart("Content-Type: text/plain\nContent-Disposition: inline; filename=a.txt\n\nyes")) == ("yes",)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: message/rfc822",
        "Content-Type: MESSAGE/RFC822\nContent-Disposition: attachment; filename=x",
        "Content-Type: message/global",
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64",
        'Content-Type: application/octet-stream; name="Notice.EML"',
        "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=notice.eml",
        "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename*=utf-8''not%C3%A9.eml",
        'Content-Type: x/y\nContent-Disposition: attachment; filename*0="a very long "; filename*1=name.eml',
        'Content-Type: text/plain\nContent-Disposition: attachment; filename="=?utf-8?q?=C3=A9t=C3=A9.eml?="',
        "Content-Type: application/octet-stream; name=n.eml\nContent-Transfer-Encoding: base64",
    ],
)
def test_an_attached_mail_is_a_letter_inside(head: str) -> None:
    body = "RnJvbTogYQpTdWJqZWN0OiBzCgpJbnNpZGUu" if "base64" in head else "From: a\nSubject: s\n\nInside."
    told = read(multipart(PLAIN.format("Look."), f"{head}\n\n{body}"))
    inside = Letter(How.ATTACHED, (("From", "a"), ("Subject", "s")), "s", ("Inside.",))
    assert (told.paragraphs, told.inside) == (("Look.",), (inside,))


def test_the_parts_of_a_digest_are_letters() -> None:
    raw = multipart("\nSubject: one\n\nA.", "Content-Type: text/plain\n\nB.", kind="digest")
    told = read(raw)
    assert [letter.subject for letter in told.inside] == ["one"]
    assert (told.paragraphs, told.inside[0].paragraphs) == (("B.",), ("A.",))


def test_a_mail_that_is_nothing_but_an_attached_mail() -> None:
    told = read(mail("Subject: s\n\nInside.", Content_Type="message/rfc822"))
    assert told.inside == (Letter(How.ATTACHED, (("Subject", "s"),), "s", ("Inside.",)),)


def nested(levels: int) -> bytes:
    """Write a text within so many multiparts."""
    part = PLAIN.format("deep")
    for level in range(levels, 1, -1):
        part = f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n{part}\n--b{level}--"
    return multipart(part, boundary="b1")


def attached(levels: int, text: str = "text") -> bytes:
    """Write a mail within so many mails."""
    return mail(ATTACHED * (levels - 1) + "Subject: deep\n\n" + text, Content_Type="message/rfc822")


def overlapping(levels: int, lines: int) -> bytes:
    """Write multiparts within multiparts, and lines that begin with the boundary of each and are none of them."""
    parts = "".join(f"Content-Type: multipart/mixed; boundary={'a' * n}\n\n--{'a' * n}\n" for n in range(1, levels))
    return parts.encode() + f"--{'a' * levels}x\n".encode() * lines


SMALL = mime.Limits(size=2_000, parts=5, depth=4, letters=3)
SHORT = mime.Limits(text=100, tags=3)
QUOTED_CUT = "quoted-printable after the first 2097152 bytes of a part"
TEXT_CUT = f"text after the first {LIMITS.text} characters"


@pytest.mark.parametrize(
    ("just_under", "just_over", "cut"),
    [
        (mail("x" * 2_000)[:2_000], mail("x" * 2_000)[:2_001], "bytes after the first 2000"),
        (multipart(*["\nx"] * 5), multipart(*["\nx"] * 6), "parts after the first 5"),
        (nested(4), nested(5), "parts nested deeper than 4"),
        (attached(3), attached(4), "letters after the first 3, nested too deeply, or too large"),
        (
            multipart(*[ATTACHED + "A: b"] * 3),
            multipart(*[ATTACHED + "A: b"] * 4),
            "letters after the first 3, nested too deeply, or too large",
        ),
    ],
    ids=["bytes", "parts", "depth", "nested letters", "letters"],
)
def test_what_a_cap_leaves_out_is_told_and_only_then(just_under: bytes, just_over: bytes, cut: str) -> None:
    assert read(just_under, SMALL).cuts == ()
    assert read(just_over, SMALL).cuts == (cut,)
    assert read(just_over).cuts == ()


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_text_over_the_cap_is_cut_and_told(kind: str) -> None:
    whole, cut = (read(mail("x" * count, Content_Type=kind), SHORT) for count in (100, 101))
    assert (whole.paragraphs, whole.cuts) == (("x" * 100,), ())
    assert (cut.paragraphs, cut.cuts) == (("x" * 100,), ("text after the first 100 characters",))


def test_tags_over_the_cap_are_cut_and_told() -> None:
    whole, cut = (read(mail("<p>a" * count, Content_Type="text/html"), SHORT) for count in (3, 4))
    assert (whole.paragraphs, whole.cuts) == (("a",) * 3, ())
    assert (cut.paragraphs, cut.cuts) == (("a",) * 3, ("HTML after the first 3 tags",))


def test_cuts_inside_an_attached_mail_are_told_once_by_the_outer_letter() -> None:
    """The cap is of all parts together."""
    inside = ATTACHED + "Content-Type: text/html\n\n" + "x" * 101
    told = read(multipart(inside, inside), SHORT)
    assert told.cuts == ("text after the first 100 characters",)
    assert [letter.paragraphs for letter in told.inside] == [("x" * 100,), ()]


def test_a_text_just_within_the_depth_is_read() -> None:
    assert text(nested(LIMITS.depth)) == ("deep",)
    assert text(nested(LIMITS.depth + 1)) == ()


HEADER_CUT = (
    "header fields after the first 1000, or 20000 characters of one",
    "a header section that could be read in two ways",
)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("raw", "cuts"),
    [
        (nested(3_000), ("parts nested deeper than 20",)),
        (attached(3_000), ("letters after the first 50, nested too deeply, or too large",)),
        (multipart(*["\nx"] * 100_000), ("parts after the first 100",)),
        (mail("--b\n" * 400_000, Content_Type="multipart/mixed; boundary=b"), ("parts after the first 100",)),
        (multipart("A" * 1_900_000), (TEXT_CUT,)),
        (mail("\r" * 1_900_000), (TEXT_CUT,)),
        (b"\n" * 2_000_000, (TEXT_CUT, "lines after the first 20000")),
        (b"A: b\n" * 400_000, (*HEADER_CUT, TEXT_CUT, "lines after the first 20000")),
        (b"A: " + b"b" * 2_000_000, (*HEADER_CUT, TEXT_CUT)),
        (b"A: b\n" + b" c\n" * 500_000, (*HEADER_CUT, TEXT_CUT, "lines after the first 20000")),
        (
            overlapping(20, 150_000),
            ("parts after 10000 lines that are almost a boundary", TEXT_CUT, "lines after the first 20000"),
        ),
        (overlapping(20, 500), ()),
        (attached(12, "x" * 2_000_000), ("letters after the first 50, nested too deeply, or too large",)),
        (mail("=  \n" * 1_000_000, Content_Transfer_Encoding="quoted-printable"), (QUOTED_CUT,)),
        (mail("A=" * 1_000_000, Content_Transfer_Encoding="base64"), (TEXT_CUT,)),
        (mail("x", Content_Type="text/plain" + '; a="b' * 3_000), ()),
        (mail("x", Content_Type="text/plain" + "; " * 9_000), ()),
        (mail("=" * 1_900_000, Content_Transfer_Encoding="quoted-printable"), (TEXT_CUT,)),
        (mail("M" * 1_900_000, Content_Transfer_Encoding="uuencode"), ()),
    ],
)
def test_hostile_structure_is_read_in_bounded_time(raw: bytes, cuts: tuple[str, ...]) -> None:
    assert read(raw).cuts == cuts


def test_all_looks_together_cost_no_more_than_one_reading() -> None:
    """Of each attached letter it is asked whether its text matters; when too much was looked at, it does."""
    inner = "Content-Type: message/rfc822\n\nContent-Type: text/plain\n\n" + "x" * 60
    marks = rules.builtin().marks
    for count, cuts in ((1, ()), (3, ("text after the first 100 characters",))):
        raw = multipart(*[inner] * count)
        assert letter.read(raw, marks, lambda _: lambda _: False, SHORT).cuts == cuts
