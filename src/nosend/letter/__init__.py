"""Mail bytes -> Letter. Reads any bytes and never raises; what a cap leaves out is told in `Letter.cuts`.

mime cuts the mail into parts, charset and header make text of bytes, lines and html make lines of text,
layers tells the letter's own lines from quoted and forwarded ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nosend.letter import charset, header, html, layers, lines, mime
from nosend.model import How, Letter

if TYPE_CHECKING:
    from nosend.letter.marks import Marks

_META = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_HTML = re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_LETTER_TYPES = frozenset({"message/rfc822", "message/global"})


def read(raw: bytes, marks: Marks, limits: mime.Limits = mime.LIMITS) -> Letter:
    """Read a mail. The same bytes always give the same letter; no bytes make it raise.

    `marks` are the words of forwards, from the language packs; `limits` bound bytes, parts, depth, inner letters
    and text.
    """
    budget = mime.Budget(limits)
    if len(raw) > limits.size:
        budget.cut(f"bytes after the first {limits.size}")
    found = _Reading(marks, budget).letter(raw[: limits.size], How.SENT)
    return replace(found, cuts=tuple(budget.cuts))


def heading(raw: bytes) -> Letter:
    """Read the header section alone, in a small part of the time; a letter without text."""
    return _heading(mime.split(raw).fields)


def _heading(fields: header.Fields) -> Letter:
    return Letter(headers=fields, subject=header.decode(header.first(fields, "subject")))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One mail being read, with all letters in it."""

    marks: Marks
    budget: mime.Budget

    def letter(self, raw: bytes, how: How, depth: int = 0) -> Letter:
        fields, body, damaged = mime.split(raw)
        budget, limits = self.budget, self.budget.limits
        if header.is_cut(fields):
            budget.cut(f"header fields after the first {header.MOST}, or {header.LONGEST} characters of one")
        if damaged:
            budget.cut("a header section that could be read in two ways")
        paragraphs: list[str] = []
        links: list[str] = []
        inside: list[Letter] = []
        for part in mime.leaves(fields, body, budget, depth):
            if part.media in _LETTER_TYPES or part.filename.endswith(".eml"):
                if budget.letters >= limits.letters or depth >= limits.depth:
                    budget.cut(f"letters after the first {limits.letters}, or nested too deeply")
                    continue
                budget.letters += 1
                inside.append(self.letter(part.body, How.ATTACHED, depth + 1))
            elif (part.media == "text/plain" or "html" in part.media) and not (part.attachment and budget.parts):
                text = layers.letter(self._lines(part), self.marks)
                paragraphs += text.paragraphs
                links += text.links
                inside += text.inside
                for cut in text.cuts:
                    budget.cut(cut)
        return replace(
            _heading(fields),
            how=how,
            paragraphs=tuple(paragraphs),
            links=tuple(dict.fromkeys(links)),
            inside=tuple(inside),
        )

    def _lines(self, part: mime.Part) -> list[lines.Line]:
        if "html" in part.media or _HTML.match(part.body):
            return html.lines(self._markup(part))
        budget = self.budget
        text = charset.decode(part.body, part.charset)
        left = budget.limits.lines - budget.lines
        count = text.count("\n") + 1
        if count > left:
            budget.cut(f"lines after the first {budget.limits.lines}")
            text = "\n".join(text.split("\n", max(left, 0))[: max(left, 0)])
        budget.lines += count
        return lines.from_plain(text, flowed=part.flowed, delsp=part.delsp)

    def _markup(self, part: mime.Part) -> str:
        declared = part.charset
        if not declared and (meta := _META.search(part.body[:4096])):
            declared = meta[1].decode("ascii", "replace")
        budget = self.budget
        markup = charset.decode(part.body, declared)
        left = budget.limits.html - budget.html
        if len(markup) > left:
            budget.cut(f"HTML after the first {budget.limits.html} characters")
        budget.html += len(markup)
        markup = markup[: max(left, 0)]
        if markup.count("<") > budget.limits.tags:
            budget.cut(f"HTML after the first {budget.limits.tags} tags")
            markup = "<".join(markup.split("<", budget.limits.tags)[: budget.limits.tags])
        return markup
