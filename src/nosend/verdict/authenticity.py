"""Does a letter come from the domain in its From? What mail servers and signatures say about that.

Only the topmost Authentication-Results of the server that the user named is believed: below it anybody may have
written one of his own (RFC 8601, 5). Where that server wrote none, DKIM signatures that nosend verified itself speak.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nosend.model import Authenticity
from nosend.verdict import sender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.model import Letter, Trust

RESULTS = "Authentication-Results"
NO_ID = "(none)"  # in the configuration: the server writes no authserv-id, as Exchange Online does

_RESULT = re.compile(r"([a-z-]+)(?:/\d+)?=([a-z]+)(.*)", re.DOTALL)
_PROPERTY = re.compile(r"([a-z]+\.[a-z0-9_-]+)=(\S+)")
_EQUALS = re.compile(r"\s*([=/])\s*")
_SEAL = re.compile(r"(?:^|;)\s*([a-z]+)\s*=\s*([^;\s]+)", re.IGNORECASE)  # tag=value of an ARC header (RFC 8617, 4.1)
_MOST_SETS = 50  # of an ARC chain (RFC 8617, 4.2.1)

# A failure however it is written: hardfail is the word before RFC 7001, some put results into quotes
_COMMENT = r"(?:\([^()]{0,200}\)\s*)?"
_FAILURE = re.compile(
    rf"(?<![\w.-])(?:dkim|spf|dmarc)\s*{_COMMENT}(?:/\s*[\d.]+\s*)?=\s*{_COMMENT}\"?(?:hard)?fail(?![\w-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Result:
    """One `method=result property=value ...` of a field (RFC 8601, 2.2), in lower case."""

    method: str
    result: str
    properties: dict[str, str]


def authenticity(letter: Letter, trust: Trust, signed_by: tuple[str, ...] = ()) -> Authenticity:
    """Say whether a letter comes from the domain in its From.

    `signed_by` are the domains whose DKIM signature over the mail was verified by nosend itself. Where neither
    the trusted server nor a signature speaks, an explicit failure counts wherever it stands, even in a comment,
    since what a mail's writer put there could hide it; a pass that just anybody claims grants nothing.
    """
    domain = sender.address(letter).rpartition("@")[2]
    values = letter.header(RESULTS)
    trusted = _trusted(letter, trust)
    if trusted is not None:
        told = _of(trusted, domain)
        if told is Authenticity.FAIL and _arc_vouches(letter, trust, trusted, domain):
            return Authenticity.PASS
        return told
    if any(_aligned(domain, signer) for signer in signed_by):
        return Authenticity.PASS
    if any(_FAILURE.search(text) for value in values for text in (value, sender.unquoted(value) or "")):
        return Authenticity.FAIL
    return Authenticity.UNKNOWN


def has_results(letter: Letter, trust: Trust) -> bool:
    """Tell whether the server that the user trusts wrote down what it found."""
    return _trusted(letter, trust) is not None


def _trusted(letter: Letter, trust: Trust) -> tuple[Result, ...] | None:
    told = (_of_server(value, trust.authserv_id) for value in letter.header(RESULTS))
    return next((results for results in told if results is not None), None)


def server(value: str) -> str:
    """Give the authserv-id of an Authentication-Results field, in lower case; NO_ID when it has none."""
    first = (sender.unquoted(value) or "").partition(";")[0].lower()
    words = _EQUALS.sub(r"\1", first).split()
    return words[0] if words and "=" not in words[0] else NO_ID


def _of_server(value: str, authserv_id: str) -> tuple[Result, ...] | None:
    """Read an Authentication-Results field; None when another server wrote it, or nobody can say what it means."""
    bare = sender.unquoted(value)
    if not authserv_id or bare is None or server(value) != authserv_id:
        return None
    pieces = bare.lower().split(";")
    return tuple(_results(pieces if authserv_id == NO_ID else pieces[1:]))


def _results(pieces: list[str]) -> Iterator[Result]:
    for piece in pieces:
        found = _RESULT.fullmatch(_EQUALS.sub(r"\1", piece.strip()))
        if found:
            yield Result(found[1], found[2].removeprefix("hard"), dict(_PROPERTY.findall(found[3])))


def _of(results: tuple[Result, ...], domain: str) -> Authenticity:
    """Weigh a server's results as DMARC does (RFC 7489, 3.1): one aligned pass is enough, if DMARC did not fail."""
    said = {(one.method, one.result) for one in results}
    if ("dmarc", "fail") in said:
        return Authenticity.FAIL
    if any(_passes(one, domain) for one in results if one.method in {"dmarc", "dkim"}):
        return Authenticity.PASS
    if ("dkim", "fail") not in said and any(_passes(one, domain) for one in results):
        return Authenticity.PASS
    return Authenticity.FAIL if said & {("dkim", "fail"), ("spf", "fail")} else Authenticity.UNKNOWN


def _passes(one: Result, domain: str) -> bool:
    if one.result != "pass":
        return False
    if one.method == "dmarc":
        return one.properties.get("header.from", domain).rpartition("@")[2] == domain
    if one.method == "dkim":
        signer = one.properties.get("header.d") or one.properties.get("header.i", "")
        return _aligned(domain, signer.rpartition("@")[2])
    return one.method == "spf" and _aligned(domain, one.properties.get("smtp.mailfrom", "").rpartition("@")[2])


def _aligned(domain: str, other: str) -> bool:
    """Tell whether a domain speaks for that of From: the same, or one below it (RFC 7489, 3.1, relaxed)."""
    return bool(domain) and (other == domain or other.endswith(f".{domain}"))


def _arc_vouches(letter: Letter, trust: Trust, results: tuple[Result, ...], domain: str) -> bool:
    """Tell whether a forwarder whom the user trusts saw the letter pass before it broke its signature (RFC 8617).

    The trusted server must have found the chain whole, and all who sealed it must be trusted; then what the
    first of them wrote down counts.
    """
    if ("arc", "pass") not in {(one.method, one.result) for one in results}:
        return False
    seals = letter.header("ARC-Seal")
    sealers = {_tags(value).get("d", "").lower() for value in seals[:_MOST_SETS]}
    if not seals or len(seals) > _MOST_SETS or not sealers <= trust.forwarders:
        return False
    first = [value for value in letter.header("ARC-Authentication-Results") if _tags(value).get("i") == "1"]
    if len(first) != 1:
        return False
    seen = _results((sender.unquoted(first[0]) or "").lower().split(";")[2:])  # after i=1 and the authserv-id
    return _of(tuple(seen), domain) is Authenticity.PASS


def _tags(value: str) -> dict[str, str]:
    return {name.lower(): text for name, text in _SEAL.findall(value)}
