"""Of thousands of mails made by rule, every notice is listed and nothing else is; see matrix.py."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

import corpus
import matrix
import mutants
from conftest import ROOT
from corpus import Result
from generate import RECOGNITION
from nosend.model import Kind

FAMILIES = {"notices": matrix.NOTICES, "near misses": matrix.NEAR_MISSES, "unconfirmed": matrix.UNCONFIRMED}


@pytest.fixture(scope="module")
def results() -> tuple[Result, ...]:
    """Give what is said of the mails of the matrix; the fixtures have tests of their own."""
    return tuple(one for one in corpus.results() if one.sample.values)


def test_three_thousand_must_be_listed_and_as_many_must_not(results: tuple[Result, ...]) -> None:
    must = Counter(one.must_be_listed for one in results)
    assert must[False] >= must[True] >= 3_000


def test_every_mail_is_judged_as_it_must_be(results: tuple[Result, ...]) -> None:
    wrong = [one for one in results if not one.is_as_expected]
    assert [(one.sample.name, one.sample.kinds, one.verdict) for one in wrong[:5]] == [], f"and more: {len(wrong)}"


def test_only_notices_are_listed_and_each_with_its_own_order(results: tuple[Result, ...]) -> None:
    listed = [one for one in results if one.is_listed]
    assert len(listed) > 2_500, "something is listed at all"
    assert [one.sample.name for one in listed if not one.is_rightly_listed] == []


def test_no_notice_in_unknown_words_is_thrown_away(results: tuple[Result, ...]) -> None:
    family = [one for one in results if "subject" in one.sample.values]
    assert {one.sample.language for one in family} == matrix.LANGUAGES.keys() - matrix.CONFIRMED
    assert [(one.sample.name, one.verdict.kind) for one in family if one.verdict.kind is not Kind.SUSPECT] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_each_pair_of_values_of_any_two_dimensions_occurs(results: tuple[Result, ...], family: str) -> None:
    dimensions = FAMILIES[family]
    made = [one.sample.values for one in results if one.sample.values.keys() == dimensions.keys()]
    occurring = {pair for values in made for pair in matrix.pairs(values)}
    assert occurring == set(matrix.possible_pairs(dimensions))
    assert all(matrix.fits(values) for values in made)
    values = {(name, value) for name in dimensions for value in dimensions[name]}
    assert values == {one for pair in occurring for one in pair}, "no value is impossible"


def test_no_two_mails_have_one_name_and_no_two_notices_one_order(results: tuple[Result, ...]) -> None:
    names = Counter(one.sample.name for one in results)
    orders = Counter(order for one in results for order in one.sample.orders)
    assert (max(names.values()), max(orders.values())) == (1, 1)


def test_the_same_mails_are_made_each_time(results: tuple[Result, ...]) -> None:
    again = list(islice(matrix.mails(), 200))
    assert again == [one.sample for one in results[:200]]


def test_table_has_a_line_for_each_language() -> None:
    rows = [line.split(" | ") for line in corpus.table().partition("\n\n")[0].splitlines()[2:]]
    assert [row[0].strip("| ") for row in rows] == [*matrix.LANGUAGES, corpus.NO_LANGUAGE, "**total**"]
    assert [sum(int(row[column]) for row in rows[:-1]) for column in (1, 2)] == [int(rows[-1][1]), int(rows[-1][2])]
    assert int(rows[-1][1]) == len(corpus.results())


def test_what_is_not_good_enough_is_told(results: tuple[Result, ...]) -> None:
    """Each of the three: an entry too many, one too few, a notice that nobody would see."""
    rightly = [one for one in results if one.is_rightly_listed and one.sample.confirmed]
    unseen = next(one for one in results if "subject" in one.sample.values)
    assert corpus.complaints(rightly) == []

    def said(one: Result, **changes: object) -> list[Result]:
        return [Result(one.sample, replace(one.verdict, **changes))]

    assert corpus.complaints(said(rightly[0], kind=Kind.SUSPECT) + rightly[:100]) == [
        "recall where notices are known: 99 % of 101"
    ]
    for wrong in (said(rightly[0], orders=("999-9999999-9999999",)), said(unseen, kind=Kind.OPT_OUT)):
        assert f"wrongly listed: {wrong[0].sample.name}" in corpus.complaints(wrong + rightly)
    assert corpus.complaints(said(unseen, kind=Kind.OTHER_NOTICE)) == [f"thrown away: {unseen.sample.name}"]


@pytest.mark.parametrize("change", mutants.CHANGES, ids=lambda change: change.what)
def test_what_is_switched_off_stands_in_the_source_and_in_the_table(change: mutants.Change) -> None:
    """`make mutants` takes minutes; this tells at once that it needs to be run again."""
    source = (ROOT / "src" / "nosend" / change.file).read_text(encoding="utf-8")
    assert source.count(change.old) == 1
    assert f"| pattern | {change.what} |" in RECOGNITION.read_text(encoding="utf-8")
