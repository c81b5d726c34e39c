"""A mail's bytes -> its leaf parts, transfer-decoded (RFC 2045, 2046). Caps bound the work, nothing here raises.

The standard library's parser recurses once a level and walks a body line by line, with no cap on either; here
a body is cut along its boundaries, to a fixed depth, in time linear in the bytes.
"""

from __future__ import annotations

import re
from binascii import Error as BinasciiError
from binascii import a2b_qp, a2b_uu
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from nosend.letter import header
from nosend.letter.header import Fields  # noqa: TC001 - a NamedTuple reads its annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANK_LINE = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_PADDED_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")  # RFC 2045, 6.7 (3)
_HEADER_CAP = 256 * 1024
_PADDING = 100  # spaces that may follow a boundary (RFC 2046, 5.1.1: "transport padding")
_LETTER_TYPES = frozenset({"message/rfc822", "message/global", "text/rfc822"})
_RICH_TEXT = frozenset("text/enriched text/richtext text/rtf text/markdown text/x-markdown application/rtf".split())
_TEXT_INSIDE = frozenset(
    "application/ms-tnef application/vnd.ms-tnef application/pkcs7-mime application/x-pkcs7-mime application/rtf "
    "application/pgp-encrypted".split()
)
_MOST_QUOTED = 2 * 1024 * 1024  # bytes of a part; nothing else is so dear to decode
_UU_BYTES = 512 * 1024  # of a uuencoded part; no program that writes a notice uses it


@dataclass(frozen=True, slots=True)
class Limits:
    """What one mail may cost. A notice has 7 to 50 KB, one to three parts, three levels."""

    size: int = 10 * 1024 * 1024  # bytes of the mail
    parts: int = 100
    depth: int = 20  # multiparts within multiparts
    letters: int = 50  # letters attached to the letter, all levels together,
    attached: int = 20 * 1024 * 1024  # and bytes of them; those of a letter in a letter count twice
    text: int = 512 * 1024  # characters of text, plain and HTML, all parts together
    tags: int = 20_000  # tags of HTML, all parts together: closing tags that match nothing cost the square
    lines: int = 20_000  # lines of plain text, all parts together
    almost: int = 10_000  # lines that begin as a boundary does and are none, all parts together


LIMITS = Limits()


@dataclass(slots=True)
class Budget:
    """What is left of the limits while one mail is read, and what was cut."""

    limits: Limits
    parts: int = 0
    letters: int = 0
    attached: int = 0
    text: int = 0
    tags: int = 0
    lines: int = 0
    almost: int = 0
    cuts: list[str] = field(default_factory=list)

    def cut(self, what: str) -> None:
        """Note, once, that something was left unread."""
        if what not in self.cuts:
            self.cuts.append(what)


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf: its media type and transfer encoding (lower-case), parameters that matter, and its bytes as they came."""

    media: str
    charset: str
    flowed: bool
    delsp: bool
    attachment: bool
    filename: str
    encoding: str
    encoded: bytes

    @property
    def is_letter(self) -> bool:
        """Tell whether it is an attached mail."""
        return self.media in _LETTER_TYPES or self.filename.endswith(".eml")

    @property
    def may_be_text(self) -> bool:
        """Tell whether a mail program may show it as the text of the mail, though nosend does not read it."""
        return not self.is_letter and (self.media.startswith("text/") or self.media in _TEXT_INSIDE)

    @property
    def is_rich_text(self) -> bool:
        """Tell whether it is text with a markup that is not read."""
        return self.media in _RICH_TEXT

    def body(self, budget: Budget) -> bytes:
        """Decode the bytes; what is not read need not be decoded."""
        if self.encoding == "quoted-printable" and len(self.encoded) > _MOST_QUOTED:
            budget.cut(f"quoted-printable after the first {_MOST_QUOTED} bytes of a part")
            return _transfer_decoded(self.encoded[:_MOST_QUOTED], self.encoding)
        return _transfer_decoded(self.encoded, self.encoding)


class Section(NamedTuple):
    """A mail in two: its header fields and its body. `damaged`: its sender could be read in two ways."""

    fields: Fields
    body: bytes
    damaged: bool


def split(raw: bytes) -> Section:
    """Part a mail into its header fields and its body (RFC 5322, 2.1).

    Without an empty line between them the body begins at the first line that is no header field.
    """
    if b"\n" not in raw:  # line ends of old Macintoshes
        raw = raw.replace(b"\r", b"\n")
    blank = _BLANK_LINE.search(raw)
    end, start = blank.span() if blank else (_end_of_fields(raw[: _HEADER_CAP + 1]),) * 2
    section = raw[: min(end, _HEADER_CAP)]
    tidy = header.tidy(section)
    fields = header.fields(section) if tidy is None else tidy
    damaged = end > _HEADER_CAP or (tidy is None and header.is_damaged(section))
    return Section(fields, raw[start:] if fields or not end else raw, damaged)


def _end_of_fields(raw: bytes) -> int:
    end = 0
    for line in raw.splitlines(keepends=True):
        if line[:1] not in b" \t" and not header.is_field(line):
            break
        end += len(line)
    return end


def leaves(section: Section, budget: Budget, depth: int = 0) -> Iterator[Part]:
    """Walk the leaf parts in order. What the budget does not allow is left out and told in `budget.cuts`."""
    waiting = [(section, depth, "text/plain")]
    while waiting:
        part, depth, default = waiting.pop()
        kind, parameters = _content_type(part.fields, default)
        boundary = parameters.get("boundary", "").rstrip()
        if not kind.startswith("multipart/") or not boundary:
            yield _leaf(part, "text/plain" if kind.startswith("multipart/") else kind, parameters)
            continue
        if depth >= budget.limits.depth:
            budget.cut(f"parts nested deeper than {budget.limits.depth}")
            continue
        allowed = budget.limits.parts - budget.parts
        pieces = list(islice(_pieces(part.body, boundary, budget), allowed + 1))
        if len(pieces) > allowed:
            budget.cut(f"parts after the first {budget.limits.parts}")
        budget.parts += min(len(pieces), allowed)
        inner_default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        waiting += [(split(piece), depth + 1, inner_default) for piece in reversed(pieces[:allowed])]


def _pieces(body: bytes, boundary: str, budget: Budget) -> Iterator[bytes]:
    """Cut a multipart body along its boundary; a missing last boundary ends with the body (RFC 2046, 5.1.1)."""
    dashed = b"--" + boundary.encode("utf-8", "surrogateescape")
    start = None
    at = 0 if body.startswith(dashed) else _next_line(body, dashed, 0)
    while at >= 0:
        end = body.find(b"\n", at)
        end = len(body) if end < 0 else end
        rest = body[at + len(dashed) : min(end, at + len(dashed) + _PADDING)].rstrip(b" \t\r")
        if rest in {b"", b"--"}:
            if start is not None:
                yield body[start:at].removesuffix(b"\n").removesuffix(b"\r")
            if rest:
                return
            start = end + 1
        else:
            budget.almost += 1
            if budget.almost > budget.limits.almost:
                budget.cut(f"parts after {budget.limits.almost} lines that are almost a boundary")
                break
        at = _next_line(body, dashed, end)
    yield body if start is None else body[start:]


def _next_line(body: bytes, begins: bytes, at: int) -> int:
    """Find the next line that begins so, -1 when there is none."""
    found = body.find(b"\n" + begins, at)
    return found + 1 if found >= 0 else -1


def _leaf(section: Section, kind: str, parameters: dict[str, str]) -> Part:
    fields = section.fields
    disposition, more = _value(fields, "content-disposition")
    return Part(
        media=kind,
        charset=parameters.get("charset", ""),
        flowed=parameters.get("format", "").lower() == "flowed",
        delsp=parameters.get("delsp", "").lower() == "yes",
        attachment=disposition.lower() == "attachment",
        filename=_file_name(more.get("filename", "") or parameters.get("name", "")),
        encoding=_value(fields, "content-transfer-encoding")[0].lower().strip(" .\"'"),
        encoded=section.body,
    )


def _file_name(written: str) -> str:
    """Give a file name in lower case, of encoded words or as RFC 2231 writes it: `utf-8''n%2Eeml`."""
    return unquote(header.decode(written[:1_000]).rpartition("''")[2]).strip().lower()


def _content_type(fields: Fields, default: str) -> tuple[str, dict[str, str]]:
    value, parameters = _value(fields, "content-type")
    kind = _MEDIA.search(value[:_LONGEST_TYPE].lower())
    return (f"{kind[1]}/{kind[2]}" if kind else default), parameters


_LONGEST_TYPE = 200  # characters in which a media type is looked for
_MOST_PARAMETERS = 100
_MEDIA = re.compile(r"([a-z]{1,40})\s{0,9}/\s{0,9}([\w.+-]{1,100})")  # with what some programs write around it
_PARAMETER = re.compile(r';[ \t]*([^\s=;"]{1,40})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))')


def _value(fields: Fields, name: str) -> tuple[str, dict[str, str]]:
    """Read `value; name=text; name="text"` (RFC 2045, 5.1); of repeated fields and parameters the first counts."""
    written = header.first(fields, name)
    parameters: dict[str, str] = {}
    for found in islice(_PARAMETER.finditer(written), _MOST_PARAMETERS):
        quoted, bare = found[2], found[3]
        text = (bare or "").strip() if quoted is None else quoted
        if quoted and "\\" in quoted:
            text = re.sub(r"\\(.)", r"\1", quoted)
        key, _, section = found[1].lower().partition("*")  # RFC 2231: name*=utf-8''text, name*0=text; name*1=more
        if section.rstrip("*") not in {"", "0"}:
            parameters[key] = parameters.get(key, "") + text
        else:
            parameters.setdefault(key, text)
    return written.partition(";")[0].partition("(")[0].strip(), parameters


def _transfer_decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return header.from_base64(body)
    if encoding == "quoted-printable":
        return a2b_qp(_PADDED_SOFT_BREAK.sub(b"=", body))
    if encoding in {"x-uuencode", "uuencode", "x-uue"}:
        return b"".join(_uu_lines(body))
    return body  # 7bit, 8bit, binary, and what nobody knows


def _uu_lines(body: bytes) -> Iterator[bytes]:
    start = body.find(b"begin ")
    lines = body[start : start + _UU_BYTES].split(b"\n")[1:] if start >= 0 else []
    for line in lines:
        if line.strip() == b"end":
            return
        try:
            yield a2b_uu(line.rstrip(b"\r"))
        except BinasciiError:  # a torn line costs itself
            continue
