"""An Authentication-Results field, read as RFC 8601, 2.2 writes it, or not at all.

Mail servers copy into it what a stranger told them: the envelope's sender, the name in HELO, tags of a signature. Where
a quotation mark or a parenthesis in such a value changes what the field says, nothing of it is taken for sure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_ID = "(none)"  # in the configuration: the server writes no authserv-id, as Exchange Online does

_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|([;=])|(\s+)|([^\s"();=\\]+)', re.DOTALL)
_PARENTHESIS = re.compile(r"[()]|\\.", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
# of the kinds of pieces: name = value. In "smtp.mailfrom= smtp.helo=x" the first has none: a bounce has no sender
_PAIR = re.compile(r' *(w[w ]*)=(?: +(?!w=))?(["w=]*)(?: +|\Z)')
_METHOD = re.compile(r"([a-z][a-z0-9-]*)(?:/[\d.]+)?", re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Result:
    """One `method=result property=value ...`; method, result and the properties' names in lower case."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()

    def domains(self, *names: str) -> set[str]:
        """Give the domains in the properties of these names, in lower case; "" for a value that has none."""
        return {_domain(value) for name, value in self.properties if name in names}


@dataclass(frozen=True, slots=True)
class Field:
    """What a server wrote. `results` is None when the field can be read in several ways, or in none.

    `aside` are its comments and quoted strings, in which anything may stand.
    """

    results: tuple[Result, ...] | None
    aside: tuple[str, ...]


def server(value: str) -> str:
    """Give the authserv-id of a field, in lower case; NO_ID when it has none."""
    words: list[_Piece] = []
    for piece in _pieces(value):
        if piece.kind == ";" or len(words) > 1:
            break
        words += [piece] if piece.kind != " " else []
    if not words or words[0].kind not in 'w"' or (words[1:] and words[1].text[:1] in {"=", "/"}):
        return NO_ID
    return words[0].text.lower()


def read(value: str, *, has_id: bool) -> Field:
    """Read a field. `has_id`: an authserv-id stands before the results."""
    parts: list[list[_Piece]] = [[]]
    aside: list[str] = []
    for piece in _pieces(value):
        if piece.kind == ";":
            parts.append([])
        else:
            parts[-1].append(piece)
        if piece.kind in ' "':
            aside.append(piece.text)
    well = not has_id or _is_server(parts.pop(0))
    pairs = [_pairs(part) for part in parts if not _is_nothing(part)]
    results = [_result(told) for told in pairs if told is not None]
    return Field(tuple(filter(None, results)) if well and len(results) == len(pairs) else None, tuple(aside))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a field. `kind`: "w" a word, '"' a quoted string, " " spaces or a comment, ";", "=", or "?".

    "?" begins what cannot stand there: an open string or comment, a quotation mark inside a word.
    """

    kind: str
    text: str


def _pieces(value: str) -> Iterator[_Piece]:
    """Part a field into its pieces, from left to right; after a "?" nothing comes."""
    at = 0
    before = " "
    while at < len(value):
        found = _PIECE.match(value, at)
        end = found.end() if found else _end_of_comment(value, at)
        quoted, mark, space, word = found.groups() if found else (None, None, None, None)
        kind = mark or ('"' if quoted is not None else "w" if word else " ")
        # a quoted string is a whole value, or what stands before the "@" of one
        misplaced = (kind == '"' and before in 'w"') or (before == '"' and kind in "w=" and value[at] != "@")
        if not end or misplaced:
            yield _Piece("?", value[at:])
            return
        text = value[at + 1 : end - 1] if not found else found[0] if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        yield _Piece(kind, "" if space else text)
        at, before = end, kind


def _end_of_comment(value: str, start: int) -> int:
    """Give where a comment ends, with those inside it; 0 when it does not, or none begins."""
    depth = 0
    if value[start] == "(":
        for found in _PARENTHESIS.finditer(value, start):
            depth += {"(": 1, ")": -1}.get(found[0], 0)
            if not depth:
                return found.end()
    return 0


def _is_server(part: list[_Piece]) -> bool:
    """Tell whether a part is an authserv-id, with a version or without."""
    words = [piece for piece in part if piece.kind != " "]
    return bool(words) and words[0].kind in 'w"' and (not words[1:] or words[1].text.isdigit()) and not words[2:]


def _is_nothing(part: list[_Piece]) -> bool:
    """Tell whether nothing stands between two ";", or the word `none`."""
    return [piece.text.lower() for piece in part if piece.kind != " "] in ([], ["none"])


def _pairs(part: list[_Piece]) -> list[tuple[str, str]] | None:
    """Read `name=value name=value ...`; None when anything else stands there.

    Spaces and comments may stand around "=", and around "." and "/" in a name; a value ends at the next of them.
    """
    kinds = "".join(piece.kind for piece in part)
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(kinds):
        pair = _PAIR.match(kinds, at)
        if pair is None:
            return None
        names, value = (part[slice(*pair.span(group))] for group in (1, 2))
        words = [piece.text for piece in names if piece.kind == "w"]
        if not all(one[-1] in "./" or other[0] in "./" for one, other in pairwise(words)):
            return None
        found.append(("".join(words), "".join(piece.text for piece in value)))
        at = pair.end()
    return found


def _result(pairs: list[tuple[str, str]]) -> Result | None:
    """Make a result of pairs; None when the first names no method: servers have additions of their own."""
    method = _METHOD.fullmatch(pairs[0][0])
    if method is None:
        return None
    result = pairs[0][1].lower().removeprefix("hard")  # hardfail is the word before RFC 7001
    return Result(method[1].lower(), result, tuple((name.lower(), value) for name, value in pairs[1:]))


def _domain(value: str) -> str:
    """Give the domain of `example.com`, `@example.com` or `a@example.com`; "" of anything else."""
    found = value.rpartition("@")[2]
    return found.lower() if _DOMAIN.fullmatch(found) else ""
