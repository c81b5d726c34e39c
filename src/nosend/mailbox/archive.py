"""Mails out of files: .eml, mbox (RFC 4155, mboxrd quoting), Maildir, a folder of those, standard input.

Files are only read. An mbox is read as a stream, so that its size does not matter.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nosend.errors import ConfigError
from nosend.letter.mime import LIMITS
from nosend.model import Mail, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
# a "From " line with a time and a year (RFC 4155); a line of text that begins with the word has none
_SEPARATOR = re.compile(rb"From [^\r\n]*\d\d:\d\d[^\r\n]*\d{4}")
_QUOTED_FROM = re.compile(rb"^>+From ")
_SUFFIXES = frozenset({".mbox", ".mbx"})
_LINE = 1024 * 1024  # the longest line that is read at once


def files(paths: tuple[str, ...]) -> list[str]:
    """Find the files to read: each path itself, or in a folder its Maildir mails, .eml and .mbox files, sorted.

    Raises ConfigError for a path that does not exist, before anything is read.
    """
    found: list[str] = []
    for name in paths:
        path = Path(name)
        if name == STDIN or path.is_file() or path.is_char_device() or path.is_fifo():
            found.append(name)
        elif path.is_dir():
            inside = sorted(str(one) for one in path.rglob("*") if one.is_file() and _is_mail_file(one))
            if not inside and not (path / "cur").is_dir():
                raise ConfigError(f"{name!r} holds no mail: neither a Maildir (cur, new) nor .eml or .mbox files")
            found += inside
        else:
            raise ConfigError(f"{name!r} does not exist: name .eml, mbox or Maildir, or - for standard input")
    return found


def _is_mail_file(path: Path) -> bool:
    return _is_one_mail(path) or path.suffix.lower() in _SUFFIXES


def _is_one_mail(path: Path) -> bool:
    """Tell a file that holds one mail by its name: then nothing in it parts it."""
    in_maildir = path.parent.name in {"cur", "new"} and not path.name.startswith(".")
    return in_maildir or path.suffix.lower() == ".eml"


def mails(name: str, account: str) -> Iterator[Mail]:
    """Give the mails of one file in order. Their folder is the file's name, with `:n` for the nth of an mbox.

    A mail is read up to the size that a letter is read to. Raises ConfigError when the file cannot be read.
    """
    try:
        if name == STDIN:
            yield from _stream(sys.stdin.buffer, name, account)
        else:
            with Path(name).open("rb") as stream:
                yield from _stream(stream, name, account)
    except OSError as error:
        raise ConfigError(f"{name!r} cannot be read: {error.strerror}") from error


def _stream(stream: BinaryIO, name: str, account: str) -> Iterator[Mail]:
    beginning = stream.readline(_LINE)
    if not _SEPARATOR.match(beginning) or _is_one_mail(Path(name)):
        kept = beginning + stream.read(max(0, LIMITS.size + 1 - len(beginning)))
        told = os.fstat(stream.fileno())
        yield _mail([kept], told.st_size if stat.S_ISREG(told.st_mode) else len(kept), name, account)
        return
    for number, (kept_lines, size) in enumerate(_mbox(stream), 1):
        yield _mail(kept_lines, size, f"{name}:{number}", account)


def _mbox(stream: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """Part an mbox at its "From " lines after an empty line; that line, and one at the end, are no part of a mail."""
    lines: list[bytes] = []
    size = 0
    blank = b""
    while line := stream.readline(_LINE):
        if blank and _SEPARATOR.match(line):
            yield lines, size
            lines, size, blank = [], 0, b""
            continue
        unquoted = line[1:] if _QUOTED_FROM.match(line) else line
        kept, blank = (blank, line) if not line.strip(b"\r\n") else (blank + unquoted, b"")
        if size <= LIMITS.size:
            lines.append(kept)
        size += len(kept)
    yield lines, size


def _mail(lines: list[bytes], size: int, folder: str, account: str) -> Mail:
    return Mail(b"".join(lines), Place(account, folder), None, size)
