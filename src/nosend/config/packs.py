"""The texts of the user's own language packs; what stands in them is `verdict.packfile`'s business."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def sources(folder: Path | None) -> tuple[tuple[str, str], ...]:
    """Give the name and text of every *.toml in a folder, by name. Raises ConfigError when one cannot be read."""
    if folder is None:
        return ()
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise ConfigError(f"packs = {str(folder)!r}: that folder cannot be read: {error.strerror}") from error
    return tuple((str(path), text(path)) for path in paths)


def text(path: Path) -> str:
    """Give the text of one pack. Raises ConfigError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
