"""All that is kept about one buyer, for their request; and what is taken out, for good: aliases, names, bytes of mails.

Order ids and dates stay, so that nobody who opted out is messaged. In the place of an alias comes a word that leads to
nobody, the same for all orders of that buyer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nosend.errors import UnknownKeyError
from nosend.identifiers import FORGOTTEN
from nosend.model import Event
from nosend.store import changelog, converting, entries, file, rows, wiping
from nosend.store.beside import Beside
from nosend.store.ledger import Ledger

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from nosend.identifiers import Key
    from nosend.store.rows import Plain

    Report = dict[str, list[dict[str, Plain]]]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was taken out: aliases of buyers, rows of mails and events without names now, mails whose bytes went.

    `entries` counts the entries of buyers that are off the list by that; their orders stay on it.
    """

    buyers: int
    mails: int
    events: int
    bytes_of: int
    entries: int


class Stored(Beside):
    """The reading side for a buyer's request."""

    _must_have_been_read = False

    def report(self, key: Key) -> Report:
        """Give each row that is about a buyer, or about the buyer of an order, by table and column."""
        asked = (key.kind, self._kept(key))
        return {
            table: [dict(zip(names, row, strict=True)) for row in self._query(_ABOUT + query, *asked)]
            for table, (names, query) in _REPORT.items()
        }


class Privacy(Ledger):
    """The writing side. Each method is one transaction; what it takes out is wiped off the file by `wipe` after it."""

    def forget(self, key: Key, now: datetime) -> Forgotten:
        """Take out what names a buyer, or the buyer of an order. Raises UnknownKeyError when there is nothing."""
        with file.transaction(self._path, self._db) as db:
            _make_tables(db)
            asked = (key.kind, converting.names(self._path, db).kept(key.value))
            for statement in _OF_KEY:
                db.execute(statement, asked)
            if not any(db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in _TABLES):
                raise UnknownKeyError(f"nothing is kept about {key.value}: `nosend privacy report` shows what is")
            return _take_out(db, now)

    def purge(self, older: datetime, now: datetime) -> Forgotten:
        """Take out the names in all mails and events before a time, and the buyers of whom nothing is known since."""
        with file.transaction(self._path, self._db) as db:
            _make_tables(db)
            for statement in _OLD:
                db.execute(statement, {"older": rows.stamp(older)})
            return _take_out(db, now)


def _make_tables(db: sqlite3.Connection) -> None:
    for table, columns in _TABLES.items():
        db.execute(f"DROP TABLE IF EXISTS {table}")
        db.execute(f"CREATE TEMP TABLE {table} ({columns})")


def _take_out(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Take out what stands in the temporary tables, and fold again what that bears on."""
    (buyers,) = db.execute("SELECT count(*) FROM gone_buyers").fetchone()
    removed: list[tuple[str, str]] = db.execute(_REMOVED).fetchall()
    mails, bytes_of, events, *_ = [db.execute(statement).rowcount for statement in _TAKE_OUT]
    for word, account in removed:
        entries.log_change(db, now, "removed", "buyer", word, account)
    entries.refold(db, db.execute(_CONCERNED).fetchall(), now)
    for table in _TABLES:
        db.execute(f"DROP TABLE {table}")
    if buyers or mails or events or bytes_of:
        wiping.owe(db)
    return Forgotten(buyers, mails, events, bytes_of, len(removed))


# what is about a key (?2) of a kind (?1): its buyers, their orders, what was said of them, the mails
_ABOUT = """
    WITH buyers (buyer) AS (
        SELECT ?2 WHERE ?1 = 'buyer'
        UNION SELECT buyer FROM orders WHERE ?1 = 'order' AND order_id = ?2
        UNION SELECT buyer FROM events WHERE ?1 = 'order' AND order_id = ?2 AND buyer IS NOT NULL
    ),
    ids (order_id) AS (
        SELECT ?2 WHERE ?1 = 'order'
        UNION SELECT order_id FROM orders WHERE buyer IN buyers
        UNION SELECT order_id FROM events WHERE buyer IN buyers AND order_id != ''
    ),
    said (id, mailbox, key) AS (
        SELECT id, mailbox, key FROM events WHERE buyer IN buyers
        UNION SELECT id, mailbox, key FROM events WHERE order_id IN ids
        UNION SELECT id, mailbox, key FROM events, buyers WHERE instr(lower(why), buyers.buyer)
    ),
    mails (id) AS (
        SELECT id FROM ledger WHERE buyer IN buyers
        UNION SELECT ledger.id FROM said JOIN ledger ON ledger.key = said.key AND ledger.account = said.mailbox
        UNION SELECT id FROM ledger, ids WHERE instr(orders, ' ' || ids.order_id || ' ')
        UNION SELECT id FROM ledger, buyers WHERE instr(lower(sender || subject || why), buyers.buyer)
    )
"""
_MAIL = (
    "account", "folder", "uidvalidity", "uid", "key", "sender", "subject", "verdict", "rule", "why", "orders", "buyer",
    "written_at", "received_at", "read_at",
)  # fmt: skip
_ORDER = ("account", "order_id", "buyer", "source", "known_at")
_EVENT = rows.columns(Event)
_IS_NAMED = "(kind = 'buyer' AND value IN buyers) OR (kind = 'order' AND value IN ids)"
_REPORT: dict[str, tuple[tuple[str, ...], str]] = {
    "orders": (_ORDER, f"SELECT {', '.join(_ORDER)} FROM orders WHERE order_id IN ids ORDER BY order_id, account"),
    "events": (_EVENT, f"SELECT {', '.join(_EVENT)} FROM events WHERE id IN (SELECT id FROM said) ORDER BY id"),
    "entries": (
        rows.COLUMNS,
        f"SELECT {', '.join(rows.COLUMNS)} FROM entries WHERE {_IS_NAMED} ORDER BY value, kind, account",
    ),
    "changes": (
        changelog.COLUMNS,
        f"SELECT {', '.join(changelog.COLUMNS)} FROM changes WHERE {_IS_NAMED} ORDER BY seq",
    ),
    "mails": (
        (*_MAIL, "bytes_kept"),
        f"""
        SELECT {", ".join(_MAIL)}, (SELECT length(raw) FROM kept WHERE kept.sha256 = ledger.sha256) FROM ledger
        WHERE id IN mails ORDER BY id
        """,
    ),
}
_TABLES = {
    "gone_buyers": "buyer TEXT PRIMARY KEY, word TEXT",
    "gone_events": "id INTEGER PRIMARY KEY",
    "gone_mails": "id INTEGER PRIMARY KEY",
}
_IS_KNOWN = f"substr(buyer, 1, {len(FORGOTTEN)}) != '{FORGOTTEN}'"
_WORD = f"'{FORGOTTEN}' || lower(hex(randomblob(16)))"
_CUT = "(forgotten)"  # in the place of what a mail said
_NAMES_SOMEBODY = f"(sender != '' OR subject != '' OR buyer IS NOT NULL OR why != '{_CUT}')"
_HAS_DETAILS = "instr(why, ': ')"  # what follows the rule, or the name of who decided
_OF_KEY = (
    f"""
    {_ABOUT} INSERT INTO gone_mails SELECT id FROM mails JOIN ledger USING (id)
    WHERE {_NAMES_SOMEBODY} OR sha256 IN (SELECT sha256 FROM kept)
    """,
    f"""
    {_ABOUT} INSERT INTO gone_events SELECT events.id FROM said JOIN events USING (id)
    WHERE {_HAS_DETAILS} OR (buyer IN buyers AND {_IS_KNOWN})
    """,
    f"""
    {_ABOUT} INSERT INTO gone_buyers SELECT buyer, {_WORD} FROM buyers WHERE {_IS_KNOWN} AND (
        EXISTS (SELECT 1 FROM events WHERE events.buyer = buyers.buyer)
        OR EXISTS (SELECT 1 FROM orders WHERE orders.buyer = buyers.buyer)
    )
    """,
)
_OLD = (
    f"""
    INSERT INTO gone_mails SELECT id FROM ledger WHERE coalesce(written_at, received_at, read_at) < :older
        AND ({_NAMES_SOMEBODY} OR sha256 IN (SELECT sha256 FROM kept))
    """,
    f"""
    INSERT INTO gone_buyers SELECT buyer, {_WORD} FROM (
        SELECT buyer, opted_out_at AS at FROM events WHERE buyer IS NOT NULL
        UNION ALL SELECT buyer, known_at FROM orders
        UNION ALL SELECT orders.buyer, opted_out_at FROM events JOIN orders USING (account, order_id)
    ) WHERE {_IS_KNOWN} GROUP BY buyer HAVING max(at) < :older
    """,
    f"""
    INSERT INTO gone_events SELECT id FROM events
    WHERE (opted_out_at < :older AND {_HAS_DETAILS}) OR buyer IN (SELECT buyer FROM gone_buyers)
    """,
)
_REMOVED = """
    SELECT word, account FROM entries JOIN gone_buyers ON value = buyer AND kind = 'buyer' ORDER BY account, listed_at
"""
_NEW_NAME = "(SELECT word FROM gone_buyers WHERE gone_buyers.buyer = {})"
_TAKE_OUT = (
    # first what is counted: mails, their bytes, events
    f"UPDATE ledger SET sender = '', subject = '', buyer = NULL, why = '{_CUT}' WHERE id IN gone_mails",
    "DELETE FROM kept WHERE sha256 IN (SELECT sha256 FROM ledger WHERE id IN gone_mails)",
    f"""
    UPDATE events SET why = iif({_HAS_DETAILS}, substr(why, 1, {_HAS_DETAILS} - 1), why),
        buyer = coalesce({_NEW_NAME.format("events.buyer")}, buyer)
    WHERE id IN gone_events
    """,
    f"UPDATE orders SET buyer = {_NEW_NAME.format('orders.buyer')} WHERE buyer IN (SELECT buyer FROM gone_buyers)",
    f"""
    UPDATE change_log SET value = {_NEW_NAME.format("change_log.value")}
    WHERE kind = 'buyer' AND value IN (SELECT buyer FROM gone_buyers)
    """,
    "DELETE FROM entries WHERE kind = 'buyer' AND value IN (SELECT buyer FROM gone_buyers)",
)
_CONCERNED = """
    SELECT 'order', order_id, account FROM events WHERE id IN gone_events AND order_id != ''
    UNION SELECT 'buyer', buyer, account FROM events WHERE id IN gone_events AND buyer IS NOT NULL
    UNION SELECT 'buyer', word, account FROM gone_buyers JOIN orders ON orders.buyer = word
"""
