"""May this message be sent? Pure. The purposes are Amazon's own, from its lists of critical messages.

An opt-out concerns proactive messages. Questions without which an order cannot be fulfilled, and replies to a
buyer who wrote first, may still be sent, in the original thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from nosend.errors import UnknownKeyError

if TYPE_CHECKING:
    from nosend.identifiers import Key
    from nosend.model import Entry

CRITICAL = {
    "product-customization": "a question about customizing the product",
    "delivery-scheduling": "a question about when to deliver",
    "shipping-address": "an issue with the shipping address",
    "reply-to-buyer": "an answer to a buyer who wrote first",
}
NOT_CRITICAL = {
    "feedback-request": "asks for seller feedback",
    "review-request": "asks for a product review",
    "order-confirmation": "confirms the order",
    "shipment-confirmation": "confirms the shipment",
    "delivery-confirmation": "confirms the delivery",
    "proactive-service": "manuals, tips, answers nobody asked for",
    "out-of-stock": "tells that the item is out of stock: cancel the order instead",
    "delay": "tells of a delay",
    "alternative-offer": "offers another item: cancel the order instead",
}
# What Amazon's notices of these marketplaces say a critical message's subject has; elsewhere the English one
_TAGS = {"IT": "[Importante]", "DE": "[Wichtig]", "JP": "[重要]"}
PURPOSES = (*CRITICAL, *NOT_CRITICAL)


class Permission(StrEnum):
    """The answer to a mailer."""

    SEND = "send"
    SEND_AS_CRITICAL = "send-as-critical"
    DO_NOT_SEND = "do-not-send"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one key. `entries` are the lines of the blacklist it rests on, oldest first."""

    key: Key
    permission: Permission
    reason: str
    advice: str
    entries: tuple[Entry, ...]

    @property
    def may_send(self) -> bool:
        """Tell whether a message may be sent, be it as a critical one."""
        return self.permission is not Permission.DO_NOT_SEND


def check_purpose(purpose: str | None) -> None:
    """Refuse a purpose that Amazon's lists do not know, with the list."""
    if purpose is not None and purpose not in PURPOSES:
        raise UnknownKeyError(f"unknown purpose {purpose!r}: choose one of {', '.join(PURPOSES)}")


def is_critical(purpose: str | None) -> bool:
    """Tell whether a message of that purpose may be sent though the buyer opted out."""
    return purpose in CRITICAL


def decide(key: Key, entries: tuple[Entry, ...], purpose: str | None) -> Decision:
    """Decide whether a message of that purpose may go to that key. No purpose counts as not critical."""
    check_purpose(purpose)
    if not entries:
        return Decision(key, Permission.SEND, "not on the blacklist", "", ())
    first = entries[0]
    reason = f"the buyer opted out on {first.opted_out_at:%Y-%m-%d}: {first.why}"
    if purpose in CRITICAL:
        advice = (
            f"allowed as critical ({CRITICAL[purpose]}): write in the original thread, reason "
            '"Additional Information Required", nothing else in the message; by e-mail the subject needs '
            f"{_TAGS.get(first.marketplace or '', '[Important]')}"
        )
        return Decision(key, Permission.SEND_AS_CRITICAL, reason, advice, entries)
    told = f"{purpose} is not critical" if purpose else "only critical messages may be sent"
    return Decision(key, Permission.DO_NOT_SEND, reason, told, entries)
