"""Order ids, buyer aliases, marketplaces: find, normalise, write.

The only place that decides what these look like. Lengths and domains are as seen in real mail: an order id
is 3-7-7 digits (`D01-` for digital orders), an alias is 8 to 32 lower-case letters and digits at
`marketplace.amazon.<tld>`. The first digits of an order id do not tell the marketplace.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal, NamedTuple

from nosend.errors import UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# code, top-level domain, marketplace id. UK, not GB: Amazon's own word.
_MARKETPLACES = (
    ("US", "com", "ATVPDKIKX0DER"),
    ("CA", "ca", "A2EUQ1WTGCTBG2"),
    ("MX", "com.mx", "A1AM78C64UM0Y8"),
    ("BR", "com.br", "A2Q3Y263D00KWC"),
    ("UK", "co.uk", "A1F83G8C2ARO7P"),
    ("DE", "de", "A1PA6795UKMFR9"),
    ("FR", "fr", "A13V1IB3VIYZZH"),
    ("IT", "it", "APJ6JRA9NG5V4"),
    ("ES", "es", "A1RKKUPIHCS9HS"),
    ("NL", "nl", "A1805IZSGTT6HS"),
    ("SE", "se", "A2NODRKZP88ZB9"),
    ("PL", "pl", "A1C3SOZRARQ6R3"),
    ("BE", "com.be", "AMEN7PMS3EDWL"),
    ("IE", "ie", None),
    ("TR", "com.tr", "A33AVAJ2PDY3EV"),
    ("EG", "eg", "ARBP9OOSHTCHU"),
    ("SA", "sa", "A17E79C6D8DWNP"),
    ("AE", "ae", "A2VIGQ35RCS4UG"),
    ("IN", "in", "A21TJRUUN4KGV"),
    ("JP", "co.jp", "A1VC38T7YXB528"),
    ("AU", "com.au", "A39IBJ37TRP1C6"),
    ("SG", "sg", "A19VAU5U5O7RUS"),
)
MARKETPLACES = tuple(code for code, _, _ in _MARKETPLACES)
_CODE_OF_ID = {ident: code for code, _, ident in _MARKETPLACES if ident}
_CODE_OF_DOMAIN = {f"amazon.{tld}": code for code, tld, _ in _MARKETPLACES}
_ALIAS_DOMAINS = {f"marketplace.{domain}": code for domain, code in _CODE_OF_DOMAIN.items()}

AMAZON_DOMAINS = frozenset(_CODE_OF_DOMAIN)
_LINK_HOSTS = {f"{prefix}{d}": c for d, c in _CODE_OF_DOMAIN.items() for prefix in ("", "www.", "sellercentral.")}

# A longer number, another scheme (P03-, S01-) or a hyphenated compound is not cut into an order id.
_ORDER = re.compile(r"(?<![0-9A-Za-z-])(?:[0-9]{3}|D[0-9]{2})-[0-9]{7}-[0-9]{7}(?![0-9A-Za-z-])")
_LIKE_ORDER = re.compile(r"[0-9D][0-9]{2}[\s>]{0,9}-[\s>]{0,9}[0-9]{7}[\s>]{0,9}-[\s>]{0,9}[0-9]{7}")
_DIGIT = re.compile(r"\d")  # in any script
_FEWEST_DIGITS = 16  # of an order id
_ALIAS = re.compile(r"[a-z0-9]{8,32}")
# keys that are their own normal form
_PLAIN_ORDER = r"(?:[0-9]{3}|D[0-9]{2})-[0-9]{7}-[0-9]{7}"
_PLAIN_ALIAS = r"[a-z0-9]{8,32}@"
_PLAIN_KEY = re.compile(rf"{_PLAIN_ORDER}|{_PLAIN_ALIAS}(?P<domain>[a-z.]{{16,40}})")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'@]{1,64}@[\w.-]{1,255}")
_LOCAL_PART = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")  # RFC 5322, dot-atom
# what stands in the place of an alias: its hash (`store.hashing`), or nothing that leads to it any more
HASHED, FORGOTTEN = "hmac-sha256:", "forgotten:"
_HASHED_ALIAS = re.compile(rf"{HASHED}[0-9a-f]{{64}}")
_NO_ALIAS = ("no-reply", "noreply", "donotreply", "do-not-reply")  # buyers that many orders share

# Zero-width characters, joiners, directional marks, soft hyphen, BOM: seen inside words, meaning nothing.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_PLAIN = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u02b9\u2032\u00b4`", "'"),
    "\ufdfa": " ",  # one letter of which NFKC makes eighteen
    **{chr(zero + n): str(n) for zero in (0x0660, 0x06F0) for n in range(10)},
}
_NOT_PLAIN = re.compile(f"[{''.join(_PLAIN)}]")  # a tenth of the time of str.translate where there are few


# Pieces of a text that are normalised by themselves, parted at spaces where there are any
_PIECES = re.compile(r".{1,1000}(?:\s|\Z)|.{1,1000}", re.DOTALL)


class Key(NamedTuple):
    """What the blacklist is asked for: kind `order` or `buyer`, and the normalised value."""

    kind: str
    value: str


def visible(text: str) -> str:
    """Leave out what cannot be seen: zero-width characters, soft hyphens, directional marks."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


def plain(text: str) -> str:
    """Write a text with ASCII digits, hyphens and apostrophes, NFKC, without invisible characters.

    Word processors and forwards turn the hyphens of an id into U+2010..2015 or U+FF0D and digits into
    full-width ones; two spellings of one text come out equal.
    """
    if text.isascii():
        return text
    text = _NOT_PLAIN.sub(lambda found: _PLAIN[found[0]], visible(text))
    return unicode_form("NFKC", text)


def unicode_form(form: Literal["NFD", "NFKC"], text: str) -> str:
    """Normalise a text, a piece at a time: it takes the square of a run of combining marks."""
    return "".join(unicodedata.normalize(form, piece) for piece in _PIECES.findall(text))


def one_line(text: str) -> str:
    """Write a text on one line of printable characters, 500 at most: a hostile mail's may end up on a terminal."""
    text = text[:5_000]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())[:500]


def may_hold_order(text: str) -> bool:
    """Tell, quickly, whether a text may hold an order id, be it wrapped or quoted within; "yes" may be wrong."""
    if not text.isascii():
        if len(_DIGIT.findall(text)) < _FEWEST_DIGITS:
            return False
        text = plain(text)
    return _LIKE_ORDER.search(text) is not None


def order_ids(text: str) -> tuple[str, ...]:
    """Find the distinct order ids in a text, normalised, in the order they stand there."""
    if not text.isascii() and len(_DIGIT.findall(text)) < _FEWEST_DIGITS:
        return ()
    return tuple(dict.fromkeys(_ORDER.findall(plain(text))))


def replace_order_ids(text: str, place: str) -> str:
    """Put `place` where an order id stands; `text` must have been through `plain`."""
    return _ORDER.sub(place, text)


def masked(text: str) -> str:
    """Give a text without order ids and buyer aliases, for a log: what servers say may repeat them."""
    without = replace_order_ids(text, "***")
    return replace_aliases(without, lambda _: "***")


def replace_aliases(text: str, place: Callable[[str], str]) -> str:
    """Put something else in the place of each buyer's address in a text; `place` is given it in small letters."""

    def placed(found: re.Match[str]) -> str:
        address = found[0].rstrip(".-")  # at the end of a sentence
        return place(address.lower()) + found[0][len(address) :] if is_buyer_address(address) else found[0]

    return _ADDRESS.sub(placed, text)


def is_forgotten(value: str) -> bool:
    """Tell whether a word stands in the place of an alias that was forgotten."""
    return value.startswith(FORGOTTEN)


def alias(address: str) -> str | None:
    """Normalise a buyer alias: lower-case, `+...` stripped. None for anything else, and for pseudo-buyers.

    All Amazon Business orders of a marketplace share one `no-reply-...` buyer (selling-partner-api-models
    issue 5030): that is nobody's alias.
    """
    local, at, domain = plain(address).strip().lower().rpartition("@")
    local = local.partition("+")[0]
    if not at or domain not in _ALIAS_DOMAINS or local.startswith(_NO_ALIAS) or not _ALIAS.fullmatch(local):
        return None
    return f"{local}@{domain}"


def addresses(text: str) -> tuple[str, ...]:
    """Find what looks like an e-mail address in a text, in lower case."""
    return tuple(found.lower() for found in _ADDRESS.findall(plain(text)))


def is_buyer_address(address: str) -> bool:
    """Tell whether an address lies in one of the domains that Amazon gives to buyers."""
    return address.rpartition("@")[2].lower() in _ALIAS_DOMAINS


def aliases_in(links: tuple[str, ...]) -> tuple[str, ...]:
    """Find the distinct buyer aliases in `mailto:` links (RFC 6068)."""
    from urllib.parse import unquote  # noqa: PLC0415 - a mailer asks without

    found = (alias(unquote(link[7:].partition("?")[0])) for link in links if link[:7].lower() == "mailto:")
    return tuple(dict.fromkeys(a for a in found if a))


def marketplace_of_id(ident: str) -> str | None:
    """Give the code of an X-Marketplace-ID."""
    return _CODE_OF_ID.get(ident.strip().upper())


def marketplace_of_alias(address: str) -> str | None:
    """Give the code of the marketplace in whose domain an alias lies."""
    return _ALIAS_DOMAINS.get(address.rpartition("@")[2].lower())


def marketplace_of_links(links: tuple[str, ...]) -> str | None:
    """Give the code that all links to Amazon's own sites agree on, else None."""
    codes = {_LINK_HOSTS.get(_host(link)) for link in links} - {None}
    return codes.pop() if len(codes) == 1 else None


def _host(link: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    try:
        return urlsplit(link).hostname or ""
    except ValueError:  # "http://[x": no host that anybody could reach
        return ""


def parse_key(text: str) -> Key:
    """Read what somebody typed or a tool handed over: an order id or a buyer alias, in any spelling.

    Raises UnknownKeyError for everything else: an answer about a key that cannot be on the list would be
    false comfort.
    """
    if not isinstance(text, str):
        raise UnknownKeyError(f"{text!r} is no text: a key is an order id or a buyer alias")
    if found := _PLAIN_KEY.fullmatch(text):
        domain = found["domain"]
        if domain is None:
            return Key("order", text)
        if domain in _ALIAS_DOMAINS:
            return Key("buyer", text)
    bare = plain(text).strip().strip("[]()<>\"'#").strip()
    if _ORDER.fullmatch(bare.upper()):
        return Key("order", bare.upper())
    if address := alias(bare):
        return Key("buyer", address)
    if _HASHED_ALIAS.fullmatch(bare.lower()):  # as exports of a database with hashes name a buyer
        return Key("buyer", bare.lower())
    if is_buyer_address(bare) and _LOCAL_PART.fullmatch(bare.rpartition("@")[0]):
        # a pseudo-buyer, or a shape not seen yet: a well-formed question whose answer is "not listed"
        return Key("buyer", bare.lower())
    raise UnknownKeyError(
        f"{text!r} is neither an order id (123-1234567-1234567) nor a buyer alias "
        "(name@marketplace.amazon.com): nosend knows no other address of a buyer"
    )


def are_plain(keys: Sequence[str]) -> bool:
    """Tell, quickly, whether each is a key in its normal form, which `parse_key` would give back as it is."""
    try:
        lines = "\n".join(["", *keys, ""])
    except TypeError:  # one of them is no text
        return False
    domains = "|".join(map(re.escape, _ALIAS_DOMAINS))
    other_line = rf"\n(?!(?:{_PLAIN_ORDER}|{_PLAIN_ALIAS}(?:{domains}))\n|\Z)"
    return lines.count("\n") == len(keys) + 1 and re.search(other_line, lines) is None
