"""Finding a wording in a letter.

A wording is a sentence with places: `{order}` is one order id, `{gap}` is up to 200 characters of anything
else in the same sentence (the buyer's name, a date). It is looked for in one sentence at a time, in
normalised text, by plain substring search: no pattern, no backtracking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nosend.identifiers import plain, replace_order_ids, unicode_form
from nosend.letter.lines import CJK

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER = "\ue000"  # stands for an order id in normalised text; a private-use character no mail program writes
_DIGIT = re.compile(r"\d")  # in any script
_ORDER_DIGITS = 16  # a paragraph with fewer holds no order id; most do
_GAP_LENGTH = 200
_LONGEST_SENTENCE = 2_000
_NOISE = '[](){}<>"“”„«»‹›「」『』【】,;:#*_、，。.!?！？|'
_ASCII_NOISE = dict.fromkeys(map(ord, _NOISE), " ")  # str.translate is fast in ASCII alone
_ANY_NOISE = re.compile(f"[{re.escape(_NOISE)}]+")
_ACCENT = re.compile("[\u0300-\u036f\u064b-\u0652\u0670]+")  # Latin accents, Arabic vowel marks
_BESIDE_CJK = re.compile(f"(?<=[{CJK}]) | (?=[{CJK}])")
_END = re.compile(r"(?<![.!?])[.!?]+[\"'”’»)\]]*\s+|[。！？]+\s*")
# Titles whose dot ends no sentence; "T.", "Mr.", "J.R." are known by their shape.
_TITLES = frozenset("avv dott geom ing prof rag sig".split())


@dataclass(frozen=True, slots=True)
class Wording:
    """One sentence of one pack. `rule` is its name; `pieces` stand in this order, gaps between them.

    `confirmed`: it was seen in a real mail, and `seen` tells where. `samples` are sentences that it must find.
    """

    rule: str
    version: int
    pieces: tuple[str, ...]
    fragments: tuple[str, ...] = ()  # what stands between all places
    confirmed: bool = False
    seen: str = ""
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A wording that stands in a letter, and the sentence as it was written.

    Not `is_one_sentence`: the words follow each other, but over what looks like the end of a sentence.
    """

    wording: Wording
    sentence: str
    is_one_sentence: bool = True


def compile_wording(text: str) -> tuple[str, ...]:
    """Make the pieces of a wording: what stands between its `{gap}`s, normalised, ORDER for `{order}`."""
    return tuple(normal(piece.replace("{order}", ORDER)) for piece in text.split("{gap}"))


def fragments(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """Give what stands between all places of a wording; a text that lacks one of these does not hold it."""
    return tuple(part for piece in pieces for part in (one.strip() for one in piece.split(ORDER)) if part)


def words(text: str) -> str:
    """Write a text as the fragments of a wording are written."""
    return normal(text.replace(ORDER, ""))


def find(wordings: tuple[Wording, ...], paragraphs: tuple[str, ...]) -> tuple[Match, ...]:
    """Find the sentences that a wording stands in, and paragraphs that have it across sentences; each once."""
    found: list[Match] = []
    if not wordings:
        return ()
    with_order = all(ORDER in "".join(wording.pieces) for wording in wordings)
    for paragraph in paragraphs:
        if with_order and len(_DIGIT.findall(paragraph)) < _ORDER_DIGITS:
            continue
        whole = _first(wordings, _comparable(paragraph))
        if not whole:
            continue
        tries = ((_first(wordings, _comparable(sentence)), sentence) for sentence in sentences(paragraph))
        matches = [Match(wording, sentence) for wording, sentence in tries if wording]
        found += matches or [Match(whole, paragraph[:_LONGEST_SENTENCE], is_one_sentence=False)]
    return tuple(found)


def _first(wordings: tuple[Wording, ...], text: str) -> Wording | None:
    return next((wording for wording in wordings if _stands_in(wording.pieces, text)), None)


def _comparable(text: str) -> str:
    return normal(replace_order_ids(plain(text).replace(ORDER, ""), ORDER))


def normal(text: str) -> str:
    """Write a text so that two spellings of one sentence are equal: case, accents, punctuation, spaces, quotes."""
    text = plain(text).casefold()
    if text.isascii():
        return " ".join(text.translate(_ASCII_NOISE).split())
    text = _ACCENT.sub("", unicode_form("NFD", text))
    return _BESIDE_CJK.sub("", " ".join(_ANY_NOISE.sub(" ", text).split()))


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases to find in normal texts, most of which hold none.

    A text that holds a phrase of three words or more holds its `inner` one as a word: a look-up, and no search.
    """

    phrases: tuple[str, ...]
    inner: frozenset[str]
    short: tuple[str, ...]

    @classmethod
    def of(cls, phrases: tuple[str, ...]) -> Phrases:
        """Take phrases, each as `normal` writes it."""
        inner = {phrase: max(phrase.split()[1:-1], key=len, default="") for phrase in phrases}
        return cls(
            phrases, frozenset(filter(None, inner.values())), tuple(one for one, word in inner.items() if not word)
        )

    def any_in(self, text: str) -> bool:
        """Tell whether a text, as `normal` writes it, holds one of them."""
        if self.inner.isdisjoint(text.split(" ")):
            return any(map(text.__contains__, self.short))
        return any(map(text.__contains__, self.phrases))


def _stands_in(pieces: tuple[str, ...], text: str) -> bool:
    """Tell whether the pieces follow each other in the text, at most a gap's length apart."""
    at = -1
    while (at := text.find(pieces[0], at + 1)) >= 0:
        end = at + len(pieces[0])
        for piece in pieces[1:]:
            next_at = text.find(piece, end, end + _GAP_LENGTH + len(piece))
            if next_at < 0:
                break
            end = next_at + len(piece)
        else:
            return True
    return False


def sentences(paragraph: str) -> Iterator[str]:
    """Cut a paragraph into sentences.

    The dot of an initial or a title in a name ("T.", "Sig.", "S.p.A.") ends none, nor that of a day ("10. November").
    """
    start = 0
    for end in _END.finditer(paragraph):
        if end[0].startswith(".") and _goes_on(paragraph, start, end):
            continue
        yield paragraph[start : end.end()].strip()[:_LONGEST_SENTENCE]
        start = end.end()
    if start < len(paragraph):
        yield paragraph[start:].strip()[:_LONGEST_SENTENCE]


def _goes_on(paragraph: str, start: int, dot: re.Match[str]) -> bool:
    if paragraph[dot.end() : dot.end() + 1].islower():
        return True
    words = paragraph[max(start, dot.start() - 20) : dot.start()].split()
    word = words[-1].lstrip("([\"'“‘«、（「") if words else ""
    is_day = word.isdecimal() and len(word) <= 2 and dot[0].rstrip() == "."
    is_short_name = word[:1].isupper() and len(word) <= 3
    return is_day or is_short_name or "." in word or "-" in word[:3] or word.lower() in _TITLES
