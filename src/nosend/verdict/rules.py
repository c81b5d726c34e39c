"""The rules: all language packs put together. nosend's own lie in packs/*.toml; users add or override some."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.errors import ConfigError
from nosend.letter.marks import Marks
from nosend.verdict import packfile
from nosend.verdict.wording import Phrases, normal, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nosend.verdict.packfile import Pack
    from nosend.verdict.wording import Wording


OPTED_OUT = "BUYER_OPTED_OUT_BSM_MESSAGES"  # Amazon's word for an opt-out, in its marker and its links
_ALIAS_DOMAIN, _AMAZON_DOMAIN = "@marketplace.amazon.", "@amazon."


@dataclass(frozen=True, slots=True)
class Rules:
    """All packs put together, as the judges and the reader of letters ask for them.

    `fingerprint` changes with anything in a pack; a suspect judged by other rules is judged again.
    """

    packs: tuple[Pack, ...]
    fingerprint: str
    opt_outs: tuple[Wording, ...] = field(repr=False)
    others: tuple[Wording, ...] = field(repr=False)
    failure_subjects: Phrases = field(repr=False)
    forward_prefixes: tuple[str, ...] = field(repr=False)
    marks: Marks = field(repr=False)
    telling: tuple[str, ...] = field(repr=False)  # what a text must hold one of to be a notice

    @classmethod
    def of(cls, packs: Iterable[Pack]) -> Rules:
        """Put packs together, in the order of their names. Confirmed wordings are asked first."""
        ordered = tuple(sorted(packs, key=lambda pack: pack.name))
        opt_outs = tuple(w for pack in ordered for w in pack.opt_outs)
        subjects = tuple(dict.fromkeys(text for pack in ordered for text in pack.failure_subjects))
        longest = (max(one.fragments, key=len) for one in opt_outs)
        return cls(
            packs=ordered,
            fingerprint=hashlib.sha256(repr(ordered).encode()).hexdigest()[:16],
            opt_outs=tuple(sorted(opt_outs, key=lambda wording: not wording.confirmed)),
            others=tuple(w for pack in ordered for w in pack.others),
            failure_subjects=Phrases.of(subjects),
            forward_prefixes=tuple(dict.fromkeys(text for pack in ordered for text in pack.forward_prefixes)),
            telling=tuple(dict.fromkeys((*longest, *subjects))),
            marks=Marks.of(
                (line for pack in ordered for line in pack.forward_lines),
                ((word, name) for pack in ordered for name, words in pack.forward_fields for word in words),
            ),
        )

    def may_tell(self, text: str) -> bool:
        """Tell whether a text may be of an opt-out; "yes" may be wrong.

        Its words and links may hold words of a notice, and an order id or an address of Amazon's. A buyer's alias and
        the marker in a link matter by themselves.
        """
        text = identifiers.visible(text)
        lower = text.lower()
        if OPTED_OUT in text or _ALIAS_DOMAIN in lower:
            return True
        if _AMAZON_DOMAIN not in lower and not identifiers.may_hold_order(text):
            return False
        told = words(text)
        return any(one in told for one in self.telling)

    def tells_failure(self, subject: str) -> bool:
        """Tell whether a subject names a delivery failure, in any language of the packs."""
        return self.failure_subjects.any_in(normal(subject))

    def claims(self, rule: str) -> bool:
        """Tell whether a rule claims an opt-out: the marker, or a wording of one."""
        return rule == "marker" or any(wording.rule == rule for wording in self.opt_outs)


@cache
def builtin() -> Rules:
    """Give nosend's own rules."""
    folder = files(__package__).joinpath("packs")
    sources = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return Rules.of(packfile.read(source.read_text(encoding="utf-8"), source.name, "built in") for source in sources)


def load(sources: Iterable[tuple[str, str]]) -> Rules:
    """Give nosend's own rules with packs of the user's, which win over nosend's of the same name.

    A pack goes for one of nosend's as a whole, its words of forwards as well. `sources` are names of files and their
    texts. Raises ConfigError with every mistake in every pack, each with its line.
    """
    packs: dict[str, Pack] = {}
    problems: list[str] = []
    for name, text in sources:
        try:
            pack = packfile.read(text, name, name)
        except ConfigError as error:
            problems += error.problems
            continue
        if pack.name in packs:
            at = packfile.line_of_name(text)
            problems.append(f"{name}:{at}: {pack.name!r} is also the name of {packs[pack.name].source}: rename one")
        packs.setdefault(pack.name, pack)
    if not packs and not problems:
        return builtin()
    if problems:
        raise ConfigError(*problems)
    return Rules.of(({pack.name: pack for pack in builtin().packs} | packs).values())
