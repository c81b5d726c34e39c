"""Letter -> Verdict: an ordered list of judges, pure; the first that speaks is heard.

A judge that sees an opt-out makes a claim. A claim stands by itself only if nothing speaks against it
(`_doubts`); with a doubt it is `suspect`, kept for a person. Nothing that looks like an opt-out is thrown away,
and nothing is listed that lacks one of: marker or wording, an Amazon sender, no failed authentication, exactly
one order id, read from the letter itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.identifiers import one_line
from nosend.model import Kind, Letter, Sender, Trial, Trust, Verdict
from nosend.verdict import sender, wording
from nosend.verdict.worth import DECIDING_FIELDS, MARKER, OPTED_OUT, Worth, markers, may_opt_out, worth_reading

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DECIDING_FIELDS", "JUDGES", "MARKER", "OPTED_OUT", "Worth", "judge", "worth_reading"]

_MARKETPLACE = "X-Marketplace-ID"
_VERSION = 1  # of the judges below; a pack has its own

# The address every known notice came from. Amazon's other addresses pass on what sellers and buyers wrote (copies
# of messages, forum posts, support cases): without the marker they prove nothing.
_NOTIFIER = "auto-communication@"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one judge says: the kind it claims, its rule, and the header or sentence that matched."""

    kind: Kind
    rule: str
    why: str
    version: int = _VERSION
    orders: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def judge(letter: Letter, trust: Trust | None = None) -> Verdict:
    """Say what a letter is. Never raises; the same letter and trust give the same verdict.

    `trials` of the verdict tells every rule that was asked, for `explain`.
    """
    trust = trust or Trust()
    trials = [Trial("not read", cut) for cut in letter.cuts]
    for ask in JUDGES:
        finding = ask(letter, trust)
        trials.append(Trial(ask.__name__.lstrip("_").replace("_", "-"), one_line(finding.why) if finding else "no"))
        if finding:
            break
    assert finding is not None, "the last judge always speaks"  # noqa: S101
    if isinstance(finding, Verdict):
        return replace(finding, trials=(*trials, *finding.trials))
    return replace(_conclude(letter, trust, finding), trials=tuple(trials))


# The judges, from the firmest to the last resort.


def _buyer_message(letter: Letter, _: Trust) -> Finding | None:
    """Anyone can write the sentence to a seller: what a buyer's address sends is never a notice."""
    address = sender.address(letter)
    if identifiers.is_buyer_address(address):
        return Finding(Kind.OTHER_NOTICE, "buyer-message", "From is a buyer's address")
    return None


def _marker(letter: Letter, trust: Trust) -> Finding | None:
    """Read the machine-readable marker: language-free, and firm in both directions."""
    values = markers(letter)
    if not values:
        return None
    line = f"{MARKER}: {', '.join(letter.header(MARKER))}"
    if values == {OPTED_OUT}:
        return Finding(Kind.OPT_OUT, "marker", line, orders=_own_orders(letter))
    if OPTED_OUT in values:
        return _doubtful(letter, "marker", line, "the markers contradict each other")
    if any(map(may_opt_out, values)):
        return _doubtful(letter, "marker", line, "this value of the marker is not known")
    kind = Kind.OTHER_NOTICE if sender.who(letter, trust) is Sender.AMAZON else Kind.UNRELATED
    return Finding(kind, "marker-other", line)


def _doubtful(letter: Letter, rule: str, why: str, doubt: str) -> Finding:
    return Finding(Kind.OPT_OUT, rule, why, orders=_own_orders(letter), doubts=(doubt,))


def _opt_out_wording(letter: Letter, trust: Trust) -> Finding | None:
    """Look for the one sentence that ties one order id to non-delivery and to the buyer's choice."""
    matches = wording.find(tuple(w for pack in wording.packs() for w in pack.opt_outs), letter.paragraphs)
    if not matches:
        return None
    first = matches[0]
    doubts = [
        (
            "not from the address that sends notices",
            sender.who(letter, trust) is Sender.AMAZON and not sender.address(letter).startswith(_NOTIFIER),
        ),
        ("the words run over the end of a sentence", not first.is_one_sentence),
        ("another cause is named as well", bool(_other_causes(letter))),
    ]
    return Finding(
        Kind.OPT_OUT,
        first.wording.rule,
        first.sentence,
        first.wording.version,
        _own_orders(letter),
        tuple(text for text, holds in doubts if holds),
    )


def _known_other_cause(letter: Letter, trust: Trust) -> Finding | None:
    """Amazon names another cause: a content filter, a closed thread, a restricted account."""
    matches = _other_causes(letter) if sender.who(letter, trust) is Sender.AMAZON else ()
    if not matches:
        return None
    first = matches[0]
    return Finding(Kind.OTHER_NOTICE, first.wording.rule, first.sentence, first.wording.version)


def _other_causes(letter: Letter) -> tuple[wording.Match, ...]:
    return wording.find(tuple(w for pack in wording.packs() for w in pack.others), letter.paragraphs)


def _failure_subject(letter: Letter, trust: Trust) -> Finding | None:
    """See a delivery failure that Amazon tells in words no pack knows: it must reach a person."""
    if sender.who(letter, trust) is Sender.AMAZON and wording.tells_failure(letter.subject):
        return Finding(Kind.SUSPECT, "failure-subject", f"Subject: {letter.subject}", orders=_own_orders(letter))
    return None


def _link_marker(letter: Letter, _: Trust) -> Finding | None:
    """Look for the marker's value in footer links, where it may survive a forward; never enough by itself."""
    link = next((link for link in letter.links if OPTED_OUT in link), None)
    return Finding(Kind.SUSPECT, "link-marker", f"link: {link}", orders=_own_orders(letter)) if link else None


def _letter_inside(letter: Letter, trust: Trust) -> Verdict | None:
    """Judge what is quoted, forwarded or attached: believed from a trusted forwarder, else suspect."""
    verdicts = [(inner, judge(inner, Trust())) for inner in letter.inside]
    claims = [(inner, v) for inner, v in verdicts if v.kind is Kind.OPT_OUT or _is_doubted_claim(v)]
    if not claims:
        return None
    inner, claim = claims[0]
    # text/plain and text/html each hold the forward; only the latter has links
    orders = tuple(dict.fromkeys(order for _, v in claims for order in v.orders))
    buyers = {v.buyer for _, v in claims if v.buyer}
    forwarder = sender.who(letter, trust) is Sender.FORWARDER
    authenticity = sender.authenticity(letter)
    doubts = [
        (f"{inner.how} by somebody who is not in trusted_forwarders", not forwarder),
        ("authentication failed", authenticity is authenticity.FAIL),
        (
            "the letter inside is not whole, or not from Amazon",
            any(v.kind is not Kind.OPT_OUT for _, v in claims),
        ),
        (f"{len(orders)} different order ids", len(orders) != 1),
        (f"not read: {', '.join(letter.cuts)}", bool(letter.cuts)),
    ]
    told = [text for text, holds in doubts if holds]
    return replace(
        claim,
        kind=Kind.SUSPECT if told else Kind.OPT_OUT,
        why=_why(claim.why, tuple(told) if claim.kind is Kind.OPT_OUT else ()),
        orders=orders,
        buyer=buyers.pop() if len(buyers) == 1 else None,
        marketplace=next((v.marketplace for _, v in claims if v.marketplace), None),
        sender=sender.who(letter, trust),
        authenticity=authenticity,
    )


def _amazon_other(letter: Letter, trust: Trust) -> Finding | None:
    if sender.who(letter, trust) is Sender.AMAZON:
        return Finding(Kind.OTHER_NOTICE, "amazon-other", "from Amazon, no word of an opt-out")
    return None


def _not_amazon(_: Letter, __: Trust) -> Finding:
    return Finding(Kind.UNRELATED, "not-amazon", "not from Amazon, no word of an opt-out")


JUDGES: tuple[Callable[[Letter, Trust], Finding | Verdict | None], ...] = (
    _buyer_message,
    _marker,
    _opt_out_wording,
    _known_other_cause,
    _failure_subject,
    _link_marker,
    _letter_inside,
    _amazon_other,
    _not_amazon,
)


# From a finding to a verdict.


def _conclude(letter: Letter, trust: Trust, finding: Finding) -> Verdict:
    verdict = Verdict(
        kind=finding.kind,
        rule=finding.rule,
        version=finding.version,
        why=one_line(finding.why),
        sender=sender.who(letter, trust),
        authenticity=sender.authenticity(letter),
    )
    if finding.kind not in {Kind.OPT_OUT, Kind.SUSPECT}:
        return verdict
    aliases = identifiers.aliases_in(letter.links)
    buyer = aliases[0] if len(aliases) == 1 else None
    doubts = (*finding.doubts, *_doubts(letter, verdict, finding.orders)) if finding.kind is Kind.OPT_OUT else ()
    return replace(
        verdict,
        kind=Kind.SUSPECT if doubts else finding.kind,
        why=_why(verdict.why, doubts),
        orders=finding.orders,
        buyer=buyer,
        marketplace=_marketplace(letter, aliases),
    )


def _doubts(letter: Letter, verdict: Verdict, orders: tuple[str, ...]) -> tuple[str, ...]:
    """Say what keeps a claimed opt-out from being listed by itself."""
    doubts = [
        ("the sender is not Amazon", verdict.sender is not Sender.AMAZON),
        ("authentication failed", verdict.authenticity is verdict.authenticity.FAIL),
        ("no order id", not orders),
        (f"{len(orders)} different order ids", len(orders) > 1),
        (f"not read: {', '.join(letter.cuts)}", bool(letter.cuts)),
    ]
    return tuple(text for text, holds in doubts if holds)


def _is_doubted_claim(verdict: Verdict) -> bool:
    """Tell a claim that was doubted from a suspicion without a claim (a subject, a link)."""
    return verdict.kind is Kind.SUSPECT and verdict.rule not in {"failure-subject", "link-marker"}


def _own_orders(letter: Letter) -> tuple[str, ...]:
    return tuple(dict.fromkeys(order for text in letter.paragraphs for order in identifiers.order_ids(text)))


def _marketplace(letter: Letter, aliases: tuple[str, ...]) -> str | None:
    """Header, alias, links, in this order; never the sender's domain, which is amazon.com for amazon.it too."""
    told = [code for value in letter.header(_MARKETPLACE) if (code := identifiers.marketplace_of_id(value))]
    told += [code for address in aliases if (code := identifiers.marketplace_of_alias(address))]
    return told[0] if told else identifiers.marketplace_of_links(letter.links)


def _why(matched: str, doubts: tuple[str, ...]) -> str:
    return f"{matched} | but {', '.join(doubts)}" if doubts else matched
