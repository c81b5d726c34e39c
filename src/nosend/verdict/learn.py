"""From mails that a person calls opt-outs, a draft of a language pack to edit. Pure.

The sentence that holds the order id becomes a wording: the id a place, and names and dates gaps. From several mails
what differs between them becomes a gap as well.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.errors import ConfigError
from nosend.verdict import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nosend.model import Letter

SAMPLE_ORDER = "123-4567890-1234567"
_GAP = "\ue001"
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{4}年\d{1,2}月\d{1,2}日|\w{3,12} \d{1,2},? \d{4}"
    r"|\d{1,2}[-/. ]{1,2}(?:\w{3,12}\.? )?\d{2,4}"
)
# one to four words that begin with a capital, and a short word that leads from a name to a date ("on", "il", "am")
_NAME_BEFORE_DATE = re.compile(rf"(?:(?:[A-Z\u00c0-\u00de][\w.'’-]*)\s+){{1,4}}(?:[a-z]{{1,4}}\s+)?{_GAP}")
_TOKEN = re.compile(rf"{_GAP}|{wording.ORDER}|\w+|[^\w\s]|\s+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A wording with its places, and a sample sentence for it, with an invented id."""

    wording: str
    sample: str


def draft(letters: Sequence[Letter]) -> Draft:
    """Make a wording of letters. Raises ConfigError when one has no sentence with just one order id."""
    sentences = [_sentence(letter) for letter in letters]
    templates = [_template(sentence) for sentence in sentences]
    common = templates[0]
    for other in templates[1:]:
        common = _common(common, other)
    text = re.sub(rf"\s*{_GAP}[\s{_GAP}]*", "{gap}", common.strip()).removeprefix("{gap}").removesuffix("{gap}")
    sample = re.sub(rf"\s*{_GAP}\s*", " ... ", templates[0].replace(wording.ORDER, SAMPLE_ORDER)).strip()
    return Draft(text.replace(wording.ORDER, "{order}"), sample)


def _sentence(letter: Letter) -> str:
    """Find the longest sentence that holds just one order id: the bare id of a preheader is none."""
    found = [
        sentence
        for paragraph in letter.paragraphs
        for sentence in wording.sentences(identifiers.plain(paragraph))
        if len(identifiers.order_ids(sentence)) == 1
    ]
    if not found:
        raise ConfigError("no sentence in it holds just one order id: nothing to learn from")
    return max(found, key=len)


def _template(sentence: str) -> str:
    """Put places where the id, dates and the name before a date stand."""
    text = identifiers.replace_order_ids(sentence, wording.ORDER)
    text = _DATE.sub(_GAP, text)
    return _NAME_BEFORE_DATE.sub(_GAP, text)


def _common(one: str, other: str) -> str:
    """Keep what two templates share, in order; what differs is a gap."""
    left, right = _TOKEN.findall(one), _TOKEN.findall(other)
    kept: list[str] = []
    ends = (0, 0)
    for at, beside, length in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
        if (at, beside) != ends:
            kept.append(_GAP)
        kept += left[at : at + length]
        ends = at + length, beside + length
    return "".join(kept)


def pack(name: str, told: Draft, subjects: Sequence[str]) -> str:
    """Write a draft as a pack in TOML, with what is to be done about it."""
    quoted = json.dumps
    return f"""\
# A draft. Read the wording: no name, no date, nothing of one order may stand in it; {{gap}} is up to 200 characters of
# anything else, {{order}} the order id. Shorten it to the words that say: not delivered, for this order, because the
# buyer has opted out. When a real notice of Amazon says so, set confirmed = true: before that it makes mails suspect,
# never lists one. Then: nosend rules test THIS_FILE
name = {quoted(name, ensure_ascii=False)}
version = 1
failure_subjects = {quoted(list(subjects), ensure_ascii=False)}

[[opt_out]]
rule = "opt-out"
confirmed = false
seen = ""   # where: "a notice of amazon.de, November 2026"
wording = {quoted(told.wording, ensure_ascii=False)}
samples = [{quoted(told.sample, ensure_ascii=False)}]
"""
