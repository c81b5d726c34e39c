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
    from collections.abc import Callable

    Glance = Callable[[Letter], Callable[[str], bool] | None]

    from nosend.letter.marks import Marks

_META = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_HTML = re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_BYTES_OF_A_CHARACTER = 2  # of text that matters; more are cut, and told


def _at_all(_: Letter) -> None:
    """Leave nothing out."""


def read(raw: bytes | Head, marks: Marks, glance: Glance = _at_all, limits: mime.Limits = mime.LIMITS) -> Letter:
    """Read a mail. The same bytes always give the same letter; no bytes make it raise.

    `raw` may be a mail of which the head was read. `marks` are the words of forwards, from the language packs. `glance`
    gives for the heading of a letter, this one or one attached to it, what tells whether a part's text matters, None if
    it does; where no part's does the text is left out. `limits` bound bytes, parts, depth, inner letters and text.
    """
    budget = mime.Budget(limits)
    opened = raw if isinstance(raw, Head) else head(raw)
    section = opened.section
    if opened.size > limits.size:
        budget.cut(f"bytes after the first {limits.size}")
        section = section._replace(body=section.body[: limits.size])
    found = _Reading(marks, glance, budget, mime.Budget(limits)).letter(section, How.SENT)
    return replace(found, cuts=tuple(budget.cuts))


@dataclass(frozen=True, slots=True)
class Head:
    """A mail of which only the header section was read: the letter without its text, and what is left to read."""

    heading: Letter
    section: mime.Section
    size: int


def head(raw: bytes) -> Head:
    """Read the header section of a mail, in a small part of the time that all of it takes."""
    section = mime.split(raw)
    return Head(_heading(section.fields), section, len(raw))


def heading(raw: bytes) -> Letter:
    """Read the header section alone; a letter without text."""
    return head(raw).heading


def _heading(fields: header.Fields) -> Letter:
    return Letter(headers=fields, subject=header.decode(header.first(fields, "subject")))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One mail being read, with all letters in it."""

    marks: Marks
    glance: Glance
    budget: mime.Budget
    looks: mime.Budget  # what looking at texts costs, of all letters together

    def letter(self, section: mime.Section, how: How, depth: int = 0) -> Letter:
        budget, limits = self.budget, self.budget.limits
        if header.is_cut(section.fields):
            budget.cut(f"header fields after the first {header.MOST}, or {header.LONGEST} characters of one")
        if section.damaged:
            budget.cut("a header section that could be read in two ways")
        heading = _heading(section.fields)
        parts = list(mime.leaves(section, budget, depth))
        reads_text = self._matters(heading, parts)
        if unread := self._unread(parts):
            budget.cut(f"its text, which is {' and '.join(sorted(unread))}")
        paragraphs: list[str] = []
        links: list[str] = []
        inside: list[Letter] = []
        for part in parts:
            if part.is_letter:
                budget.letters += 1
                budget.attached += len(part.encoded)
                if budget.letters > limits.letters or budget.attached > limits.attached or depth >= limits.depth:
                    budget.cut(f"letters after the first {limits.letters}, nested too deeply, or too large")
                    continue
                inside.append(self.letter(mime.split(part.body(budget)), How.ATTACHED, depth + 1))
            elif reads_text and self._is_text(part):
                text = layers.letter(self._lines(part), self.marks)
                paragraphs += text.paragraphs
                links += text.links
                inside += text.inside
                for cut in text.cuts:
                    budget.cut(cut)
        return replace(
            heading,
            how=how,
            paragraphs=tuple(paragraphs),
            links=tuple(dict.fromkeys(links)),
            inside=tuple(inside),
        )

    def _is_text(self, part: mime.Part) -> bool:
        return (part.media == "text/plain" or "html" in part.media) and not (part.attachment and self.budget.parts)

    def _unread(self, parts: list[mime.Part]) -> set[str]:
        """Give the types of what a mail program may show as the text, though it is not read.

        Where there is other text, no attachment is, and nothing in types that are data: calendars, tables, cards.
        """
        unread = [part for part in parts if part.may_be_text and not self._is_text(part)]
        if any(self._is_text(part) for part in parts):
            unread = [part for part in unread if part.is_rich_text and not part.attachment]
        return {part.media for part in unread}

    def _matters(self, heading: Letter, parts: list[mime.Part]) -> bool:
        """Tell whether the text of a letter matters: all of it does, or nothing. Looks have a budget of their own.

        Beside an attached letter it does: it tells whose that is.
        """
        matters = self.glance(heading)
        if not matters or any(part.is_letter for part in parts):
            return True
        look = replace(self, budget=replace(self.looks, parts=self.budget.parts, cuts=[]))
        found = any(self._is_text(part) and look._lines(part, matters) for part in parts)  # noqa: SLF001 - itself
        spent = look.budget
        self.looks.text, self.looks.tags, self.looks.lines = spent.text, spent.tags, spent.lines
        return found or bool(spent.cuts)

    def _lines(self, part: mime.Part, matters: Callable[[str], bool] | None = None) -> list[lines.Line]:
        text, is_html = self._text(part)
        if is_html:
            return html.lines(self._tags(text), matters)
        if matters and not part.flowed and not matters(text):  # flowed lines may break within words
            return []
        budget = self.budget
        left = budget.limits.lines - budget.lines
        count = text.count("\n") + 1
        if count > left:
            budget.cut(f"lines after the first {budget.limits.lines}")
            text = "\n".join(text.split("\n", max(left, 0))[: max(left, 0)])
        budget.lines += count
        return lines.from_plain(text, flowed=part.flowed, delsp=part.delsp)

    def _text(self, part: mime.Part) -> tuple[str, bool]:
        """Decode the text of a part, as much of it as the budget allows; and tell whether it is HTML.

        Of its bytes no more are decoded than that needs.
        """
        body = part.body(self.budget)
        declared = part.charset
        if not declared and (meta := _META.search(body[:4096])):
            declared = meta[1].decode("ascii", "replace")
        budget = self.budget
        left = max(budget.limits.text - budget.text, 0)
        most = left * _BYTES_OF_A_CHARACTER
        whole = body if len(body) <= most else body[: body.rfind(b"\n", 0, most) + 1 or most]
        text = charset.decode(whole, declared)
        if len(whole) < len(body) or len(text) > left:
            budget.cut(f"text after the first {budget.limits.text} characters")
        budget.text += len(text)
        return text[:left], "html" in part.media or _HTML.match(body) is not None

    def _tags(self, markup: str) -> str:
        """Leave as many tags as the budget allows."""
        budget = self.budget
        left = max(budget.limits.tags - budget.tags, 0)
        count = markup.count("<")
        budget.tags += count
        if count <= left:
            return markup
        budget.cut(f"HTML after the first {budget.limits.tags} tags")
        return "<".join(markup.split("<", left + 1)[: left + 1])
