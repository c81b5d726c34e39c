"""The verb `init`: write the configuration, or the units for systemd."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from nosend.cli.terminal import tell
from nosend.errors import ConfigError, DestinationError

_CONFIG = Path("/etc/nosend/config.toml")  # of the units, unless one is named


@click.command()
@click.argument("file", required=False)
@click.option(
    "--systemd",
    metavar="[DIR]",
    is_flag=False,
    flag_value="-",
    help="Print units for systemd instead, or write them into DIR; FILE is the configuration that they name.",
)
def init(file: str | None, systemd: str | None) -> None:
    """Write a commented configuration to FILE (config.toml).

    Then fill in account, host and username, put the password where it says, and run `nosend sync`.
    """
    from nosend import config  # noqa: PLC0415 - each verb loads what it needs

    if systemd:
        _units(systemd, Path(file).absolute() if file else _CONFIG)
        return
    name = file or "config.toml"
    _write(Path(name), config.example(), 0o600)
    tell(
        f"wrote {name}: fill in account, host and username, put the password where password_env says "
        f"(export NOSEND_PASSWORD='...'), then run `nosend --config {name} sync`"
    )


def _units(folder: str, config: Path) -> None:
    from nosend.monitor.units import units  # noqa: PLC0415 - each verb loads what it needs

    program = _program()
    if program.is_relative_to("/home") or program.is_relative_to("/root"):
        tell(f"{program} lies in a home, which the units must not see: install nosend elsewhere, as in /opt/nosend")
    for name, text in units(program, config).items():
        if folder == "-":
            click.echo(f"# {name}\n{text}")
        else:
            _write(Path(folder) / name, text, 0o644)
            tell(f"wrote {Path(folder) / name}")


def _program() -> Path:
    """Give the whole path of the command: that of this Python, else the one on the path."""
    beside = Path(sys.executable).parent / "nosend"
    found = str(beside) if beside.exists() else shutil.which("nosend") or "/usr/local/bin/nosend"
    return Path(found).absolute()


def _write(path: Path, text: str, mode: int) -> None:
    """Write a new file; what stands there already stays."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
        except BaseException:
            path.unlink()  # half of it would keep the next `init` from writing it
            raise
    except FileExistsError:
        raise ConfigError(f"{str(path)!r} exists already and stays as it is: name another file, or edit it") from None
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{str(path)!r}: its folder does not exist, make it first") from None
    except OSError as error:
        raise DestinationError(f"{str(path)!r} cannot be written: {error.strerror}") from error
