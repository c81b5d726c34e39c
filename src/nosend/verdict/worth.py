"""How much of a mail has to be read: what the header alone can tell."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from nosend import identifiers, letter
from nosend.letter import header
from nosend.model import Sender
from nosend.verdict import sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from nosend.model import Letter, Trust
    from nosend.verdict.rules import Rules

# Amazon's machine-readable marker, read in a notice of amazon.it of September 2026
MARKER = "X-Space-Notification-Type"
_MARKER_NAME = MARKER.lower()
DECIDING_FIELDS = ("From", "Subject", MARKER)


def markers(letter: Letter) -> set[str]:
    """Give the distinct values of the marker, in upper case and without what programs write around a value."""
    values = {header.decode(value).strip(" \t\"';").upper() for value in letter.header(MARKER)}
    return values - {""}


def may_opt_out(value: str) -> bool:
    """Tell whether a value of the marker, known or new, could mean an opt-out."""
    return "OPT" in value and "OUT" in value


class Worth(StrEnum):
    """How much of a mail has to be read to judge it."""

    BODY = "body"
    HEADER = "header"  # the header alone settles it, and it belongs in the ledger
    NOTHING = "nothing"  # nobody would ask about it


_PRINTABLE = bytes(range(32, 127)) + b"\t\r\n"
_SUBJECT = re.compile(r"^subject[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)


def surely_nothing(section: bytes, trust: Trust, known: Rules) -> bool:
    """Tell, in a fifth of the time, of most strangers' mails that they are worth NOTHING; "no" says nothing.

    It looks for all that could make more of them, in whichever field it stands.
    """
    if section.translate(None, _PRINTABLE) or section.count(b"\r") != section.count(b"\r\n") or b"=?" in section:
        return False
    text = section.decode("ascii").lower()
    if "amazon" in text or _MARKER_NAME in text or any(map(text.__contains__, trust.forwarders)):
        return False
    for folded in _SUBJECT.findall(text):
        subject = folded.replace("\r", "").replace("\n", "").lstrip()
        if subject.startswith(known.forward_prefixes) or known.tells_failure(subject):
            return False
    return True


def worth_reading(heading: Letter, trust: Trust, known: Rules) -> Worth:
    """Tell by the DECIDING_FIELDS alone how much of a mail has to be read.

    The body matters of Amazon's mails, look-alikes of Amazon, trusted forwarders', anything with the marker;
    of strangers' mails only if the subject begins like a forward or names a delivery failure. Another marker
    without such a subject, or a buyer's address, settles it without the body.
    """
    values = markers(heading)
    may_be_notice = any(map(may_opt_out, values))
    address = sender.address(heading)
    who = sender.who(address, trust)
    if identifiers.is_buyer_address(address):
        return Worth.HEADER
    from_amazon = who is Sender.AMAZON
    if values and not may_be_notice:
        cause = from_amazon and known.tells_failure(heading.subject)  # which one, `status` tells
        return Worth.BODY if cause else Worth.HEADER if from_amazon else Worth.NOTHING
    if may_be_notice or who is not Sender.OTHER:
        return Worth.BODY
    if any("amazon" in value.lower() for value in heading.header("from")):
        return Worth.BODY  # look-alikes, two addresses: worth a suspect, if the text is a notice
    subject = heading.subject.casefold().lstrip()
    told = subject.startswith(known.forward_prefixes) or known.tells_failure(heading.subject)
    return Worth.BODY if told else Worth.NOTHING


def read(raw: bytes, trust: Trust, known: Rules) -> Letter:
    """Read as much of a mail as its verdict depends on; the verdict is that about the whole letter.

    What the header settles needs no text. Of a letter that neither Amazon nor a trusted forwarder sent, and that has
    no marker, only text matters that may be of a notice.
    """
    opened = letter.head(raw)
    heading = opened.heading
    worth = worth_reading(heading, trust, known)
    if worth is Worth.HEADER or (worth is Worth.NOTHING and markers(heading)):
        return heading

    def matters(heading: Letter) -> Callable[[str], bool] | None:
        stranger = sender.who(sender.address(heading), trust) is Sender.OTHER and not markers(heading)
        return known.may_tell if stranger else None

    return letter.read(opened, known.marks, matters)
