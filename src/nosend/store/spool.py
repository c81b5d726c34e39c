"""What is still to be read, read to its end before a transaction begins: a slow pipe would hold up everybody."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from typing import IO, TYPE_CHECKING, TypeVar

from nosend.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Thing = TypeVar("Thing")

_IN_MEMORY = 8_000_000  # bytes; a longer one goes to the folder for temporary files


@contextlib.contextmanager
def spooled(things: Iterable[Thing]) -> Iterator[Iterator[Thing]]:
    """Give the same things, to go through once, when the last of them is known; what `things` raises is raised here.

    Raises StoreUnavailableError when there is no room for them.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        count = 0
        for thing in things:
            count += 1
            try:
                pickle.dump(thing, spool)
            except OSError as error:
                raise StoreUnavailableError(
                    f"temporary folder {tempfile.gettempdir()!r} cannot hold what is read ({error.strerror}): make "
                    "room, or name another one in TMPDIR"
                ) from error
        spool.seek(0)
        yield _read(spool, count)


def _read(spool: IO[bytes], count: int) -> Iterator[Thing]:
    for _ in range(count):
        yield pickle.load(spool)  # noqa: S301 - written by this process a moment ago
