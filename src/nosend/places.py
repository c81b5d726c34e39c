"""Where the configuration and the database are: all that the reading side needs of the configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nosend.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASE = "nosend.db"  # where a configuration names none


def find(given: str | None, environment: Mapping[str, str]) -> str:
    """Find the configuration file: the given one, $NOSEND_CONFIG, ./config.toml, the user's, the machine's."""
    named = given or environment.get("NOSEND_CONFIG")
    if named:
        return named
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - as below
    # pathlib takes a seventh of the time in which `check` answers
    places = ("config.toml", os.path.join(home, "nosend", "config.toml"), "/etc/nosend/config.toml")  # noqa: PTH118
    for place in places:
        if os.path.exists(place):  # noqa: PTH110
            return place
    raise ConfigError(
        f"no configuration: looked for {', '.join(places)}. `nosend init` writes one; --config FILE names another"
    )


def read(path: str) -> dict[str, Any]:
    """Read a configuration file as it stands. Raises ConfigError."""
    import tomllib  # noqa: PLC0415 - `check --database` needs none

    try:
        with open(path, encoding="utf-8-sig") as stream:  # noqa: PTH123
            return tomllib.loads(stream.read())
    except FileNotFoundError as error:
        raise ConfigError(f"configuration {path!r} does not exist: `nosend init {path}` writes one") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path!r} is not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"configuration {path!r} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration {path!r} is not TOML: {error}") from error


def database(path: str, table: dict[str, Any]) -> str | None:
    """Give the database that a configuration names, whatever else is wrong in it; None when that is no name.

    A name that is not absolute is beside the configuration.
    """
    name = table.get("database", DATABASE)
    if not isinstance(name, str) or not name.strip():
        return None
    return os.path.join(os.path.dirname(path), os.path.expanduser(name))  # noqa: PTH111, PTH118, PTH120
