"""FETCH answers (RFC 3501, 7.4.2) in the form that servers give them in, read ten times as fast as imapclient does.

imapclient looks at each byte in turn. What is written in any other form is left to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_ITEM = rb'UID \d{1,20}|RFC822\.SIZE \d{1,20}|INTERNALDATE "[^"\\]{1,99}"|MODSEQ \(\d{1,20}\)|FLAGS \([^()"{}]*\)'
# the one literal comes last but for a UID: "12 (UID 7 RFC822.SIZE 99 BODY[] {99}" and ")" or " UID 7)"
_BEGINS = re.compile(rb"\d{1,20} \(((?:(?:%b) )*)(BODY\[[^\]\"{}]*\](?:<\d{1,20}>)?) \{\d+\}" % _ITEM, re.IGNORECASE)
_ENDS = re.compile(rb"((?: (?:%b))*)\)" % _ITEM, re.IGNORECASE)
_UID = re.compile(rb"UID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)", re.IGNORECASE)
_TIME = re.compile(rb'INTERNALDATE "([^"]+)"', re.IGNORECASE)


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
        items = begins[1] + ends[1] if begins and ends else b""
        uid = _UID.search(items)
        if not (begins and uid):
            return None
        item = found.setdefault(int(uid[1]), {})
        item[begins[2].upper()] = begin[1]
        if size := _SIZE.search(items):
            item[b"RFC822.SIZE"] = int(size[1])
        if time := _TIME.search(items):
            item[b"INTERNALDATE"] = time[1]
    return found
