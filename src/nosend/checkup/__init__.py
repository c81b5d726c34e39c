"""What `doctor` looks at: lists of small checks, each of which gives findings or raises what is wrong.

`machine` looks at what lies on this machine, `mailbox` walks the way to one mailbox. Nothing is changed anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from nosend.errors import NosendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `state` is "ok", "warning" or "failed", `code` the exit code of what failed."""

    state: str
    text: str
    code: int = 0


def ok(text: str) -> Finding:
    """Say that something is as it should be."""
    return Finding("ok", text)


def warning(text: str) -> Finding:
    """Say what should be mended, though nosend works."""
    return Finding("warning", text)


def in_turn(checks: Iterable[Callable[[Subject], Iterable[Finding]]], subject: Subject) -> Iterator[Finding]:
    """Make checks that build on each other: after one that failed the others are not made."""
    try:
        for check in checks:
            yield from check(subject)
    except NosendError as trouble:
        for line in str(trouble).splitlines():
            yield Finding("failed", line, trouble.exit_code)
