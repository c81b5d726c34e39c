"""The verb `doctor`: check the configuration and each mailbox, and say how to mend what is wrong."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.checkup import Finding
    from nosend.cli.terminal import Session
    from nosend.config import Settings


@click.command()
@click.pass_obj
def doctor(session: Session) -> int:
    """Check everything; say what is wrong and how to mend it. Nothing is changed.

    Configuration, packs, database, free space and permissions; then of each mailbox DNS, TCP, TLS, log-in,
    capabilities, folders, a search, a fetch, a judgement, the clock, and which servers wrote
    Authentication-Results into its newest mails: the one of your own provider is what trusted_authserv_id asks for.
    After a step that failed those that build on it are left out. Exit 0 when nothing failed, else the code of the
    first failure.
    """
    codes = []
    for finding in _findings(session.settings):
        _say(finding.state, finding.text)
        codes.append(finding.code)
    return next((code for code in codes if code), 0)


def _findings(settings: Settings) -> Iterator[Finding]:
    from nosend.checkup import machine, mailbox, ok, warning  # noqa: PLC0415 - each verb loads what it needs

    yield ok(f"configuration {settings.path}")
    yield from machine.findings(settings)
    known = machine.rules_of(settings)
    yield from chain.from_iterable(mailbox.findings(one, os.environ, known) for one in settings.mailboxes)
    if not settings.mailboxes:
        yield warning("no [[mailbox]], nothing to read: add one, as `nosend init` shows")


_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def _say(state: str, text: str) -> None:
    printable = "".join(char if char.isprintable() else " " for char in text)
    click.echo(f"{click.style(f'{state:8}', fg=_COLOURS[state])}{printable}")
