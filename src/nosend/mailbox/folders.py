r"""Which folders are meant by an entry of `folders`: an exact name, a pattern, or a special use (RFC 6154).

A `*` stands for any characters, the delimiter of folders among them, as in IMAP and in a shell: `Amazon/*` is
all that lies below Amazon, at any depth. Nothing else is special: Gmail's names have brackets. `\Junk` is the folder
that the server says is used for that. A folder of exactly that name always wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from nosend.errors import MailboxRefusedError
from nosend.identifiers import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nosend.mailbox.imap import ImapMailbox

# RFC 6154, 2; and what servers with XLIST, older than that, call the same
USES = {"\\all": "\\allmail", "\\archive": "", "\\drafts": "", "\\flagged": "\\starred", "\\junk": "\\spam",
        "\\sent": "", "\\trash": ""}  # fmt: skip
_UNREADABLE = frozenset({"\\noselect", "\\nonexistent"})
_MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder as the server lists it; `attributes` in lower case."""

    name: str
    attributes: frozenset[str]

    @property
    def can_be_opened(self) -> bool:
        """Tell whether there may be mails in it."""
        return not self.attributes & _UNREADABLE


def chosen(
    inbox: ImapMailbox, entries: Sequence[str], excluded: Iterable[str] = ()
) -> tuple[tuple[str, ...], tuple[MailboxRefusedError, ...]]:
    """Give the names of the folders that are meant, each once, and a trouble for each entry that means none.

    Exact names are taken as they are: the server is asked for its list only when there is another entry. What is
    `excluded` is meant by no pattern and no special use.
    """
    special = tuple(entry for entry in entries if entry.lower() in USES)
    patterns = tuple(entry for entry in entries if "*" in entry)
    listed = inbox.list_folders(uses=bool(special)) if special or patterns else ()
    left_out = {_folded(name) for name in excluded}
    names: list[str] = []
    troubles: list[MailboxRefusedError] = []
    for entry in entries:
        if entry not in (*special, *patterns) or any(one.name == entry for one in listed):
            names.append(_folded(entry))
            continue
        open_to_us = (one for one in listed if one.can_be_opened and _folded(one.name) not in left_out)
        meant = [_folded(one.name) for one in open_to_us if _is_meant(entry, one)]
        names += meant
        if not meant:
            what = "that is used as" if entry in special else "that matches"
            told = there(entry, [one.name for one in listed])
            troubles.append(MailboxRefusedError(f"{inbox.where} has no folder {what} {entry!r}{told}"))
    return tuple(dict.fromkeys(names)), tuple(troubles)


def _is_meant(entry: str, one: Listed) -> bool:
    use = entry.lower()
    if use in USES:
        return bool(one.attributes & {use, USES[use]} - {""})
    return re.fullmatch(".*".join(map(re.escape, entry.split("*"))), one.name, re.DOTALL) is not None


def _folded(name: str) -> str:
    """Write INBOX in one way: it alone is known by any spelling (RFC 3501, 5.1)."""
    return "INBOX" if name.upper() == "INBOX" else name


def there(name: str, names: Sequence[str]) -> str:
    """Say which folders are there, the nearest to a wrong name first."""
    names = [one_line(one) for one in names]
    folded = {one.casefold(): one for one in names}
    near = [folded[one] for one in get_close_matches(name.casefold(), list(folded), 3, 0.5)]
    near += [one for one in names if re.split(r"[/.\\]", one)[-1].casefold() == name.casefold() and one not in near]
    told = f": did you mean {' or '.join(map(repr, near))}? " if near else ": "
    more = " ..." if len(names) > _MOST_TOLD else ""
    return f"{told}There are: {', '.join(names[:_MOST_TOLD]) or 'none'}{more}"
