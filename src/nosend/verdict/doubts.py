"""What speaks against listing a claimed opt-out by itself; with any doubt it is suspect, kept for a person.

Each doubt is a small question whose answer is the doubt in words, "" when it does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.model import Authenticity, How, Kind, Policy, Sender
from nosend.verdict import addressee, sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nosend.model import Letter, OptOut, Verdict
    from nosend.verdict.case import Case

    Inside = tuple[tuple[Letter, Verdict], ...]  # the letters inside that claim an opt-out, and what each is


def not_from_amazon(case: Case) -> str:
    """Ask for exactly one From address, in exactly one of Amazon's domains."""
    return "" if case.sender is Sender.AMAZON else "the sender is not Amazon"


def not_authentic(case: Case) -> str:
    """Ask for authenticity, as strictly as the user wants it."""
    if case.trust.policy is Policy.OFF or case.authenticity is Authenticity.PASS:
        return ""
    if case.authenticity is Authenticity.FAIL:
        return "authentication failed"
    return 'no proof of authenticity (authenticity = "require")' if case.trust.policy is Policy.REQUIRE else ""


def not_one_order(case: Case) -> str:
    """Ask for exactly one order id in the letter's own text."""
    count = len(case.orders)
    return "" if count == 1 else f"{count} different order ids" if count else "no order id"


def not_whole(case: Case) -> str:
    """Ask for a letter that was read to its end, in the one way there is to read it."""
    return f"not read: {', '.join(case.letter.cuts)}" if case.letter.cuts else ""


def unknown_account(case: Case) -> str:
    """Ask for a known seller account, if the user does."""
    accounts = case.trust.accounts
    if not accounts.must_be_known:
        return ""
    found = addressee.named(case.letter, accounts)
    if len(found) == 1:
        return ""
    return "to several of the configured accounts" if found else "to none of the configured accounts"


DOUBTS: tuple[Callable[[Case], str], ...] = (not_from_amazon, not_authentic, not_one_order, not_whole, unknown_account)


def of(case: Case) -> tuple[str, ...]:
    """Give the doubts about a letter that claims an opt-out."""
    return tuple(doubt for ask in DOUBTS if (doubt := ask(case)))


# What speaks against listing what a letter brings inside.


def untrusted_forwarder(case: Case, inside: Inside) -> str:
    """Ask for a forwarder whom the user trusts."""
    if case.sender is Sender.FORWARDER:
        return ""
    return f"{inside[0][0].how} by somebody who is not in trusted_forwarders"


def forged_forward(case: Case, _: Inside) -> str:
    """Ask that the forwarder is the one whose name the mail bears."""
    return not_authentic(case)


def doubted_inside(_: Case, inside: Inside) -> str:
    """Ask that every letter inside that claims an opt-out would be believed by itself."""
    believed = all(verdict.kind is Kind.OPT_OUT for _, verdict in inside)
    return "" if believed else "the letter inside is not whole, or not from Amazon"


def of_somebody_else(case: Case, _: Inside) -> str:
    """Ask that all that is forwarded in the text comes from Amazon or from forwarders whom the user trusts.

    A mail program sends attachments along with what is forwarded: whatever else the mail brings may be a stranger's.
    """
    strange = any(sender.who(sender.address(letter), case.trust) is Sender.OTHER for letter in _inline(case.letter))
    return "the mail passes on somebody else's mail as well" if strange else ""


def _inline(letter: Letter) -> Iterator[Letter]:
    """Go through what stands quoted and forwarded in the text of a letter, and in that."""
    for inner in letter.inside:
        if inner.how is not How.ATTACHED:
            yield inner
            yield from _inline(inner)


def names_somebody_else(case: Case, _: Inside) -> str:
    """Ask that no address of a stranger stands in the text: mail programs have many ways to say who wrote what.

    Known are Amazon's, the forwarders', those of the forwarder's own domain, and those that the mails were sent to; in
    the notice itself the buyer's as well.
    """
    letters = (case.letter, *_inline(case.letter))
    known = {address for letter in letters for address in addressee.addresses(letter)}
    own = case.address.rpartition("@")[2]
    for letter in letters:
        by_amazon = sender.who(sender.address(letter), case.trust) is Sender.AMAZON
        for address in identifiers.addresses(" ".join(letter.paragraphs)):
            buyers = by_amazon and identifiers.is_buyer_address(address)
            ours = address in known or address.rpartition("@")[2] == own
            if not (buyers or ours or sender.who(address, case.trust) is not Sender.OTHER):
                return "the mail names somebody else's address"
    return ""


def several_inline(_: Case, inside: Inside) -> str:
    """Ask for one order; only attached letters are told apart well enough to bring several."""
    orders = {order for _, verdict in inside for order in verdict.orders}
    attached = all(letter.how is How.ATTACHED for letter, _ in inside)
    return "" if len(orders) == 1 or (orders and attached) else f"{len(orders)} different order ids"


def not_whole_outside(case: Case, _: Inside) -> str:
    """Ask for a mail that was read to its end."""
    return not_whole(case)


def unknown_account_inside(case: Case, inside: Inside) -> str:
    """Ask for a known seller account, of the letter inside or of the mail that brings it."""
    known: list[OptOut] = [one for _, verdict in inside for one in verdict.opt_outs if one.account]
    return "" if len(known) == sum(len(verdict.opt_outs) for _, verdict in inside) and known else unknown_account(case)


DOUBTS_INSIDE: tuple[Callable[[Case, Inside], str], ...] = (
    untrusted_forwarder,
    forged_forward,
    doubted_inside,
    of_somebody_else,
    names_somebody_else,
    several_inline,
    not_whole_outside,
    unknown_account_inside,
)


def of_inside(case: Case, inside: Inside) -> tuple[str, ...]:
    """Give the doubts about opt-outs that are claimed by letters inside a letter."""
    return tuple(doubt for ask in DOUBTS_INSIDE if (doubt := ask(case, inside)))
