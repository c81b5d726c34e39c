"""A picture -> metrics for Prometheus, in its text format 0.0.4. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/. `METRICS` holds every metric, once; docs/metrics.md is
written from it. No label holds what a mail says: an account that the configuration does not name may come from the
plus part of an address, which anybody writes, and is counted as `OTHERS`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING

from nosend import __version__, health
from nosend.store.overview import Sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nosend.config import Settings
    from nosend.monitor.picture import Picture

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHERS = "(others)"

Sample = tuple[tuple[str, ...], float | None]  # the values of the labels, and the value; None: it is not known


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: all are gauges, since they tell what stands in the database, and a mail may be judged again."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Picture], Iterable[Sample]]


def text(picture: Picture, settings: Settings) -> str:
    """Write the metrics of a picture; of the same picture always the same text."""
    known = _named(settings)
    seen = {days: _of_known(counts, known) for days, counts in picture.sightings.items()}
    shown = replace(picture, sightings=seen)
    return "".join(line + "\n" for metric in METRICS for line in _lines(metric, shown))


def _lines(metric: Metric, picture: Picture) -> Iterable[str]:
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} gauge"
    for values, number in metric.samples(picture):
        if number is not None:
            labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(metric.labels, values, strict=True))
            yield f"{metric.name}{{{labels}}} {number:.16g}" if labels else f"{metric.name} {number:.16g}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _named(settings: Settings) -> frozenset[str]:
    """Give the accounts that the configuration names."""
    named = {mailbox.account for mailbox in settings.mailboxes}
    return frozenset(named.union(*((one for _, one in box.trust.accounts.by_address) for box in settings.mailboxes)))


def _of_known(counts: Sequence[Sighting], known: frozenset[str]) -> tuple[Sighting, ...]:
    """Add up the sightings of accounts that nobody named."""
    found: dict[str, Sighting] = {}
    for one in counts:
        name = one.account if one.account in known else OTHERS
        found[name] = _sum(found[name], one) if name in found else replace(one, account=name)
    return tuple(found.values())


def _sum(one: Sighting, other: Sighting) -> Sighting:
    numbers = [field.name for field in fields(Sighting) if field.name != "account"]
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in numbers})


def _seconds(stamp: str | None) -> float | None:
    return datetime.fromisoformat(stamp).timestamp() if stamp else None


def _amazon(picture: Picture) -> Iterable[Sample]:
    for days, counts in picture.sightings.items():
        for one in counts:
            window = (one.account, f"{days}d")
            yield (*window, "opt_out"), one.opt_outs
            yield (*window, "other_notice"), one.other_notices
            yield (*window, "suspect"), one.unknown


def _changed(picture: Picture) -> Iterable[Sample]:
    changed = health.changed(picture.sightings)
    return (((one.account,), one.account in changed) for one in picture.sightings[max(health.DAYS)])


METRICS = (
    Metric("nosend_build_info", "Always 1; which nosend wrote this.", ("version",), lambda _: [((__version__,), 1)]),
    Metric(
        "nosend_mailbox_up",
        "1 when the last round of the mailbox succeeded, 0 when it is in trouble.",
        ("account",),
        lambda picture: (((box.account,), not box.trouble) for box in picture.state.mailboxes if box.finished_at),
    ),
    Metric(
        "nosend_mailbox_last_success_timestamp_seconds",
        "When a round of the mailbox succeeded last, in Unix time; missing before the first.",
        ("account",),
        lambda picture: (((box.account,), _seconds(box.last_success_at)) for box in picture.state.mailboxes),
    ),
    Metric(
        "nosend_mailbox_last_round_timestamp_seconds",
        "When a round of the mailbox ended last, well or not, in Unix time.",
        ("account",),
        lambda picture: (((box.account,), _seconds(box.finished_at)) for box in picture.state.mailboxes),
    ),
    Metric(
        "nosend_mailbox_trouble_since_timestamp_seconds",
        "Since when the mailbox is in trouble, in Unix time; missing while it is not.",
        ("account",),
        lambda picture: (((box.account,), _seconds(box.trouble_since)) for box in picture.state.mailboxes),
    ),
    Metric(
        "nosend_mailbox_last_mail_timestamp_seconds",
        "When the newest mail that the ledger knows was received, in Unix time: Amazon's, or like a forward.",
        ("account",),
        lambda picture: (((box.account,), _seconds(box.last_mail_at)) for box in picture.state.mailboxes),
    ),
    Metric(
        "nosend_mailbox_backlog",
        "Mails, at most, that were not read yet when the folders were opened last.",
        ("account",),
        lambda picture: (((box.account,), box.backlog) for box in picture.state.mailboxes),
    ),
    Metric(
        "nosend_mails",
        "Mails in the ledger by what they were taken for; a mail in two folders counts once.",
        ("account", "verdict"),
        lambda picture: (
            ((account, verdict), count)
            for account, counts in picture.state.mails.items()
            for verdict, count in counts.items()
        ),
    ),
    Metric(
        "nosend_waiting",
        "Mails that wait for a person: `nosend review`.",
        ("account",),
        lambda picture: (
            ((account,), picture.state.waiting.get(account, 0))
            for account in sorted({*picture.state.mails, *(box.account for box in picture.state.mailboxes)})
        ),
    ),
    Metric(
        "nosend_entries",
        "Entries of the blacklist.",
        ("kind",),
        lambda picture: (((kind,), count) for kind, count in picture.state.entries.items()),
    ),
    Metric(
        "nosend_amazon_mails",
        "Amazon's mails of the last days, by seller account and by what they were taken for.",
        ("account", "window", "verdict"),
        _amazon,
    ),
    Metric(
        "nosend_template_changed",
        "1 when Amazon may have changed its text: failures that no rule knows, and no opt-out.",
        ("account",),
        _changed,
    ),
    Metric(
        "nosend_account_restricted_notices",
        f"Notices of {max(health.DAYS)} days that Amazon restricted the account.",
        ("account",),
        lambda picture: (((one.account,), one.restricted) for one in picture.sightings[max(health.DAYS)]),
    ),
    Metric(
        "nosend_messages_blocked_notices",
        f"Notices of {max(health.DAYS)} days that Amazon blocked a message for what it says.",
        ("account",),
        lambda picture: (((one.account,), one.blocked) for one in picture.sightings[max(health.DAYS)]),
    ),
    Metric(
        "nosend_kept_bytes",
        "Bytes of suspects and set-aside mails that are kept.",
        (),
        lambda picture: [((), picture.kept.size)],
    ),
    Metric(
        "nosend_kept_waiting_bytes",
        "Of these the bytes of mails that still wait for a person.",
        (),
        lambda picture: [((), picture.kept.waiting)],
    ),
)
