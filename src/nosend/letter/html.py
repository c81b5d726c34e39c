"""HTML -> lines and links, with bs4. Deep nesting costs no Python stack, and nothing here raises.

A reader sees words, not elements: a <span>, <wbr> or zero-width character inside a word does not part it,
a table cell or <div> does. Hidden text (Amazon's preheader holds the bare order id) is text as well.

Nine tenths of a notice are layout, and bs4 makes an object of each element: lxml, its own parser, writes the ends of
lines into the text, and bs4 sees verbatim text, quotes and links.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from lxml import etree

from nosend.identifiers import visible
from nosend.letter.lines import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SILENT = ("head", "script", "style", "template", "title")
_BLOCKS = frozenset(
    "address article aside body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol option p section summary table tbody td "
    "tfoot th thead tr ul".split()
)
_PARTING = _BLOCKS | {"blockquote", "pre"}
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r"))
_BLANK_LINES = re.compile(r"\n\s*\n\s*")
_END = re.compile(r"</(?:html|body)(?![a-z0-9])", re.IGNORECASE)  # libxml2 makes no tree of what stands below it
_LONG_TAG = 2_000  # characters
_GREATER = re.compile(r"""=\s*(?:"[^">]*>|'[^'>]*>)""")
_NOTHING = re.compile(r">?(?:\s|</(?:html|body)>)*+", re.IGNORECASE)


def lines(markup: str, matters: Callable[[str], bool] | None = None) -> list[Line]:
    """Read an HTML document, whole or broken. <blockquote> counts as one quote mark.

    With `matters` nothing is read of a document whose words and links do not.
    """
    data = markup.encode("utf-8", "ignore").translate(None, _CONTROLS)  # libxml2 stops at NUL and surrogates
    markup = data.decode()
    end = _END.search(markup)
    if (end and not _NOTHING.fullmatch(markup, end.end())) or _may_have_many_attributes(markup):
        return _read(markup)
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        tree = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        tree = None
    if tree is None:  # an empty document, or nothing but comments
        return []
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        return _read(markup)  # nested too deeply for a tree; bs4 is handed the elements one by one
    is_verbatim = tree.find(".//pre") is not None
    _leave_words(tree)
    if matters and not matters(_told(tree)):
        return []
    if is_verbatim:
        return _read(markup)
    _write_line_ends(tree)
    return _read(_BLANK_LINES.sub("\n\n", etree.tostring(tree, encoding="unicode", method="html")))


def _may_have_many_attributes(markup: str) -> bool:
    """Tell whether an element may have thousands: the tree takes the square of them, bs4's reading does not.

    A ">" in the value of an attribute ends no element.
    """
    if len(markup) < 2 * _LONG_TAG:
        return False
    tags = (text[text.find("<") :] for text in markup.split(">") if len(text) > _LONG_TAG and "<" in text)
    return any(len(tag) > _LONG_TAG for tag in tags) or _GREATER.search(markup) is not None


def _leave_words(tree: etree._Element) -> None:
    """Leave what a reader sees: no element within a word but links."""
    etree.strip_elements(tree, *_SILENT, with_tail=False)
    names = {element.tag for element in tree.iter(etree.Element)}
    etree.strip_tags(tree, *(names - _PARTING - {"a", "area", "br"}))


def _write_line_ends(tree: etree._Element) -> None:
    """Leave verbatim text in which the ends of lines are written, quotes and links."""
    for element in tree.iter(etree.Element):
        name = element.tag
        before, after = _on_one_line(element.text), _on_one_line(element.tail)
        if name in _BLOCKS:
            element.text, element.tail = f"\n\n{before}", f"\n\n{after}"
        elif name == "br":
            element.tail = f"\n{after}"
        else:
            element.text, element.tail = before, after
            href = element.get("href")
            element.attrib.clear()
            if name == "blockquote":
                continue
            if href is not None:
                element.tag = "a"
                element.set("href", _UNWRITABLE.sub("", href).strip())
                continue
        element.tag = "inline"
    etree.strip_tags(tree, "inline")
    tree.tag = "pre"


def _on_one_line(text: str | None) -> str:
    if not text:
        return ""
    text = text.replace("\n", " ")
    return text if text.isprintable() else _UNWRITABLE.sub("", text)


def _told(tree: etree._Element) -> str:
    """Give the words, which a link does not part, and the links."""
    links = tree.xpath("//@href")
    tree = deepcopy(tree)
    etree.strip_tags(tree, "a", "area")
    return " ".join((*tree.itertext(), *links))


def _is_a_block_alone(element: etree._Element) -> bool:
    return element.tag in _BLOCKS and _says_nothing(element.tail)


def _says_nothing(text: str | None) -> bool:
    return not text or text.isspace()


def _read(markup: str) -> list[Line]:
    soup = BeautifulSoup(markup, "lxml", multi_valued_attributes=None, store_line_numbers=False)
    writer = _Writer()
    open_elements: list[tuple[Tag, Iterator[object]]] = [(soup, iter(soup.contents))]
    while open_elements:
        element, children = open_elements[-1]
        child = next(children, None)
        if child is None:
            open_elements.pop()
            writer.leave(element)
        elif isinstance(child, Tag):
            if child.name in _SILENT:
                continue
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
        if element.name in _PARTING:
            self._end_line(opens=True)
        elif element.name == "br":
            self._end_line(opens=False)
        href = element.get("href") if element.name in {"a", "area"} else None
        if isinstance(href, str):
            self._links.append(href.strip())
        self._depth += element.name == "blockquote"
        self._verbatim += element.name == "pre"

    def leave(self, element: Tag) -> None:
        if element.name in _PARTING:
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
        return " ".join(visible("".join(self._text)).split())

    def _end_line(self, *, opens: bool) -> None:
        text = self._text_so_far()
        if text or self._links:
            self._lines.append(Line(text, self._depth, self._opens, tuple(self._links)))
            self._opens = False
        self._opens = self._opens or opens or not text
        self._text, self._links = [], []
