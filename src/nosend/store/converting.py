"""From aliases to their hashes, in all tables at once. Works inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.identifiers import HASHED
from nosend.store import entries, hashing, rows, wiping
from nosend.store.hashing import Names

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime
    from pathlib import Path


def names(path: Path, db: sqlite3.Connection) -> Names:
    """Tell by which names buyers are kept at this moment, in a database of today's version."""
    return Names(path, db.execute("SELECT fingerprint FROM policy").fetchone()[0])


def to_hashes(path: Path, db: sqlite3.Connection, key: bytes, now: datetime) -> None:
    """Put hashes in the place of aliases, and drop the bytes of mails; each entry that looks otherwise is renewed."""
    if names(path, db).are_hashes:  # another process was faster
        return
    new = Names(path, hashing.fingerprint(key))
    db.create_function("kept", 1, lambda alias: alias and new.kept(alias), deterministic=True)
    db.create_function("kept_text", 1, new.text, deterministic=True)
    spoken_of = db.execute("SELECT order_id, buyer, account FROM events WHERE instr(why, '@')").fetchall()
    for statement in _STATEMENTS:
        db.execute(statement)
    db.execute(_RENEWED, {"at": rows.stamp(now)})
    # what an entry tells may depend on the text of reasons: which of two of the same second is the first
    orders = {("order", order, account) for order, _, account in spoken_of if order}
    buyers = {("buyer", new.kept(buyer), account) for _, buyer, account in spoken_of if buyer}
    entries.refold(db, orders | buyers, now)
    db.execute("UPDATE policy SET fingerprint = ?", (new.fingerprint,))
    wiping.owe(db)


_STATEMENTS = (
    "UPDATE events SET buyer = kept(buyer), why = kept_text(why) WHERE buyer IS NOT NULL OR instr(why, '@')",
    "UPDATE orders SET buyer = kept(buyer)",
    "UPDATE entries SET value = kept(value) WHERE kind = 'buyer'",
    "UPDATE entries SET why = kept_text(why) WHERE instr(why, '@')",
    "UPDATE change_log SET value = kept(value) WHERE kind = 'buyer'",
    """
    UPDATE ledger SET buyer = kept(buyer), why = kept_text(why), sender = kept_text(sender),
        subject = kept_text(subject)
    WHERE buyer IS NOT NULL OR instr(why, '@') OR instr(sender, '@') OR instr(subject, '@')
    """,
    "UPDATE outbox SET why = kept_text(why) WHERE instr(why, '@')",
    "UPDATE sinks SET why = kept_text(why) WHERE instr(why, '@')",
    "UPDATE rounds SET trouble = kept_text(trouble) WHERE instr(trouble, '@')",
    "UPDATE told SET why = kept_text(why) WHERE instr(why, '@')",
    "DELETE FROM kept",
)
_RENEWED = f"""
    INSERT INTO change_log (at, action, kind, value, account)
    SELECT :at, 'renewed', kind, value, account FROM entries
    WHERE kind = 'buyer' OR instr(why, '{HASHED}')
"""
