"""Mail bytes -> Letter. Reads any bytes and never raises; what a cap leaves out is told in `Letter.cuts`.

mime cuts the mail into parts, charset and header make text of bytes, lines and html make lines of text,
layers tells the letter's own lines from quoted and forwarded ones.
"""

from __future__ import annotations

import re
from dataclasses import replace

from nosend.letter import charset, header, html, layers, lines, mime
from nosend.model import How, Letter

_META = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_LETTER_TYPES = frozenset({"message/rfc822", "message/global"})


def read(raw: bytes, limits: mime.Limits = mime.LIMITS) -> Letter:
    """Read a mail. The same bytes always give the same letter; no bytes make it raise.

    `limits` bound bytes, parts, depth, inner letters and HTML.
    """
    budget = mime.Budget(limits)
    if len(raw) > limits.size:
        budget.cut(f"bytes after the first {limits.size}")
    found = _read(raw[: limits.size], How.SENT, budget)
    return replace(found, cuts=tuple(budget.cuts))


def heading(raw: bytes) -> Letter:
    """Read the header section alone, in a small part of the time; a letter without text."""
    return _heading(mime.split(raw)[0])


def _heading(fields: header.Fields) -> Letter:
    return Letter(headers=fields, subject=header.decode(header.first(fields, "subject")))


def _read(raw: bytes, how: How, budget: mime.Budget, depth: int = 0) -> Letter:
    fields, body = mime.split(raw)
    if header.is_cut(fields):
        budget.cut(f"header fields after the first {header.MOST}, or {header.LONGEST} characters of one")
    paragraphs: list[str] = []
    links: list[str] = []
    inside: list[Letter] = []
    for part in mime.leaves(fields, body, budget, depth):
        if part.media in _LETTER_TYPES or part.filename.endswith(".eml"):
            if budget.letters >= budget.limits.letters or depth >= budget.limits.depth:
                budget.cut(f"letters after the first {budget.limits.letters}, or nested too deeply")
                continue
            budget.letters += 1
            inside.append(_read(part.body, How.ATTACHED, budget, depth + 1))
        elif part.media in {"text/plain", "text/html"} and not part.attachment:
            text = layers.letter(_lines(part, budget))
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


def _lines(part: mime.Part, budget: mime.Budget) -> list[lines.Line]:
    if part.media == "text/plain":
        return lines.from_plain(charset.decode(part.body, part.charset), flowed=part.flowed, delsp=part.delsp)
    declared = part.charset
    if not declared and (meta := _META.search(part.body[:4096])):
        declared = meta[1].decode("ascii", "replace")
    markup = charset.decode(part.body, declared)
    if len(markup) > budget.limits.html:
        budget.cut(f"HTML after the first {budget.limits.html} characters")
    return html.lines(markup[: budget.limits.html])
