"""One round of `sync` at a time on a database, one writer of its exports: locks go with the process, by kill -9 too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from nosend.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT_SECONDS = 10.0


def one_round(database: Path, wait: float = _WAIT_SECONDS) -> contextlib.AbstractContextManager[None]:
    """Hold `<database>.lock` (flock).

    Raises StoreUnavailableError when another round holds it for longer than `wait` seconds.
    """
    return _held(database.with_name(database.name + ".lock"), "is at work on the database", wait)


def one_exporter(database: Path, wait: float = _WAIT_SECONDS) -> contextlib.AbstractContextManager[None]:
    """Hold `<database>.export.lock` (flock), as `one_round` does."""
    return _held(database.with_name(database.name + ".export.lock"), "writes the exports of the database", wait)


@contextlib.contextmanager
def _held(path: Path, what: str, wait: float) -> Iterator[None]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreUnavailableError(
            f"{str(path)!r} cannot be made ({error.strerror}): the database's folder must be writable"
        ) from error
    try:
        _acquire(handle, path, what, wait)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, what: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                pid = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
                raise StoreUnavailableError(
                    f"another nosend (process {pid or 'unknown'}) {what} ({path}): try again later"
                ) from None
            time.sleep(0.05)
        else:
            return
