"""One language pack: what Amazon's mail says and what mail programs write above a forward, as TOML.

A pack is refused whole, with the line and the reason of every mistake, when anything in it is wrong.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nosend import identifiers
from nosend.errors import ConfigError
from nosend.letter.lines import CJK
from nosend.letter.marks import FIELDS, mark_words
from nosend.verdict.toml_lines import Lines, unclosed
from nosend.verdict.wording import ORDER, Wording, compile_wording, fragments, normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nosend.verdict.toml_lines import Place

SHORTEST = 12  # letters that a wording must hold beside its places: "order {order}" would list every mail
LONGEST = 1_000  # characters of a wording
MOST_GAPS = 5
_NAME = re.compile(r"(?=.{1,40}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NO_NAME = 'must be a word like "de" or "pt-br", in small letters'
_LONGEST_LINE = 10_000  # of the file: tomllib takes the square of a dotted key
_HIGHEST = 1_000_000  # version
_KANJI = re.compile(f"[{CJK}]")
_LABEL = re.compile(r"[^\s\d:：*][^\d:：*]{0,24}")  # as `letter.marks` reads one
_SPACE = re.compile(r"[ \t\r\n]+")
# What no mail writes and no list shows; a line break in a text of several lines is a space
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ue000-\uf8ff]")


# How each list of words is written to be compared, and the fewest letters that tell anything: "." stands everywhere
_TEXTS: dict[str, tuple[Callable[[str], str], int]] = {
    "failure_subjects": (normal, 4),
    "forward_prefixes": (str.casefold, 1),
    "forward_lines": (mark_words, 3),
}


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
    source: str = field(default="", repr=False)  # "built in", or the file it was read from

    @property
    def wordings(self) -> tuple[Wording, ...]:
        """Give the wordings of opt-outs and of other causes."""
        return (*self.opt_outs, *self.others)


def read(text: str, where: str, source: str) -> Pack:
    """Make a pack of TOML. Raises ConfigError with every mistake in it, `where` and the line before each."""
    longest = max(text.split("\n"), key=len)
    if len(longest) > _LONGEST_LINE:
        at = text[: text.index(longest)].count("\n") + 1
        raise ConfigError(f"{where}:{at}: a line of more than {_LONGEST_LINE} characters: break it into several")
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{where}:{unclosed(text)}: no TOML: brackets nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError is one, a number of thousands of digits another
        line = re.search(r"at line (\d+)", str(error))
        at = int(line[1]) if line else unclosed(text)
        raise ConfigError(f"{where}:{at}: no TOML: {error}") from error
    checker = _Checker(text, where)
    name, version = checker.name(table), checker.version(table)
    told = {key: checker.words(table, key, *how) for key, how in _TEXTS.items()}
    pack = Pack(
        name=name,
        version=version,
        opt_outs=tuple(checker.wordings(table, "opt_out", name, version)),
        others=tuple(checker.wordings(table, "other", name, version)),
        failure_subjects=told["failure_subjects"],
        forward_prefixes=told["forward_prefixes"],
        forward_lines=told["forward_lines"],
        forward_fields=tuple(checker.fields(table)),
        source=source,
    )
    checker.unknown_keys(table, ("name", "version", "opt_out", "other", "forward_fields", *_TEXTS))
    if checker.problems:
        raise ConfigError(*checker.problems)
    return pack


def wrong_name(name: str) -> str:
    """Say what is wrong with the name of a pack or a rule, "" if nothing is."""
    return "" if _NAME.fullmatch(name) else _NO_NAME


def line_of_name(text: str) -> int:
    """Give the line on which a pack that was read says its name."""
    return Lines(text).of(("name",))


def letters(pieces: tuple[str, ...]) -> int:
    """Count the letters of a wording beside its places; a kanji tells as much as two."""
    words = "".join(pieces).replace(ORDER, "")
    return sum(char.isalpha() for char in words) + len(_KANJI.findall(words))


class _Checker:
    """Takes values out of a pack's table and notes what is wrong with them, each with its line."""

    def __init__(self, text: str, where: str) -> None:
        self._found: list[tuple[int, str]] = []
        self._where = where
        self._lines = Lines(text)

    @property
    def problems(self) -> tuple[str, ...]:
        """Tell what is wrong, in the order of the lines; of one line in that of the keys."""
        return tuple(f"{self._where}:{line}: {reason}" for line, reason in sorted(self._found, key=lambda one: one[0]))

    def name(self, table: dict[str, Any]) -> str:
        name = table.get("name")
        if "name" not in table:
            self._wrong(("name",), 'name is missing: name = "de", or another word for this pack')
        elif not isinstance(name, str) or wrong_name(name):
            self._wrong(("name",), f"name = {_shown(name)} {_NO_NAME}")
        else:
            return name
        return ""

    def version(self, table: dict[str, Any]) -> int:
        version = table.get("version")
        if "version" not in table:
            self._wrong(("version",), "version is missing: version = 1, and one more with each change")
        elif type(version) is not int or not 1 <= version <= _HIGHEST:
            self._wrong(("version",), f"version = {_shown(version)} must be a whole number from 1 to {_HIGHEST}")
        else:
            return version
        return 0

    def texts(self, table: dict[str, Any], key: str, *place: str | int) -> tuple[tuple[int, str], ...]:
        """Give the texts of a list with their numbers; those that are none are told."""
        value = table.get(key, [])
        if not isinstance(value, list):
            self._wrong((*place, key), f'{key} must be a list of texts like ["one", "two"]')
            return ()
        for n, one in enumerate(value):
            if not isinstance(one, str) or not one.strip():
                self._wrong((*place, key, n), f'{key}: {_shown(one)} is no text: write ["one", "two"]')
        texts = [(n, _SPACE.sub(" ", one).strip()) for n, one in enumerate(value) if isinstance(one, str)]
        return tuple((n, one) for n, one in texts if one and self._writable(one, key, (*place, key, n)))

    def words(self, table: dict[str, Any], key: str, write: Callable[[str], str], fewest: int) -> tuple[str, ...]:
        """Give the texts of a list as they are compared; those that would stand everywhere are told."""
        found = [(n, text, write(text)) for n, text in self.texts(table, key)]
        for n, text, written in found:
            if sum(map(str.isalnum, written)) < fewest:
                self._wrong((key, n), f"{key}: {_shown(text)} has too few letters to tell anything")
        return tuple(written for _, _, written in found)

    def fields(self, table: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
        given = table.get("forward_fields", {})
        if not isinstance(given, dict):
            self._wrong(("forward_fields",), "forward_fields must be a table: [forward_fields]")
            return
        self.unknown_keys(given, FIELDS, "forward_fields")
        meanings: dict[str, str] = {}
        for key in FIELDS:
            words = [(n, text.strip(" :：*").casefold()) for n, text in self.texts(given, key, "forward_fields")]
            for n, word in words:
                if not _LABEL.fullmatch(word):
                    reason = f"{_shown(word)} is no label: 25 characters at most, no digit or colon in it"
                    self._wrong(("forward_fields", key, n), f"{key}: {reason}")
                elif meanings.setdefault(word, key) != key:
                    reason = f"{_shown(word)} is a word for {meanings[word]!r} already"
                    self._wrong(("forward_fields", key, n), f"{key}: {reason}")
            yield key, tuple(word for _, word in words)

    def wordings(self, table: dict[str, Any], kind: str, pack: str, version: int) -> Iterator[Wording]:
        rows = table.get(kind, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._wrong((kind,), f"{kind}: write [[{kind}]], with two brackets")
            return
        names = [row.get("rule") for other in ("opt_out", "other") for row in _tables(table.get(other))]
        for n, row in enumerate(rows):
            self.unknown_keys(row, ("rule", "wording", "confirmed", "seen", "samples"), kind, n)
            rule = row.get("rule")
            if "rule" not in row:
                self._wrong((kind, n, "rule"), 'rule is missing: rule = "opt-out", or another name for this wording')
            elif not isinstance(rule, str) or wrong_name(rule):
                self._wrong((kind, n, "rule"), f'rule = {_shown(rule)} must be a word like "opt-out", in small letters')
            elif names.count(rule) > 1:
                self._wrong((kind, n, "rule"), f"rule = {rule!r} is the name of two rules: rename one")
            pieces = self._pieces(row, kind, n)
            yield Wording(
                rule=f"{pack}.{rule}",
                version=version,
                pieces=pieces,
                fragments=fragments(pieces),
                confirmed=self._confirmed(row, kind, n),
                seen=row.get("seen", ""),
                samples=self._samples(row, kind, n),
            )

    def _pieces(self, row: dict[str, Any], kind: str, n: int) -> tuple[str, ...]:
        text = row.get("wording")
        at = (kind, n, "wording")
        if not isinstance(text, str) or not text.strip():
            self._wrong(at, "wording is missing: one sentence in quotes, with {order} where the order id stands")
            return ()
        if not self._writable(text, "wording", at):
            return ()
        places = re.findall(r"\{[^{}]*\}|[{}]", text)
        foreign = [place for place in places if place not in {"{order}", "{gap}"}]
        pieces = compile_wording(text)
        if foreign:
            self._wrong(at, f"wording: {foreign[0]!r} is no place: there are {{order}} and {{gap}}")
        elif ids := identifiers.order_ids(text):
            self._wrong(at, f"wording: {ids[0]} is the id of one order: write {{order}}")
        elif kind == "opt_out" and places.count("{order}") != 1:
            self._wrong(at, "wording: an opt-out names exactly one {order}")
        elif len(text) > LONGEST or places.count("{gap}") > MOST_GAPS:
            self._wrong(at, f"wording: longer than {LONGEST} characters, or more than {MOST_GAPS} times {{gap}}")
        elif not all(pieces):
            self._wrong(at, "wording: a {gap} without words on both sides of it")
        elif letters(pieces) < SHORTEST:
            self._wrong(at, f"wording: fewer than {SHORTEST} letters beside the places would fit too many mails")
        return pieces

    def _confirmed(self, row: dict[str, Any], kind: str, n: int) -> bool:
        confirmed, seen = row.get("confirmed", False), row.get("seen", "")
        if not isinstance(confirmed, bool):
            self._wrong((kind, n, "confirmed"), f"confirmed = {_shown(confirmed)} must be true or false")
        if not isinstance(seen, str):
            self._wrong((kind, n, "seen"), f'seen = {_shown(seen)} must be a text in "quotes"')
        elif confirmed is True and not seen.strip():
            self._wrong((kind, n, "seen"), "seen: say where the wording of a confirmed rule was seen")
        else:
            self._writable(seen, "seen", (kind, n, "seen"))
        return confirmed is True

    def _samples(self, row: dict[str, Any], kind: str, n: int) -> tuple[str, ...]:
        if row.get("samples", []) == []:
            self._wrong((kind, n, "samples"), "samples is missing: give at least one sentence that the rule must find")
        return tuple(text for _, text in self.texts(row, "samples", kind, n))

    def unknown_keys(self, table: dict[str, Any], known: tuple[str, ...], *place: str | int) -> None:
        for key in table.keys() - set(known):
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            self._wrong((*place, key), f"unknown key {_shown(key)}: {hint}")

    def _writable(self, text: str, key: str, place: Place) -> bool:
        found = _UNWRITABLE.search(text)
        if found:
            self._wrong(place, f"{key}: {found[0]!r} is a character that no mail writes")
        return not found

    def _wrong(self, place: Place, reason: str) -> None:
        self._found.append((self._lines.of(place), reason))


def _shown(value: object) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:60]}..."


def _tables(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
