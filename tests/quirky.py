"""A small IMAP server on a real socket, with a knob for each quirk that real servers have: `with Quirky(mails) as ...`.

Without knobs it answers as RFC 3501 wants it, to the commands that a reader needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from servers import Scripted


@dataclass
class Quirks:
    """What a server does otherwise. Bytes are answers as they cross the line, without tag and line end."""

    greeting: bytes = b"* OK ready"
    greets_after: float = 0.0  # seconds
    capabilities: bytes = b"IMAP4rev1 AUTH=PLAIN"
    capabilities_after_login: bytes = b""  # when they change
    told_with: str = "command"  # or "greeting", "login": where else; then the command answers without data
    answers: dict[bytes, bytes] = field(default_factory=dict)  # command: the tagged answer instead, `NO ...`
    bye: bytes = b""  # the command in whose answer the server says BYE
    bye_words: bytes = b"shutting down"
    closes: bool = True  # after BYE
    wants_id: bool = False
    id_answer: bytes = b'* ID ("name" "quirky")'
    delimiter: bytes = b"/"
    exists: int | None = None
    uidvalidity: int | None = 7
    uidnext: int | None = -1  # the true one; None: not told
    examine: bytes = b""  # more untagged lines
    star: int = 0  # the UID that `*` stands for, if not the last mail's
    names_last: bool = True  # `n:*` gives the last mail even below n
    finds: Callable[[list[int]], list[int]] = list
    find_lines: int = 0  # UIDs in a line of the answer to a search; 0: all
    gives: Callable[[list[int]], list[int]] = list  # which mails a fetch gives, and in which order
    news: bytes = b""  # unsolicited, before each line and at the end
    split: bool = False  # an answer for each item of a mail
    more_items: bytes = b""
    content: Callable[[int, bytes], bytes] = lambda _, data: b"{%d}\r\n%s" % (len(data), data)
    spelling: Callable[[bytes], bytes] = bytes  # of each line up to a literal


class Quirky(Scripted):
    """The server. `folders` maps names to mails by UID; `lines` keeps what the client said."""

    def __init__(self, mails: dict[int, bytes] | dict[str, dict[int, bytes]], **knobs: object) -> None:
        first = next(iter(mails), "")
        self.folders = {"INBOX": mails} if not isinstance(first, str) or not mails else mails
        self.quirks = Quirks(**knobs)  # type: ignore[arg-type]
        self._open: dict[int, bytes] = {}
        greeting = self.quirks.greeting
        if self.quirks.told_with == "greeting":
            greeting = b"* OK [CAPABILITY %s] ready" % self.quirks.capabilities
        super().__init__(self._answer, self.quirks.spelling(greeting + b"\r\n"), self.quirks.greets_after)

    def connected(self) -> None:
        self._introduced = self._in = self.hangs_up = False

    def _answer(self, tag: bytes, command: bytes, line: bytes) -> bytes | None:
        quirks = self.quirks
        name = re.sub(rb"^UID ", b"", command).split(b" ")[0]
        if name == quirks.bye:
            said = b"* BYE " + quirks.bye_words + b"\r\n"
            self.hangs_up = quirks.closes
            return said
        if name in quirks.answers:
            return b"%s %s\r\n" % (tag, quirks.answers[name])
        untagged, code = getattr(self, f"_{name.decode().lower()}", self._nothing)(line)
        news = quirks.news if name in {b"SEARCH", b"FETCH", b"EXAMINE"} else b""
        lines = (one.partition(b"\r\n") for one in untagged)
        told = b"".join(news + quirks.spelling(line + end) + literal for line, end, literal in lines)
        if code.startswith((b"NO", b"BAD")):
            return told + quirks.spelling(b"%s %s\r\n" % (tag, code))
        return told + news + quirks.spelling(b"%s OK %sdone\r\n" % (tag, code))

    def _nothing(self, _: bytes) -> tuple[list[bytes], bytes]:
        return [], b""

    def _abilities(self) -> bytes:
        return (self._in and self.quirks.capabilities_after_login) or self.quirks.capabilities

    def _capability(self, _: bytes) -> tuple[list[bytes], bytes]:
        told = self.quirks.told_with == "command" or not (self._in or self.quirks.told_with == "greeting")
        return [b"* CAPABILITY " + self._abilities() + b"\r\n"] if told else [], b""

    def _login(self, _: bytes) -> tuple[list[bytes], bytes]:
        self._in = True
        return [], b"[CAPABILITY " + self._abilities() + b"] " if self.quirks.told_with == "login" else b""

    def _id(self, _: bytes) -> tuple[list[bytes], bytes]:
        self._introduced = True
        return [self.quirks.id_answer + b"\r\n"], b""

    def _list(self, _: bytes) -> tuple[list[bytes], bytes]:
        told = b'* LIST (\\HasNoChildren) "%s" "%s"\r\n'
        return [told % (self.quirks.delimiter, name.encode()) for name in self.folders], b""

    def _examine(self, line: bytes) -> tuple[list[bytes], bytes]:
        quirks, name = self.quirks, line.split(b" ", 2)[2].strip().strip(b'"').decode()
        if quirks.wants_id and not self._introduced:
            return [], b"NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"
        if name not in self.folders:
            return [], b"NO [NONEXISTENT] no such mailbox"
        self._open = self.folders[name]
        told = [b"* FLAGS (\\Seen \\Deleted)\r\n"]
        told += [b"* %d EXISTS\r\n" % (len(self._open) if quirks.exists is None else quirks.exists), b"* 0 RECENT\r\n"]
        told += [b"* OK [UIDVALIDITY %d] x\r\n" % quirks.uidvalidity] if quirks.uidvalidity is not None else []
        uidnext = max(self._open, default=0) + 1 if quirks.uidnext == -1 else quirks.uidnext
        told += [b"* OK [UIDNEXT %d] x\r\n" % uidnext] if uidnext is not None else []
        return [*told, *quirks.examine.splitlines(keepends=True)], b"[READ-ONLY] "

    def _search(self, line: bytes) -> tuple[list[bytes], bytes]:
        if b"CHARSET" in line.upper() or not line.isascii():
            return [], b"NO [BADCHARSET (US-ASCII)] The specified charset is not supported."
        *_, key, wanted = line.upper().split()
        by_place = key == b"SEARCH"  # `UID SEARCH *`
        found = self.quirks.finds([max(self._open)] if by_place and self._open else self._asked(wanted))
        lines = [found] if not self.quirks.find_lines else [
            found[at : at + self.quirks.find_lines] for at in range(0, len(found), self.quirks.find_lines)
        ]  # fmt: skip
        return [b"* SEARCH " + b" ".join(b"%d" % uid for uid in some) + b"\r\n" for some in lines], b""

    def _fetch(self, line: bytes) -> tuple[list[bytes], bytes]:
        wanted = self.quirks.gives([uid for uid in self._asked(line.split()[3]) if uid in self._open])
        return [one for uid in wanted for one in self._fetched(uid, line.upper())], b""

    def _fetched(self, uid: int, line: bytes) -> list[bytes]:
        quirks, raw = self.quirks, self._open[uid]
        head = raw.partition(b"\n\n")[0] + b"\r\n\r\n"
        name, data = (b"BODY[HEADER.FIELDS (From Subject)]<0>", head) if b"HEADER" in line else (b"BODY[]<0>", raw)
        items = [b"RFC822.SIZE %d" % len(raw), b'INTERNALDATE "10-Sep-2026 08:15:30 +0000"']
        items += [quirks.more_items] if quirks.more_items else []
        items.append(name + b" " + quirks.content(uid, data))
        place = list(self._open).index(uid) + 1
        groups = [[item] for item in items] if quirks.split else [items]
        return [b"* %d FETCH (UID %d %s)\r\n" % (place, uid, b" ".join(some)) for some in groups]

    def _logout(self, _: bytes) -> tuple[list[bytes], bytes]:
        return [b"* BYE bye\r\n"], b""

    def _asked(self, sequence: bytes) -> list[int]:
        found: list[int] = []
        newest = self.quirks.star or max(self._open, default=0)
        for piece in sequence.split(b","):
            first, _, last = piece.replace(b"*", b"%d" % newest).partition(b":")
            low, high = sorted((int(first), int(last or first)))
            if b"*" in piece and not self.quirks.names_last and int(first) > newest:
                continue
            found += [uid for uid in self._open if low <= uid <= high]
        return found
