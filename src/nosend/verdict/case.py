"""What a judge is asked about, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.verdict import authenticity, sender, wording

if TYPE_CHECKING:
    from nosend.model import Authenticity, Kind, Letter, Sender, Trust
    from nosend.verdict.rules import Rules

JUDGES_VERSION = 3  # of the judges and doubts; a pack has its own. Suspects are judged again when it changes


@dataclass(frozen=True)
class Case:
    """One letter, and by what it is judged. `signed_by`: domains whose DKIM signature over the mail was verified."""

    letter: Letter
    trust: Trust
    rules: Rules
    signed_by: tuple[str, ...] = ()

    @cached_property
    def address(self) -> str:
        """Give the one From address, "" when there is none that all programs agree on."""
        return sender.address(self.letter)

    @cached_property
    def sender(self) -> Sender:
        """Tell who sent the letter."""
        return sender.who(self.address, self.trust)

    @cached_property
    def authenticity(self) -> Authenticity:
        """Tell whether it comes from the domain in its From."""
        return authenticity.authenticity(self.letter, self.trust, self.signed_by)

    @cached_property
    def _words(self) -> str:
        return wording.words("\n".join(self.letter.paragraphs))

    def matches(self, wordings: tuple[wording.Wording, ...]) -> tuple[wording.Match, ...]:
        """Find wordings in the letter's own text; those of which a fragment is nowhere are not looked for."""
        words = self._words
        likely = (one for one in wordings if not one.fragments or one.fragments[0] in words)
        return wording.find(
            tuple(one for one in likely if all(part in words for part in one.fragments)), self.letter.paragraphs
        )

    @cached_property
    def orders(self) -> tuple[str, ...]:
        """Give the distinct order ids in the letter's own text."""
        return identifiers.order_ids("\n".join(self.letter.paragraphs))


@dataclass(frozen=True, slots=True)
class Finding:
    """What one judge says: the kind it claims, its rule, and the header or sentence that matched.

    A finding of an opt-out with a doubt is `suspect`.
    """

    kind: Kind
    rule: str
    why: str
    version: int = JUDGES_VERSION
    doubts: tuple[str, ...] = ()
