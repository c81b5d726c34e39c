"""The lines of a letter's text, before they are told apart into its own, quoted and forwarded ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nosend.identifiers import visible

_QUOTE = re.compile(r"(?:>[ ]?)+")
CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"  # scripts that are written without spaces, as a character class
_CJK = re.compile(f"[{CJK}]")
_URL = re.compile(r"(?:https?://|mailto:)[^\s<>\"]{1,2000}")
_DEEPEST = 50  # quote marks that are counted


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its text, how deeply it is quoted, whether a new paragraph begins here, the links in it."""

    text: str
    depth: int = 0
    opens: bool = False
    links: tuple[str, ...] = ()


def from_plain(text: str, *, flowed: bool = False, delsp: bool = False) -> list[Line]:
    """Read text/plain: `>` quotes, blank lines as paragraph ends, format=flowed with DelSp (RFC 3676)."""
    found: list[tuple[list[str], int, bool]] = []  # pieces, depth, opens
    opens, open_flow = True, False
    for raw in visible(text).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        mark = _QUOTE.match(raw)
        depth = min(mark[0].count(">"), _DEEPEST) if mark else 0
        body = raw[mark.end() :] if mark else raw
        if flowed and not mark and body.startswith(" "):  # space-stuffed (RFC 3676, 4.4)
            body = body[1:]
        is_signature = body == "-- "  # never flows into anything (RFC 3676, 4.3)
        flows = flowed and body.endswith(" ") and not is_signature
        stripped = body.rstrip("\t \f\v")
        if not stripped:
            opens, open_flow = True, False
            continue
        kept = (body[:-1] if delsp else body) if flows else stripped
        if open_flow and found[-1][1] == depth and not is_signature:
            found[-1][0].append(kept)
        else:
            found.append(([kept], depth, opens))
        opens, open_flow = False, flows
    return [_line("".join(pieces), depth, opens) for pieces, depth, opens in found]


def _line(text: str, depth: int, opens: bool) -> Line:  # noqa: FBT001 - the fields of a Line
    return Line(" ".join(text.split()), depth, opens, tuple(_URL.findall(text)))


def paragraphs(lines: list[Line]) -> tuple[str, ...]:
    """Join hard-wrapped lines into paragraphs of running text."""
    found: list[list[str]] = []
    for line in lines:
        if line.opens or not found:
            found.append([])
        if line.text:
            found[-1].append(line.text)
    return tuple(text for text in map(_join, found) if text)


def links(lines: list[Line]) -> tuple[str, ...]:
    """Give the distinct links of the lines in order."""
    return tuple(dict.fromkeys(link for line in lines for link in line.links))


def _join(wrapped: list[str]) -> str:
    pieces: list[str] = []
    for text in wrapped:
        if pieces and not _meets(pieces[-1], text):
            pieces.append(" ")
        pieces.append(text)
    return "".join(pieces).strip()


def _meets(before: str, after: str) -> bool:
    """Tell whether a wrap broke where no space was: after a hyphen inside a number, between two kanji."""
    if before[-1:] == "-" and before[-2:-1].isdigit():
        return after[:1].isdigit()
    return bool(_CJK.match(before[-1:]) and _CJK.match(after[:1]))
