"""A line of the blacklist, and a change of it: the nouns of the reading side, frozen values as those in `model`.

They are tuples, since a mailer starts `check` before each message: `dataclasses` takes longer to load than all that
`check` needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class Entry(NamedTuple):
    """One line of the blacklist; the fields are the columns of the `blacklist` view."""

    kind: str  # "order" or "buyer"
    value: str
    account: str
    marketplace: str | None
    opted_out_at: datetime
    listed_at: datetime
    last_notice_at: datetime
    notices: int
    source: str
    why: str
    expires_at: datetime | None = None


class Change(NamedTuple):
    """A numbered difference of the list; the fields are the columns of the `changes` view."""

    seq: int
    at: datetime
    action: str  # "added", "renewed", "removed", "expired"
    kind: str
    value: str
    account: str
