"""What a seller should be told beside the list. Pure: counts in, warnings out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nosend.store.overview import BytesKept, Round, Sighting

DAYS = (7, 30)  # for which mails are counted
SOON = timedelta(days=30)  # before bytes expire, it is told
_NEARLY_FULL = 0.8


def late(rounds: Sequence[Round], accounts: Sequence[str] | None, oldest: str) -> dict[str, str]:
    """Say which mailboxes were not read to their end since `oldest` (RFC 3339, UTC), by account.

    `accounts` are those that must have been read; None: all that ever were.
    """
    last = {one.account: one for one in rounds}
    told = {}
    for account in last if accounts is None else accounts:
        box = last.get(account)
        if box is None or (box.last_success_at or "") < oldest:
            since = (box.last_success_at if box else None) or "never"
            told[account] = f"{account}: last success {since}" + (f": {box.trouble}" if box and box.trouble else "")
    return told


def changed(sightings: Mapping[int, Sequence[Sighting]]) -> dict[str, str]:
    """Say where Amazon may have changed its text: failures that no rule knows arrive, and no opt-out is recognised.

    `sightings` are the counts of the last so many days. Gives the warning by account.
    """
    warned: dict[str, str] = {}
    for days, counts in sorted(sightings.items()):
        for one in counts:
            if one.waiting and not one.opt_outs:
                warned.setdefault(
                    one.account,
                    f"{one.account}: in {days} days Amazon sent {one.waiting} delivery failures that no rule knows "
                    "for certain, and no opt-out was recognised: Amazon may have changed its text. Look at them with "
                    "`nosend review`; `nosend rules learn` makes a pack of one",
                )
    return warned


def restricted(sightings: Sequence[Sighting], days: int) -> dict[str, str]:
    """Say which accounts Amazon restricted. Gives the warning by account."""
    return {
        one.account: f"{one.account}: Amazon restricted the account from sending proactive messages "
        f"({one.restricted} notices in {days} days): see Seller Central, Account Health"
        for one in sightings
        if one.restricted
    }


def of_template(sightings: Mapping[int, Sequence[Sighting]]) -> tuple[str, ...]:
    """Give the warnings of `changed`."""
    return tuple(changed(sightings).values())


def of_account(sightings: Sequence[Sighting], days: int) -> tuple[str, ...]:
    """Say what matters more to a seller than any entry: messages are restricted or blocked for what they say."""
    blocked = (
        f"{one.account}: Amazon blocked {one.blocked} messages for their contents in {days} days: "
        "change the template of your mailer"
        for one in sightings
        if one.blocked
    )
    return (*restricted(sightings, days).values(), *blocked)


def of_bytes(kept: BytesKept, allowed: int | None) -> tuple[str, ...]:
    """Say what will be lost, or was, before anybody looked at it. `allowed`: bytes that may be kept, if known."""
    told = []
    if kept.expiring:
        told.append(
            f"the bytes of {kept.expiring} mails that wait for a person expire within {SOON.days} days: `nosend review`"
        )
    if allowed and kept.waiting > allowed * _NEARLY_FULL:
        told.append(
            f"mails that wait for a person fill {kept.waiting // 1_000_000} of {allowed // 1_000_000} MB, and the "
            "oldest lose their bytes when it is full: `nosend review`"
        )
    if kept.expired:
        told.append(f"the bytes of {kept.expired} mails that wait for a person are not kept any more")
    return tuple(told)
