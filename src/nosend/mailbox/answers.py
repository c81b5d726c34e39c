"""FETCH answers (RFC 3501, 7.4.2) in the form that servers give them in, read ten times as fast as imapclient does.

imapclient looks at each byte in turn. What is written in any other form is left to it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nosend.letter import header

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIME = rb"[ \d]\d-\w{3}-\d{4} [\d:]{8} [+-]\d{4}"
_ITEM = rb'UID (\d{1,20})|RFC822\.SIZE (\d{1,20})|INTERNALDATE "(%b)"' % _TIME
# the one literal comes last but for a UID: "12 (UID 7 RFC822.SIZE 99 BODY[] {99}" and ")" or " UID 7)"
_BEGINS = re.compile(rb"\d{1,20} \((?:(?:%b) )*(BODY\[[^\]\"{}]*\](?:<\d{1,20}>)?) \{\d+\}" % _ITEM, re.IGNORECASE)
_ENDS = re.compile(rb"(?: (?:%b))*\)" % _ITEM, re.IGNORECASE)


def read(answers: Sequence[Any]) -> dict[int, dict[bytes, Any]] | None:
    """Read what imaplib gives of FETCH answers: items by UID; INTERNALDATE as the bytes that the server wrote.

    None when one of them has another form.
    """
    found: dict[int, dict[bytes, Any]] = {}
    if len(answers) % 2:  # no literal, or [None]: nothing was given
        return None
    for begin, end in zip(answers[::2], answers[1::2], strict=True):
        if not isinstance(begin, tuple) or not isinstance(end, bytes):
            return None
        begins, ends = _BEGINS.fullmatch(begin[0]), _ENDS.fullmatch(end)
        if not (begins and ends):
            return None
        *told, section = begins.groups()
        uid, size, received = (one or other for one, other in zip(told, ends.groups(), strict=True))
        if not uid:
            return None
        item = found.setdefault(int(uid), {})
        item[section.upper()] = begin[1]
        if size:
            item[b"RFC822.SIZE"] = int(size)
        if received:
            item[b"INTERNALDATE"] = received
    return found


def content(item: dict[bytes, Any], begins: bytes) -> bytes | None:
    """Find a section's bytes; servers write its name back in their own spelling, with `<0>` after a partial fetch."""
    for key, value in item.items():
        if key.upper().startswith(begins) and isinstance(value, bytes):
            return value
    return None


def time(received_at: Any) -> datetime | None:
    """Take a time that can be one; servers have told the year 9999."""
    try:
        if isinstance(received_at, bytes):  # as the server wrote it
            told = header.date(received_at.decode("ascii", "replace"))
        else:
            told = received_at.astimezone(UTC) if isinstance(received_at, datetime) else None
    except (ValueError, OverflowError):  # a zone of 99 hours
        return None
    return told if told and 1980 < told.year < 2200 else None
