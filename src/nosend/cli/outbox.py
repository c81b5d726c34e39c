"""The verb `outbox`: what the sinks have not got yet, and sending it again."""

from __future__ import annotations

import click

from nosend.cli.terminal import Session, database_option, tell
from nosend.errors import ConfigError


@click.group(invoke_without_command=True)
@database_option
@click.pass_context
def outbox(context: click.Context, database: str | None) -> None:
    """List the changes that sinks have not got though they were tried, a line each, with the reason.

    A line tells the sink, the change's number and what changed, then since when it is parked, or when it is tried
    again. What is parked is not tried again by itself. `nosend status` tells how many changes wait for their turn.
    """
    context.obj.given_database = database
    if context.invoked_subcommand is not None:
        return
    from nosend.store.deliveries import Deliveries  # noqa: PLC0415 - each verb loads what it needs

    empty = True
    with Deliveries(context.obj.database(database)) as deliveries:
        for one in deliveries.undelivered():
            empty = False
            change = one.change
            state = f"parked since {one.parked_at}" if one.parked_at else f"due {one.due_at or 'after the other'}"
            what = f"{change.action} {change.kind} {change.value} {change.account}"
            click.echo(f"{one.sink} {change.seq} {what} | {state} | {one.attempts} attempts | {one.why}")
    if empty:
        tell("nothing waits for another attempt")


@outbox.command()
@click.argument("sinks", nargs=-1, metavar="[SINK...]")
@click.option(
    "--since",
    metavar="SEQ",
    type=click.IntRange(0),
    help="Send all changes after this number, also those that arrived; 0: from the beginning.",
)
@click.pass_obj
def retry(session: Session, sinks: tuple[str, ...], since: int | None) -> None:
    """Send again what is parked, to these sinks or to all; `nosend watch` or the next `nosend sync` does it."""
    if since is not None and not sinks:
        raise ConfigError("--since needs the name of a sink")
    from nosend.store.outbox import Outbox  # noqa: PLC0415 - each verb loads what it needs

    path = session.database(session.given_database)
    if not path.exists():
        raise ConfigError(f"database {str(path)!r} does not exist: `nosend sync` makes it")
    with Outbox(path) as store:
        count = store.retry(sinks, since)
    tell(f"{count} parked changes are due now")
