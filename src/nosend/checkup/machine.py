"""What lies on this machine: packs, database, free space, permissions, and where nosend tells how it is."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import timedelta
from typing import TYPE_CHECKING

from nosend import health
from nosend.checkup import Finding, in_turn, ok, warning
from nosend.config import packs
from nosend.errors import ConfigError, StoreUnavailableError
from nosend.judging import now
from nosend.store.overview import Overview
from nosend.store.probe import try_to_write
from nosend.verdict import rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nosend.config import Settings
    from nosend.verdict.rules import Rules

_LEAST_FREE = 20_000_000  # bytes, below which SQLite will soon write nothing


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at everything that needs no server. One group that failed does not hold up the others."""
    for group in ((_packs,), (_readable, _writable), (_space,), (_permissions,), (_outside,)):
        yield from in_turn(group, settings)


def rules_of(settings: Settings) -> Rules:
    """Give the rules to judge by; nosend's own where the user's packs are wrong, which `findings` tells."""
    try:
        return rules.load(packs.sources(settings.packs))
    except ConfigError:
        return rules.builtin()


def _packs(settings: Settings) -> Iterator[Finding]:
    known = rules.load(packs.sources(settings.packs))
    own = [pack.name for pack in known.packs if pack.source != "built in"]
    yield ok(f"{len(known.packs)} language packs, of your own: {', '.join(own) or 'none'}")
    replaced = [pack.name for pack in rules.builtin().packs if pack.name in own]
    if replaced:
        yield warning(
            f"these go for nosend's own packs of the same name: {', '.join(replaced)}; rename them to add yours"
        )


def _readable(settings: Settings) -> Iterator[Finding]:
    if not settings.database.exists():
        yield warning(f"database {settings.database} does not exist yet: `nosend sync` makes it")
        return
    with Overview(settings.database) as overview:
        sightings = {days: overview.sightings(now() - timedelta(days=days)) for days in health.DAYS}
        entries = overview.counts()
        key = overview.key_file()
    yield ok(f"database {settings.database}: {entries['order']} orders, {entries['buyer']} buyers")
    if key and (mode := _mode(key)) & 0o077:
        yield warning(f"others can read the key of the hashes {str(key)!r} (mode {mode:o}): chmod 600 {key}")
    for told in health.of_template(sightings):
        yield warning(told)


def _writable(settings: Settings) -> Iterator[Finding]:
    if settings.database.exists():
        try_to_write(settings.database)
        yield ok(f"database {settings.database} can be written (tried and rolled back)")


def _space(settings: Settings) -> Iterator[Finding]:
    folder = settings.database.absolute().parent
    if not folder.is_dir():
        yield warning(f"the database's folder {str(folder)!r} does not exist: make it (mkdir -p)")
        return
    free = shutil.disk_usage(folder).free
    told = f"{free // 1_000_000} MB free at {str(folder)!r}"
    if free < _LEAST_FREE:
        raise StoreUnavailableError(f"{told}: make room, or nothing can be recorded")
    if free < settings.keep_megabytes * 1_000_000:
        yield warning(f"{told}, less than keep_megabytes = {settings.keep_megabytes}: make room, or keep less")
    else:
        yield ok(told)


def _permissions(settings: Settings) -> Iterator[Finding]:
    """Look at modes. A password that others can read is refused when the configuration, or its file, is read."""
    database, config = settings.database, settings.path
    wrong = []
    if database.exists() and (mode := _mode(database)) & 0o077:
        wrong.append(f"others can read database {str(database)!r} (mode {mode:o}), buyers in it: chmod 600 {database}")
    if (mode := _mode(config)) & 0o022:
        wrong.append(
            f"others can write configuration {str(config)!r} (mode {mode:o}), commands in it: chmod go-w {config}"
        )
    yield from map(warning, wrong)
    if not wrong:
        yield ok("permissions: nobody else can write the configuration or read the database")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _outside(settings: Settings) -> Iterator[Finding]:
    """Look at where nosend tells how it is, as far as the configuration names it."""
    told = settings.monitor
    exports = (("export", export.file) for export in settings.exports)
    for key, path in (("metrics_file", told.metrics_file), ("heartbeat_file", told.heartbeat_file), *exports):
        if path and not (path.absolute().parent.is_dir() and os.access(path.absolute().parent, os.W_OK)):
            yield warning(f"{key} = {str(path)!r}: its folder is not there, or this user may not write in it")
    commands = [("on_change_command", told.on_change_command)]
    commands += [(f"command of sink {sink.name!r}", sink.command) for sink in settings.sinks]
    for what, command in commands:
        if command and not shutil.which(command[0]):
            yield warning(f"{what}: {command[0]!r} is no program that can be run: name it by its whole path")
