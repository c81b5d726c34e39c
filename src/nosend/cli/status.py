"""The verb `status`: how it is, for a person, a program, or a health check."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from nosend import health
from nosend.cli.terminal import Session, database_option, tell
from nosend.store import rows

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from nosend.config import Settings
    from nosend.export.targets import State as Target
    from nosend.store.deliveries import Delivery
    from nosend.store.overview import State


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
@click.option("--healthy", is_flag=True, help="Say nothing, exit 75 when a mailbox was not read within its time.")
@click.option(
    "--within",
    type=click.IntRange(1, 100_000),
    default=30,
    show_default=True,
    metavar="MINUTES",
    help="The time of --healthy.",
)
@database_option
@click.pass_obj
def status(session: Session, as_json: bool, healthy: bool, within: int, database: str | None) -> int:
    """Tell how it is: each mailbox's last success or trouble, mails by verdict, entries, what waits for a person.

    Amazon's mails of the last 7 and 30 days are counted; where they tell of something that the seller should do,
    or where nosend may have stopped understanding them, a warning says so.
    """
    from nosend.judging import now  # noqa: PLC0415 - each verb loads what it needs
    from nosend.monitor.picture import look  # noqa: PLC0415

    settings = session.settings_or_none
    allowed = settings.keep_megabytes * 1_000_000 if settings else None
    path = session.database(database)
    if healthy:
        return _healthy(path, settings, now() - timedelta(minutes=within))
    picture, sinks = look(path, settings, now()), _sinks(path, settings)
    state, sightings, kept = picture.state, picture.sightings, picture.kept
    warnings = (
        *health.of_account(sightings[max(health.DAYS)], max(health.DAYS)),
        *health.of_template(sightings),
        *health.of_bytes(kept, allowed),
    )
    exports = _exports(settings, path)
    if as_json:
        seen = {str(days): [asdict(one) for one in counts] for days, counts in sightings.items()}
        told = {**asdict(state), "amazon_mails": seen, "kept": asdict(kept), "warnings": warnings}
        told["exports"] = [asdict(one) for one in exports]
        told["sinks"] = [asdict(one) for one in sinks]
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    click.echo(_state_text(state))
    for sink in sinks:
        click.echo(_sink_text(sink))
    for days, counts in sightings.items():
        for one in counts:
            known = f"{one.opt_outs} opt-outs, {one.other_notices} other notices, {one.unknown} not known for certain"
            click.echo(f"{one.account}: Amazon's mails of {days} days: {one.amazon}: {known}")
    for export in exports:
        written = f"written {export.generated_at}, {export.count} entries, change {export.seq}"
        click.echo(f"export {export.file}: {written if export.generated_at else 'no manifest'}")
        if export.trouble:
            click.echo(f"  {click.style('in trouble', fg='red')}: {export.trouble}")
    for warning in warnings:
        click.echo(f"{click.style('warning', fg='yellow', bold=True)}: {warning}")
    return 0


def _exports(settings: Settings | None, path: Path) -> tuple[Target, ...]:
    """Tell how the exports of a database are, if the configuration is that database's."""
    if settings is None or not settings.exports or path.resolve() != settings.database.resolve():
        return ()
    from nosend.export import targets  # noqa: PLC0415 - each verb loads what it needs

    return targets.states(settings.exports, path)


def _healthy(path: Path, settings: Settings | None, oldest: datetime) -> int:
    """Tell the mailboxes that were not read lately; for HEALTHCHECK and the like."""
    from nosend.store.overview import Overview  # noqa: PLC0415 - `check` does not need it

    accounts = [mailbox.account for mailbox in settings.mailboxes] if settings else None
    with Overview(path) as overview:
        late = health.late(overview.rounds(), accounts, rows.stamp(oldest))
    tell(*late.values(), level=logging.ERROR)
    return 75 if late else 0


def _sinks(path: Path, settings: Settings | None) -> list[Delivery]:
    """Tell how the sinks of the configuration are; without one all that were ever sent to."""
    from nosend.store.deliveries import Deliveries  # noqa: PLC0415 - each verb loads what it needs

    names = {sink.name for sink in settings.sinks} if settings else None
    with Deliveries(path) as deliveries:
        return [one for one in deliveries.sinks() if names is None or one.name in names]


def _sink_text(sink: Delivery) -> str:
    parked = f", {sink.parked} parked: `nosend outbox` lists them" if sink.parked else ""
    line = f"sink {sink.name}: {sink.waiting} changes wait{parked}"
    if not sink.failing_since:
        return line
    then = "sent to no more: `nosend outbox retry`" if sink.parked_at else f"tried again {sink.due_at}"
    return f"{line}\n  {click.style('in trouble', fg='red')} since {sink.failing_since}: {sink.why}; {then}"


def _state_text(state: State) -> str:
    lines = []
    for box in state.mailboxes:
        first = "never" if box.finished_at else "first look not finished"
        behind = f", at most {box.backlog} mails not read yet" if box.backlog else ""
        last = f", last mail {box.last_mail_at}" if box.last_mail_at else ""
        lines.append(f"{box.account}: last success {box.last_success_at or first}{last}{behind}")
        if box.trouble:
            lines.append(f"  {click.style('in trouble', fg='red')} since {box.trouble_since}: {box.trouble}")
    for account, counts in state.mails.items():
        lines.append(f"{account}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
        if waiting := state.waiting.get(account):
            lines.append(f"  for a person to look at: {waiting}; `nosend review` lists them")
    lines.append(f"blacklist: {state.entries['order']} orders, {state.entries['buyer']} buyers")
    return "\n".join(lines)
