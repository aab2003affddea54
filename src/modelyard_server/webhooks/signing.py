"""Signs requests to webhooks.

Signatures follow Standard Webhooks (standardwebhooks.com), for which receivers have libraries.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from modelyard_server.webhooks.values import Webhook

SECRET_OVERLAP: Final = timedelta(hours=24)
"""How long a replaced secret still signs."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event as posted."""

    id: str
    """The same for each attempt, so that receivers detect duplicates."""
    body: bytes


def secret(master: bytes, webhook: Webhook, generation: int) -> bytes:
    """The key that signs a webhook's requests. It is derived, so that no table has a secret beside its URL."""
    return hmac.digest(master, f"webhook:{webhook.uid}:{generation}".encode(), "sha256")


def spelled(key: bytes) -> str:
    """A secret as text for the receiver."""
    return f"whsec_{base64.b64encode(key).decode()}"


def headers(message: Message, keys: Sequence[bytes], now: datetime) -> dict[str, str]:
    """The headers of a message: its id, the time, and for each key a signature of id, time and body."""
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
    """The keys that sign at ``now``, the latest first."""
    generations = [webhook.secret_generation]
    if webhook.overlap_end_time is not None and now < webhook.overlap_end_time:
        generations.append(webhook.secret_generation - 1)
    return [secret(master, webhook, generation) for generation in generations]
