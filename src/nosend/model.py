"""The nouns that travel through the house. All of them are frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Kind(StrEnum):
    """What a letter is."""

    OPT_OUT = "opt_out"  # Amazon says: this buyer has opted out
    SUSPECT = "suspect"  # looks like an opt-out, something is missing: a person must look
    OTHER_NOTICE = "other_notice"  # from Amazon's systems, for another cause
    UNRELATED = "unrelated"  # everything else


class Sender(StrEnum):
    """Who vouches for a letter."""

    AMAZON = "amazon"  # exactly one From address, exactly one of Amazon's domains
    FORWARDER = "forwarder"  # somebody the user trusts, forwarding Amazon's letter
    OTHER = "other"


class Authenticity(StrEnum):
    """What the Authentication-Results headers say (RFC 8601)."""

    PASS = "pass"  # noqa: S105 - the RFC's word, not a secret
    FAIL = "fail"
    UNKNOWN = "unknown"


class How(StrEnum):
    """How a letter came to be where it is."""

    SENT = "sent"  # the mail itself
    ATTACHED = "attached"  # message/rfc822 or an .eml file
    FORWARDED = "forwarded"  # inline, after a forward marker or a header block
    QUOTED = "quoted"  # after ">" or in a <blockquote>


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail was found. `uidvalidity` and `uid` are None for mails out of files (RFC 3501, 2.3.1.1)."""

    account: str
    folder: str
    uidvalidity: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """Raw bytes, and where and when they were found. `size` is the mail's true size; `raw` may be its beginning.

    `trouble` says why there are no bytes of a mail that is there.
    """

    raw: bytes
    place: Place
    received_at: datetime | None
    size: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail decoded.

    `headers` hold the header fields in order, unfolded, encoded words left as they are; `subject` is
    decoded. `paragraphs` and `links` are the letter's own; what it quotes, forwards or attaches is in
    `inside`. `cuts` tell in words what a cap left out.
    """

    how: How = How.SENT
    headers: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    paragraphs: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    inside: tuple[Letter, ...] = ()
    cuts: tuple[str, ...] = ()

    def header(self, name: str) -> tuple[str, ...]:
        """Give all values of one header field; the name's case does not matter (RFC 5322, 1.2.2)."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose forwards are believed: addresses (`a@b.c`) or whole domains (`b.c`), lower-case."""

    forwarders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule that was asked about a letter, and what it answered; for `explain`."""

    rule: str
    answer: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a letter is, who spoke, and why.

    `rule` and `version` name the judge or wording that spoke; `why` is one line with the sentence or header
    that matched. An `opt_out` always has exactly one order id; `buyer` is a normalised alias or None;
    `marketplace` is a code of `identifiers.MARKETPLACES` or None.
    """

    kind: Kind
    rule: str
    version: int
    why: str
    orders: tuple[str, ...] = ()
    buyer: str | None = None
    marketplace: str | None = None
    sender: Sender = Sender.OTHER
    authenticity: Authenticity = Authenticity.UNKNOWN
    trials: tuple[Trial, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """A mail with its verdict, ready for the ledger. `verdict` is None when it could not be judged: set aside.

    `key` identifies the mail wherever it lies: its Message-ID, or its SHA-256 when it has none.
    `written_at` is the letter's own date where that can be believed, else when it was received.
    """

    mail: Mail
    sha256: str
    key: str
    sender: str
    subject: str
    written_at: datetime | None
    verdict: Verdict | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact that bears on the list: a notice said that a buyer opted out."""

    account: str
    order_id: str
    buyer: str | None
    marketplace: str | None
    source: str  # "notice" or "forward"
    why: str
    opted_out_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
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
