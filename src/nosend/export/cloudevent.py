"""One change as a CloudEvent (CloudEvents 1.0.2, JSON format), signed by the Standard Webhooks scheme. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from nosend.errors import ConfigError
from nosend.store import rows

if TYPE_CHECKING:
    from nosend.entry import Change

CONTENT_TYPE = "application/cloudevents+json"
_TYPE = "dev.nosend.blacklist"
_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)  # Standard Webhooks: between 24 and 64 bytes


class Envelope(NamedTuple):
    """What is sent: the same change always has the same `id`."""

    id: str
    body: bytes


def of(change: Change, entry: dict[str, str | int | None] | None) -> Envelope:
    """Write a change as a CloudEvent in structured mode.

    The id is a hash of the change, not its number alone: after an old backup was restored numbers are given again.
    """
    told = rows.values(change)
    ident = hashlib.sha256(json.dumps([*told.values()]).encode()).hexdigest()[:32]
    event = {
        "specversion": "1.0",
        "id": ident,
        "source": f"/nosend/{quote(change.account, safe='')}",
        "type": f"{_TYPE}.{change.action}",
        "time": told["at"],
        "subject": f"{change.kind}/{change.value}",
        "datacontenttype": "application/json",
        "data": {**told, "entry": entry},
    }
    return Envelope(ident, json.dumps(event, ensure_ascii=False).encode())


def key_of(secret: str) -> bytes:
    """Give the key that a secret like `whsec_...` stands for. Raises ConfigError, without showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ConfigError(
            f"the signing secret must be {_PREFIX} and the base64 of 24 to 64 random bytes: docs/sinks.md makes one"
        )
    return key


def headers(envelope: Envelope, key: bytes, timestamp: int) -> dict[str, str]:
    """Give the header fields of an attempt at `timestamp` (Unix, seconds)."""
    signed = f"{envelope.id}.{timestamp}.".encode() + envelope.body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": envelope.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
