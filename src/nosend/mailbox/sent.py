"""Sent mail -> whose an order is: To is a buyer's alias, and subject or text name one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend import identifiers, letter
from nosend.letter import header
from nosend.mailbox import answers
from nosend.mailbox.reading import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from nosend.letter.marks import Marks
    from nosend.mailbox.imap import ImapMailbox
    from nosend.model import Letter

_HEADER_ITEM = "BODY.PEEK[HEADER.FIELDS (TO CC SUBJECT)]<0.65536>"
_LONGEST = 262_144  # bytes of a mail that are looked at: what a seller writes comes first
_BODY_ITEM = f"BODY.PEEK[]<0.{_LONGEST}>"
_BODIES_AT_ONCE = 50


def orders(inbox: ImapMailbox, since: date | None, marks: Marks) -> Iterator[tuple[str, str]]:
    """Give (order id, buyer alias) of each mail in the open folder that names just one of each.

    Only header fields are fetched of mails that go to no buyer, or whose subject names the order.
    """
    uids = inbox.search("1:*", since)
    for start in range(0, len(uids), AT_ONCE):
        unclear: dict[int, str] = {}
        for uid, item in inbox.fetch(uids[start : start + AT_ONCE], [_HEADER_ITEM]).items():
            heading = letter.heading(answers.content(item, b"BODY[HEADER") or b"")
            buyer, found = _buyer(heading), identifiers.order_ids(heading.subject)
            if buyer and len(found) == 1:
                yield found[0], buyer
            elif buyer and not found:
                unclear[uid] = buyer
        yield from _of_texts(inbox, unclear, marks)


def _of_texts(inbox: ImapMailbox, unclear: dict[int, str], marks: Marks) -> Iterator[tuple[str, str]]:
    waiting = sorted(unclear)
    for start in range(0, len(waiting), _BODIES_AT_ONCE):
        for uid, item in inbox.fetch(waiting[start : start + _BODIES_AT_ONCE], [_BODY_ITEM]).items():
            text = "\n".join(letter.read(answers.content(item, b"BODY[]") or b"", marks).paragraphs)
            found = identifiers.order_ids(text)
            if uid in unclear and len(found) == 1:
                yield found[0], unclear[uid]


def _buyer(heading: Letter) -> str | None:
    """Give the buyer's alias, if the mail goes to just one."""
    fields = (header.decode(value) for name in ("to", "cc") for value in heading.header(name))
    aliases = {identifiers.alias(address) for field in fields for address in identifiers.addresses(field)} - {None}
    return aliases.pop() if len(aliases) == 1 else None
