"""The few commands that change a mailbox, each by explicit UIDs (RFC 3501, 4315, 6851).

Never a bare EXPUNGE nor CLOSE, which would take what others have marked as deleted. All of them raise
MailboxRefusedError or MailboxUnreachableError, in words; after the latter it is not known whether they were done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nosend.errors import MailboxRefusedError
from nosend.mailbox.imap import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nosend.mailbox.imap import ImapMailbox

DELETED = "\\Deleted"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A folder that is selected: its UIDVALIDITY, its mails, the flags that it keeps (None: not told, so all)."""

    name: str
    uidvalidity: int
    exists: int
    keeps: frozenset[str] | None

    def takes(self, flag: str) -> bool:
        r"""Tell whether a flag is kept; `\*` is any keyword (RFC 3501, 7.1)."""
        keeps = self.keeps
        return keeps is None or flag.lower() in keeps or ("\\*" in keeps and not flag.startswith("\\"))

    def told(self) -> str:
        """Write the flags that are kept, for a person."""
        return ", ".join(sorted(self.keeps or ())) or "none"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a folder's UIDs go: mails with its UIDVALIDITY and a UID from `uidnext` on came later."""

    uidvalidity: int
    uidnext: int


def select(inbox: ImapMailbox, name: str) -> Chosen:
    """Open a folder for writing."""
    with inbox.commanding(f"open folder {name!r} for writing") as client:
        answer = client.select_folder(name)
    flags = answer.get(b"PERMANENTFLAGS")
    keeps = None if flags is None else frozenset(flag.decode("ascii", "replace").lower() for flag in flags)
    return Chosen(name, number(answer, b"UIDVALIDITY"), number(answer, b"EXISTS"), keeps)


def look_into(inbox: ImapMailbox, name: str) -> Reach:
    """Open a folder read-only. What was open is left as it is, unlike by CLOSE."""
    with inbox.commanding(f"open folder {name!r}") as client:
        answer = client.select_folder(name, readonly=True)
    return Reach(number(answer, b"UIDVALIDITY"), number(answer, b"UIDNEXT"))


def reach(inbox: ImapMailbox, name: str) -> Reach:
    """Ask how far the UIDs of a folder go that is not open."""
    with inbox.commanding(f"look at folder {name!r}") as client:
        answer = client.folder_status(name, ["UIDVALIDITY", "UIDNEXT"])
    return Reach(number(answer, b"UIDVALIDITY"), number(answer, b"UIDNEXT"))


def add_flag(inbox: ImapMailbox, uids: Sequence[int], flag: str) -> None:
    """Set a flag or keyword beside those that are there. Doing it twice changes nothing."""
    with inbox.commanding(f"set {flag!r}") as client:
        client.add_flags(uids, [flag], silent=True)


def flags(inbox: ImapMailbox, uids: Sequence[int]) -> dict[int, frozenset[str]]:
    """Give the flags, in small letters, of those mails that are there."""
    return {uid: lowered(item) for uid, item in inbox.fetch(list(uids), ["FLAGS"]).items() if b"FLAGS" in item}


def lowered(item: dict[bytes, Any]) -> frozenset[str]:
    """Give a mail's flags as they are compared."""
    return frozenset(flag.decode("ascii", "replace").lower() for flag in item.get(b"FLAGS", ()))


def move(inbox: ImapMailbox, uids: Sequence[int], target: str) -> None:
    """Move mails: each is here or there at any moment. UIDs that are gone are passed over."""
    with inbox.commanding(f"move mails to folder {target!r}") as client:
        client.move(uids, target)


def copy(inbox: ImapMailbox, uids: Sequence[int], target: str) -> None:
    """Copy mails: all or none of them. Doing it twice doubles them."""
    with inbox.commanding(f"copy mails to folder {target!r}") as client:
        client.copy(uids, target)


def expunge(inbox: ImapMailbox, uids: Sequence[int]) -> None:
    """Remove exactly these mails; needs UIDPLUS."""
    add_flag(inbox, uids, DELETED)
    with inbox.commanding("expunge the mails that it copied") as client:
        client.uid_expunge(uids)


def make_sure_of(inbox: ImapMailbox, name: str) -> None:
    """See to it that a folder is there: made, and subscribed so that mail programs show it, if it is missing.

    Raises MailboxRefusedError, with what could be meant, when the server makes no folder of this name.
    """
    with inbox.commanding(f"list folder {name!r}") as client:
        found = client.list_folders("", name)
    if any(is_same(str(told), name) and not {flag.lower() for flag in marks} & _NO_FOLDER for marks, _, told in found):
        return
    try:
        with inbox.commanding(f"make folder {name!r}") as client:
            client.create_folder(name)
    except MailboxRefusedError as refused:
        if "ALREADYEXISTS" in str(refused).upper():  # hidden from LIST (RFC 5530)
            return
        raise MailboxRefusedError(f"{refused}{_spelling(inbox, name)}") from refused
    try:
        with inbox.commanding(f"subscribe to folder {name!r}") as client:
            client.subscribe_folder(name)
    except MailboxRefusedError:
        return  # it is there all the same


_NO_FOLDER = frozenset((b"\\noselect", b"\\nonexistent"))


def is_same(one: str, other: str) -> bool:
    """Tell whether two names are of one folder: of INBOX alone the case does not matter (RFC 3501, 5.1)."""
    return one == other or one.upper() == other.upper() == "INBOX"


def _spelling(inbox: ImapMailbox, name: str) -> str:
    """Say how the server would write a name: below its prefix, with its delimiter; and which folders there are."""
    with inbox.commanding("list folders") as client:
        near = inbox.near(name)
        parts = [str(delimiter and delimiter.decode()) for _, delimiter, _ in client.list_folders("", "")]
        prefix = ""
        if "NAMESPACE" in inbox.capabilities():
            personal = client.namespace().personal
            prefix = str(personal[0][0]) if personal else ""
    delimiter = parts[0] if parts and parts[0] != "None" else ""
    spelled = name.replace("/", delimiter).replace(".", delimiter) if delimiter else name
    spelled = spelled if spelled.startswith(prefix) else prefix + spelled
    return f": try move_notices_to = {spelled!r}{near}" if spelled != name else near
