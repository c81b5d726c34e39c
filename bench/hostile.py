"""What the costliest mails cost: each is made, read and judged in a process of its own; a table, the slowest first.

    python bench/hostile.py              # all of them, some minutes
    python bench/hostile.py html base64  # those whose name has one of these words

The aim is any mail of up to 10 MB within 2 s and 300 MB. Nothing is asserted; what misses the aim has a mark. The
memory is the peak of the process, with Python, nosend and the mail's own bytes in it; the time is processor time, and
leaves out start-up and reading the file.
"""

# ruff: noqa: INP001, T201 - a folder of scripts, which print

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from base64 import b64encode, encodebytes
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 10_000_000
PATIENCE = 120  # seconds; what takes longer is ended
MOST_SECONDS, MOST_MEGABYTES = 2.0, 300

ORDER = "123-4567890-1234567"
AMAZON = "auto-communication@amazon.com"
SUBJECT = "About a message"  # names no failure, so that every judge is asked
EN = f"We were unable to deliver the message you sent for order [{ORDER}] because the buyer has chosen to opt out of "
EN += "receiving unsolicited messages from sellers."
FR = (
    f"Nous ne sommes pas parvenus à transmettre votre message au sujet de la commande {ORDER}, car l'acheteur a choisi "
)
FR += "de ne pas recevoir de messages non sollicités de la part des vendeurs."
IT = f"non siamo stati in grado di recapitare il messaggio che hai inviato a Rosa per l'ordine [{ORDER}] perché "
IT += "l'acquirente ha scelto di non ricevere messaggi non richiesti dai venditori."
JA = "購入者が出品者からの未承諾広告メールを受信しないように設定しているため、"
JA += f"注文 {ORDER}に関するメッセージを送信できませんでした。"


def fill(unit: str | bytes, size: int = SIZE) -> bytes:
    """Repeat a piece up to a size, and add a line end."""
    data = unit.encode() if isinstance(unit, str) else unit
    return data * (size // len(data)) + b"\n"


def mail(
    body: bytes, kind: str = "text/plain; charset=utf-8", transfer: str = "", fields: dict[str, bytes] | None = None
) -> bytes:
    """Write a mail from Amazon; `fields` replace or add."""
    head = {"From": AMAZON.encode(), "Subject": SUBJECT.encode(), "Content-Type": kind.encode()}
    head |= {"Content-Transfer-Encoding": transfer.encode()} if transfer else {}
    head |= fields or {}
    return b"".join(name.encode() + b": " + value + b"\n" for name, value in head.items()) + b"\n" + body


def text(unit: str | bytes) -> bytes:
    """Write a plain mail of one piece over and over, then the sentence."""
    return mail(fill(unit) + b"\n" + EN.encode())


def html(unit: str | bytes, size: int = SIZE, before: bytes = b"", after: bytes = b"") -> bytes:
    """Write an HTML mail of one piece over and over, then the sentence."""
    return mail(before + fill(unit, size) + after + f"<p>{EN}</p>".encode(), "text/html; charset=utf-8")


def labelled(charset: str, body: bytes) -> bytes:
    """Write a plain mail under a charset label."""
    return mail(body, f"text/plain; charset={charset}")


def field(name: str, value: bytes) -> bytes:
    """Write a mail with one long field."""
    return mail(EN.encode(), fields={name: value})


def parts(part: bytes, count: int, kind: str = "mixed") -> bytes:
    """Write a multipart of so many equal parts."""
    return mail((b"--b\n" + part + b"\n") * count + b"--b--\n", f'multipart/{kind}; boundary="b"')


def nested(levels: int, *, same: bool) -> bytes:
    """Write multiparts within multiparts, under one boundary or each under its own."""
    names = [b"b" if same else b"b%d" % level for level in range(levels)]
    opened = b"".join(b"--%s\nContent-Type: multipart/mixed; boundary=%s\n\n" % pair for pair in pairwise(names))
    body = opened + b"--%s\n\n%s\n" % (names[-1], EN.encode())
    return mail(body, f"multipart/mixed; boundary={names[0].decode()}")


def letters(levels: int) -> bytes:
    """Write a letter within a letter within a letter."""
    return mail(b"Content-Type: message/rfc822\n\n" * levels + mail(EN.encode()), "message/rfc822")


def under_the_caps(unit: str, times: int, kind: str = "text/html; charset=utf-8", count: int = 90) -> bytes:
    """Write so many parts that no cap of parts, letters or size helps; the HTML and line caps may."""
    return parts(f"Content-Type: {kind}\n\n".encode() + unit.encode() * times, count)


def in_each(name: str, unit: str, count: int = 90) -> bytes:
    """Write parts that each have one long field, under the caps."""
    value = fill(unit, 19_900)
    return parts(name.encode() + b": " + value + b"\n" + EN.encode(), count)


def in_letters(name: str, unit: str, count: int = 49) -> bytes:
    """Attach letters that each have one long field, under the caps."""
    value = fill(unit, 19_900).strip()
    return parts(b"Content-Type: message/rfc822\n\n" + mail(EN.encode(), fields={name: value}), count)


def fragments(sentence: str) -> bytes:
    """Repeat the first half of a key sentence, in one line."""
    return text(sentence[: len(sentence) // 2] + " ")


def uuencoded() -> bytes:
    """Write lines of 45 bytes, uuencoded."""
    return mail(b"begin 644 a\n" + fill("M" + "86%A" * 15 + "\n") + b"`\nend\n", transfer="x-uuencode")


FORWARD = "---------- Forwarded message ---------\n"
OUTLOOK = f"From: {AMAZON}\nSent: Monday\nTo: a@b.example\nSubject: x\n"

MAILS: dict[str, Callable[[], bytes]] = {
    "nothing: one short notice": lambda: mail(EN.encode()),
    # text
    "text: one letter": lambda: text("a"),
    "text: spaces": lambda: text(" "),
    "text: tabs and spaces": lambda: text("\t "),
    "text: empty lines": lambda: text("\n"),
    "text: CR only": lambda: text("\r"),
    "text: NUL": lambda: text("\0"),
    "text: U+FDFA, 18 letters in NFKC": lambda: text("\ufdfa"),
    "text: combining marks": lambda: text("\u0301"),
    "text: combining marks in two orders": lambda: text("a\u0316\u0301"),
    "text: Hangul jamo": lambda: text("\u1100\u1161\u11a8"),
    "text: zero-width": lambda: text("\u200b"),
    "text: soft hyphens inside words": lambda: text("o\u00ad"),
    "text: kanji": lambda: text("注文"),
    "text: kanji and spaces": lambda: text("注 "),
    "text: full-width digits": lambda: text("\uff11"),
    "text: curly apostrophes": lambda: text("l\u2019a "),
    "text: digits": lambda: text("1"),
    "text: hyphens": lambda: text("-"),
    "text: digits and hyphens": lambda: text("123-4567890-123456-"),
    "text: order ids, one line": lambda: text(ORDER + " "),
    "text: order ids, a line each": lambda: text(ORDER + "\n"),
    "text: order ids, a paragraph each": lambda: text(ORDER + "\n\n"),
    "text: different order ids": lambda: mail("\n".join(f"123-4567890-{n:07}" for n in range(480_000)).encode()),
    "text: >": lambda: text(">"),
    "text: > and space": lambda: text("> "),
    "text: > on a line each": lambda: text(">\n"),
    "text: quoted and own lines in turns": lambda: text("> a\nb\n"),
    "text: deeper and deeper quotes": lambda: mail(b"".join(b">" * n + b" a\n" for n in range(4_400)) + EN.encode()),
    "text: dots": lambda: text("."),
    "text: ends of sentences": lambda: text("a. "),
    "text: ends of sentences, capitals": lambda: text("Abcd. "),
    "text: Japanese ends of sentences": lambda: text("。"),
    "text: initials": lambda: text("A. "),
    "text: brackets": lambda: text("["),
    "text: colons": lambda: text("a:"),
    "text: http://": lambda: text("http://"),
    "text: links": lambda: text("http://a.example/b "),
    "text: mailto links, a line each": lambda: text("mailto:abcdefgh12345@marketplace.amazon.it\n"),
    "text: different mailto links": lambda: mail(
        "\n".join(f"mailto:abcdefgh{n:06}@marketplace.amazon.it" for n in range(200_000)).encode()
    ),
    "text: the buyer's fence": lambda: text("------------- Message: -------------\n"),
    "text: half a fence": lambda: text("------------- Message"),
    "text: a forward's line": lambda: text(FORWARD),
    "text: a forward's line, quoted": lambda: text("> " + FORWARD),
    "text: Outlook's header block": lambda: text(OUTLOOK),
    "text: Outlook's header block and a line": lambda: text(OUTLOOK + "\nHello\n\n"),
    "text: From lines": lambda: text("From: a\n"),
    "text: From, To, Subject": lambda: text("From: a\nTo: b\nSubject: c\n"),
    "text: From and text in turns": lambda: text("From: a\nabc\n"),
    "text: HTML under a plain label": lambda: mail(b"<html>" + fill("<div>")),
    # sentences
    "sentence: English, halves": lambda: fragments(EN),
    "sentence: French, halves": lambda: fragments(FR),
    "sentence: Italian, halves": lambda: fragments(IT),
    "sentence: Japanese, halves": lambda: fragments(JA),
    "sentence: English, whole": lambda: text(EN + " "),
    "sentence: English, whole, a paragraph each": lambda: text(EN + "\n\n"),
    "sentence: French, whole": lambda: text(FR + " "),
    "sentence: Italian, whole": lambda: text(IT + " "),
    "sentence: Japanese, whole": lambda: text(JA),
    "sentence: all but the last word": lambda: text(EN.removesuffix("sellers.")),
    "sentence: first piece only, with ids": lambda: text(f"unable to deliver the message you sent {ORDER} "),
    "sentence: first piece only": lambda: text("unable to deliver the message you sent "),
    "sentence: first pieces of the other causes": lambda: text(f"in grado di recapitare il messaggio {ORDER} "),
    "sentence: almost, one letter wrong": lambda: text(EN.replace("opt out", "opt qut") + " "),
    "sentence: a letter a line": lambda: text("\n".join(EN) + "\n"),
    # HTML
    "html: <": lambda: html("<"),
    "html: <div>": lambda: html("<div>"),
    "html: <div> under the tag cap": lambda: html("<div>", 5 * 19_900),
    "html: <b> under the tag cap": lambda: html("<b>", 3 * 19_900),
    "html: <p> under the tag cap": lambda: html("<p>", 3 * 19_900),
    "html: <a href> under the tag cap": lambda: html('<a href="b">', 12 * 19_900),
    "html: <font> under the tag cap": lambda: html("<font>", 6 * 19_900),
    "html: <form> under the tag cap": lambda: html("<form>", 6 * 19_900),
    "html: <table><tr><td> under the tag cap": lambda: html("<table><tr><td>", 15 * 6_600),
    "html: <td> under the tag cap": lambda: html("<td>", 4 * 19_900, b"<table>"),
    "html: <br> under the tag cap": lambda: html("<br>", 4 * 19_900),
    "html: <br>a under the tag cap": lambda: html("a<br>", 5 * 19_900),
    "html: <blockquote> under the tag cap": lambda: html("<blockquote>a", 13 * 19_900),
    "html: <pre> with lines": lambda: html("a\n", before=b"<pre>"),
    "html: <select><option>": lambda: html("<select><option>", 16 * 9_900),
    "html: opened and not closed, then </p>": lambda: html("</p>", 4 * 9_900, fill("<div>", 5 * 9_900)),
    "html: <b><i> closed the wrong way": lambda: html("<b><i></b></i>", 14 * 4_900),
    "html: </div>": lambda: html("</div>"),
    "html: <!--": lambda: html("<!--"),
    "html: <!-- -->": lambda: html("<!---->"),
    "html: <!": lambda: html("<!"),
    "html: <?": lambda: html("<?"),
    "html: <![CDATA[": lambda: html("<![CDATA["),
    "html: <style>": lambda: html("<style>"),
    "html: <script>": lambda: html("<script>"),
    "html: <textarea>": lambda: html("<textarea>"),
    "html: <title>": lambda: html("<title>"),
    "html: <svg>": lambda: html("<svg>"),
    "html: &": lambda: html("&"),
    "html: &#": lambda: html("&#"),
    "html: &#x": lambda: html("&#x"),
    "html: &#x and digits": lambda: html("1", before=b"&#x"),
    "html: &nbsp;": lambda: html("&nbsp;"),
    "html: &amp; without an end": lambda: html("&amp"),
    "html: zero-width references": lambda: html("&#8203;"),
    "html: unclosed double quotes in tags": lambda: html('<a href="'),
    "html: unclosed single quotes in tags": lambda: html("<a href='"),
    "html: <a without an end": lambda: html("<a "),
    "html: attributes": lambda: html("a=b ", before=b"<div ", after=b">"),
    "html: different attributes": lambda: mail(
        b"<div " + b" ".join(b"a%d=b" % n for n in range(60_000)) + b">" + EN.encode(), "text/html"
    ),
    "html: one long attribute": lambda: html("a", before=b'<div title="', after=b'">'),
    "html: class with many words": lambda: html("a ", before=b'<div class="', after=b'">'),
    "html: one word in pieces": lambda: html("a<wbr>", 6 * 19_900),
    "html: text and comments in turns": lambda: html("a<!---->", 8 * 19_900),
    "html: mailto links": lambda: html('<a href="mailto:abcdefgh12345@marketplace.amazon.it">x</a>'),
    "html: different mailto links": lambda: mail(
        "".join(f'<a href="mailto:abcdefgh{n:06}@marketplace.amazon.it">' for n in range(100_000)).encode(), "text/html"
    ),
    "html: one mailto link with many recipients": lambda: html(
        "abcdefgh12345@marketplace.amazon.it,", before=b'<a href="mailto:', after=b'">'
    ),
    "html: one mailto link of percent signs": lambda: html("%2", before=b'<a href="mailto:', after=b'">'),
    "html: one word of the cap": lambda: html("a"),
    "html: sentences of the cap": lambda: html(f"<p>{EN}</p>"),
    "html: sentences in one paragraph": lambda: html(EN + " "),
    "html: combining marks": lambda: html("\u0301"),
    "html: U+FDFA": lambda: html("\ufdfa"),
    "html: meta charset": lambda: mail(fill("<meta "), "text/html"),
    "html: header block in a table": lambda: html("<p>From: a<p>To: b<p>Subject: c", 31 * 6_000),
    # many parts
    "parts: 100,000": lambda: parts(b"Content-Type: text/plain\n\na", 100_000),
    "parts: 100,000 empty": lambda: parts(b"", 100_000),
    "parts: boundaries without line ends between": lambda: mail(fill("--b"), "multipart/mixed; boundary=b"),
    "parts: boundaries with spaces": lambda: mail(fill("--b" + " " * 60 + "x\n"), "multipart/mixed; boundary=b"),
    "parts: a line of spaces after a boundary": lambda: mail(b"--b" + fill(" ") + b"x", "multipart/mixed; boundary=b"),
    "parts: a hyphen for boundary": lambda: mail(fill("-"), "multipart/mixed; boundary=-"),
    "parts: boundary of 20,000": lambda: mail(
        fill("--" + "b" * 19_000 + "c\n"), "multipart/mixed; boundary=" + "b" * 19_000
    ),
    "parts: multiparts in multiparts": lambda: nested(100_000, same=False),
    "parts: the same boundary nested": lambda: nested(100_000, same=True),
    "parts: wide and deep": lambda: parts(
        b"Content-Type: multipart/mixed; boundary=c\n\n" + b"--c\n\na\n" * 1_000, 1_000
    ),
    "parts: digest of 100,000": lambda: parts(b"\n" + mail(EN.encode()), 30_000, "digest"),
    "parts: letters in letters": lambda: letters(100_000),
    "parts: letters of 2 MB side by side": lambda: parts(
        b"Content-Type: message/rfc822\n\n" + mail(fill(EN + "\n", 200_000)), 50
    ),
    "parts: attached .eml in base64": lambda: parts(
        b"Content-Type: application/octet-stream; name=n.eml\nContent-Transfer-Encoding: base64\n\n"
        + encodebytes(mail(fill(EN + "\n", 100_000))),
        70,
    ),
    "parts: HTML, deep, in each of 90": lambda: under_the_caps("<div>", 1_100),
    "parts: HTML, flat, in each of 90": lambda: under_the_caps("<br>a", 1_100),
    "parts: sentences in each of 90": lambda: under_the_caps(EN + "\n\n", 150, "text/plain"),
    "parts: sentences in one line in each of 90": lambda: under_the_caps(EN + " ", 150, "text/plain"),
    "parts: French sentences in each of 90": lambda: under_the_caps(FR + " ", 120, "text/plain; charset=utf-8"),
    "parts: Outlook blocks in each of 90": lambda: under_the_caps(OUTLOOK + "\nHello\n\n", 250, "text/plain"),
    "parts: kanji under a Latin label in each of 90": lambda: under_the_caps(
        "注文", 3_500, "text/plain; charset=latin1"
    ),
    "parts: <p> in each of 90": lambda: under_the_caps("<p>", 1_850),
    "parts: <b> in each of 90": lambda: under_the_caps("<b>", 1_850),
    "parts: <a href> in each of 90": lambda: under_the_caps("<a href=b>", 550),
    "parts: Content-Type without a slash in each of 90": lambda: in_each("Content-Type", "a"),
    "parts: Content-Type with ; in each of 90": lambda: in_each("Content-Type", "; "),
    "parts: Content-Type with parameters in each of 90": lambda: in_each("Content-Type", "a/b; a=b"),
    "parts: Content-Type with backslashes in each of 90": lambda: in_each("Content-Type", 'a/b; a="\\\\'),
    "parts: Content-Type with quotation marks in each of 90": lambda: in_each("Content-Type", 'a/b; a="'),
    "parts: Content-Type with spaces in each of 90": lambda: in_each("Content-Type", "a  "),
    "parts: Content-Disposition with ; in each of 90": lambda: in_each("Content-Disposition", ";a="),
    "parts: a field of spaces in each of 90": lambda: in_each("Content-Disposition", "; "),
    "parts: letters with long From": lambda: in_letters("From", "a"),
    "parts: letters with From of brackets": lambda: in_letters("From", "<"),
    "parts: letters with From of spaces and brackets": lambda: in_letters("From", "a <"),
    "parts: letters with encoded words": lambda: in_letters("Subject", "=?utf-8?q?a?= "),
    "parts: letters with half encoded words": lambda: in_letters("Subject", "=?utf-8?q?"),
    "parts: letters with dkim and parentheses": lambda: in_letters("Authentication-Results", "dkim ("),
    "parts: letters with dkim and spaces": lambda: in_letters("Authentication-Results", "dkim = "),
    "parts: letters with ;": lambda: in_letters("Authentication-Results", ";"),
    "parts: letters with marketplaces": lambda: in_letters("X-Marketplace-ID", "A"),
    "parts: letters with a long Date": lambda: in_letters("Date", "1, "),
    # the header section
    "header: 10 MB of fields": lambda: fill("X-A: b\n") + mail(EN.encode()),
    "header: 10 MB of lines that are none": lambda: fill("abc\n") + mail(EN.encode()),
    "header: 10 MB without a blank line": lambda: fill("X-A: b\n"),
    "header: one folded field": lambda: field("X-A", fill("a\n ")),
    "header: one folded Subject": lambda: field("Subject", fill("a\n ")),
    "header: one field name": lambda: fill("a") + mail(EN.encode()),
    "header: one field name and spaces": lambda: b"a" + fill(" ") + mail(EN.encode()),
    "header: blank but for CR": lambda: fill("\r") + mail(EN.encode()),
    "header: encoded words": lambda: field("Subject", fill("=?utf-8?b?w6k=?= ")),
    "header: encoded words folded": lambda: field("Subject", fill("=?utf-8?q?=C3=A9?=\n ")),
    "header: encoded words, half": lambda: field("Subject", fill("=?utf-8?q?")),
    "header: one long encoded word": lambda: field("Subject", b"=?utf-8?b?" + b64encode(b"a" * 7_000_000) + b"?="),
    "header: encoded words in the marker": lambda: field("X-Space-Notification-Type", fill("=?utf-8?q?a?= ")),
    "header: markers": lambda: fill("X-Space-Notification-Type: BUYER_OPTED_OUT_BSM_MESSAGES\n") + mail(EN.encode()),
    "header: From lines": lambda: fill(f"From: {AMAZON}\n") + mail(EN.encode()),
    "header: From with brackets": lambda: field("From", fill("<")),
    "header: From with parentheses": lambda: field("From", fill("(")),
    "header: From with quotation marks": lambda: field("From", fill('"')),
    "header: From with backslashes": lambda: field("From", fill("\\")),
    "header: From with addresses": lambda: field("From", fill(f"{AMAZON}, ")),
    "header: From with a long local part": lambda: field("From", fill("a") + b"@amazon.com"),
    "header: Authentication-Results with ;": lambda: field("Authentication-Results", fill(";")),
    "header: Authentication-Results with (": lambda: field("Authentication-Results", fill("(")),
    "header: Authentication-Results with dkim=(": lambda: field("Authentication-Results", fill("dkim=(a) ")),
    "header: Authentication-Results with dkim and spaces": lambda: field("Authentication-Results", fill("dkim  ")),
    "header: Authentication-Results, spaces": lambda: field("Authentication-Results", b"dkim" + fill(" ")),
    "header: Authentication-Results, 1,000": lambda: fill(
        "Authentication-Results: x; " + "dkim (" * 320 + "\n", 1_900_000
    ) + mail(EN.encode()),
    "header: Authentication-Results, 120 long ones": lambda: fill(
        "Authentication-Results: x; " + "dkim = ( " * 200 + "\n", 250_000
    )
    + mail(EN.encode()),
    "header: Content-Type with ;": lambda: field("Content-Type", fill(";")),
    "header: Content-Type with parameters": lambda: field("Content-Type", b"text/plain" + fill("; a=b")),
    "header: Content-Type with quotation marks": lambda: field("Content-Type", b"text/plain" + fill('; a="')),
    "header: Content-Type with backslashes": lambda: field("Content-Type", b'text/plain; a="' + fill("\\")),
    "header: Content-Type without a slash": lambda: field("Content-Type", fill("a")),
    "header: Content-Type, RFC 2231 pieces": lambda: field(
        "Content-Type", b"multipart/mixed" + b"".join(b"; boundary*%d=bbbb" % n for n in range(1_000))
    ),
    "header: file name of encoded words": lambda: field(
        "Content-Disposition", b"attachment; filename=" + fill("=?utf-8?q?a?=")
    ),
    "header: Date": lambda: field("Date", fill("(")),
    "header: Date of digits": lambda: field("Date", b"1 Jan " + fill("1")),
    "header: Date of commas": lambda: field("Date", fill(", ")),
    "header: Date of colons": lambda: field("Date", b"1 Jan 2020 " + fill("1:")),
    "header: Message-ID": lambda: field("Message-ID", fill("<")),
    "header: 8-bit bytes": lambda: field("Subject", fill(b"\xe9")),
    "header: kanji": lambda: field("Subject", fill("注文")),
    # transfer encodings
    "transfer: base64 of 10 MB": lambda: mail(encodebytes(fill(EN + "\n", 7_300_000)), transfer="base64"),
    "transfer: base64 of =": lambda: mail(fill("="), transfer="base64"),
    "transfer: base64 of A=": lambda: mail(fill("A="), transfer="base64"),
    "transfer: base64 of no digits": lambda: mail(fill("!"), transfer="base64"),
    "transfer: base64 of blocks": lambda: mail(fill("QQ=="), transfer="base64"),
    "transfer: quoted-printable of 10 MB": lambda: mail(fill("=41"), transfer="quoted-printable"),
    "transfer: quoted-printable of =": lambda: mail(fill("="), transfer="quoted-printable"),
    "transfer: quoted-printable soft breaks": lambda: mail(fill("=\n"), transfer="quoted-printable"),
    "transfer: quoted-printable soft breaks padded": lambda: mail(fill("= \n"), transfer="quoted-printable"),
    "transfer: quoted-printable = and spaces": lambda: mail(b"=" + fill(" ") + b"x", transfer="quoted-printable"),
    "transfer: quoted-printable =, spaces in turns": lambda: mail(fill("=" + " " * 50), transfer="quoted-printable"),
    "transfer: uuencode of 10 MB": uuencoded,
    "transfer: uuencode of torn lines": lambda: mail(b"begin 644 a\n" + fill("~\n"), transfer="x-uuencode"),
    "transfer: uuencode of empty lines": lambda: mail(b"begin 644 a\n" + fill("\n"), transfer="x-uuencode"),
    # charsets
    "charset: iso-2022-jp escapes": lambda: labelled("iso-2022-jp", fill(b"\x1b$B\x1b(B")),
    "charset: iso-2022-jp, a letter each": lambda: labelled("iso-2022-jp", fill(b"\x1b$B0l\x1b(B")),
    "charset: iso-2022-jp, torn": lambda: labelled("iso-2022-jp", fill(b"\x1b$B0")),
    "charset: utf-16": lambda: labelled("utf-16", fill((EN + "\n").encode("utf-16-le"))),
    "charset: utf-16, lone surrogates": lambda: labelled("utf-16-le", fill(b"\x00\xd8")),
    "charset: utf-32": lambda: labelled("utf-32", fill((EN + "\n").encode("utf-32-le"))),
    "charset: utf-7": lambda: labelled("utf-7", fill("+AOk-")),
    "charset: hz": lambda: labelled("hz", fill("~{<:Ky~}")),
    "charset: shift_jis": lambda: labelled("shift_jis", fill(JA.encode("cp932"))),
    "charset: shift_jis without a label": lambda: labelled("", fill(JA.encode("cp932"))),
    "charset: euc-jp without a label": lambda: labelled("", fill(JA.encode("euc_jp"))),
    "charset: gb18030": lambda: labelled("gb18030", fill("注文".encode("gb18030"))),
    "charset: big5, broken": lambda: labelled("big5", fill(b"\xa4\xff")),
    "charset: utf-8, broken": lambda: labelled("utf-8", fill(b"\xe3\x81")),
    "charset: utf-8, half broken": lambda: labelled("utf-8", fill(b"\xe3\x81\x82" * 20 + b"\xff")),
    "charset: all bytes": lambda: labelled("latin1", fill(bytes(range(256)))),
    "charset: undefined in windows-1252": lambda: labelled("windows-1252", fill(b"\x81")),
    "charset: UTF-8 written twice": lambda: labelled("utf-8", fill("é".encode().decode("cp1252"))),
    "charset: punycode": lambda: labelled("punycode", fill("a")),
    # format=flowed
    "flowed: 1,000,000 lines": lambda: mail(fill("abcdefgh \n"), "text/plain; format=flowed"),
    "flowed: 1,000,000 lines, delsp": lambda: mail(fill("abcdefgh \n"), "text/plain; format=flowed; delsp=yes"),
    "flowed: quoted": lambda: mail(fill("> abcdef \n"), "text/plain; format=flowed"),
    "flowed: signatures": lambda: mail(fill("a \n-- \n"), "text/plain; format=flowed"),
    "flowed: stuffed": lambda: mail(fill(" \n"), "text/plain; format=flowed"),
}  # fmt: skip


def judged(path: Path) -> str:
    """Judge the mail in a file; give seconds, peak memory in MB and the verdict."""
    from nosend import recognize  # noqa: PLC0415 - the process that starts the others stays small

    recognize(mail(EN.encode()))  # loads what is loaded once
    raw = path.read_bytes()
    start = time.process_time()
    told = recognize(raw)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
    return f"{seconds:.3f}|{peak:.0f}|{told.kind}, {told.rule}"


def measure(name: str, path: Path) -> tuple[float, float, str, float]:
    """Make one mail and judge it, each in a process of its own; give seconds, MB, the verdict and the mail's MB."""
    subprocess.run([sys.executable, __file__, "--make", name, str(path)], check=True)
    size = path.stat().st_size / 1e6
    try:
        command = [sys.executable, __file__, "--judge", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return PATIENCE, 0, f"ended after {PATIENCE} s", size
    if done.returncode:
        return PATIENCE, 0, f"exit {done.returncode}: {(done.stderr.splitlines() or [''])[-1]}", size
    seconds, peak, outcome = done.stdout.strip().split("|", 2)
    return float(seconds), float(peak), outcome, size


def main(words: list[str]) -> None:
    """Measure what the words name and print the table."""
    names = [name for name in MAILS if not words or any(word in name for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        rows = [(*measure(name, Path(folder, "mail.eml")), name) for name in names]
    missed = sum(seconds > MOST_SECONDS or peak > MOST_MEGABYTES for seconds, peak, *_ in rows)
    print(f"{len(rows)} mails, {missed} of them over {MOST_SECONDS} s or {MOST_MEGABYTES} MB (marked *)\n")
    print("| s | peak MB | mail MB | mail | verdict |")
    print("|---:|---:|---:|---|---|")
    for seconds, peak, outcome, size, name in sorted(rows, reverse=True):
        mark = "*" if seconds > MOST_SECONDS or peak > MOST_MEGABYTES else ""
        shown = name.replace("|", "\\|").replace("<", "&lt;")
        print(f"| {seconds:.2f}{mark} | {peak:.0f} | {size:.1f} | {shown} | {outcome} |")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--make", name, path]:
            Path(path).write_bytes(MAILS[name]())
        case ["--judge", path]:
            print(judged(Path(path)))
        case words:
            main(words)
