"""How much is listed, and how much of it rightly: all fixtures and the matrix, judged and counted by language.

`python tests/corpus.py` prints the table and exits with 1 if it is not good enough; `table` gives it to the docs.
Precision and recall are about listing without a person: an opt-out with exactly the right ids.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from conftest import MAILS, ROOT, expected
from matrix import CONFIRMED, LANGUAGES, Sample, mails
from nosend import recognize
from nosend.model import Kind, Verdict
from test_corpus import trust_of

LEAST_RECALL = 0.995  # where real notices were seen
NO_LANGUAGE = "other"
_CODE = re.compile(rf"(?<![a-z])({'|'.join(sorted(LANGUAGES, key=len, reverse=True))})(?![a-z])")


@dataclass(frozen=True, slots=True)
class Result:
    """A mail and what was said of it."""

    sample: Sample
    verdict: Verdict

    @property
    def must_be_listed(self) -> bool:
        return self.sample.kinds == (Kind.OPT_OUT,)

    @property
    def is_listed(self) -> bool:
        return self.verdict.kind is Kind.OPT_OUT

    @property
    def is_rightly_listed(self) -> bool:
        return self.is_listed and self.must_be_listed and self.verdict.orders == self.sample.orders

    @property
    def is_as_expected(self) -> bool:
        return self.is_rightly_listed if self.must_be_listed else self.verdict.kind in self.sample.kinds

    @property
    def is_thrown_away(self) -> bool:
        """Tell whether nobody will see what may be a notice in words that are not known."""
        return "subject" in self.sample.values and self.verdict.kind not in {Kind.SUSPECT, Kind.OPT_OUT}


def fixtures() -> Iterator[Sample]:
    """Give the mails written by hand; their language is told by the rule that speaks, or by their name."""
    for mail in MAILS:
        told: dict[str, Any] = expected(mail)
        kind = Kind(told["verdict"])
        found = _CODE.search(f"{told['rule']} {mail.stem}")
        code = found[1] if found else NO_LANGUAGE
        yield Sample(
            name=mail.relative_to(ROOT).as_posix(),
            language=code,
            raw=mail.read_bytes(),
            kinds=(kind,),
            orders=tuple(told["orders"]) if kind is Kind.OPT_OUT else (),
            trust=trust_of(told),
            confirmed=code in CONFIRMED,
            values={},
        )


@cache
def results() -> tuple[Result, ...]:
    """Judge everything, once."""
    return tuple(Result(sample, recognize(sample.raw, sample.trust)) for sample in (*fixtures(), *mails()))


def table() -> str:
    """Give the Markdown for docs/recognition.md: a line a language, and where mails were missed, if any were."""
    lines = [
        "| language | mails | must be listed | listed | wrongly listed | precision | recall | kept for a person |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_line(code, [one for one in results() if one.sample.language == code]) for code in (*LANGUAGES, NO_LANGUAGE)),
        _line("**total**", results()),
    ]
    missed = _missed(results())
    if missed:
        lines += ["", "| missed most | value | mails | not as expected |", "|---|---|--:|--:|", *missed]
    return "\n".join(lines) + "\n"


def _line(name: str, of: Sequence[Result]) -> str:
    listed = sum(one.is_listed for one in of)
    right = sum(one.is_rightly_listed for one in of)
    must = sum(one.must_be_listed for one in of)
    kept = sum(one.verdict.kind is Kind.SUSPECT for one in of)
    cells = (name, len(of), must, listed, listed - right, _share(right, listed), _share(right, must), kept)
    return f"| {' | '.join(map(str, cells))} |"


def _share(part: int, whole: int) -> str:
    """Write a percentage, rounded down: 100 % is all of them."""
    return f"{math.floor(part / whole * 1000) / 10:g} %" if whole else "-"


def _missed(of: Sequence[Result], most: int = 20) -> list[str]:
    """Give the values of dimensions whose mails were missed most often, the worst first."""
    every = Counter(value for one in of for value in one.sample.values.items())
    missed = Counter(value for one in of if not one.is_as_expected for value in one.sample.values.items())
    worst = sorted(missed, key=lambda value: (-missed[value] / every[value], value))
    return [f"| {name} | {value} | {every[name, value]} | {missed[name, value]} |" for name, value in worst[:most]]


def complaints(of: Sequence[Result]) -> list[str]:
    """Say what is not good enough; empty when all is well."""
    wrong = [one for one in of if one.is_listed and not one.is_rightly_listed]
    thrown = [one for one in of if one.is_thrown_away]
    must = [one for one in of if one.must_be_listed and one.sample.confirmed]
    right = sum(one.is_rightly_listed for one in must)
    told = [f"wrongly listed: {one.sample.name}" for one in wrong]
    told += [f"thrown away: {one.sample.name}" for one in thrown]
    if right < LEAST_RECALL * len(must):
        told.append(f"recall where notices are known: {_share(right, len(must))} of {len(must)}")
    return told


if __name__ == "__main__":
    print(table())
    trouble = complaints(results())
    print("\n".join(trouble), file=sys.stderr, end="\n" if trouble else "")
    sys.exit(bool(trouble))
