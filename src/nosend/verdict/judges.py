"""The judges of one letter, each a small question; `verdict.JUDGES` says in which order they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.model import Kind, Sender
from nosend.verdict.case import Finding
from nosend.verdict.rules import OPTED_OUT
from nosend.verdict.worth import MARKER, markers, may_opt_out

if TYPE_CHECKING:
    from nosend.verdict import wording
    from nosend.verdict.case import Case

# The address every known notice came from. Amazon's other addresses pass on what sellers and buyers wrote (copies
# of messages, forum posts, support cases), and the marker is a field that no signature covers.
_NOTIFIER = "auto-communication@"


def buyer_message(case: Case) -> Finding | None:
    """Anyone can write the sentence to a seller: what a buyer's address sends is never a notice."""
    if identifiers.is_buyer_address(case.address):
        return Finding(Kind.OTHER_NOTICE, "buyer-message", "From is a buyer's address")
    return None


def marker(case: Case) -> Finding | None:
    """Read the machine-readable marker: language-free, and firm in both directions."""
    values = markers(case.letter)
    if not values:
        return None
    line = f"{MARKER}: {', '.join(case.letter.header(MARKER))}"
    if any(map(may_opt_out, values)):
        doubts = (
            ("the markers contradict each other", OPTED_OUT in values and len(values) > 1),
            ("this value of the marker is not known", OPTED_OUT not in values),
            _from_another_address(case),
        )
        return Finding(Kind.OPT_OUT, "marker", line, doubts=tuple(text for text, holds in doubts if holds))
    if case.sender is not Sender.AMAZON:
        return Finding(Kind.UNRELATED, "marker-other", line)
    cause = next(iter(_other_causes(case)), None)  # it lists nothing, so that no wording needs to be confirmed
    if cause:
        return Finding(Kind.OTHER_NOTICE, cause.wording.rule, f"{line}; {cause.sentence}", cause.wording.version)
    return Finding(Kind.OTHER_NOTICE, "marker-other", line)


def opt_out_wording(case: Case) -> Finding | None:
    """Look for the one sentence that ties one order id to non-delivery and to the buyer's choice.

    A wording that was never seen in a real mail speaks only in Amazon's letters, and is always doubted.
    """
    matches = case.matches(case.rules.opt_outs)
    heard = [match for match in matches if match.wording.confirmed or case.sender is Sender.AMAZON]
    if not heard:
        return None
    first = min(heard, key=lambda match: not match.wording.confirmed)
    doubts = [
        ("this wording is not confirmed", not first.wording.confirmed),
        _from_another_address(case),
        ("the words run over the end of a sentence", not first.is_one_sentence),
        ("another cause is named as well", bool(_other_causes(case))),
    ]
    return Finding(
        Kind.OPT_OUT,
        first.wording.rule,
        first.sentence,
        first.wording.version,
        tuple(text for text, holds in doubts if holds),
    )


def _from_another_address(case: Case) -> tuple[str, bool]:
    holds = case.sender is Sender.AMAZON and not case.address.startswith(_NOTIFIER)
    return "not from the address that sends notices", holds


def known_other_cause(case: Case) -> Finding | None:
    """Amazon names another cause: a content filter, a closed thread, a restricted account.

    In a wording that was never seen in a real mail it settles nothing: a person looks.
    """
    matches = _other_causes(case) if case.sender is Sender.AMAZON else ()
    if not matches:
        return None
    first = min(matches, key=lambda match: not match.wording.confirmed)
    if first.wording.confirmed:
        return Finding(Kind.OTHER_NOTICE, first.wording.rule, first.sentence, first.wording.version)
    doubts = ("this wording of another cause is not confirmed",)
    return Finding(Kind.SUSPECT, first.wording.rule, first.sentence, first.wording.version, doubts)


def _other_causes(case: Case) -> tuple[wording.Match, ...]:
    return case.matches(case.rules.others)


def failure_subject(case: Case) -> Finding | None:
    """See a delivery failure that Amazon tells in words no pack knows: it must reach a person."""
    if case.sender is Sender.AMAZON and case.rules.tells_failure(case.letter.subject):
        doubts = ("no rule knows its words",)
        return Finding(Kind.SUSPECT, "failure-subject", f"Subject: {case.letter.subject}", doubts=doubts)
    return None


def link_marker(case: Case) -> Finding | None:
    """Look for the marker's value in footer links, where it may survive a forward; never enough by itself."""
    link = next((link for link in case.letter.links if OPTED_OUT in link), None)
    return Finding(Kind.SUSPECT, "link-marker", f"link: {link}") if link else None


def amazon_other(case: Case) -> Finding | None:
    """Take what else Amazon sends for another notice."""
    return (
        Finding(Kind.OTHER_NOTICE, "amazon-other", "from Amazon, no word of an opt-out")
        if case.sender is Sender.AMAZON
        else None
    )


def not_amazon(_: Case) -> Finding:
    """Take everything else for unrelated: the last resort, which always speaks."""
    return Finding(Kind.UNRELATED, "not-amazon", "not from Amazon, no word of an opt-out")
