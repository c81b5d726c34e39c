"""What SQLite's errors mean for the user, and whether trying again can help. Standard library only."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from nosend.errors import StoreRefusedError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def in_words(path: str | Path) -> Iterator[None]:
    """Raise StoreRefusedError (name another file) or StoreUnavailableError (try again) for SQLite's errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise worded(path, error) from error


def refuse_missing(path: str | Path) -> None:
    """Raise StoreRefusedError for a path that is no file, which SQLite would tell in words that help nobody."""
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib takes long to load
        what = "is not a file" if os.path.exists(path) else "does not exist"  # noqa: PTH110
        raise StoreRefusedError(f"database {str(path)!r} {what}: name the file that `nosend sync` writes")


def worded(path: str | Path, error: sqlite3.Error) -> StoreRefusedError | StoreUnavailableError:
    """Say what an error of SQLite means for who uses the database."""
    name, text = f"database {str(path)!r}", str(error)
    if "locked" in text or "busy" in text:
        return StoreUnavailableError(f"{name} is held by another process: try again later")
    if "readonly" in text or "unable to open" in text:
        return StoreRefusedError(
            f"{name}: this user cannot open it ({text}): the file and its folder must be writable (SQLite's WAL)"
        )
    if "no such table" in text or "no such column" in text:
        return StoreRefusedError(f"{name} is not nosend's ({text}): name the file that `nosend sync` writes")
    if "not a database" in text or "malformed" in text:
        return StoreRefusedError(
            f"{name} is no SQLite database ({text}): name the file that `nosend sync` writes, or restore a backup"
        )
    return StoreUnavailableError(f"{name} cannot be used ({text}): nothing was half-written; is the disk full?")
