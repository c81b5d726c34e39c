"""Who sent a letter, by the address in its From."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.model import Sender

if TYPE_CHECKING:
    from nosend.model import Letter, Trust

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_SPECIAL = re.compile(r'["()]|\\.?', re.DOTALL)  # a backslash with what it quotes
_NAMED = re.compile(r"[^<>,:;@]*<\s*([^<>\s]+)\s*>")


def address(letter: Letter) -> str:
    """Give the one From address in lower case (RFC 5322, 3.6.2).

    Empty when there is none, more than one, a group, or anything that programs could read in two ways: a
    display name holds whatever its writer likes, so only `addr` and `name <addr>` count.
    """
    headers = letter.header("from")
    return _address(headers[0]) if len(headers) == 1 and len(headers[0]) <= 1_000 else ""


@lru_cache(maxsize=500)  # few senders write most of the mails
def _address(value: str) -> str:
    bare = unquoted(value)
    if bare is None:
        return ""
    named = _NAMED.fullmatch(bare.strip())
    found = named[1] if named else bare.strip()
    return found.lower() if _ADDRESS.fullmatch(found) else ""


def unquoted(value: str) -> str | None:
    """Take out quoted strings and comments, in which anything may be written (RFC 5322, 3.2.2 and 3.2.4).

    None when one of them is left open: then programs disagree about what is outside.
    """
    outside: list[str] = []
    depth, quoted, after = 0, False, 0
    for found in _SPECIAL.finditer(value):
        mark, start = found[0], found.start()
        if not (quoted or depth):
            if mark[0] in "\\)":
                return None
            outside += (value[after:start], " ")
        if mark == '"':
            quoted = not quoted and not depth
        elif mark == "(" and not quoted:
            depth += 1
        elif mark == ")" and not quoted:
            depth -= 1
        after = found.end()
    return None if quoted or depth else "".join((*outside, value[after:]))


def who(sender: str, trust: Trust) -> Sender:
    """Tell whether an address is Amazon's, a trusted forwarder's or somebody else's; "" is nobody's."""
    domain = sender.rpartition("@")[2]
    if domain in identifiers.AMAZON_DOMAINS:
        return Sender.AMAZON
    if sender and (sender in trust.forwarders or domain in trust.forwarders):
        return Sender.FORWARDER
    return Sender.OTHER
