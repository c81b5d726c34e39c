"""What `status`, `show` and `review` tell of the database. Reads only; standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nosend.errors import UnknownKeyError
from nosend.store import beside, hashing, rows
from nosend.store.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nosend.identifiers import Key


@dataclass(frozen=True, slots=True)
class Round:
    """How one mailbox fared: times as text (RFC 3339, UTC), empty or None when there was none.

    `last_mail_at` is when the newest of its mails that the ledger knows was received: of mails that neither come from
    Amazon nor look like a forward nothing is kept. `backlog` counts the UIDs that were not read yet when its folders
    were opened last, which is how many mails there were at most; None before the first.
    """

    account: str
    finished_at: str | None
    last_success_at: str | None
    trouble: str
    trouble_since: str | None
    last_mail_at: str | None = None
    backlog: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One fact in the history of a key, with the mail it came in."""

    opted_out_at: str
    recorded_at: str
    account: str
    action: str
    order_id: str
    buyer: str | None
    source: str
    why: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that a person should look at; `verdict` is `suspect` or `set_aside`."""

    id: int
    verdict: str
    written_at: str | None
    account: str
    folder: str
    uid: int | None
    sender: str
    subject: str
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail that a person can look at; `raw` is None when its bytes are not kept, or not any more.

    Not `readable`: nosend could not read it, or the process died whenever it tried.
    """

    account: str
    verdict: str
    rule: str
    why: str
    raw: bytes | None
    readable: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """How many of Amazon's mails were seen in some time, for one seller account, and what they were.

    `unknown` are those no rule knew, or not for certain, and `waiting` those of them that nobody has reviewed and that
    do not wait for what the configuration asks; a mail whose authentication failed is not Amazon's. `restricted` and
    `blocked` (a content filter) are among `other_notices`, or among the unknown ones.
    """

    account: str
    amazon: int
    opt_outs: int
    other_notices: int
    unknown: int
    waiting: int
    restricted: int
    blocked: int


@dataclass(frozen=True, slots=True)
class BytesKept:
    """How much is kept for review: bytes in all, and of waiting mails; of those how many expire soon, have expired."""

    size: int
    waiting: int
    expiring: int
    expired: int


@dataclass(frozen=True, slots=True)
class Folder:
    """How far one folder was read."""

    account: str
    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class State:
    """How it is: mailboxes, folders, mails by account and verdict (in two folders counts once), entries by kind.

    `waiting` counts the mails a person should look at, by account.
    """

    mailboxes: tuple[Round, ...]
    folders: tuple[Folder, ...]
    mails: dict[str, dict[str, int]]
    waiting: dict[str, int]
    entries: dict[str, int]


class Overview(Beside):
    """The reading side with the tables behind the list; also of a database that is still empty."""

    _must_have_been_read = False

    def key_file(self) -> Path | None:
        """Give the file of the key under which aliases are kept as hashes; None: they are kept as they are.

        Raises StoreRefusedError when it is not there, or not the key of this database.
        """
        self._names.must_be_known()
        return Path(hashing.key_file(self._path)) if self._names.are_hashes else None

    def state(self) -> State:
        """Tell how it is."""
        folders = self._query(f"SELECT {', '.join(rows.columns(Folder))} FROM cursors ORDER BY account, folder")
        mails: dict[str, dict[str, int]] = {}
        for account, verdict, count in self._query(
            "SELECT account, verdict, count(DISTINCT key) FROM ledger GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            mails.setdefault(account, {})[verdict] = count
        waiting: dict[str, int] = {}
        for one in self.waiting():
            waiting[one.account] = waiting.get(one.account, 0) + 1
        return State(
            self.rounds(),
            tuple(Folder(*row) for row in folders),
            mails,
            waiting,
            self.counts(),
        )

    def rounds(self) -> tuple[Round, ...]:
        """Tell how each mailbox fared."""
        return tuple(Round(*row) for row in self._query(_ROUNDS))

    def history(self, key: Key) -> tuple[Notice, ...]:
        """Give all that was said of a key, or of its buyer by notices for other orders, with the places of its mail.

        In the order of the times that it is about.
        """
        column = "order_id" if key.kind == "order" else "buyer"
        found = self._query(
            _HISTORY.format(said=beside.SAID.format(column=column), names=beside.NAMES[key.kind]),
            *(self._kept(key),) * 4,
        )
        return tuple(Notice(*(*row[:-2], self._places(*row[-2:]))) for row in found)

    def waiting(self) -> Iterator[Waiting]:
        """Go through suspects and what was set aside, oldest first, each mail once."""
        found = self._query(
            "SELECT min(id), verdict, written_at, account, folder, uid, sender, subject, rule, why"
            f" FROM ledger WHERE {rows.WAITS} GROUP BY account, key ORDER BY written_at, id"
        )
        return (Waiting(*row) for row in found)

    def kept(self, ident: int) -> Kept:
        """Give a mail that is kept for review, or was. Raises UnknownKeyError when there is no such mail."""
        found = self._query(
            f"SELECT account, verdict, rule, why, raw, verdict != '{rows.SET_ASIDE}' AND tries < {rows.TRIES}"
            " FROM ledger LEFT JOIN kept USING (sha256) WHERE id = ?",
            rows.ident(ident),
        )
        if not found:
            raise UnknownKeyError(f"there is no mail {ident}: `nosend review` lists them with their numbers")
        return Kept(*found[0])

    def sightings(self, since: datetime) -> tuple[Sighting, ...]:
        """Count what came from Amazon, or through a trusted forwarder, since some time; each mail once.

        By the seller account that it was addressed to.
        """
        return tuple(Sighting(*row) for row in self._query(_SIGHTINGS, rows.stamp(since)))

    def bytes_kept(self, near: datetime) -> BytesKept:
        """Tell of the bytes kept for review; `near`: kept before it, they expire soon.

        Where aliases are kept as hashes no bytes are kept, so that none are missing.
        """
        return BytesKept(*self._query(_BYTES_KEPT, rows.stamp(near))[0])

    def _places(self, mailbox: str, key: str) -> tuple[str, ...]:
        found = self._query(
            "SELECT id, folder, uid FROM ledger WHERE key = ? AND account = ? ORDER BY id", key, mailbox
        )
        return tuple(f"mail {n}: {folder}" + (f" UID {uid}" if uid is not None else "") for n, folder, uid in found)


_HISTORY = """
{said}    SELECT opted_out_at, recorded_at, account, action, order_id, buyer, source, why, mailbox, key FROM events
    WHERE id IN (SELECT id FROM said) OR (action = 'reject' AND ((mailbox, key) IN (SELECT mailbox, key FROM said)
        OR EXISTS (SELECT 1 FROM ledger WHERE ledger.account = mailbox AND ledger.key = events.key AND {names})))
    ORDER BY opted_out_at, id
"""
_ROUNDS = """
    SELECT account, finished_at, last_success_at, trouble, trouble_since,
        (SELECT max(coalesce(received_at, read_at)) FROM ledger
            WHERE ledger.account = rounds.account AND uid IS NOT NULL),
        (SELECT sum(max(0, last_uid - uid)) FROM cursors WHERE cursors.account = rounds.account)
    FROM rounds ORDER BY account
"""
# known wordings that wait for what the user asks of proof or of accounts
_OF_CONFIG = "(why LIKE '%no proof of authenticity%' OR why LIKE '%of the configured accounts%')"
# of a mail in several folders the copy counts of which most is known
_SIGHTINGS = f"""
    SELECT seller, count(*), sum(verdict = 'opt_out'), sum(verdict = 'other_notice'), sum(verdict = 'suspect'),
        sum(waits AND NOT of_config), sum(rule LIKE '%.restricted'), sum(rule LIKE '%.content-filter')
    FROM (
        SELECT seller, verdict, rule, {rows.WAITS} AS waits, {_OF_CONFIG} AS of_config,
            min(CASE verdict WHEN 'opt_out' THEN 1 WHEN 'other_notice' THEN 2 ELSE 3 END)
        FROM ledger
        WHERE sent_by IN ('amazon', 'forwarder') AND verdict IN ('opt_out', 'other_notice', 'suspect')
        AND NOT (verdict = 'suspect' AND authenticity = 'fail')
        AND coalesce(received_at, written_at, read_at) >= ?
        GROUP BY account, key
    ) GROUP BY seller ORDER BY seller
"""
_IS_KEPT = f"SELECT 1 FROM ledger WHERE ledger.sha256 = kept.sha256 AND {rows.WAITS}"
_BYTES_KEPT = f"""
    SELECT coalesce(sum(length(raw)), 0), coalesce(sum(length(raw) * waits), 0),
        coalesce(sum(waits AND kept_at < ?), 0),
        (SELECT count(DISTINCT sha256) FROM ledger WHERE sha256 NOT IN (SELECT sha256 FROM kept) AND {rows.WAITS}
            AND (SELECT fingerprint FROM policy) = '')
    FROM (SELECT raw, kept_at, EXISTS ({_IS_KEPT}) AS waits FROM kept)
"""
