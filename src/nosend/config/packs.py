"""The texts of the user's own language packs; what stands in them is `verdict.packfile`'s business."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 200_000  # bytes; nosend's own have 5,000


def sources(folder: Path | None) -> tuple[tuple[str, str], ...]:
    """Give the name and text of every *.toml in a folder, by name; hidden files are an editor's or the system's.

    Raises ConfigError when one cannot be read, with the mistakes of those that can.
    """
    if folder is None:
        return ()
    try:
        paths = sorted(path for path in folder.iterdir() if _is_pack(path))
    except OSError as error:
        told = f"packs = {str(folder)!r}: that folder cannot be read: {error.strerror}: make it, or mend the key packs"
        raise ConfigError(told) from error
    found: list[tuple[str, str]] = []
    problems: list[str] = []
    for path in paths:
        try:
            found.append((str(path), text(path)))
        except ConfigError as error:
            problems += error.problems
    if problems:
        from nosend.verdict import rules  # noqa: PLC0415 - needs bs4; `check` reads the configuration without

        try:
            rules.load(found)
        except ConfigError as error:
            problems += error.problems
        raise ConfigError(*problems)
    return tuple(found)


def _is_pack(path: Path) -> bool:
    return path.suffix.lower() == ".toml" and not path.name.startswith(".")


def text(path: Path) -> str:
    """Give the text of one pack. Raises ConfigError when it cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: no file that can be read")
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _LARGEST:
        raise ConfigError(f"{path}: more than {_LARGEST} bytes: no pack is as large")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8: save it as UTF-8") from error
