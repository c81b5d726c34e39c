"""The fixtures are the specification: each mail says what its JSON says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from conftest import MAILS, ROOT, Shell, expected
from nosend import letter, verdict
from nosend.cli.intake import _as_json
from nosend.model import Mail, Place, Trust
from nosend.service import judge
from nosend.verdict import wording


def told(mail: Path) -> dict[str, object]:
    name = mail.relative_to(ROOT).as_posix()
    return json.loads(_as_json(judge(Mail(mail.read_bytes(), Place("", name), None, 0), Trust())))


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: f"{mail.parent.name}/{mail.stem}")
def test_mail_is_judged_as_its_json_says(mail: Path) -> None:
    assert expected(mail) == told(mail), "after reading the difference: `make docs` accepts a new `why`"


def test_command_says_the_same_of_all_fixtures(nosend: Shell) -> None:
    names = [mail.relative_to(ROOT).as_posix() for mail in MAILS]
    nosend.folder = ROOT
    done = nosend("explain", "--json", *names, env={"NOSEND_CONFIG": ""})
    assert [expected(mail) for mail in MAILS] == [json.loads(line) for line in done.stdout.splitlines()]


def test_as_many_must_not_be_taken_as_must() -> None:
    kinds = Counter(expected(mail)["verdict"] == "opt_out" for mail in MAILS)
    assert len(MAILS) >= 60
    assert kinds[False] >= kinds[True] >= 30


def test_every_rule_has_a_sample() -> None:
    """A wording or judge that no fixture shows could be wrong for ever."""
    packs = {w.rule for pack in wording.packs() for w in (*pack.opt_outs, *pack.others)}
    judges = {"buyer-message", "marker", "marker-other", "failure-subject", "link-marker", "amazon-other", "not-amazon"}
    assert packs | judges == {expected(mail)["rule"] for mail in MAILS}


def test_every_wording_alone_is_needed_by_a_sample() -> None:
    """Two wordings of one rule each need a letter that only they match."""
    texts = [letter.read(mail.read_bytes()).paragraphs for mail in MAILS]
    for pack in wording.packs():
        for one in (*pack.opt_outs, *pack.others):
            assert any(wording.find((one,), paragraphs) for paragraphs in texts), (pack.name, one)


def test_every_json_has_its_mail() -> None:
    orphans = [j for j in (ROOT / "fixtures").rglob("*.json") if not j.with_suffix(".eml").exists()]
    assert orphans == []


def test_worth_reading_by_its_header_loses_no_opt_out() -> None:
    """What `sync` decides on the header alone never costs an entry, and passes over most strangers."""
    worth = {}
    for mail in MAILS:
        fields = {name.lower() for name in verdict.DECIDING_FIELDS}
        whole = letter.read(mail.read_bytes())
        heading = letter.Letter(
            headers=tuple(h for h in whole.headers if h[0].lower() in fields), subject=whole.subject
        )
        worth[mail] = verdict.worth_reading(heading, Trust())
    assert {worth[m] for m in MAILS if expected(m)["verdict"] == "opt_out"} == {verdict.Worth.BODY}
    assert {worth[m] for m in MAILS if expected(m)["rule"] == "marker-other"} <= {
        verdict.Worth.HEADER,
        verdict.Worth.NOTHING,
    }
    assert verdict.Worth.NOTHING in {worth[m] for m in MAILS if expected(m)["verdict"] == "unrelated"}
