"""From mails that a person calls opt-outs, a draft of a language pack to edit. Pure.

The sentence that holds the order id becomes a wording: the id a place; names, dates, numbers and addresses gaps. From
several mails what differs between them becomes a gap as well. A gap too many costs little, for a person reads the
draft; a name too many would stand in a file that is passed on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.errors import ConfigError
from nosend.letter.lines import CJK
from nosend.model import How
from nosend.verdict import packfile, sender, wording
from nosend.verdict.wording import ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nosend.model import Letter

SAMPLE_ORDER = "123-4567890-1234567"
_GAP = "\ue001"
_PLACES = frozenset((ORDER, _GAP))
_MARKS = " ,;:.。、!\"'<>()[]“”„«»"  # that a wording neither begins nor ends with
_SUBJECT = 10  # letters, so that a subject tells a failure and nothing else

_ADDRESS = re.compile(r"(?:https?://|mailto:)\S+|[^\s<>()@,;:]+@[^\s<>()@,;:]+")
_MONTH = r"[^\W\d_]{3,14}\.?"
_DATE = re.compile(
    r"\d{4}\s?[年년]\s?\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일]"
    rf"|(?:[^\W\d_]{{2,12}},\s)?\d{{1,2}}(?:st|nd|rd|th|er|o)?\.?\s(?:de\s|of\s)?{_MONTH},?\s(?:de\s|del\s)?\d{{4}}"
    rf"|(?:[^\W\d_]{{2,12}},\s)?{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}"
    r"|\d[\d.,:/-]*(?:\s?(?:[ap]\.?m|uhr)\b\.?)?",  # ISO, a time, any other number
    re.IGNORECASE,
)
# In Japanese a title follows the name; roles and other words end in the same letters
_WORD = rf"[^\s、。,{ORDER}{_GAP}]{{1,20}}"
_NO_NAME = "".join(rf"(?<!{word})" for word in "お客 皆 購入者 出品者 同 模 仕 たく".split())
_HONOURED = re.compile(rf"(?:{_WORD} ){{0,5}}{_WORD} ?{_NO_NAME}(?:様(?![々子式])|さま|さん)")
# Words that lead to a name, words inside names, words before names; with room for the next language
_TO = frozenset("to a à ad al an aan para till til do dla untuk".split())
_INSIDE = frozenset(
    "af al av bin da das de dei del della den der di do dos du e el ibn la las le los of ten ter van von y zu".split()
)
_BEFORE = frozenset(
    "dhr dott dr frau fru herr herrn hr m mevr miss mlle mme mr mrs ms pan pani prof señor señora sig sr sra".split()
)
_ELIDED = re.compile(r"[^\W\d_]{1,2}'[^\W\d_]")  # d'Ormesson, and l'ordre, which does no harm
_TOKEN = re.compile(rf"{_GAP}|{ORDER}|[{CJK}]|[^\W{CJK}]+|\s+|.", re.DOTALL)
# What leads to a name or a date goes with it, so that a notice without one is found as well: "to", "vom"; "に"
_LEADING, _FOLLOWING = re.compile(rf" [^\W\d_A-Z{CJK}]{{1,3}}$"), re.compile("^[にへ]")
_BETWEEN_GAPS = re.compile(rf"{_GAP}[\s,;:()]*(?:[^\W\d_]{{1,4}}[\s,]+){{0,2}}(?={_GAP})")


@dataclass(frozen=True, slots=True)
class Draft:
    """A wording with its places, a sample sentence for it with an invented id, and the subjects above it."""

    wording: str
    sample: str
    subjects: tuple[str, ...] = ()


def notices(letter: Letter) -> tuple[Letter, ...]:
    """Give the letters in a mail that may be notices: what is forwarded or attached goes before who passes it on.

    Each has a sentence with just one order id. What somebody quotes counts only when there is nothing else.
    """
    own = (letter,) if _sentence(letter) else ()
    if own and sender.address(letter).rpartition("@")[2] in identifiers.AMAZON_DOMAINS:
        return own
    forwarded = [one for inner in letter.inside if inner.how is not How.QUOTED for one in notices(inner)]
    quoted = [one for inner in letter.inside if inner.how is How.QUOTED for one in notices(inner)]
    return tuple(forwarded) or own or tuple(quoted)


def draft(letters: Sequence[Letter], prefixes: tuple[str, ...] = ()) -> Draft:
    """Make a draft of `notices`. `prefixes` are what mail programs write before the subject of a forward.

    Raises ConfigError when too few words are left to know such a sentence by.
    """
    templates = [_Template.of(_sentence(letter)) for letter in letters]
    common = templates[0].text
    for other in templates[1:]:
        common = _common(common, other.text)
    pieces = _pieces(common)
    told = "{gap}".join(pieces).replace(ORDER, "{order}")
    if packfile.letters(wording.compile_wording(told)) < packfile.SHORTEST:
        if len(letters) > 1:
            raise ConfigError("these mails have too few words in common: learn from notices of one language at a time")
        raise ConfigError(f"too few words beside the order id to know such a sentence by: {told!r}")
    subjects = (_subject(letter.subject, prefixes, own.names) for letter, own in zip(letters, templates, strict=True))
    return Draft(
        wording=told,
        sample=" … ".join(pieces).replace(ORDER, SAMPLE_ORDER),
        subjects=tuple(dict.fromkeys(filter(None, subjects))),
    )


def _sentence(letter: Letter) -> str:
    """Find the longest sentence that holds just one order id: the bare id of a preheader is none. "" without one."""
    found = (sentence for paragraph in letter.paragraphs for sentence in wording.sentences(paragraph))
    return max((one for one in found if len(identifiers.order_ids(one)) == 1), key=len, default="")


@dataclass(frozen=True, slots=True)
class _Template:
    """A sentence with ORDER and gaps in it, and the names that stood where there are gaps now."""

    text: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, sentence: str) -> _Template:
        """Put places where the id, addresses, dates, numbers and names stand."""
        text = "".join(char if char.isprintable() and char not in "{}" else " " for char in identifiers.plain(sentence))
        text = " ".join("".join(char for char in text if char not in _PLACES).split())
        text = identifiers.replace_order_ids(text, ORDER)
        for pattern in (_ADDRESS, _HONOURED, _DATE):
            text = pattern.sub(_GAP, text)
        words = text.split()
        spans = [*_names(words), *_before_dates(words)]
        hidden = {at for start, end in spans for at in range(start, end)}
        text = " ".join(_GAP if at in hidden else word for at, word in enumerate(words))
        names = tuple(" ".join(words[start:end]).strip(",;:()") for start, end in spans)
        return cls(_BETWEEN_GAPS.sub("", text), names)


def _names(words: list[str]) -> Iterator[tuple[int, int]]:
    """Find the words with capitals that are led to, that a title stands before, or a date behind."""
    at = 1  # the first word of a sentence has a capital anyway
    while at < len(words):
        end = _end_of_name(words, at)
        if not end:
            at += 1
            continue
        before = words[at - 1].lower().rstrip(".")
        if before in _BEFORE:
            yield at - 1, end
        elif before in _TO or words[at].lower().rstrip(".") in _BEFORE or _leads_to_date(words[end : end + 3]):
            yield at, end
        at = end


def _end_of_name(words: list[str], start: int) -> int:
    """Give where a run of words with capitals ends, small words inside it allowed; 0 when none begins here."""
    end = 0
    at = start
    while at < len(words) and at - max(end, start) <= 2:
        word = words[at].lstrip("(\"'“„«")
        if word[:1].isupper() or _ELIDED.match(word):
            end = at + 1
            if word[-1] in ",;:":
                break
        elif not end or word.lower() not in _INSIDE:
            break
        at += 1
    return end


def _leads_to_date(words: list[str]) -> bool:
    """Tell whether a gap comes next, at most two small words before it: "on", "il", "le", "el día"."""
    count = next((n for n, word in enumerate(words) if _GAP in word), None)
    return count is not None and all(len(word) <= 4 and word.islower() for word in words[:count])


def _before_dates(words: list[str]) -> Iterator[tuple[int, int]]:
    """Find what stands between a word that leads to a name and a date, a few words at most: names in small letters."""
    for at, word in enumerate(words):
        if _GAP in word:
            near = range(at - 1, max(at - 6, -1), -1)
            start = next((n for n in near if words[n].lower() in _TO or words[n][-1] in ",;:"), None)
            if start is not None and words[start].lower() in _TO:
                yield start + 1, at


def _common(one: str, other: str) -> str:
    """Keep what two templates share, in order; what differs is a gap. The order id stands in both."""
    sides = zip(one.split(ORDER), other.split(ORDER), strict=True)
    return ORDER.join(_shared(left, right) for left, right in sides)


def _shared(one: str, other: str) -> str:
    left, right = _TOKEN.findall(one), _TOKEN.findall(other)
    kept: list[str] = []
    ends = (0, 0)
    for at, beside, length in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
        if (at, beside) != ends:
            kept.append(_GAP)
        kept += left[at : at + length]
        ends = at + length, beside + length
    return "".join(kept)


def _pieces(template: str) -> list[str]:
    """Give what stands between the gaps, as much of it as a wording may hold.

    A greeting, and words so short that two mails share them by chance, are left out.
    """
    first, comma, rest = template.partition(", ")
    if comma and len(first.split()) <= 3 and ORDER not in first:
        template = rest
    pieces = [piece.strip(_MARKS) for piece in template.split(_GAP)]
    pieces[:-1] = [_LEADING.sub("", piece).strip(_MARKS) for piece in pieces[:-1]]
    pieces[1:] = [_FOLLOWING.sub("", piece) for piece in pieces[1:]]
    pieces = [piece for piece in pieces if ORDER in piece or packfile.letters((piece,)) > 3]
    while len(pieces) - 1 > packfile.MOST_GAPS or len("{gap}".join(pieces)) > packfile.LONGEST - 20:
        if len(pieces) == 1:
            middle = pieces[0].index(ORDER)
            return [pieces[0][max(middle - 400, 0) : middle + 400].strip()]
        pieces.pop(0 if ORDER not in pieces[0] and (ORDER in pieces[-1] or len(pieces[0]) < len(pieces[-1])) else -1)
    return pieces


def _subject(subject: str, prefixes: tuple[str, ...], names: tuple[str, ...]) -> str:
    """Give the longest part of a subject that has nothing of one mail in it, "" when little is left."""
    text = subject.strip()
    while found := next((prefix for prefix in prefixes if text.casefold().startswith(prefix)), ""):
        text = text[len(found) :].strip()
    parts = sorted({part for name in names for part in (name, *name.split()) if len(part) > 2}, key=len, reverse=True)
    if parts:
        text = re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, parts))})(?!\w)", " | ", text, flags=re.IGNORECASE)
    pieces = re.split(rf"[{ORDER}{_GAP}|]", _Template.of(text).text)
    longest = max((piece.strip(" ,;:-()[]") for piece in pieces), key=len)
    return longest if packfile.letters((longest,)) >= _SUBJECT else ""


def pack(name: str, told: Draft) -> str:
    """Write a draft as a pack in TOML, with what is left to do."""
    quoted = json.dumps
    return f"""\
# A draft of a language pack. What is left to do:
# 1. Read the wording. {{order}} is the order id, {{gap}} is up to 200 characters of anything else in that sentence.
#    Write {{gap}} where a name, a date or anything else of one order still stands. Leave out what is not needed; needed
#    are the words that say: not delivered, for this order, because the buyer has opted out. Change the sample likewise.
# 2. Is it Amazon's own sentence, out of a notice that you got? Then set confirmed = true, and say in `seen` where and
#    when. Until then such mails are shown to you by `nosend review`, and none is listed.
# 3. nosend rules test THIS_FILE
# 4. Put it into the folder that the key `packs` of your configuration names.
name = {quoted(name, ensure_ascii=False)}
version = 1
failure_subjects = {quoted(told.subjects, ensure_ascii=False)}

[[opt_out]]
rule = "opt-out"
confirmed = false
seen = ""   # like "a notice of amazon.de, November 2026"
wording = {quoted(told.wording, ensure_ascii=False)}
samples = [{quoted(told.sample, ensure_ascii=False)}]
"""
