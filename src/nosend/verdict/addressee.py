"""Which seller account is a letter for? Vendors and agencies read the notices of many sellers in one mailbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nosend import identifiers

if TYPE_CHECKING:
    from nosend.model import Accounts, Letter

# Where the address stands that a letter was delivered to: first what the receiving server wrote, then the sender
_FIELDS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]{1,64}@[^\s<>()\[\],;:\"@]{1,255}")
_MOST = 100  # addresses of a field that are looked at
_LABEL = re.compile(r"[\w.=-]{1,64}")  # what may stand behind a plus and name an account


def account(letter: Letter, accounts: Accounts) -> str | None:
    """Give the one account that is named; None when none or several are."""
    found = named(letter, accounts)
    return found.pop() if len(found) == 1 else None


def named(letter: Letter, accounts: Accounts) -> set[str]:
    """Give the accounts that the first field with a known address names."""
    known = dict(accounts.by_address)
    fields = (
        {told for value in letter.header(name) for told in _named(value, known, accounts.plus)} for name in _FIELDS
    )
    return next(filter(None, fields), set())


def _named(value: str, known: dict[str, str], plus: bool) -> set[str]:  # noqa: FBT001 - a field of Accounts
    addresses = (found.lower() for found in _ADDRESS.findall(value)[:_MOST])
    return {told for address in addresses if (told := known.get(address) or (plus and _after_plus(address)) or "")}


def _after_plus(address: str) -> str:
    """Give the detail of a sub-address (RFC 5233): `shop-de` of `orders+shop-de@example.com`.

    Amazon writes one of its own into a buyer's address, which is nobody's account.
    """
    detail = address.partition("@")[0].partition("+")[2]
    return detail if _LABEL.fullmatch(detail) and not identifiers.is_buyer_address(address) else ""
