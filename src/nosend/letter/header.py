"""Header fields: folded, raw 8-bit, broken; encoded words (RFC 2047). Nothing here raises.

Read by ourselves: `email.policy.default` raises on headers it only has to read (cpython issue 151857), and
compat32 ends the header section at the first bad line, with all the fields below it.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from string import ascii_letters, digits

from nosend.letter import charset

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_TIDY = re.compile(
    rb"(?:[!-9;-~]{1,200}[ \t]*:[^\r\n\0\x1b\x80-\xff]*(?:\r?\n[ \t][^\r\n\0\x1b\x80-\xff]*)*+(?:\r?\n|\Z))*+"
)
_TIDY_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)")
_FOLD = re.compile(r"\r?\n")
_BARE_CR = re.compile(rb"\r(?!\n|\Z)")
_ODD = re.compile(rb"[\r\n\x00\x1b]")
_BREAKS = re.compile(r"[\r\n\x00]+")
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_NOT_BASE64 = bytes(set(range(256)) - {*ascii_letters.encode(), *digits.encode(), *b"+/"})
LONGEST = 20_000  # characters of one field that are read; RFC 5322 allows 998 on a line
MOST = 1_000  # fields of one section that are read

_MOST_BLOCKS = 10_000  # of base64, each with its own padding, that are decoded
_MOST_WORDS = 500  # encoded words of one field that are decoded

Fields = tuple[tuple[str, str], ...]


def tidy(section: bytes) -> Fields | None:
    """Read a section of nothing but fields, all ASCII, that is not damaged, as `fields` does in thrice the time."""
    if not _TIDY.fullmatch(section):
        return None
    told = islice(_TIDY_FIELD.finditer(section.decode("ascii")), MOST)
    return tuple([(one[1], _FOLD.sub("", one[2]).strip()[:LONGEST]) for one in told])


def fields(section: bytes) -> Fields:
    """Read a header section: names as written, values unfolded (RFC 5322, 2.2.3), encoded words untouched.

    Lines that are no header field are passed over.
    """
    found: list[tuple[bytes, list[bytes]]] = []
    folds = False  # whether a continuation line belongs to a field that was read
    for line in section.split(b"\n"):
        if line[:1] in {b" ", b"\t"}:
            if folds:
                found[-1][1].append(line.rstrip(b"\r"))
        elif (field := _FIELD.match(line)) and len(found) < MOST:
            found.append((field[1], [field[2].rstrip(b"\r")]))
            folds = True
        else:
            folds = False
    return tuple((name.decode("ascii"), _text(b"".join(value))) for name, value in found)


def is_cut(section: Fields) -> bool:
    """Tell whether a cap left something of a header section unread."""
    return len(section) >= MOST or any(len(value) >= LONGEST for _, value in section)


def is_damaged(section: bytes) -> bool:
    """Tell whether mail programs may read a section in two ways, and so another sender.

    A NUL or a bare CR ends a line for some, a line that is no field ends the section for some; below one of
    these a From proves nothing. The "From " line of an mbox may stand first.
    """
    if b"\0" in section or _BARE_CR.search(section):
        return True
    broken = False
    for number, line in enumerate(section.split(b"\n")):
        if line[:1] in {b" ", b"\t"} or not line.strip(b"\r"):
            continue
        if not is_field(line):
            broken = broken or number > 0 or not line.startswith(b"From ")
        elif broken and line[:5].lower() == b"from:":
            return True
    return False


def is_field(line: bytes) -> bool:
    """Tell whether a line can begin a header field."""
    return _FIELD.match(line) is not None


def first(section: Fields, name: str) -> str:
    """Give the value of the first field of that (lower-case) name, or empty."""
    return next((value for key, value in section if key.lower() == name), "")


def _text(value: bytes) -> str:
    if value.isascii() and not _ODD.search(value):  # nearly all
        return value.decode("ascii").strip()[:LONGEST]
    return _BREAKS.sub(" ", charset.decode(value)).strip()[:LONGEST]


def date(value: str) -> datetime | None:
    """Read a Date field (RFC 5322, 3.3); None when it is none. "-0000" and no zone at all are UTC, place unknown."""
    try:
        told = parsedate_to_datetime(value[:200])
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def decode(value: str) -> str:
    """Decode the encoded words of an unfolded value; what is no whole encoded word stays as it is.

    The standard library's decode_header gives up on a whole field for one bad word, and escapes 8-bit text
    beside a good one. Words that follow each other with one label are joined before their bytes are decoded:
    some senders break a character in two (RFC 2047, 5 (3) forbids it).
    """
    pieces: list[tuple[str, bytes]] = []  # charset and bytes; the charset of literal text is ""
    end = 0
    for word in islice(_WORD.finditer(value), _MOST_WORDS):
        between = value[end : word.start()]
        if between and not (pieces and between.isspace()):
            pieces.append(("", between.encode("utf-8", "surrogateescape")))
        label = word[1].partition("*")[0].lower()
        data = _q(word[3]) if word[2] in "qQ" else from_base64(word[3].encode("utf-8", "replace"))
        if pieces and label == pieces[-1][0]:
            data = pieces.pop()[1] + data
        pieces.append((label, data))
        end = word.end()
    if not pieces:
        return value
    pieces.append(("", value[end:].encode("utf-8", "surrogateescape")))
    return "".join(charset.decode(data, label) if label else data.decode("utf-8", "replace") for label, data in pieces)


def _q(text: str) -> bytes:
    return a2b_qp(text.replace("_", " ").encode("utf-8", "replace"), header=True)


def from_base64(data: bytes) -> bytes:
    """Decode base64 with foreign characters, missing padding, a torn end, several blocks (RFC 2045, 6.8)."""
    blocks = data.split(b"=", _MOST_BLOCKS)  # of those after them the padding is passed over
    return b"".join(_block(block.translate(None, _NOT_BASE64)) for block in blocks if block)


def _block(encoded: bytes) -> bytes:
    if len(encoded) % 4 == 1:  # six bits of a byte that never came
        encoded = encoded[:-1]
    return a2b_base64(encoded + b"=" * (-len(encoded) % 4))
