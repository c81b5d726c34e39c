"""The fixtures are the specification: each mail says what its JSON says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from conftest import MAILS, ROOT, Shell, expected
from letters import read, worth_reading
from nosend import verdict
from nosend.cli.intake import _as_json
from nosend.judging import Judging
from nosend.model import Accounts, Letter, Mail, Place, Policy, Trust
from nosend.verdict import rules, wording

RULES = rules.builtin()
WORDINGS = tuple(one for pack in RULES.packs for one in pack.wordings)


def trust_of(wanted: dict) -> Trust:
    """Give the trust that a fixture's JSON names, with the words of the configuration."""
    named = wanted.get("trust", {})
    return Trust(
        frozenset(named.get("trusted_forwarders", ())),
        named.get("trusted_authserv_id", ""),
        Policy(named.get("authenticity", "prefer")),
        Accounts(tuple(named.get("accounts", {}).items()), must_be_known=named.get("unknown_account") == "suspect"),
    )


def told(mail: Path) -> dict[str, object]:
    """Say what the program says of a fixture, with the trust that its JSON names."""
    name = mail.relative_to(ROOT).as_posix()
    wanted = expected(mail)
    judged = Judging(trust_of(wanted), RULES).judge(Mail(mail.read_bytes(), Place("", name), None, 0))
    return json.loads(_as_json(judged)) | ({"trust": wanted["trust"]} if "trust" in wanted else {})


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: f"{mail.parent.name}/{mail.stem}")
def test_mail_is_judged_as_its_json_says(mail: Path) -> None:
    assert expected(mail) == told(mail), "after reading the difference: `make docs` accepts a new `why`"


def test_command_says_the_same_of_all_fixtures_that_trust_nobody(nosend: Shell) -> None:
    mails = [mail for mail in MAILS if "trust" not in expected(mail)]
    nosend.folder = ROOT
    done = nosend(
        "explain", "--json", *(mail.relative_to(ROOT).as_posix() for mail in mails), env={"NOSEND_CONFIG": ""}
    )
    assert [expected(mail) for mail in mails] == [json.loads(line) for line in done.stdout.splitlines()]


def test_as_many_must_not_be_taken_as_must() -> None:
    kinds = Counter(expected(mail)["verdict"] == "opt_out" for mail in MAILS)
    assert len(MAILS) >= 60
    assert kinds[False] >= kinds[True] >= 30


def test_every_rule_has_a_mail() -> None:
    """A wording or judge that no fixture shows could be wrong for ever; unconfirmed wordings have a sample each."""
    confirmed = {one.rule for one in WORDINGS if one.confirmed}
    unconfirmed = {one.rule for one in WORDINGS} - confirmed
    judges = {"buyer-message", "marker", "marker-other", "failure-subject", "link-marker", "amazon-other", "not-amazon"}
    assert confirmed | judges == {expected(mail)["rule"] for mail in MAILS} - unconfirmed


def test_every_confirmed_wording_alone_is_needed_by_a_mail() -> None:
    texts = [read(mail.read_bytes()).paragraphs for mail in MAILS]
    for one in WORDINGS:
        assert not one.confirmed or any(wording.find((one,), paragraphs) for paragraphs in texts), one.rule


@pytest.mark.parametrize("one", WORDINGS, ids=lambda one: one.rule)
def test_each_sample_is_claimed_by_its_own_rule_alone(one: wording.Wording) -> None:
    assert one.samples
    for sample in one.samples:
        assert [other.rule for other in WORDINGS if wording.find((other,), (sample,))] == [one.rule]


def test_every_json_has_its_mail() -> None:
    orphans = [j for j in (ROOT / "fixtures").rglob("*.json") if not j.with_suffix(".eml").exists()]
    assert orphans == []


def test_worth_reading_by_its_header_loses_no_opt_out() -> None:
    """What `sync` decides on the header alone never costs an entry, and passes over most strangers."""
    worth = {}
    for mail in MAILS:
        fields = {name.lower() for name in verdict.DECIDING_FIELDS}
        whole = read(mail.read_bytes())
        heading = Letter(headers=tuple(h for h in whole.headers if h[0].lower() in fields), subject=whole.subject)
        worth[mail] = worth_reading(heading, trust_of(expected(mail)))
    assert {worth[m] for m in MAILS if expected(m)["verdict"] == "opt_out"} == {verdict.Worth.BODY}
    settled = [m for m in MAILS if expected(m)["rule"] == "marker-other"]
    failures = {m for m in settled if RULES.tells_failure(read(m.read_bytes()).subject)}  # the cause is in the body
    assert {worth[m] for m in settled if m not in failures} <= {verdict.Worth.HEADER, verdict.Worth.NOTHING}
    assert verdict.Worth.NOTHING in {worth[m] for m in MAILS if expected(m)["verdict"] == "unrelated"}
