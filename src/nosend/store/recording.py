"""How a judged mail is written: its ledger row, its bytes if a person may want them, its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from nosend import standing
from nosend.model import Action, Authenticity, Event, Kind, Mail, Place, Sender
from nosend.store import entries, rows

if TYPE_CHECKING:
    import sqlite3

    from nosend.model import Judged
    from nosend.store.hashing import Names


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch changed: entries added and renewed, mails for a person to look at."""

    listed: int = 0
    renewed: int = 0
    suspects: int = 0
    set_aside: int = 0

    def __add__(self, other: Recorded) -> Recorded:
        """Add up two batches."""
        return Recorded(
            self.listed + other.listed,
            self.renewed + other.renewed,
            self.suspects + other.suspects,
            self.set_aside + other.set_aside,
        )


def as_known(db: sqlite3.Connection, judged: Judged) -> Judged:
    """See to it that the same bytes in one mailbox are known by one key.

    A mail that was set aside is known by its bytes, until a later nosend can read its Message-ID. What was said of it
    before stands: nothing that a person decided comes back, nothing counts twice.
    """
    same = (judged.mail.place.account, judged.sha256)
    found = db.execute(_KNOWN_KEY, same).fetchone() if judged.mail.raw else None
    key, is_said = found or (judged.key, False)
    if is_said or judged.verdict is None:
        return replace(judged, key=key)
    if key != judged.key:
        db.execute("UPDATE ledger SET key = ? WHERE account = ? AND sha256 = ?", (judged.key, *same))
    return judged


def as_kept(judged: Judged, names: Names) -> Judged:
    """Put the names by which buyers are kept in the place of their aliases."""
    verdict = judged.verdict
    if not names.are_hashes:
        return judged
    if verdict:
        verdict = replace(
            verdict,
            why=names.text(verdict.why),
            buyer=verdict.buyer and names.kept(verdict.buyer),
            opt_outs=tuple(replace(one, buyer=one.buyer and names.kept(one.buyer)) for one in verdict.opt_outs),
        )
    sender, subject, trouble = map(names.text, (judged.sender, judged.subject, judged.trouble))
    return replace(judged, verdict=verdict, sender=sender, subject=subject, trouble=trouble)


def write_row(db: sqlite3.Connection, judged: Judged, now: datetime, *, with_bytes: bool = True) -> bool:
    """Write the row of a mail, and its bytes if a person may want them; tell whether it is a new one for a person."""
    mail, verdict = judged.mail, judged.verdict
    matters = verdict is None or verdict.kind is Kind.SUSPECT
    known = matters and db.execute(_SAME_MAIL, (judged.key, mail.place.account)).fetchone()
    row = {
        **rows.values(mail.place),
        **verdict_row(judged),
        "sha256": judged.sha256,
        "size": mail.size,
        "received_at": mail.received_at and rows.stamp(mail.received_at),
        "read_at": rows.stamp(now),
        "settled": "",  # where another mail took the place of one that was settled
    }
    db.execute(_put_row(tuple(row)), row)
    if matters and with_bytes:
        kept = (judged.sha256, mail.raw, rows.stamp(now))
        db.execute("INSERT OR IGNORE INTO kept (sha256, raw, kept_at) VALUES (?, ?, ?)", kept)
    return matters and not known


@cache
def _put_row(names: tuple[str, ...]) -> str:
    columns = ", ".join(names)
    changes = f"DO UPDATE SET ({columns}) = ({', '.join(f'excluded.{name}' for name in names)})"
    return (
        f"INSERT INTO ledger ({columns}) VALUES ({entries.places(names)})"
        # another mail at a known place: the mailbox was exchanged for one that counts its UIDs alike
        f" ON CONFLICT (account, folder, uidvalidity, uid) WHERE uid IS NOT NULL {changes}"
        f" WHERE ledger.key != excluded.key OR {_READ_AT_LAST} OR {_JUDGED_AGAIN}"
        # the same file again, by other rules or with other trust
        f" ON CONFLICT (account, folder, sha256) WHERE uid IS NULL {changes}"
        " WHERE ledger.judged_by != excluded.judged_by"
    )


def verdict_row(judged: Judged) -> dict[str, str | int | None]:
    """Write what was found in a mail, as columns of the ledger."""
    verdict = judged.verdict
    return {
        "key": judged.key,
        "verdict": verdict.kind if verdict else rows.SET_ASIDE,
        "rule": verdict.rule if verdict else "",
        "rule_version": verdict.version if verdict else 0,
        "why": verdict.why if verdict else judged.trouble,
        "orders": " ".join(["", *verdict.orders, ""]) if verdict else "",
        "buyer": verdict.buyer if verdict else None,
        "marketplace": verdict.marketplace if verdict else None,
        "sender": judged.sender,
        "subject": judged.subject,
        "written_at": rows.stamp(judged.written_at) if judged.written_at else None,
        "seller": judged.account or judged.mail.place.account,
        "sent_by": verdict.sender if verdict else Sender.OTHER,
        "authenticity": verdict.authenticity if verdict else Authenticity.UNKNOWN,
        "judged_by": judged.judged_by,
    }


def kept_mail(db: sqlite3.Connection, ident: int) -> Mail:
    """Read a mail whose bytes are kept, by the id of its ledger row."""
    account, folder, uidvalidity, uid, received_at, size, raw = db.execute(_KEPT_MAIL, (ident,)).fetchone()
    received = datetime.fromisoformat(received_at) if received_at else None
    return Mail(raw, Place(account, folder, uidvalidity, uid), received, size)


def for_a_person(judged: Judged) -> Recorded:
    """Count a mail that a person must look at."""
    if judged.verdict is None:
        return Recorded(set_aside=1)
    return Recorded(suspects=int(judged.verdict.kind is Kind.SUSPECT))


def write_opt_outs(db: sqlite3.Connection, judged: Judged, now: datetime) -> Recorded:
    """Write the events of a mail and fold them; of a mail that a person decided about nothing is written."""
    verdict, mail = judged.verdict, judged.mail
    if verdict is None or not verdict.opt_outs or entries.is_decided(db, mail.place.account, judged.key):
        return Recorded()
    changed: set[entries.Key] = set()
    now = now.replace(microsecond=0)  # as the database keeps it, so that `rebuild` folds the same
    for one in verdict.opt_outs:
        event = Event(
            mailbox=mail.place.account,
            key=judged.key,
            account=one.account or mail.place.account,
            action=Action.OPT_OUT,
            order_id=one.order_id,
            buyer=one.buyer,
            marketplace=one.marketplace,
            source="forward" if verdict.sender is Sender.FORWARDER else "notice",
            why=f"{verdict.rule}: {verdict.why}",
            opted_out_at=one.written_at or judged.written_at or now,
            recorded_at=now,
        )
        if entries.write_event(db, event):
            changed.update((*key, event.account) for key in standing.keys(event))
    folded = entries.refold(db, changed, now)
    return Recorded(listed=folded.added, renewed=folded.renewed)


_READ_AT_LAST = f"(ledger.verdict = '{rows.SET_ASIDE}' AND excluded.verdict != '{rows.SET_ASIDE}')"
_JUDGED_AGAIN = f"(ledger.rule = '{rows.PASSED_OVER}' AND ledger.judged_by != excluded.judged_by)"
_SAME_MAIL = "SELECT 1 FROM ledger WHERE key = ? AND account = ?"
_KNOWN_KEY = """
    SELECT key, EXISTS (SELECT 1 FROM events WHERE events.mailbox = ledger.account AND events.key = ledger.key) AS said
    FROM ledger WHERE account = ? AND sha256 = ? ORDER BY said DESC, id LIMIT 1
"""
_KEPT_MAIL = """
    SELECT account, folder, uidvalidity, uid, received_at, size, raw FROM ledger JOIN kept USING (sha256) WHERE id = ?
"""
