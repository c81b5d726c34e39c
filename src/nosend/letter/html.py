"""HTML -> lines and links, with bs4. Deep nesting costs no Python stack, and nothing here raises.

A reader sees words, not elements: a <span>, <wbr> or zero-width character inside a word does not part it,
a table cell or <div> does. Hidden text (Amazon's preheader holds the bare order id) is text as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

from nosend.identifiers import visible
from nosend.letter.lines import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

_SILENT = frozenset({"head", "script", "style", "template", "title"})
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol option p pre section summary table tbody td "
    "tfoot th thead tr ul".split()
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_BROKEN = re.compile(r"[\x00\ud800-\udfff]")  # characters that libxml2 stops at


def lines(markup: str) -> list[Line]:
    """Read an HTML document, whole or broken. <blockquote> counts as one quote mark."""
    soup = BeautifulSoup(_BROKEN.sub("", visible(markup)), "lxml")
    writer = _Writer()
    open_elements: list[tuple[Tag, Iterator[object]]] = [(soup, iter(soup.contents))]
    while open_elements:
        element, children = open_elements[-1]
        child = next(children, None)
        if child is None:
            open_elements.pop()
            writer.leave(element)
        elif isinstance(child, Tag):
            if child.name not in _SILENT:
                writer.enter(child)
                open_elements.append((child, iter(child.contents)))
        elif type(child) is NavigableString:  # its subclasses are comments, doctypes, CDATA
            writer.write(child)
    return writer.finish()


class _Writer:
    """Collects the lines while the elements go by."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._text: list[str] = []
        self._links: list[str] = []
        self._opens = True
        self._depth = 0
        self._verbatim = 0

    def enter(self, element: Tag) -> None:
        if element.name in _BLOCKS:
            self._end_line(opens=True)
        elif element.name == "br":
            self._end_line(opens=False)
        self._depth += element.name == "blockquote"
        self._verbatim += element.name == "pre"
        href = element.get("href") if element.name in {"a", "area"} else None
        if isinstance(href, str):
            self._links.append(href.strip())

    def leave(self, element: Tag) -> None:
        if element.name in _BLOCKS:
            self._end_line(opens=True)
        self._depth -= element.name == "blockquote"
        self._verbatim -= element.name == "pre"

    def write(self, text: str) -> None:
        if not self._verbatim:
            self._text.append(text)
            return
        first, *rest = text.split("\n")
        self._text.append(first)
        for more in rest:
            self._end_line(opens=not self._text_so_far())
            self._text.append(more)

    def finish(self) -> list[Line]:
        self._end_line(opens=True)
        return self._lines

    def _text_so_far(self) -> str:
        return _SPACE.sub(" ", "".join(self._text)).strip(" ")

    def _end_line(self, *, opens: bool) -> None:
        text = self._text_so_far()
        if text or self._links:
            self._lines.append(Line(text, self._depth, self._opens, tuple(self._links)))
            self._opens = False
        self._opens = self._opens or opens or not text
        self._text, self._links = [], []
