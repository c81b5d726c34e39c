"""The marks that mail programs put around what they forward: the line above it, and the block of its fields.

Their words in each language come from the language packs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nosend.letter.header import Fields
    from nosend.letter.lines import Line

FIELDS = ("from", "date", "to", "cc", "subject", "reply-to")  # what a block may tell, by its names in RFC 5322

_FIELD_LINE = re.compile(r"\*?([^\s\d:：*][^\d:：*]{0,24})\*?\s?[:：]\*?\s*(.*)", re.DOTALL)
_ADDRESS = re.compile(r"[<\[(](?:mailto:)?[^\s<>()\[\]@]{1,64}@[^\s<>()\[\]@]{1,255}[>\])]")
_YEAR, _TIME = re.compile(r"(?<!\d)[12]\d{3}(?!\d)"), re.compile(r"(?<!\d)\d{1,2}[:.：]\d{2}(?!\d)")
_ON_ONE_LINE = re.compile(r"([-_=]{3,}[^-_=]{3,60}[-_=]{3,})\s*(\S.*)", re.DOTALL)
_YAHOOS_ORDER = re.compile(r"from to (?:cc )?date(?: subject)?")  # often glued to the zone: "CETSubject:"
_LONGEST = 300  # characters of a value that are looked at
_MOST = 12  # lines of a block that are looked at
COLON = (":", "：")


def mark_words(text: str) -> str:
    """Write the line above a forward without its dashes and colon, so that two spellings of it are equal."""
    return text.strip("-_=*> \t:：").replace("’", "'").casefold()


@dataclass(frozen=True, slots=True)
class Marks:
    """The words of the marks.

    `lines`: the line above a forward, as `mark_words` writes it. `fields`: the words of a block, case-folded, and
    which of FIELDS each means.
    """

    lines: frozenset[str]
    fields: Mapping[str, str]
    _label: re.Pattern[str]  # any of these words with its colon, wherever it stands

    @classmethod
    def of(cls, lines: Iterable[str], fields: Iterable[tuple[str, str]]) -> Marks:
        """Put the words of several languages together; of a word with two meanings the first counts."""
        known = dict(reversed(list(fields)))
        words = "|".join(re.escape(word) for word in sorted(known, key=lambda word: (-len(word), word)))
        label = rf"((?<!\w)(?:{words})\s?[:：](?=\s))" if words else r"(?!)"
        return cls(frozenset(lines), known, re.compile(label, re.IGNORECASE))

    def is_line(self, text: str) -> bool:
        """Tell whether a line is the one above a forward."""
        fenced = text[:2] in {"--", "__", "=="} or text.rstrip()[-1:] in COLON
        return fenced and mark_words(text) in self.lines

    def parted(self, line: Line) -> list[Line]:
        """Part a line on which the whole block stands behind the line above a forward, as Yahoo writes it.

        With labels in another order than Yahoo's some may be part of somebody's name: then nobody is known to have
        written it.
        """
        found = _ON_ONE_LINE.fullmatch(line.text) if line.text[:3] in {"---", "___", "==="} else None
        if not found or mark_words(found[1]) not in self.lines:
            return [line]
        before, *pieces = self._label.split(found[2])
        labels, values = pieces[::2], pieces[1::2]
        names = [self._name(label) for label in labels]
        above = replace(line, text=found[1])
        if before.strip() or not _YAHOOS_ORDER.fullmatch(" ".join(names)):
            return [above]
        texts = (f"{label.strip()} {value.strip()}" for label, value in zip(labels, values, strict=True))
        return [above, *(replace(line, text=text, opens=False, links=()) for text in texts)]

    def begins_block(self, lines: list[Line]) -> bool:
        """Tell whether an unmarked block begins here: sender first, three fields at least, one of them the subject.

        A block in a language that no pack knows counts as well: what stands below it is not the letter's own, and
        nobody is known to have written it.
        """
        name, _ = _labelled(lines[0].text)
        if not name:
            return False
        end = next((n for n, line in enumerate(lines[:_MOST]) if self.is_line(line.text)), _MOST)
        lines = lines[:end]  # "Please list her:" above a forward is no label
        if self.fields.get(name) == "from":
            names = {name for name, _ in self.block(lines)[0]}
            return len(names) >= 3 and "subject" in names
        return _is_foreign(lines)

    def block(self, lines: list[Line]) -> tuple[Fields, list[Line]]:
        """Read the block at the head of a forward, and give what stands below it."""
        lines = lines[next((n for n, line in enumerate(lines[:_MOST]) if line.text), 0) :]  # above it only links
        known: list[tuple[str, str]] = []
        taken = 0
        for label, value, end in _labels(lines[:_MOST]):
            name = self.fields.get(label)
            if not name:
                break
            known.append((name, value.replace("[mailto:", "<").replace("]", ">") if "[mailto:" in value else value))
            taken = end
        if not known and _is_foreign(lines[:_MOST]):
            taken = max(end for *_, end in _labels(lines[:_MOST]))
        return tuple(known), lines[taken:]

    def _name(self, label: str) -> str:
        return self.fields.get(label.strip(" \t:：").casefold(), "")  # "ı" is found as "i", and is none


def _is_foreign(lines: list[Line]) -> bool:
    """Tell three `label: value` lines of which one tells an address, or a time in a year, from what people write."""
    values = [value for _, value, _ in _labels(lines)]
    short = [value[:_LONGEST] for value in values]
    told = (_ADDRESS.search(one) or (_YEAR.search(one) and _TIME.search(one)) for one in short)
    return len(values) >= 3 and any(told)


def _labels(lines: list[Line]) -> list[tuple[str, str, int]]:
    """Read the run of `label: value` lines at the head, whatever the labels, each with the line it ends before.

    A value may stand in the line after its label (tables); between them may be lines that are only links.
    """
    found: list[tuple[str, str, int]] = []
    at = 0
    while at < len(lines):
        if not lines[at].text:
            at += 1
            continue
        label, value = _labelled(lines[at].text)
        if not label:
            break
        at += 1
        if not value and at < len(lines) and not _labelled(lines[at].text)[0]:
            value = lines[at].text
            at += 1
        found.append((label, value, at))
    return found


def _labelled(text: str) -> tuple[str, str]:
    if ":" not in text and "：" not in text:
        return "", ""
    found = _FIELD_LINE.fullmatch(text)
    return (found[1].strip().casefold(), found[2].strip()) if found else ("", "")
