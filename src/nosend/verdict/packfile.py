"""One language pack: what Amazon's mail says and what mail programs write above a forward, as TOML.

A pack is refused whole, with the line and the reason of every mistake, when anything in it is wrong.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nosend.errors import ConfigError
from nosend.letter.marks import FIELDS, mark_words
from nosend.verdict.wording import ORDER, Wording, compile_wording, normal

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SHORTEST = 8  # letters that a wording must hold beside its places: "{order}" alone would list every mail
_LONGEST = 1_000
_MOST_GAPS = 5
_TEXTS = ("failure_subjects", "forward_prefixes", "forward_lines")


@dataclass(frozen=True, slots=True)
class Pack:
    """What is known of Amazon's mail, and of mail programs, in one language."""

    name: str
    version: int
    opt_outs: tuple[Wording, ...] = ()
    others: tuple[Wording, ...] = ()
    failure_subjects: tuple[str, ...] = ()
    forward_prefixes: tuple[str, ...] = ()
    forward_lines: tuple[str, ...] = ()
    forward_fields: tuple[tuple[str, tuple[str, ...]], ...] = ()
    source: str = ""  # "built in", or the file it was read from

    @property
    def wordings(self) -> tuple[Wording, ...]:
        """Give the wordings of opt-outs and of other causes."""
        return (*self.opt_outs, *self.others)


def read(text: str, where: str, source: str) -> Pack:
    """Make a pack of TOML. Raises ConfigError with every mistake in it, `where` and the line before each."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        at = line[1] if line else text.count("\n") + 1
        raise ConfigError(f"{where}:{at}: no TOML: {error}") from error
    checker = _Checker(text, where)
    name, version = checker.name(table), checker.version(table)
    texts = {key: checker.texts(table, key) for key in _TEXTS}
    pack = Pack(
        name=name,
        version=version,
        opt_outs=tuple(checker.wordings(table, "opt_out", name, version)),
        others=tuple(checker.wordings(table, "other", name, version)),
        failure_subjects=tuple(normal(one) for one in texts["failure_subjects"]),
        forward_prefixes=tuple(one.casefold() for one in texts["forward_prefixes"]),
        forward_lines=tuple(mark_words(one) for one in texts["forward_lines"]),
        forward_fields=tuple(checker.fields(table)),
        source=source,
    )
    checker.unknown_keys(table, ("name", "version", "opt_out", "other", "forward_fields", *_TEXTS))
    if checker.problems:
        raise ConfigError(*checker.problems)
    return pack


class _Checker:
    """Takes values out of a pack's table and notes what is wrong with them, each with its line."""

    def __init__(self, text: str, where: str) -> None:
        self.problems: list[str] = []
        self._where = where
        self._lines = text.splitlines()

    def name(self, table: dict[str, Any]) -> str:
        name = table.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self._wrong(("name",), f'name = {name!r} must be a word like "de" or "pt-br"')
            return ""
        return name

    def version(self, table: dict[str, Any]) -> int:
        version = table.get("version")
        if type(version) is not int or version < 1:
            self._wrong(("version",), f"version = {version!r} must be a number from 1: raise it with each change")
            return 0
        return version

    def texts(self, table: dict[str, Any], key: str, *place: str | int) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            self._wrong((*place, key), f'{key} must be a list of texts like ["one", "two"]')
            return ()
        return tuple(value)

    def fields(self, table: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
        given = table.get("forward_fields", {})
        if not isinstance(given, dict):
            self._wrong(("forward_fields",), "forward_fields must be a table: [forward_fields]")
            return
        self.unknown_keys(given, FIELDS, "forward_fields")
        for key in FIELDS:
            words = self.texts(given, key, "forward_fields")
            yield key, tuple(word.casefold() for word in words)

    def wordings(self, table: dict[str, Any], kind: str, pack: str, version: int) -> Iterator[Wording]:
        rows = table.get(kind, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._wrong((kind,), f"{kind}: write [[{kind}]], with two brackets")
            return
        names = [row.get("rule") for other in ("opt_out", "other") for row in _tables(table.get(other))]
        for n, row in enumerate(rows):
            self.unknown_keys(row, ("rule", "wording", "confirmed", "seen", "samples"), kind, n)
            rule = row.get("rule")
            if not isinstance(rule, str) or not _NAME.fullmatch(rule):
                self._wrong((kind, n, "rule"), f'rule = {rule!r} must be a word like "opt-out"')
            elif names.count(rule) > 1:
                self._wrong((kind, n, "rule"), f"rule = {rule!r} is the name of two rules: rename one")
            yield Wording(
                rule=f"{pack}.{rule}",
                version=version,
                pieces=self._pieces(row, kind, n),
                confirmed=self._confirmed(row, kind, n),
                seen=row.get("seen", ""),
                samples=self._samples(row, kind, n),
            )

    def _pieces(self, row: dict[str, Any], kind: str, n: int) -> tuple[str, ...]:
        text = row.get("wording")
        at = (kind, n, "wording")
        if not isinstance(text, str) or not text.strip():
            self._wrong(at, "wording is missing: one sentence with {order} where the order id stands")
            return ()
        places = re.findall(r"\{[^{}]*\}|[{}]", text)
        foreign = [place for place in places if place not in {"{order}", "{gap}"}]
        pieces = compile_wording(text)
        letters = sum(char.isalpha() for piece in pieces for char in piece.replace(ORDER, ""))
        if foreign:
            self._wrong(at, f"wording: {foreign[0]!r} is no place: there are {{order}} and {{gap}}")
        elif kind == "opt_out" and places.count("{order}") != 1:
            self._wrong(at, "wording: an opt-out names exactly one {order}")
        elif len(text) > _LONGEST or places.count("{gap}") > _MOST_GAPS:
            self._wrong(at, f"wording: longer than {_LONGEST} characters, or more than {_MOST_GAPS} times {{gap}}")
        elif letters < _SHORTEST or not all(pieces):
            self._wrong(at, f"wording: a gap without words beside it, or fewer than {_SHORTEST} letters in all")
        return pieces

    def _confirmed(self, row: dict[str, Any], kind: str, n: int) -> bool:
        confirmed, seen = row.get("confirmed", False), row.get("seen", "")
        if not isinstance(confirmed, bool):
            self._wrong((kind, n, "confirmed"), f"confirmed = {confirmed!r} must be true or false")
        if not isinstance(seen, str) or (confirmed and not seen.strip()):
            self._wrong((kind, n, "seen"), "seen: say where the wording of a confirmed rule was seen")
        return confirmed is True

    def _samples(self, row: dict[str, Any], kind: str, n: int) -> tuple[str, ...]:
        samples = self.texts(row, "samples", kind, n)
        if not samples:
            self._wrong((kind, n, "samples"), "samples: give at least one sentence that the rule must find")
        return samples

    def unknown_keys(self, table: dict[str, Any], known: tuple[str, ...], *place: str | int) -> None:
        for key in table.keys() - set(known):
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            self._wrong((*place, key), f"unknown key {key!r}: {hint}")

    def _wrong(self, place: tuple[str | int, ...], reason: str) -> None:
        self.problems.append(f"{self._where}:{self._line(place)}: {reason}")

    def _line(self, place: tuple[str | int, ...]) -> int:
        """Find the line of a key, of its table when the key is missing, or the first."""
        *tables, key = place
        at, count = 0, -1
        if tables:
            index = next((part for part in tables if isinstance(part, int)), 0)
            header = re.compile(rf"\s*\[+\s*{re.escape(str(tables[0]))}\s*\]+")
            for number, line in enumerate(self._lines):
                count += bool(header.match(line))
                if count == index:
                    at = number
                    break
        for number, line in enumerate(self._lines[at:], at + 1):
            if re.match(rf"\s*\[*\s*[\"']?{re.escape(str(key))}[\"']?\s*[=\].]", line):
                return number
            if tables and number > at + 1 and line.lstrip().startswith("["):
                break
        return at + 1


def _tables(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
