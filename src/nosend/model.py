"""The nouns that travel through the house. All of them are frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
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
    """Whether a letter comes from the domain in its From: by Authentication-Results (RFC 8601) or DKIM (RFC 6376)."""

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

    `trouble` says why there are no bytes of a mail that is there. `heading` is the letter that was read of it already,
    where that settles what it is.
    """

    raw: bytes
    place: Place
    received_at: datetime | None
    size: int
    trouble: str = ""
    heading: Letter | None = None


@dataclass(frozen=True)
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
        return self._by_name.get(name.lower(), ())

    @cached_property
    def _by_name(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self.headers:
            key = name.lower()
            found[key] = (*found[key], value) if key in found else (value,)
        return found


class Policy(StrEnum):
    """How much a letter's authenticity is asked for before it is listed."""

    REQUIRE = "require"  # only a pass is listed
    PREFER = "prefer"  # a failure is not listed
    OFF = "off"  # it does not matter


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose notices lie in one mailbox, when it serves several seller accounts.

    `by_address`: pairs of an address (lower-case) and the account it stands for. `plus`: what follows the plus of an
    address is an account. `must_be_known`: a notice of none of them is suspect; else it is the mailbox's own.
    """

    by_address: tuple[tuple[str, str], ...] = ()
    plus: bool = False
    must_be_known: bool = False


@dataclass(frozen=True, slots=True)
class Trust:
    """What the user said about a mailbox.

    `forwarders` are those whose forwards are believed: addresses (`a@b.c`) or whole domains (`b.c`), lower-case.
    `authserv_id` names the server whose Authentication-Results are believed (RFC 8601, 2.5), lower-case, "" none.
    """

    forwarders: frozenset[str] = frozenset()
    authserv_id: str = ""
    policy: Policy = Policy.PREFER
    accounts: Accounts = Accounts()


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule that was asked about a letter, and what it answered; for `explain`."""

    rule: str
    answer: str


@dataclass(frozen=True, slots=True)
class OptOut:
    """What one notice says: the buyer of this order has opted out.

    `buyer` is a normalised alias, `marketplace` a code of `identifiers.MARKETPLACES`, `account` the seller account
    that the notice was addressed to, `written_at` the notice's own date; None where it is not known.
    """

    order_id: str
    buyer: str | None = None
    marketplace: str | None = None
    account: str | None = None
    written_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a letter is, who spoke, and why.

    `rule` and `version` name the judge or wording that spoke; `why` is one line with the sentence or header
    that matched. An `opt_out` has at least one of `opt_outs`, several only if it brings several notices; nothing
    else has any. `orders`, `buyer` and `marketplace` tell what was found, of a suspect as well; `buyer` and
    `marketplace` only when there is just one.
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
    opt_outs: tuple[OptOut, ...] = ()
    trials: tuple[Trial, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """A mail with its verdict, ready for the ledger. `verdict` is None when it could not be judged: set aside.

    `key` identifies the mail wherever it lies: its Message-ID, or its SHA-256 when it has none.
    `written_at` is the letter's own date where that can be believed, else when it was received. `account` is the
    seller account that it was addressed to; `judged_by` names the rules and the trust that it was judged by.
    """

    mail: Mail
    sha256: str
    key: str
    sender: str
    subject: str
    written_at: datetime | None
    verdict: Verdict | None
    trouble: str = ""
    account: str = ""
    judged_by: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A recognised notice in a folder, by its UID, and what was done with it there and when: "" if nothing."""

    uid: int
    key: str
    sha256: str
    size: int
    settled: str
    settled_at: datetime | None


class Action(StrEnum):
    """What an event says: of a mail, or of a key."""

    OPT_OUT = "opt_out"  # it is a notice
    ACCEPT = "accept"  # a person says that it is one
    REJECT = "reject"  # a person says that it is none; of an import, that it is undone
    ADD = "add"  # a person lists a key
    IMPORT = "import"  # a list of another tool's lists it
    REMOVE = "remove"  # a person takes a key off, and keeps off what is older
    ALLOW = "allow"  # a person lets a key be messaged, whatever else is said
    DISALLOW = "disallow"  # and does so no longer


@dataclass(frozen=True, slots=True)
class Event:
    """A fact that bears on the list: what a mail, an import, or a person said of an order or a buyer.

    A mail is known by its `key` in its `mailbox`; what came in no mail has no mailbox, and a key of its own, each
    import one for all that it said. `account` is the seller account that order and buyer belong to. A rejection names
    no order: it is about all that the mail said. An event about a buyer has an empty `order_id`.
    """

    mailbox: str
    key: str
    account: str
    action: Action
    order_id: str
    buyer: str | None
    marketplace: str | None
    source: str  # "notice", "forward", "person", or what an import was called
    why: str
    opted_out_at: datetime
    recorded_at: datetime
