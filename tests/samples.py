"""Mails and judged mails that the tests make up themselves."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nosend.model import Judged, Kind, Mail, OptOut, Place, Sender, Verdict

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
AT = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)  # when the first mail was written
NOW = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)  # when it was read


def order(number: int = 1) -> str:
    return f"111-1111111-{number:07}"


def buyer(number: int = 1) -> str:
    return f"buyer{number:08}@marketplace.amazon.com"


def judged(
    number: int = 1,
    *,
    alias: str | None = None,
    kind: Kind | None = Kind.OPT_OUT,
    place: Place | None = None,
    key: str | None = None,
    day: int = 0,
    why: str = "the buyer has chosen to opt out",
) -> Judged:
    """Make a judged mail about order `number`; its Message-ID and UID follow the number unless they are given."""
    raw = f"mail {key or number}".encode()
    verdict = Verdict(kind, "marker", 1, why, (order(number),), alias, "US", Sender.AMAZON) if kind else None
    if verdict and kind is Kind.OPT_OUT:
        verdict = replace(verdict, opt_outs=(OptOut(order(number), alias, "US"),))
    return Judged(
        mail=Mail(raw, place or Place("shop", "INBOX", 7, number), AT, len(raw)),
        sha256=hashlib.sha256(raw).hexdigest(),
        key=key or f"<{number}@email.amazonses.com>",
        sender="auto-communication@amazon.com",
        subject="Your message could not be delivered",
        written_at=AT + day * DAY,
        verdict=verdict,
        trouble="" if kind else "broke the reader: ValueError",
    )


def notice(number: int = 1, *, alias: str = "", ident: str = "", **headers: str) -> bytes:
    """Write the bytes of a notice with the marker about order `number`; `headers` replace or add, "" leaves out."""
    fields = {
        "From": "auto-communication@amazon.com",
        "Date": "Sat, 01 Mar 2025 12:00:00 +0000",
        "Subject": "Your message could not be delivered",
        "Message-ID": ident or f"<{number}@email.amazonses.com>",
        "X-Space-Notification-Type": "BUYER_OPTED_OUT_BSM_MESSAGES",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    link = f'<a href="mailto:{alias}">write</a>' if alias else ""
    lines += ["Content-Type: text/html; charset=utf-8", "", f"<p>Order {order(number)}.</p>{link}", ""]
    return "\n".join(lines).encode()


def rows(path: Path, query: str, *values: object) -> list[tuple]:
    """Ask a database as another program would."""
    db = sqlite3.connect(path)
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.close()


def dump(path: Path) -> list[str]:
    """Give a database as SQL."""
    db = sqlite3.connect(path)
    try:
        return list(db.iterdump())
    finally:
        db.close()
