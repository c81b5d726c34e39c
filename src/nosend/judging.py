"""Mail -> Judged: reads and judges one mail, and is the one boundary around whatever breaks in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from nosend import identifiers, verdict
from nosend.letter import header
from nosend.model import Judged, Kind, Letter, Policy
from nosend.verdict import addressee, authenticity, sender

if TYPE_CHECKING:
    from nosend.model import Mail, Trust, Verdict
    from nosend.verdict.rules import Rules

_NO_MAIL_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)


class Verifier(Protocol):
    """Whoever verifies DKIM signatures."""

    def signed_by(self, raw: bytes) -> tuple[str, ...]:
        """Give the domains whose signature over a mail holds."""


@dataclass(frozen=True)
class Judging:
    """By what the mails of one mailbox are judged: what the user trusts, the packs, and who verifies DKIM."""

    trust: Trust
    rules: Rules
    verifier: Verifier | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Name all that a verdict depends on beside the mail: a suspect is judged again when it changes."""
        trust = (sorted(self.trust.forwarders), self.trust.authserv_id, self.trust.policy, self.trust.accounts)
        told = (verdict.JUDGES_VERSION, self.rules.fingerprint, trust, self.verifier is not None)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def judge(self, mail: Mail) -> Judged:
        """Read and judge one mail. Whatever breaks in it breaks nothing else: such a mail is set aside."""
        if mail.trouble:
            return self.set_aside(mail, mail.trouble)
        try:
            read = mail.heading or verdict.read(mail.raw, self.trust, self.rules)
            return self._judged(mail, read, self._verdict(mail, read))
        except Exception as error:  # noqa: BLE001 - the one boundary: no mail may stop the round, MemoryError and RecursionError included
            return self.set_aside(mail, f"broke the reader: {type(error).__name__}")

    def set_aside(self, mail: Mail, trouble: str) -> Judged:
        """Make an unjudged mail known by its bytes alone; one without bytes by its place."""
        judged = self._judged(mail, Letter(), None, trouble)
        place = mail.place
        return judged if mail.raw else replace(judged, key=f"place:{place.folder}:{place.uidvalidity}:{place.uid}")

    def _verdict(self, mail: Mail, read: Letter) -> Verdict:
        """Judge a letter; of one that matters and whose server says nothing the signatures are verified."""
        told = verdict.judge(read, self.trust, self.rules)
        silent = self.verifier and self.trust.policy is not Policy.OFF and told.kind in {Kind.OPT_OUT, Kind.SUSPECT}
        if not silent or authenticity.has_results(read, self.trust):
            return told
        assert self.verifier is not None  # noqa: S101 - `silent` looked
        signers = self.verifier.signed_by(mail.raw)
        return verdict.judge(read, self.trust, self.rules, signers) if signers else told

    def _judged(self, mail: Mail, read: Letter, found: Verdict | None, trouble: str = "") -> Judged:
        digest = hashlib.sha256(mail.raw).hexdigest()
        written_at = believable(header.date(next(iter(read.header("date")), "")), mail.received_at)
        if found and found.opt_outs:  # an attached notice has a date of its own
            dated = (replace(one, written_at=believable(one.written_at, written_at)) for one in found.opt_outs)
            found = replace(found, opt_outs=tuple(dated))
        ids = [value for value in read.header("message-id") if value]
        return Judged(
            mail=mail,
            sha256=digest,
            key=ids[0][:500] if len(ids) == 1 else f"sha256:{digest}",
            sender=_sender(read),
            subject=identifiers.one_line(read.subject)[:200],
            written_at=written_at,
            verdict=found,
            trouble=trouble,
            account=addressee.account(read, self.trust.accounts) or mail.place.account,
            judged_by=self.fingerprint,
        )


def _sender(read: Letter) -> str:
    """Write From for a person; where it is no one address, it may look like somebody's and is not."""
    told = identifiers.one_line(header.decode(", ".join(read.header("from"))))[:200]
    return told if sender.address(read) or not told else f"no one address: {told}"


def believable(written_at: datetime | None, received_at: datetime | None) -> datetime | None:
    """Give a letter's date if it can be believed, else when it was received.

    A date in the future, or before the marketplace began, cannot.
    """
    latest = (received_at or now()) + timedelta(days=1)
    return written_at if written_at and _NO_MAIL_BEFORE <= written_at <= latest else received_at


def now() -> datetime:
    """Give the time; the one clock of the intake."""
    return datetime.now(UTC)
