"""DKIM signatures (RFC 6376), verified by nosend itself where no server that the user trusts has done it.

dkimpy does the reckoning; it is an extra, `nosend[dkim]`, loaded with the first mail. It lets more pass than
a proof may, and some mails cost it hours: `Verifier` tells what is refused here beyond its own checks.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
import time
from typing import TYPE_CHECKING, Any

from nosend.letter import header, mime

if TYPE_CHECKING:
    from collections.abc import Sequence

_LARGEST = 10 * 1024 * 1024  # bytes of a mail that is verified
_SIGNATURES = 5  # the first ones of a mail are looked at
_LONGEST_SIGNATURE = 4_000  # bytes; dkimpy's regular expressions cost the square: 0.2 s here, 4 s at 20,000
_LONGEST_RECORD = 1_024  # bytes; a key of 4096 bits needs 750, and an exponent of 12,000 costs 5 s
_SHORTEST_KEY = 1024  # bits; RFC 8301, 3.2
_ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")  # RFC 8301, 3.1; RFC 8463
_MAIL_SECONDS, _KEY_SECONDS = 5.0, 2.5  # of waiting for DNS
_SLOW_SECONDS, _ROUND_SECONDS = 1.0, 60.0  # of waiting for slow answers and for none, all mails together
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")  # other alphabets are written as A-labels: RFC 6376, 3.5
_UNHEARD = logging.Logger("dkimpy", logging.CRITICAL + 1)  # noqa: LOG001 - dkimpy's own tells domains and fields


def installed() -> bool:
    """Tell whether the extra `nosend[dkim]` is there. Without it no signature holds."""
    return all(importlib.util.find_spec(name) for name in ("dkim", "dns"))


class Verifier:
    """Verifies DKIM signatures; asks DNS for the keys and remembers the answers, also that there was none.

    One for each round: when slow answers have cost a minute in all, it asks for no new keys.

    A signature holds when it covers the whole body (`l=` or not: RFC 6376, 8.2), the one From and every Subject
    (8.15), is no more than ten hours past its `x=` (dkimpy's grace for wrong clocks), is not made with SHA-1 or an
    RSA key under 1,024 bits (RFC 8301), and its key is the only one of its name and not in testing (RFC 6376, 3.6).
    It says nothing about the other header fields: most signers leave out those that begin with X-.
    """

    def __init__(self, nameservers: Sequence[tuple[str, int]] | None = None) -> None:
        """`nameservers` are addresses and ports; None stands for the system's own."""
        self._nameservers = nameservers
        self._records: dict[str, bytes] = {}  # by name; empty for no key and for no answer
        self._patience = _ROUND_SECONDS
        self._resolver: Any = None

    def signed_by(self, raw: bytes) -> tuple[str, ...]:
        """Give the domains (`d=`, lower-case, each once) of the signatures that hold over this mail, in order.

        `raw` has CRLF or LF line ends and may begin with the "From " line of an mbox. Empty also for a mail over
        10 MB, for other than one From, for a header section that programs read in two ways, when DNS does not
        answer, and without dkimpy. Looks at the first five signatures; waits 5 s for DNS at most. Never raises.
        """
        found: dict[str, None] = {}
        with contextlib.suppress(Exception):  # on hostile bytes dkimpy raises IndexError, ValueError, AssertionError
            if len(raw) > _LARGEST or not _has_one_sender(raw):
                return ()
            import dkim  # noqa: PLC0415 - an extra, and 0.15 s

            deadline = time.monotonic() + _MAIL_SECONDS
            mail = dkim.DKIM(raw, logger=_UNHEARD, minkey=_SHORTEST_KEY)
            body = mail.body
            signatures = [value for name, value in mail.headers if name.lower() == b"dkim-signature"]
            for number, signature in enumerate(signatures[:_SIGNATURES]):
                mail.body = body
                with contextlib.suppress(Exception):  # a broken signature takes nothing from the next
                    if len(signature) <= _LONGEST_SIGNATURE and (domain := self._verify(mail, number, deadline)):
                        found[domain] = None
        return tuple(found)

    def _verify(self, mail: Any, number: int, deadline: float) -> str:
        """Give the domain of one signature if it holds, else empty. Raises whatever dkimpy does."""
        tags, covered, signatures = mail.verify_headerprep(number)
        domain, selector = (tags[tag].decode("ascii").lower() for tag in (b"d", b"s"))
        names = [name.lower() for name, _ in mail.headers]
        if any(names.count(name) > covered.count(name) for name in (b"from", b"subject")):
            return ""
        if tags[b"a"] not in _ALGORITHMS or not all(map(_NAME.fullmatch, (domain, selector))):
            return ""
        record = self._record(f"{selector}._domainkey.{domain}.", deadline)
        tags.pop(b"l", None)  # so that the hash is taken over the whole body
        if tags.get(b"c", b"").endswith(b"/relaxed"):
            mail.body = _relaxed(mail.body)
        holds = not _in_testing(record) and mail.verify_sig(tags, covered, signatures[number], lambda *_, **__: record)
        return domain if holds else ""

    def _record(self, name: str, deadline: float) -> bytes:
        """Give the key record of a DNS name, or empty. Silence is remembered, too, unless it was cut short."""
        if name in self._records:
            return self._records[name]
        started = time.monotonic()
        seconds = min(_KEY_SECONDS, deadline - started, self._patience)
        record = self._ask(name, seconds) if seconds > 0 else None
        waited = time.monotonic() - started
        if record is None or waited > _SLOW_SECONDS:
            self._patience -= waited
        if record is not None or seconds >= _KEY_SECONDS:  # what another key's silence cost is not held against it
            self._records[name] = record or b""
        return record or b""

    def _ask(self, name: str, seconds: float) -> bytes | None:
        """Ask DNS: one record, its strings joined (RFC 6376, 3.6.2.2); empty for any other answer, None for silence."""
        import dns.exception  # noqa: PLC0415 - comes with the extra
        import dns.resolver  # noqa: PLC0415

        try:
            if self._resolver is None:
                self._resolver = dns.resolver.Resolver(configure=self._nameservers is None)
                if self._nameservers is not None:
                    servers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers]
                    self._resolver.nameservers = servers
                self._resolver.timeout = _KEY_SECONDS / 2  # then a packet that was lost is sent again
                self._resolver.use_edns(0, 0, 1232)  # long keys in one packet: TCP is often blocked
            answer = self._resolver.resolve(name, "TXT", search=False, lifetime=seconds)
        except dns.exception.Timeout:
            return None
        except dns.exception.DNSException:
            return b""
        records = [b"".join(record.strings) for record in answer]
        return records[0] if len(records) == 1 and len(records[0]) <= _LONGEST_RECORD else b""


def _has_one_sender(raw: bytes) -> bool:
    """Tell whether there is one From for every reader: dkimpy passes over all lines that begin with "From "."""
    section = mime.split(raw)
    stray = b"\nFrom " in raw[: len(raw) - len(section.body)]
    senders = [name for name, _ in section.fields if name.lower() == "from"]
    return len(senders) == 1 and not (stray or section.damaged or header.is_cut(section.fields))


def _in_testing(record: bytes) -> bool:
    """Tell whether a key's flags say that its signatures prove nothing yet (RFC 6376, 3.6.1)."""
    from dkim.util import parse_tag_value  # noqa: PLC0415

    return b"y" in [flag.strip() for flag in parse_tag_value(record).get(b"t", b"").split(b":")]


def _relaxed(body: bytes) -> bytes:
    """Relax a body before dkimpy does (RFC 6376, 3.4.4), which takes hours over a megabyte of spaces."""
    return re.sub(rb"[\t ]{2,}|\t", b" ", body).replace(b" \r\n", b"\r\n")
