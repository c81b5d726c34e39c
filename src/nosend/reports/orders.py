"""Order reports -> whose each order is: Amazon's flat files, CSV, JSON and XML of the Orders API.

Columns are found by name, in any order; Amazon writes a row for each item, so that an order may come often.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from nosend import identifiers
from nosend.errors import ConfigError
from nosend.reports import table

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Mapping

_ORDER_NAMES = ("orderid", "amazonorderid")
_BUYER_NAMES = ("buyeremail", "buyeremailaddress", "buyeralias", "email")
COLUMNS = ("order_id", "buyer")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


@dataclass(frozen=True, slots=True)
class Told:
    """What a row tells: an order and its buyer's alias, normalised; None for what it does not tell."""

    order_id: str | None
    buyer: str | None


def read(stream: io.BufferedReader, columns: Mapping[str, str]) -> Iterator[Told]:
    """Read a report, a row at a time. `columns` names those of `COLUMNS` that are called otherwise.

    Raises ConfigError for a file that is no report, with what is missing; rows before a fault have been given by then.
    """
    begin = stream.peek()[:4_096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if begin in {b"{", b"["}:
        yield from (_told(order, buyer) for order, buyer in _of_json(stream))
    elif begin == b"<":
        yield from (_told(order, buyer) for order, buyer in _of_xml(stream))
    else:
        yield from _of_table(table.read(stream), columns)


def _of_table(rows: table.Table, columns: Mapping[str, str]) -> Iterator[Told]:
    order = rows.column("order_id", columns, _ORDER_NAMES)
    buyer = rows.column("buyer", columns, _BUYER_NAMES)
    if order is None:
        names = ", ".join(map(repr, rows.names[:20])) or "none, as it has no header line"
        raise ConfigError(
            f"no column holds order ids by its name: {names}: say which with --columns order_id=NAME,buyer=NAME"
        )
    for _, row in rows.rows:
        yield _told(_cell(row, order), _cell(row, buyer))


def _cell(row: list[str], number: int | None) -> str:
    return row[number] if number is not None and number < len(row) else ""


def _of_json(stream: io.BufferedReader) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(stream.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"that is no JSON: {error}") from error
    orders = list(_objects(found))
    if not orders and found:
        raise ConfigError("no object in it has an AmazonOrderId, as the Orders API writes it")
    for order in orders:
        info = order.get("BuyerInfo")
        buyer = order.get("BuyerEmail") or (info.get("BuyerEmail") if isinstance(info, dict) else "")
        yield str(order["AmazonOrderId"]), str(buyer or "")


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    """Find the orders, wherever they stand: an answer of the API, several of them, or the bare list."""
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) and "AmazonOrderId" in one:
            yield one
        elif isinstance(one, dict | list):
            waiting += reversed(list(one.values() if isinstance(one, dict) else one))


def _of_xml(stream: io.BufferedReader) -> Iterator[tuple[str, str]]:
    """Read an element for each order; Python's expat refuses what grows without bound (2.4.1 and later)."""
    order = buyer = ""
    found = False
    readable, parser = _as_utf8(stream)
    try:
        for event, element in ET.iterparse(readable, ("start", "end"), parser):  # noqa: S314 - as said
            name = element.tag.rpartition("}")[2]
            if name == "Order" and event == "start":
                order = buyer = ""
            elif event == "end" and name in {"AmazonOrderId", "AmazonOrderID"}:
                order, found = element.text or "", True
            elif event == "end" and name == "BuyerEmail":
                buyer = element.text or ""
            elif event == "end" and name == "Order":
                yield order, buyer
                element.clear()
    except ET.ParseError as error:
        raise ConfigError(f"that is no XML: {error}") from error
    if not found:
        raise ConfigError("no element in it is an AmazonOrderId, as the Orders API and the XML reports write it")


def _as_utf8(stream: io.BufferedReader) -> tuple[IO[bytes], ET.XMLParser | None]:
    """Give what to read, and the parser for it, where XML names an encoding that expat does not know, as Shift-JIS."""
    named = _ENCODING.match(stream.peek()[:200])
    name = named[1].decode() if named else "utf-8"
    try:
        known = codecs.lookup(name).name
    except LookupError as error:
        raise ConfigError(f"that is no XML: {error}") from error
    if known.startswith("utf"):
        return stream, None
    return codecs.EncodedFile(stream, "utf-8", name, "replace"), ET.XMLParser(encoding="utf-8")  # noqa: S314 - as said


def _told(order: str, buyer: str) -> Told:
    ids = identifiers.order_ids(order)
    return Told(ids[0] if len(ids) == 1 else None, identifiers.alias(buyer))


def pairs(told: Iterable[Told]) -> Iterator[tuple[str, str]]:
    """Give those that tell both."""
    return ((one.order_id, one.buyer) for one in told if one.order_id and one.buyer)
