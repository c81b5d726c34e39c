"""What the verbs share: the session with its configuration, talk on stderr, a progress bar on terminals."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nosend import log, places
from nosend.errors import ConfigError, NosendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nosend.config import Settings
    from nosend.store.ledger import Ledger

Verb = TypeVar("Verb", bound="Callable[..., Any]")
Store = TypeVar("Store", bound="Ledger")

FORMATS = ("text", "json")
KIND = click.Choice(["order", "buyer", "both"])
LEVELS = ("debug", "info", "warning", "error")


class Session:
    """One run of the command: where the configuration is, read when a verb asks for it."""

    def __init__(self, config_file: str | None, log_format: str = "text", log_level: str | None = None) -> None:
        self._config_file = config_file
        self._log_format, self._log_level = log_format, log_level
        self.given_database: str | None = None  # of a verb with verbs of its own

    def start_log(self, level: str = "warning", *, times: bool = False) -> None:
        """Write the log to stderr, from this level up unless the command line names another."""
        styled = click.style("nosend", bold=True)
        form = log.Json() if self._log_format == "json" else log.Text(f"{styled}: ", times=times)
        log.set_up(Stderr(form), getattr(logging, (self._log_level or level).upper()))

    @cached_property
    def settings(self) -> Settings:
        """Give the configuration. Raises ConfigError."""
        from nosend import config  # noqa: PLC0415 - `check --database` needs none

        return config.load(Path(places.find(self._config_file, os.environ)))

    @property
    def settings_or_none(self) -> Settings | None:
        """Give the configuration if there is one: none found is no mistake, a wrong one is."""
        from nosend import config  # noqa: PLC0415 - as above

        try:
            path = places.find(self._config_file, os.environ)
        except ConfigError:
            return None
        return config.load(Path(path))

    def database(self, given: str | None) -> Path:
        """Give the database: the one named on the command line or in $NOSEND_DATABASE, else the configuration's.

        What else stands in the configuration does not matter then, be it wrong: a mailer is answered all the same.
        """
        if not given:
            path = places.find(self._config_file, os.environ)
            given = places.database(path, places.read(path))
        return Path(given) if given else self.settings.database

    def opened(self, kind: type[Store], database: Path) -> Store:
        """Open a database for writing as the configuration says that buyers' aliases are kept, if it is its own."""
        try:
            settings = self.settings_or_none
        except ConfigError:  # of a verb that does its work by --database
            settings = None
        store = kind(database)
        if settings and settings.keeps_hashes and database.resolve() == settings.database.resolve():
            from nosend.judging import now  # noqa: PLC0415 - `check` does not need it

            store.keep_hashes(now())
        return store


def database_option(verb: Verb) -> Verb:
    """Add --database to a verb that needs no configuration then."""
    return click.option(
        "--database",
        metavar="FILE",
        envvar="NOSEND_DATABASE",
        help="The database; then no configuration is needed.",
    )(verb)


def rewrite_exports(session: Session, database: Path) -> tuple[NosendError, ...]:
    """Bring the configured exports of a database up to date, after the list may have changed.

    To be called by each verb that changes it, when the change is committed. Gives what went wrong. Without a
    configuration, or for another database than its own, there is nothing to write.
    """
    try:
        settings = session.settings_or_none
    except ConfigError as trouble:  # of a verb that did its work by --database
        return (trouble,)
    if settings is None or not settings.exports or database.resolve() != settings.database.resolve():
        return ()
    from nosend.export import targets  # noqa: PLC0415 - `check` does not need them
    from nosend.judging import now  # noqa: PLC0415

    return targets.rewrite(settings.exports, settings.database, now())


class Stderr(logging.Handler):
    """Writes the log to stderr, in colours only on a terminal."""

    def __init__(self, form: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(form)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; that nobody can read it any more stops no work."""
        with contextlib.suppress(OSError):
            click.echo(self.format(record), err=True, color=False if os.environ.get("NO_COLOR") else None)


_talk = logging.getLogger("nosend.talk")
_talk.setLevel(logging.DEBUG)  # an answer is no matter of the level


def tell(*lines: str, level: int = logging.INFO) -> None:
    """Say something to the person at stderr, in the form of the log."""
    for line in lines:
        _talk.log(level, "%s", line)


def tell_troubles(troubles: Iterable[NosendError]) -> int:
    """Tell what went wrong while the rest was done; gives the exit code, 0 when nothing did."""
    codes = []
    for trouble in troubles:
        tell(*str(trouble).splitlines(), level=logging.ERROR)
        codes.append(trouble.exit_code)
    return min(codes, default=0)


class Bar:
    """A progress bar on a terminal, nothing elsewhere. Call it with label, done, total; use it in a `with`."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._label = ""
        self._bar: Any = None

    def __enter__(self) -> Bar:
        return self

    def __call__(self, label: str, done: int, total: int) -> None:
        """Show that `done` of `total` are dealt with."""
        if not self._shown:
            return
        label = label[:30]
        if label != self._label:
            self.__exit__()
            self._label = label
            self._bar = click.progressbar(length=max(total, 1), label=label, file=sys.stderr)
            self._bar.render_progress()
        self._bar.update(min(done, self._bar.length) - self._bar.pos)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None
