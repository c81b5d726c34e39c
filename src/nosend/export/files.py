"""A file is replaced whole or not at all: temporary file beside it, fsync, rename.

A temporary file is locked (flock) as long as its writer lives: what a killed one left behind is known by that, and the
next writer of the same file removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nosend.errors import ConfigError, DestinationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def replace(path: Path, pieces: Iterable[str], mode: int = 0o600) -> None:
    """Write text (UTF-8) to a file, so that a reader at any moment sees the old or the new one, whole.

    Raises what `replacing` raises. A pipe or device is written to as it is.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with _told(path), path.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(pieces)
        return
    with replacing(path, mode) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(pieces)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """Give an empty file to write to, which takes the place of another one when the block ends without an exception.

    A new file gets this mode, an old one keeps its mode and owner. Raises ConfigError for a place where no file can be,
    DestinationError when it cannot be written; the old file is untouched then.
    """
    with _told(path):
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        _remove_left_over(target)
        handle, temporary = _temporary(target)
        try:
            yield temporary
            if target.exists():
                old = target.stat()
                mode = stat.S_IMODE(old.st_mode)
                with contextlib.suppress(PermissionError):  # only root gives files away
                    os.fchown(handle, old.st_uid, old.st_gid)
            os.fchmod(handle, mode)
            os.fsync(handle)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ConfigError(
            f"{str(path)!r} is no file that can be made ({error.strerror}): name one in a folder that is there"
        ) from error
    except OSError as error:
        raise DestinationError(
            f"{str(path)!r} cannot be written ({error.strerror}): what stood there is untouched"
        ) from error


def _temporary(target: Path) -> tuple[int, Path]:
    """Make a temporary file, open and locked."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_SUFFIX, dir=target.parent)
        with contextlib.suppress(OSError):  # a file system without locks: then nothing is removed there, either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # another writer took it for left over before it was locked


def _remove_left_over(target: Path) -> None:
    for left in target.parent.glob(f".{glob.escape(target.name)}.????????{_SUFFIX}"):
        with contextlib.suppress(OSError):  # its writer lives, or has just ended
            handle = os.open(left, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(handle)


_SUFFIX = ".nosend-tmp"
