"""Which lines are the letter's own, and which are somebody else's: quoted or forwarded.

Reads the marks that the common mail programs leave: `>` and <blockquote>, the "Forwarded message" line, the
From/Sent/To/Subject block of Outlook, and any other words between dashes, as Amazon's "------------- Message:
-------------" around what a buyer wrote.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nosend.letter.lines import Line, links, paragraphs
from nosend.letter.marks import COLON
from nosend.model import How, Letter

if TYPE_CHECKING:
    from nosend.letter.marks import Marks

_DEEPEST = 5  # forwards of forwards of forwards
_MOST = 20  # letters inside one letter
_FENCE = re.compile(r"([-_=])\1{2,}\s*[^\s\-_=].{0,200}?([-_=])\2{2,}")


def letter(lines: list[Line], marks: Marks, how: How = How.SENT, level: int = 0) -> Letter:
    """Make a letter of lines: its own paragraphs and links, the quoted and forwarded letters inside it."""
    lines = [part for line in lines for part in marks.parted(line)]
    own: list[Line] = []
    enclosed: list[tuple[How, list[Line]]] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.depth > 0:
            end = next((n for n in range(at, len(lines)) if lines[n].depth == 0), len(lines))
            quoted = [replace(one, depth=one.depth - 1) for one in lines[at:end]]
            enclosed.append(_quoted(quoted, lines[at - 1].text if at else "", marks))
            at = end
        elif (is_line := marks.is_line(line.text)) or marks.begins_block(lines[at : at + 12]):
            enclosed.append((How.FORWARDED, lines[at + is_line :]))
            break
        elif _FENCE.fullmatch(line.text.strip()):
            enclosed.append((How.QUOTED, lines[at + 1 :]))
            break
        else:
            own.append(line)
            at += 1
    allowed = enclosed[:_MOST] if level < _DEEPEST else []
    inside = tuple(_inner(inner, marks, inner_how, level + 1) for inner_how, inner in allowed)
    cuts = tuple(cut for inner in inside for cut in inner.cuts)
    if len(inside) < len(enclosed):
        cuts = (*cuts, f"quoted and forwarded letters after the first {_MOST}, or nested deeper than {_DEEPEST}")
    return Letter(how=how, paragraphs=paragraphs(own), links=links(own), inside=inside, cuts=cuts)


def _quoted(lines: list[Line], above: str, marks: Marks) -> tuple[How, list[Line]]:
    """Say what a quote is: that of a forward (Apple Mail's, Outlook's) begins with the marks of one.

    Below a line that ends with a colon ("On ..., Ann wrote:") it is what that person wrote, whatever it is.
    """
    first = next((n for n, line in enumerate(lines) if line.text), 0)
    if not lines[first].depth and not above.endswith(COLON):
        lines = lines[first:]
        if is_line := marks.is_line(lines[0].text):
            return How.FORWARDED, lines[is_line:]
        if marks.begins_block(lines):
            return How.FORWARDED, lines
    return How.QUOTED, lines


def _inner(lines: list[Line], marks: Marks, how: How, level: int) -> Letter:
    if how is not How.FORWARDED:
        return letter(lines, marks, how, level)
    if lines and (base := lines[0].depth):  # Apple Mail quotes what it forwards
        lines = [replace(line, depth=max(0, line.depth - base)) for line in lines]
    fields, rest = marks.block(lines)
    subject = next((value for name, value in fields if name == "subject"), "")
    return replace(letter(rest, marks, how, level), headers=fields, subject=subject)
