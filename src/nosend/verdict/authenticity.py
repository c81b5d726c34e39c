"""Does a letter come from the domain in its From? What mail servers and signatures say about that.

A pass is believed only of the topmost Authentication-Results of the server that the user named: below it anybody may
have written one of his own (RFC 8601, 5). Where that server wrote none, DKIM signatures that nosend verified itself
speak. A pass counts only where it can be read in just one way; a failure counts wherever it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nosend.model import Authenticity
from nosend.verdict import results, sender
from nosend.verdict.results import NO_ID, server

if TYPE_CHECKING:
    from nosend.model import Letter, Trust
    from nosend.verdict.results import Result

__all__ = ["NO_ID", "RESULTS", "authenticity", "has_results", "server"]

RESULTS = "Authentication-Results"

_INSTANCE = re.compile(r"\s*i\s*=\s*(\d{1,2})\s*")  # of an ARC set (RFC 8617, 4.2.1)
_MOST_SETS = 50
_MOST_FIELDS = 20  # of one server that are read

# A failure however it is written: hardfail is the word before RFC 7001, some put results into quotes
_COMMENT = r"(?:\([^()]{0,200}\)\s*)?"
_FAILURE = re.compile(
    rf"(?<![\w.-])(?:dkim|spf|dmarc)\s*{_COMMENT}(?:/\s*[\d.]+\s*)?=\s*{_COMMENT}\"?(?:hard)?fail(?![\w-])",
    re.IGNORECASE,
)
# A failure that a mark in a copied value swallowed. Google's comments tell earlier results, but without a ";"
_SWALLOWED = re.compile(r";\s*(?:dkim|spf|dmarc)\s*=\s*(?:hard)?fail(?![\w-])", re.IGNORECASE)


def authenticity(letter: Letter, trust: Trust, signed_by: tuple[str, ...] = ()) -> Authenticity:
    """Say whether a letter comes from the domain in its From.

    `signed_by` are the domains whose DKIM signature over the mail was verified by nosend itself. Where neither
    the trusted server nor a signature speaks, an explicit failure counts wherever it stands, even in a comment,
    since what a mail's writer put there could hide it; a pass that just anybody claims grants nothing.
    """
    domain = sender.address(letter).rpartition("@")[2]
    trusted = _trusted(letter, trust)
    if trusted:
        return _told(trusted, letter, trust, domain)
    if any(_aligned(signer, domain) for signer in signed_by):
        return Authenticity.PASS
    values = letter.header(RESULTS)
    if any(_FAILURE.search(text) for value in values for text in (value, sender.unquoted(value) or "")):
        return Authenticity.FAIL
    return Authenticity.UNKNOWN


def has_results(letter: Letter, trust: Trust) -> bool:
    """Tell whether the server that the user trusts wrote down what it found."""
    return bool(_trusted(letter, trust))


def _trusted(letter: Letter, trust: Trust) -> list[str]:
    """Give the fields of the server that the user named, the topmost first."""
    if not trust.authserv_id:
        return []
    return [value for value in letter.header(RESULTS) if server(value) == trust.authserv_id]


def _told(values: list[str], letter: Letter, trust: Trust, domain: str) -> Authenticity:
    """Weigh the fields of the trusted server: all of the topmost, of the others the failures.

    A server whose programs each write a field of their own says there what a pass above does not.
    """
    fields = [results.read(value, has_id=trust.authserv_id != NO_ID) for value in values[:_MOST_FIELDS]]
    if any(_SWALLOWED.search(text) for field in fields for text in field.aside):
        return Authenticity.FAIL
    if any(field.results is None and _FAILURE.search(value) for field, value in zip(fields, values, strict=False)):
        return Authenticity.FAIL
    top, *below = fields
    if top.results is None:
        return Authenticity.UNKNOWN
    failures = (one for field in below for one in field.results or () if one.result == "fail")
    told = _weighed((*top.results, *failures), domain)
    vouched = told is not Authenticity.PASS and _arc_vouches(letter, trust, top.results, domain)
    return Authenticity.PASS if vouched else told


def _weighed(found: tuple[Result, ...], domain: str) -> Authenticity:
    """Weigh results as DMARC does (RFC 7489, 3.1): one aligned pass is enough, if DMARC did not fail.

    Stricter in one thing: SPF's is not, beside a signature that failed. And results that contradict each other, as
    where a stranger could add one, prove nothing.
    """
    said = {(one.method, one.result) for one in found}
    failed = bool(said & {("dkim", "fail"), ("spf", "fail")})
    if ("dmarc", "fail") in said:
        return Authenticity.FAIL
    passed = {one.method for one in found if _passes(one, domain)}
    if failed:
        passed.discard("spf")
    if ("dkim", "none") in said:  # there is no signature
        passed.discard("dkim")
    if any(one.method == "dmarc" and not _passes(one, domain) for one in found):
        passed.discard("dmarc")
    if passed:
        return Authenticity.PASS
    return Authenticity.FAIL if failed else Authenticity.UNKNOWN


def _passes(one: Result, domain: str) -> bool:
    """Tell whether a result is a pass for a domain; all that is told of whom it is about has to fit."""
    if one.result != "pass" or not domain:
        return False
    if one.method == "dmarc":
        return one.domains("header.from") <= {domain}
    about = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom",)}.get(one.method, ())
    told = one.domains(*about)
    return bool(told) and all(_aligned(other, domain) for other in told)


def _aligned(other: str, domain: str) -> bool:
    """Tell whether a domain speaks for that of From: the same, or one below it (RFC 7489, 3.1, relaxed)."""
    return bool(domain) and (other == domain or other.endswith(f".{domain}"))


def _arc_vouches(letter: Letter, trust: Trust, found: tuple[Result, ...], domain: str) -> bool:
    """Tell whether a forwarder whom the user trusts saw the letter pass before it broke its signature (RFC 8617).

    The trusted server must have found the chain whole, and all who sealed it must be trusted; then what the
    first of them wrote down counts.
    """
    if {one.result for one in found if one.method == "arc"} != {"pass"}:
        return False
    seals = [_tags(value) for value in letter.header("ARC-Seal")]
    seen = [_instance(value) for value in letter.header("ARC-Authentication-Results")]
    numbers = sorted(map(str, range(1, len(seals) + 1)))
    if not 1 <= len(seals) <= _MOST_SETS or numbers != sorted(seal.get("i", "") for seal in seals):
        return False
    if numbers != sorted(number for number, _ in seen):
        return False
    if not {seal.get("d", "").lower() for seal in seals} <= trust.forwarders:
        return False
    first = results.read(dict(seen)["1"], has_id=True)
    return first.results is not None and _weighed(first.results, domain) is Authenticity.PASS


def _tags(value: str) -> dict[str, str]:
    """Read `tag=value; ...` (RFC 6376, 3.2); nothing when a tag stands there twice."""
    pairs = [tag.partition("=") for tag in value.split(";") if tag.strip()]
    tags = {name.strip(): text.strip() for name, _, text in pairs}
    return tags if len(tags) == len(pairs) else {}


def _instance(value: str) -> tuple[str, str]:
    """Part an ARC-Authentication-Results into its instance and the field itself (RFC 8617, 4.1.1)."""
    first, _, rest = value.partition(";")
    found = _INSTANCE.fullmatch(first)
    return (found[1] if found else "", rest)
