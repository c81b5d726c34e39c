"""On which line of a TOML text does a key stand? The standard library's reader forgets it.

Only for texts that `tomllib` has read: then little is left to be told apart.
"""

from __future__ import annotations

import re
import tomllib

Place = tuple[str | int, ...]  # keys, and the numbers of items: ("opt_out", 0, "samples", 2)

_PIECE = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|[ \t\r]+'''
    r"""|[\[\]{}=,\n]|[^\s\[\]{}=,"'#]+|.""",
    re.DOTALL,
)
_OPENING, _CLOSING = frozenset("[{"), frozenset("]}")


def unclosed(text: str) -> int:
    """Give the line of the first string or bracket that is never closed; of a text without one its last."""
    lines: list[int] = []  # of the brackets that are open
    for piece, line in _pieces(text):
        if piece in _OPENING:
            lines.append(line)
        elif piece in _CLOSING:
            del lines[-1:]
        elif piece in {'"', "'"}:
            return line
    return lines[0] if lines else text.count("\n") + 1


def _pieces(text: str) -> list[tuple[str, int]]:
    """Part a text into pieces with their lines; spaces and comments are left out."""
    found: list[tuple[str, int]] = []
    line = 1
    for piece in _PIECE.findall(text):
        if piece[0] not in " \t\r#":
            found.append((piece, line))
        line += piece.count("\n")
    return found


class Lines:
    """The lines of the keys, tables and items of a TOML text."""

    def __init__(self, text: str) -> None:
        self._pieces = _pieces(text)
        self._at = 0
        self._counts: dict[Place, int] = {}  # of the tables [[like this]]
        self._lines: dict[Place, int] = {(): 1}
        self._read()

    def of(self, place: Place) -> int:
        """Give the line of a place; when there is none, of what it would be in."""
        return next(self._lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in self._lines)

    def _read(self) -> None:
        table: Place = ()
        while self._at < len(self._pieces):
            piece, line = self._pieces[self._at]
            if piece == "\n":
                self._at += 1
            elif piece == "[":
                table = self._header(line)
            else:
                self._pair(table)

    def _header(self, line: int) -> Place:
        """Read `[a.b]` or `[[a.b]]`, and give the table that it begins."""
        many = self._peek(1) == "["
        self._at += 1 + many
        place: Place = ()
        *above, last = self._key("]")
        for key in above:
            place = (*place, key)
            self._note(place, line)
            place = self._latest(place)
        place = (*place, last)
        if many:
            self._counts[place] = self._counts.get(place, -1) + 1
        self._note(place, line)
        place = self._latest(place)
        self._note(place, line)
        self._at += many
        return place

    def _latest(self, place: Place) -> Place:
        return (*place, self._counts[place]) if place in self._counts else place

    def _pair(self, table: Place) -> None:
        """Read `key = value`."""
        line = self._pieces[self._at][1]
        place = table
        for key in self._key("="):
            place = (*place, key)
            self._note(place, line)
        self._value(place)

    def _key(self, end: str) -> list[str]:
        """Read a key, dotted and quoted as it may be, and what ends it."""
        written = ""
        while (piece := self._peek()) not in {end, ""}:
            written += piece
            self._at += 1
        self._at += 1
        keys: list[str] = []
        told: object = tomllib.loads(f"{written} = 0")
        while isinstance(told, dict):
            ((key, told),) = told.items()
            keys.append(key)
        return keys

    def _value(self, place: Place) -> None:
        opening = self._peek()
        self._at += 1
        if opening == "[":
            self._items(place)
        elif opening == "{":
            while (piece := self._peek()) not in {"}", ""}:
                if piece in {",", "\n"}:
                    self._at += 1
                else:
                    self._pair(place)
            self._at += 1
        else:
            while self._peek() not in {",", "]", "}", "\n", ""}:  # a date and its time are two
                self._at += 1

    def _items(self, place: Place) -> None:
        count = 0
        while (piece := self._peek()) not in {"]", ""}:
            if piece in {",", "\n"}:
                self._at += 1
                continue
            item = (*place, count)
            self._note(item, self._pieces[self._at][1])
            self._value(item)
            count += 1
        self._at += 1

    def _note(self, place: Place, line: int) -> None:
        self._lines.setdefault(place, line)

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._pieces[at][0] if at < len(self._pieces) else ""
