"""What a mailer should know beside the list: what is not listed for a reason, or may stand in a mail that waits.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.store import rows, version
from nosend.store.blacklist import Blacklist

if TYPE_CHECKING:
    import sqlite3

    from nosend.identifiers import Key


class Beside(Blacklist):
    """The blacklist with the tables behind it, of which there must be today's version."""

    def _check_that_it_is_one(self, db: sqlite3.Connection) -> None:
        super()._check_that_it_is_one(db)
        version.refuse_older(self._path, db)

    def never_read(self) -> tuple[str, ...]:
        """Give the accounts whose mailbox was never read to its end: what is not listed may stand there."""
        return tuple(
            name for (name,) in self._query("SELECT account FROM rounds WHERE last_success_at IS NULL ORDER BY 1")
        )

    def is_suspected(self, key: Key) -> bool:
        """Tell whether a mail that waits for a person names this key."""
        return bool(
            self._query(f"SELECT 1 FROM ledger WHERE {rows.WAITS} AND {NAMES[key.kind]} LIMIT 1", self._kept(key))
        )

    def _kept(self, key: Key) -> str:
        return self._names.kept(key.value)

    def why_off(self, key: Key) -> str:
        """Tell why a key that something listed is not listed: a person's word, or its age; "" if nothing listed it."""
        column = "order_id" if key.kind == "order" else "buyer"
        value = self._kept(key)
        said = self._query(_WORDS.format(column=column), *(value,) * 2)
        last = {action: f"{why} ({at[:10]})" for action, why, at in said}
        actions = [action for action, *_ in said]
        if "allow" in actions and "disallow" not in actions[actions.index("allow") :]:
            return last["allow"]
        if "remove" in actions:
            return last["remove"]
        ended = self._query(SAID.format(column=column) + _ENDED, *(value,) * 3)
        return "its entry ended some days after the last notice, as expire_days says" if ended else ""


NAMES = {"order": "instr(ledger.orders, ' ' || ? || ' ')", "buyer": "ledger.buyer = ?"}
SAID = """
    WITH said AS (
        SELECT * FROM events WHERE {column} = ?
        UNION
        SELECT events.* FROM orders JOIN events ON events.account = orders.account AND events.buyer = orders.buyer
        WHERE orders.{column} = ?
        UNION
        SELECT events.* FROM orders JOIN orders other USING (account, buyer)
        JOIN events ON events.account = other.account AND events.order_id = other.order_id
        WHERE orders.{column} = ? AND events.action IN ('opt_out', 'accept')
    )
"""
_WORDS = """
    WITH said AS (
        SELECT * FROM events WHERE {column} = ?
        UNION
        SELECT events.* FROM orders JOIN events ON events.account = orders.account AND events.buyer = orders.buyer
        WHERE orders.order_id = ? AND events.order_id = ''
    )
    SELECT action, why, recorded_at FROM said WHERE action IN ('allow', 'disallow', 'remove') ORDER BY id
"""
_ENDED = """
    SELECT 1 FROM said WHERE action IN ('opt_out', 'accept', 'add', 'import')
        AND EXISTS (SELECT 1 FROM policy WHERE expire_days > 0) LIMIT 1
"""
