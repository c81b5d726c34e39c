"""Letter -> Verdict: an ordered list of judges, pure; the first that speaks is heard.

A judge that sees an opt-out makes a claim. A claim stands by itself only if nothing speaks against it (`doubts`);
with a doubt it is `suspect`, kept for a person. Nothing that looks like an opt-out is thrown away, and nothing is
listed that lacks one of: marker or confirmed wording, an Amazon sender, no failed authentication, exactly one order
id, read from the letter itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.identifiers import one_line
from nosend.letter import header
from nosend.model import Kind, Letter, OptOut, Policy, Trial, Trust, Verdict
from nosend.verdict import addressee, doubts, judges, rules
from nosend.verdict.case import JUDGES_VERSION, Case, Finding
from nosend.verdict.rules import OPTED_OUT
from nosend.verdict.worth import DECIDING_FIELDS, MARKER, Worth, read, surely_nothing, worth_reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nosend.verdict.rules import Rules

__all__ = [
    "DECIDING_FIELDS",
    "JUDGES",
    "JUDGES_VERSION",
    "MARKER",
    "OPTED_OUT",
    "Worth",
    "judge",
    "read",
    "rules",
    "surely_nothing",
    "worth_reading",
]

_MARKETPLACE = "X-Marketplace-ID"


def judge(letter: Letter, trust: Trust, known: Rules, signed_by: tuple[str, ...] = ()) -> Verdict:
    """Say what a letter is. Never raises; the same letter, trust and rules give the same verdict.

    `signed_by` are the domains whose DKIM signature over the mail holds, where that was verified. `trials` of the
    verdict tells every rule that was asked, for `explain`.
    """
    return _judge(Case(letter, trust, known, signed_by))


def _judge(case: Case) -> Verdict:
    trials = [Trial("not read", cut) for cut in case.letter.cuts]
    for ask in JUDGES:
        said = ask(case)
        trials.append(Trial(ask.__name__.lstrip("_").replace("_", "-"), one_line(said.why) if said else "no"))
        if said:
            break
    assert said is not None, "the last judge always speaks"  # noqa: S101
    if isinstance(said, Verdict):
        return replace(said, trials=(*trials, *said.trials))
    return _concluded(case, said, tuple(trials))


def _concluded(case: Case, finding: Finding, trials: tuple[Trial, ...]) -> Verdict:
    """Make a verdict of a finding about the letter's own text."""
    verdict = Verdict(
        kind=finding.kind,
        rule=finding.rule,
        version=finding.version,
        why=one_line(finding.why),
        sender=case.sender,
        authenticity=case.authenticity,
        trials=trials,
    )
    if finding.kind not in {Kind.OPT_OUT, Kind.SUSPECT}:
        return verdict
    told = (*finding.doubts, *doubts.of(case)) if finding.kind is Kind.OPT_OUT else finding.doubts
    aliases = identifiers.aliases_in(case.letter.links)
    verdict = replace(
        verdict,
        kind=Kind.SUSPECT if told else finding.kind,
        why=_why(verdict.why, told),
        orders=case.orders,
        buyer=aliases[0] if len(aliases) == 1 else None,
        marketplace=_marketplace(case.letter, aliases),
    )
    return replace(verdict, opt_outs=(_opt_out(case, verdict),)) if verdict.kind is Kind.OPT_OUT else verdict


def _opt_out(case: Case, verdict: Verdict) -> OptOut:
    account = addressee.account(case.letter, case.trust.accounts)
    written_at = header.date(next(iter(case.letter.header("date")), ""))
    return OptOut(verdict.orders[0], verdict.buyer, verdict.marketplace, account, written_at)


def _letter_inside(case: Case) -> Verdict | None:
    """Judge what is quoted, forwarded or attached: believed from a trusted forwarder, else suspect."""
    inner = tuple((letter, _judge(_inside(case, letter))) for letter in case.letter.inside)
    claims = tuple((letter, verdict) for letter, verdict in inner if verdict.kind in {Kind.OPT_OUT, Kind.SUSPECT})
    if not claims:
        return None
    first = next((verdict for _, verdict in claims if case.rules.claims(verdict.rule)), claims[0][1])
    told = doubts.of_inside(case, claims)
    opt_outs = _each_order_once(case, claims)
    return replace(
        first,
        kind=Kind.SUSPECT if told else Kind.OPT_OUT,
        why=_why(first.why, told if first.kind is Kind.OPT_OUT else ()),
        orders=tuple(dict.fromkeys(order for _, verdict in claims for order in verdict.orders)),
        buyer=_agreed(verdict.buyer for _, verdict in claims),
        marketplace=_agreed(verdict.marketplace for _, verdict in claims),
        sender=case.sender,
        authenticity=case.authenticity,
        opt_outs=() if told else opt_outs,
    )


def _inside(case: Case, letter: Letter) -> Case:
    """Make a case of a letter inside: the forwarder answers for its authenticity, but a failure is a failure."""
    policy = Policy.PREFER if case.trust.policy is Policy.REQUIRE else case.trust.policy
    accounts = replace(case.trust.accounts, must_be_known=False)
    return Case(letter, replace(case.trust, policy=policy, accounts=accounts), case.rules)


def _each_order_once(case: Case, claims: doubts.Inside) -> tuple[OptOut, ...]:
    """Give the opt-outs of letters inside; text/plain and text/html each hold a forward, only the latter has links."""
    told: dict[str, list[OptOut]] = {}
    for _, verdict in claims:
        for one in verdict.opt_outs:
            told.setdefault(one.order_id, []).append(one)
    own_account = addressee.account(case.letter, case.trust.accounts)
    return tuple(
        OptOut(
            order_id=order_id,
            buyer=_agreed(one.buyer for one in same),
            marketplace=_agreed(one.marketplace for one in same),
            account=_agreed(one.account for one in same) or own_account,
            written_at=next((one.written_at for one in same if one.written_at), None),
        )
        for order_id, same in told.items()
    )


def _agreed(told: Iterable[str | None]) -> str | None:
    """Give what all agree on who know it."""
    known = {one for one in told if one}
    return known.pop() if len(known) == 1 else None


JUDGES: tuple[Callable[[Case], Finding | Verdict | None], ...] = (
    judges.buyer_message,
    judges.marker,
    judges.opt_out_wording,
    judges.known_other_cause,
    judges.failure_subject,
    judges.link_marker,
    _letter_inside,
    judges.amazon_other,
    judges.not_amazon,
)


def _marketplace(letter: Letter, aliases: tuple[str, ...]) -> str | None:
    """Header, alias, links, in this order; never the sender's domain, which is amazon.com for amazon.it too."""
    told = [code for value in letter.header(_MARKETPLACE) if (code := identifiers.marketplace_of_id(value))]
    told += [code for address in aliases if (code := identifiers.marketplace_of_alias(address))]
    return told[0] if told else identifiers.marketplace_of_links(letter.links)


def _why(matched: str, told: tuple[str, ...]) -> str:
    return f"{matched} | but {', '.join(told)}" if told else matched
