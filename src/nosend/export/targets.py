"""The configured [[export]] targets: rewritten when the list has changed, each with a manifest beside it.

The file is put in place first and its manifest second. Between the two, and after a crash there, the manifest does not
fit the file, which its sha256 tells, and `seq` is lower than what the file holds, never higher: whoever asks for the
changes after it misses none. The next run finds that they do not fit and writes both again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nosend.errors import ConfigError, DestinationError, NosendError
from nosend.export import files, formats
from nosend.store import rows
from nosend.store.lock import one_exporter
from nosend.store.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from nosend.config import Export

SCHEMA = 1  # of the manifest and of what the formats write: raised when either changes


def rewrite(targets: Sequence[Export], database: Path, now: datetime) -> tuple[NosendError, ...]:
    """Bring the targets of a database up to date, all of them from the same moment of the list.

    A target that holds what it would be given is not touched. Gives what went wrong; one that cannot be written does
    not hold up the others.
    """
    troubles: list[NosendError] = []
    try:
        with one_exporter(database), Snapshot(database) as snapshot:
            for target in targets:
                try:
                    if not _is_current(target, snapshot):
                        _write(target, snapshot, now)
                except NosendError as trouble:
                    troubles.append(trouble)
                except OSError as error:
                    troubles.append(DestinationError(f"export {str(target.file)!r} cannot be read: {error.strerror}"))
    except NosendError as trouble:
        troubles.append(trouble)
    return tuple(troubles)


@dataclass(frozen=True, slots=True)
class State:
    """How a target is: what its manifest tells of the last write, None without one, and its trouble, "" if none."""

    file: str
    generated_at: str | None
    count: int | None
    seq: int | None
    trouble: str


def states(targets: Sequence[Export], database: Path) -> tuple[State, ...]:
    """Tell how the targets are; what is in the files is not read."""
    try:
        with Snapshot(database) as snapshot:
            return tuple(_state(target, _trouble(target, snapshot)) for target in targets)
    except NosendError as trouble:
        return tuple(_state(target, str(trouble)) for target in targets)


def _state(target: Export, trouble: str) -> State:
    told = _manifest(target)
    return State(str(target.file), told.get("generated_at"), told.get("count"), told.get("seq"), trouble)


def _trouble(target: Export, snapshot: Snapshot) -> str:
    told = _manifest(target)
    if told and target.file.exists() and _is_of(told, target, snapshot):
        return ""
    folder = target.file.absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return "its folder is not there, or this user may not write in it"
    if not told:
        return "never written"
    return f"not up to date: the last change is {snapshot.seq}" if target.file.exists() else "is gone"


def _is_current(target: Export, snapshot: Snapshot) -> bool:
    """Tell whether a target holds what it would be given now."""
    told = _manifest(target)
    if not (_is_of(told, target, snapshot) and target.file.is_file()):
        return False
    stands = target.file.stat()
    if stands.st_size != told.get("bytes"):
        return False
    if stands.st_ctime_ns < target.manifest.stat().st_ctime_ns:
        return True  # nobody has written to it, or put another in its place, since the manifest was written
    with target.file.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == told.get("sha256")


def _is_of(told: dict[str, Any], target: Export, snapshot: Snapshot) -> bool:
    """Tell whether a manifest is of a target with this content, from this state of the list."""
    wanted = _wanted(target, snapshot)
    return {name: told.get(name) for name in wanted} == wanted


def _wanted(target: Export, snapshot: Snapshot) -> dict[str, Any]:
    """Give the part of a manifest by which it is seen whether the target must be written.

    With the time of the last change a database that was restored and has counted up to the same number is another one.
    """
    content = asdict(target.content) | {"columns": [list(column) for column in target.content.columns]}
    return {"schema": SCHEMA, "seq": snapshot.seq, "changed_at": snapshot.changed_at, **content}


def _manifest(target: Export) -> dict[str, Any]:
    """Read a manifest; one that is not there or makes no sense tells nothing."""
    try:
        told = json.loads(target.manifest.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _write(target: Export, snapshot: Snapshot, now: datetime) -> None:
    """Write a target and then its manifest, which gets the file's mode where it is new."""
    if target.file.exists() and not target.file.is_file():
        raise ConfigError(f"export {str(target.file)!r} is no ordinary file: name one that can be replaced")
    entries = _Counted(formats.chosen(snapshot.rows(), target.content))
    written = _Hashed(formats.text(entries, target.content))
    files.replace(target.file, written)
    told = _wanted(target, snapshot) | {
        "file": target.file.name,
        "count": entries.count,
        "bytes": written.bytes,
        "sha256": written.sha256.hexdigest(),
        "generated_at": rows.stamp(now),
    }
    mode = stat.S_IMODE(target.file.stat().st_mode)
    files.replace(target.manifest, [json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True), "\n"], mode)


class _Counted:
    """Counts what goes through."""

    def __init__(self, things: Iterable[Any]) -> None:
        self._things = things
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        for thing in self._things:
            self.count += 1
            yield thing


class _Hashed:
    """Hashes the text that goes through, as UTF-8, and counts its bytes."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = pieces
        self.sha256, self.bytes = hashlib.sha256(), 0

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces:
            encoded = piece.encode()
            self.sha256.update(encoded)
            self.bytes += len(encoded)
            yield piece
