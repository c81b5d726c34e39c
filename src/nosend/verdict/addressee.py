"""Which seller account is a letter for? Vendors and agencies read the notices of many sellers in one mailbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.verdict import sender

if TYPE_CHECKING:
    from nosend.model import Accounts, Letter

# Where the address stands that a letter was delivered to: first what the receiving server wrote, then the sender
_FIELDS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]{1,64}@[^\s<>()\[\],;:\"@]{1,255}")
_MOST = 100  # addresses of a field that are looked at
_BETWEEN = re.compile("[,;:]")  # the addresses of a list or group
_IN_BRACKETS = re.compile(r"<([^<>]*)>\s*$")
_LABEL = re.compile(r"[\w.-]{1,64}")  # of an account, behind a plus; a "=" there stands for the "@" of somebody else


def account(letter: Letter, accounts: Accounts) -> str | None:
    """Give the one account that is named; None when none or several are."""
    if not accounts.by_address and not accounts.plus:
        return None
    found = named(letter, accounts)
    return found.pop() if len(found) == 1 else None


def named(letter: Letter, accounts: Accounts) -> set[str]:
    """Give the accounts that the first field with a known address names."""
    return next(filter(None, (_named(letter.header(name), accounts) for name in _FIELDS)), set())


def addresses(letter: Letter) -> set[str]:
    """Give the addresses that a letter was delivered or written to, in lower case."""
    return {address for name in _FIELDS for value in letter.header(name) for address in _addresses(value)}


def _addresses(value: str) -> list[str]:
    """Give the addresses of a field (RFC 5322, 3.4); what stands in a name, a comment or a quoted string is none."""
    pieces = _BETWEEN.split((sender.unquoted(value) or "").lower())[:_MOST]
    bare = (found[1] if (found := _IN_BRACKETS.search(piece)) else piece for piece in pieces)
    return [address for one in bare if _ADDRESS.fullmatch(address := one.strip())]


def _named(values: tuple[str, ...], accounts: Accounts) -> set[str]:
    known = dict(accounts.by_address)
    found = (address for value in values for address in _addresses(value))
    return set(filter(None, (known.get(one) or (_after_plus(one) if accounts.plus else "") for one in found)))


def _after_plus(address: str) -> str:
    """Give the detail of a sub-address (RFC 5233): `shop-de` of `orders+shop-de@example.com`.

    Amazon writes one of its own into a buyer's address, which is nobody's account.
    """
    detail = address.partition("@")[0].partition("+")[2]
    return detail if _LABEL.fullmatch(detail) and not identifiers.is_buyer_address(address) else ""
