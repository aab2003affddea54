"""How what is posted is signed.

Signatures are those of Standard Webhooks (standardwebhooks.com), which receivers have libraries for.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from modelyard_server.webhooks.values import Webhook

SECRET_OVERLAP: Final = timedelta(hours=24)
"""For how long a secret that was replaced still signs."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event as it is posted."""

    id: str
    """The same however often it is sent: receivers know repetitions by it."""
    body: bytes


def secret(master: bytes, webhook: Webhook, generation: int) -> bytes:
    """What a webhook's deliveries are signed with: derived, so that no secret stands in a table beside its URL."""
    return hmac.digest(master, f"webhook:{webhook.uid}:{generation}".encode(), "sha256")


def spelled(key: bytes) -> str:
    """A secret as its receiver is told it."""
    return f"whsec_{base64.b64encode(key).decode()}"


def headers(message: Message, keys: Sequence[bytes], now: datetime) -> dict[str, str]:
    """What goes with a message: its id, the moment, and a signature over both and the body for each key."""
    moment = str(int(now.timestamp()))
    signed = f"{message.id}.{moment}.".encode() + message.body
    signatures = (f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in keys)
    return {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": message.id,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(signatures),
    }


def keys(master: bytes, webhook: Webhook, now: datetime) -> list[bytes]:
    """The secrets that sign now, the latest first."""
    generations = [webhook.secret_generation]
    if webhook.overlap_end_time is not None and now < webhook.overlap_end_time:
        generations.append(webhook.secret_generation - 1)
    return [secret(master, webhook, generation) for generation in generations]
