"""May this message be sent? Pure. The purposes are Amazon's own, from its lists of critical messages.

An opt-out concerns proactive messages. Questions without which an order cannot be fulfilled, and replies to a
buyer who wrote first, may still be sent, in the original thread.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from nosend.errors import UnknownKeyError

if TYPE_CHECKING:
    from nosend.entry import Entry
    from nosend.identifiers import Key

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


class Decision(NamedTuple):
    """The answer for one key and purpose. `entries` are the lines of the blacklist it rests on, oldest first."""

    key: Key
    permission: Permission
    purpose: str | None
    entries: tuple[Entry, ...]

    @property
    def may_send(self) -> bool:
        """Tell whether a message may be sent, be it as a critical one."""
        return self.permission is not Permission.DO_NOT_SEND

    @property
    def reason(self) -> str:
        """Tell what the answer rests on."""
        if not self.entries:
            return "not on the blacklist"
        first = self.entries[0]
        return f"the buyer opted out on {first.opted_out_at.date()}: {first.why}"

    @property
    def advice(self) -> str:
        """Tell how a critical message is to be sent, or why another is not; "" where nothing is in the way."""
        if not self.entries:
            return ""
        if self.purpose in CRITICAL:
            return (
                f"allowed as critical ({CRITICAL[self.purpose]}): write in the original thread, reason "
                '"Additional Information Required", nothing else in the message; by e-mail the subject needs '
                f"{_TAGS.get(self.entries[0].marketplace or '', '[Important]')}"
            )
        return f"{self.purpose} is not critical" if self.purpose else "only critical messages may be sent"


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
        permission = Permission.SEND
    else:
        permission = Permission.SEND_AS_CRITICAL if purpose in CRITICAL else Permission.DO_NOT_SEND
    return Decision(key, permission, purpose, entries)
