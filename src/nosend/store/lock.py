"""One round of `sync` at a time on a database: the lock goes with the process, kill -9 included."""

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


@contextlib.contextmanager
def one_round(database: Path, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold `<database>.lock` (flock).

    Raises StoreUnavailableError when another round holds it for longer than `wait` seconds.
    """
    path = database.with_name(database.name + ".lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreUnavailableError(
            f"{str(path)!r} cannot be made ({error.strerror}): the database's folder must be writable"
        ) from error
    try:
        _acquire(handle, path, wait)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                pid = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
                raise StoreUnavailableError(
                    f"another nosend (process {pid or 'unknown'}) is at work on the database ({path}): try again later"
                ) from None
            time.sleep(0.05)
        else:
            return
