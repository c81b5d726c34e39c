"""How servers write their lines otherwise than imaplib knows them: case, spaces, a missing text, length.

RFC 3501 takes upper and lower case for the same (9, note 1); imaplib does not.
"""

from __future__ import annotations

import re

LONGEST_LINE = 12_000_000  # bytes; a million UIDs of ten digits
_ODD = re.compile(
    rb"\*(?:  |\t| \d+ [ \ta-z]| [a-z]| (?:OK|NO|BAD|BYE|PREAUTH) +\[[a-z])|[A-Z]+\d+ +(?:[a-z]| |[A-Z]+\r)"
)
_LINE = re.compile(rb"(\S+)[ \t]+(?:(\d+)[ \t]+)?([A-Za-z][\w.-]*)[ \t]*(\[[\w.-]+)?")


def usual(line: bytes) -> bytes:
    """Write the beginning of an answer as imaplib knows it; what is no beginning of an answer stays."""
    if not _ODD.match(line) or not (found := _LINE.match(line)):
        return line
    label, number, word, code = found.groups()
    words = [label, *filter(None, [number]), word.upper(), (code or b"").upper()]
    return b" ".join(words) + line[found.end() :]
