"""The tables and views, and how older databases become newer ones. The only place that names them.

Other tools read the views `blacklist` and `changes`: those columns are a contract. Times are RFC 3339 in UTC
with seconds ("2026-09-10T08:15:30Z"), so that they sort as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("nosend")


@migrations()
def first_tables(db: Database) -> None:
    """Make the tables of version 0.1. STRICT: a column holds what it says (SQLite 3.37)."""
    _run(db, _FIRST_TABLES)


@migrations()
def decisions(db: Database) -> None:
    """Let a person's decisions be events, mails be of another account than their mailbox's, and be judged again."""
    _run(db, _DECISIONS)


@migrations()
def authenticity(db: Database) -> None:
    """Let what is known of a mail's sender be asked: a forger writes any From he likes."""
    _run(db, _AUTHENTICITY)


@migrations()
def told(db: Database) -> None:
    """Let it be remembered what `on_change_command` was told."""
    _run(db, _TOLD)


@migrations()
def backlog(db: Database) -> None:
    """Let it be known how far a folder was still to be read when it was opened last."""
    _run(db, _BACKLOG)


@migrations()
def settled(db: Database) -> None:
    """Let it be known what was done with a recognised notice in its mailbox."""
    _run(db, _SETTLED)


@migrations()
def spans(db: Database) -> None:
    """Let a first look from a day on be finished as it was begun; let a folder be known to be unchanged."""
    _run(db, _SPANS)


@migrations()
def orders(db: Database) -> None:
    """Let it be known whose an order is, so that an opt-out blocks the buyer's other orders."""
    _run(db, _ORDERS)


@migrations()
def outbox(db: Database) -> None:
    """Let it be known how far each sink is, and which changes wait or are parked."""
    _run(db, _OUTBOX)


@migrations()
def lookups(db: Database) -> None:
    """Find an order or a buyer among the orders without an account; DuckDB takes an unquoted `at` for a keyword."""
    _run(db, _LOOKUPS)


@migrations()
def privacy(db: Database) -> None:
    """Let it be known whether aliases are kept as hashes, and whether bytes of what was forgotten may be left."""
    _run(db, _PRIVACY)


@migrations()
def buyers_orders(db: Database) -> None:
    """Find the orders of a buyer by the buyer: SQLite went through all orders of the account instead."""
    _run(db, _BUYERS_ORDERS)


def _run(db: Database, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


_FIRST_TABLES = """
-- one row for each mail that was read; folder is an IMAP folder, or the file for what `scan` read;
-- orders holds the ids with a space around each
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    folder TEXT NOT NULL,
    uidvalidity INTEGER,
    uid INTEGER,
    key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    rule TEXT NOT NULL,
    rule_version INTEGER NOT NULL,
    why TEXT NOT NULL,
    orders TEXT NOT NULL,
    buyer TEXT,
    sender TEXT NOT NULL,
    subject TEXT NOT NULL,
    written_at TEXT,
    received_at TEXT,
    read_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX ledger_place ON ledger (account, folder, uidvalidity, uid) WHERE uid IS NOT NULL;
CREATE UNIQUE INDEX ledger_file ON ledger (account, folder, sha256) WHERE uid IS NULL;
CREATE INDEX ledger_key ON ledger (key);
CREATE INDEX ledger_verdict ON ledger (verdict, account);
-- the bytes of suspects and of what was set aside, once, however often they were seen
CREATE TABLE kept (
    sha256 TEXT PRIMARY KEY,
    raw BLOB NOT NULL
) STRICT;
-- the truth: what was said about whom; key is the mail it came in
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    order_id TEXT NOT NULL,
    buyer TEXT,
    marketplace TEXT,
    source TEXT NOT NULL,
    why TEXT NOT NULL,
    opted_out_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    UNIQUE (account, key, order_id)
) STRICT;
CREATE INDEX events_order ON events (order_id);
CREATE INDEX events_buyer ON events (buyer) WHERE buyer IS NOT NULL;
-- derived from the events
CREATE TABLE entries (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    account TEXT NOT NULL,
    marketplace TEXT,
    opted_out_at TEXT NOT NULL,
    listed_at TEXT NOT NULL,
    last_notice_at TEXT NOT NULL,
    notices INTEGER NOT NULL,
    source TEXT NOT NULL,
    why TEXT NOT NULL,
    expires_at TEXT,
    PRIMARY KEY (value, kind, account)
) STRICT, WITHOUT ROWID;
CREATE TABLE change_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    account TEXT NOT NULL
) STRICT;
-- how far each folder was read; in_hand and attempts tell of a batch that was begun and never finished
CREATE TABLE cursors (
    account TEXT NOT NULL,
    folder TEXT NOT NULL,
    origin TEXT NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    in_hand INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, folder)
) STRICT, WITHOUT ROWID;
-- how each mailbox fared in its last round; finished_at is NULL while its first round is under way
CREATE TABLE rounds (
    account TEXT PRIMARY KEY,
    finished_at TEXT,
    last_success_at TEXT,
    trouble TEXT NOT NULL,
    trouble_since TEXT
) STRICT;
CREATE VIEW blacklist AS
    SELECT kind, value, account, marketplace, opted_out_at, listed_at, last_notice_at, notices, source, why, expires_at
    FROM entries;
CREATE VIEW changes AS
    SELECT seq, at, action, kind, value, account
    FROM change_log
"""

_DECISIONS = """
-- seller: the account that the mail was addressed to; sent_by: amazon, forwarder or other; judged_by: rules and trust;
-- trying and tries count how often judging it again by new rules was begun and not finished
ALTER TABLE ledger ADD COLUMN seller TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN sent_by TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN marketplace TEXT;
ALTER TABLE ledger ADD COLUMN judged_by TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN trying TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
UPDATE ledger SET
    seller = account,
    sent_by = iif(verdict IN ('opt_out', 'other_notice') AND rule != 'buyer-message', 'amazon', 'other');
CREATE INDEX ledger_sha256 ON ledger (sha256);
ALTER TABLE kept ADD COLUMN kept_at TEXT NOT NULL DEFAULT '';
-- of a mail whose place another one took there are bytes without a row: they go first
UPDATE kept SET kept_at = coalesce((SELECT min(read_at) FROM ledger WHERE ledger.sha256 = kept.sha256), '');
CREATE TABLE new_events (
    id INTEGER PRIMARY KEY,
    mailbox TEXT NOT NULL,
    key TEXT NOT NULL,
    account TEXT NOT NULL,
    action TEXT NOT NULL,
    order_id TEXT NOT NULL,
    buyer TEXT,
    marketplace TEXT,
    source TEXT NOT NULL,
    why TEXT NOT NULL,
    opted_out_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL
) STRICT;
INSERT INTO new_events
    SELECT id, account, key, account, 'opt_out', order_id, buyer, marketplace, source, why, opted_out_at, recorded_at
    FROM events;
DROP TABLE events;
ALTER TABLE new_events RENAME TO events;
CREATE UNIQUE INDEX events_notice ON events (mailbox, key, order_id) WHERE action = 'opt_out';
CREATE INDEX events_mail ON events (key, mailbox);
CREATE INDEX events_order ON events (order_id);
CREATE INDEX events_buyer ON events (buyer) WHERE buyer IS NOT NULL
"""

_AUTHENTICITY = """
-- pass, fail or unknown; empty where it was judged before this column
ALTER TABLE ledger ADD COLUMN authenticity TEXT NOT NULL DEFAULT ''
"""

_TOLD = """
-- conditions that on_change_command was told, until they are over
CREATE TABLE told (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    since TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID
"""

_BACKLOG = """
-- last_uid: the highest UID that the folder may have held when it was opened last; 0: not known
ALTER TABLE cursors ADD COLUMN last_uid INTEGER NOT NULL DEFAULT 0
"""

_SETTLED = """
-- what was done with a notice where it lies, and when; empty: nothing. `mailbox.settling` says what stands there
ALTER TABLE ledger ADD COLUMN settled TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN settled_at TEXT;
CREATE INDEX ledger_settled ON ledger (account, folder, uidvalidity, settled, uid)
    WHERE verdict = 'opt_out' AND uid IS NOT NULL
"""

_SPANS = """
-- since: the day from which on mails are looked at, while a first look is not through; modseq: what the server told
-- when the folder was read to its end
ALTER TABLE cursors ADD COLUMN since TEXT NOT NULL DEFAULT '';
ALTER TABLE cursors ADD COLUMN modseq INTEGER NOT NULL DEFAULT 0
"""

_ORDERS = """
-- whose an order is, told by an order report or by sent mail
CREATE TABLE orders (
    account TEXT NOT NULL,
    order_id TEXT NOT NULL,
    buyer TEXT NOT NULL,
    source TEXT NOT NULL,
    known_at TEXT NOT NULL,
    PRIMARY KEY (account, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_buyer ON orders (account, buyer);
-- one row: days after the last notice after which an entry ends, 0: never; it ends for readers at that second
CREATE TABLE policy (expire_days INTEGER NOT NULL) STRICT;
INSERT INTO policy VALUES (0);
CREATE INDEX entries_expire ON entries (expires_at) WHERE expires_at IS NOT NULL;
DROP VIEW blacklist;
CREATE VIEW blacklist AS
    SELECT kind, value, account, marketplace, opted_out_at, listed_at, last_notice_at, notices, source, why, expires_at
    FROM entries WHERE expires_at IS NULL OR expires_at > strftime('%Y-%m-%dT%H:%M:%SZ', 'now');
CREATE INDEX events_decided ON events (key, mailbox) WHERE action IN ('accept', 'reject')
"""

_OUTBOX = """
-- how far each sink is: changes up to seq are delivered, or in the outbox. failures: attempts since the last success;
-- nothing is sent before due_at, or while parked_at is set; claimed: by whom and how long an attempt may be under way
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since TEXT,
    due_at TEXT NOT NULL DEFAULT '',
    parked_at TEXT,
    why TEXT NOT NULL DEFAULT '',
    claimed_by TEXT NOT NULL DEFAULT '',
    claimed_until TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
-- changes that were tried in vain, or wait behind such a one of the same key; a parked one is not tried by itself
CREATE TABLE outbox (
    sink TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    first_at TEXT,
    tried_at TEXT NOT NULL DEFAULT '',
    due_at TEXT NOT NULL DEFAULT '',
    parked_at TEXT,
    why TEXT NOT NULL,
    PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_waiting ON outbox (sink, tried_at, seq) WHERE parked_at IS NULL;
CREATE INDEX change_log_value ON change_log (value)
"""

_LOOKUPS = """
CREATE INDEX orders_order ON orders (order_id);
DROP INDEX orders_buyer;
CREATE INDEX orders_buyer ON orders (buyer, account);
DROP VIEW changes;
CREATE VIEW changes AS
    SELECT seq, "at", action, kind, value, account
    FROM change_log
"""

_PRIVACY = """
-- fingerprint of the key under which aliases are kept as hashes; empty: they are kept as they are. remnants: 1 while
-- the file may still hold bytes of what was taken out
ALTER TABLE policy ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
ALTER TABLE policy ADD COLUMN remnants INTEGER NOT NULL DEFAULT 0
"""

_BUYERS_ORDERS = """
-- the primary key, account and order_id, follows by itself in a table without rowid; if the index names the account,
-- SQLite takes the primary key instead
DROP INDEX orders_buyer;
CREATE INDEX orders_buyer ON orders (buyer)
"""
