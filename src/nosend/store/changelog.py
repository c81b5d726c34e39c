"""The numbered changes of the list: which of them are known. Standard library only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.entry import Change
from nosend.errors import UnknownChangeError
from nosend.store import rows

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = rows.columns(Change)
# AUTOINCREMENT keeps the last number even when its change is not kept
POSITION = """
    WITH last (seq) AS (SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change_log'), 0))
    SELECT seq, coalesce((SELECT min(seq) FROM changes), seq + 1), (SELECT at FROM changes WHERE seq = last.seq)
    FROM last
"""


def must_be_known(path: str | Path, since: int, first: int, last: int) -> None:
    """Refuse a number after which changes may be missing, in a log that holds those from `first` to `last`."""
    if since > last:
        raise UnknownChangeError(
            f"there is no change {since}: the last of database {str(path)!r} is {last}. Was the database replaced? "
            "Take the whole list (`nosend export`)"
        )
    if since < first - 1:
        raise UnknownChangeError(
            f"the changes after {since} are not kept any more: the log begins with {first}. Take the whole list "
            "(`nosend export`)"
        )
