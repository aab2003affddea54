"""Webhooks: who is told of what, how a delivery is signed, and when it is tried again.

Signatures are those of Standard Webhooks (standardwebhooks.com), which receivers have libraries for.
"""

import base64
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from modelyard.core.names import NamespaceName
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.log.values import EVENT_TYPES
from modelyard_server.registry.values import Webhook

TEST_TYPE: Final = "webhook.test"
"""Of the event that a test posts. It is in no log."""

SECRET_OVERLAP: Final = timedelta(hours=24)
"""For how long a secret that was replaced still signs."""

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 3600.0
_GIVE_UP: Final = timedelta(hours=24)
# Also for what has waited for a day behind others, or while its webhook was disabled.
_LEAST_ATTEMPTS: Final = 5
_EVERYTHING_OF: Final = ".*"
_KINDS: Final = frozenset(type_.partition(".")[0] for type_ in EVENT_TYPES)


@dataclass(frozen=True, slots=True)
class Heading:
    """What decides who is told of an event."""

    revision: int
    type: str
    resource: str
    model_id: str


@dataclass(frozen=True, slots=True)
class Message:
    """An event as it is posted."""

    id: str
    """The same however often it is sent: receivers know repetitions by it."""
    body: bytes


def concerns(webhook: Webhook, event: Heading) -> bool:
    """Whether a webhook is to be told of an event."""
    if webhook.model_id and event.model_id != webhook.model_id:
        return False
    kind = event.type.partition(".")[0] + _EVERYTHING_OF
    return not webhook.types or event.type in webhook.types or kind in webhook.types


def check_types(field: str, types: Sequence[str], most: int) -> Iterator[FieldViolation]:
    """A type that never comes is more likely a slip than a wish."""
    if len(types) > most:
        yield FieldViolation(field, f"has {len(types)} entries; at most {most} are allowed")
    everything = {kind + _EVERYTHING_OF for kind in _KINDS}
    for index, type_ in enumerate(types):
        if type_ not in EVENT_TYPES and type_ not in everything:
            of_kind = sorted(known for known in EVENT_TYPES if known.startswith(f"{type_.partition('.')[0]}."))
            known = ", ".join(of_kind or sorted(everything))
            yield FieldViolation(f"{field}[{index}]", f"{type_[:80]!r} is no type of event; there are {known}")


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


def next_attempt(
    *, created: datetime, now: datetime, attempts: int, chance: float, retry_after: float | None
) -> datetime | None:
    """When a delivery that failed ``attempts`` times is tried again; None if it is given up, which is after a day.

    Pauses double from five seconds to an hour, and differ by up to a quarter (``chance`` is from 0 to 1), so that what
    one outage stopped does not come back all at once. A receiver may ask for more, up to an hour.
    """
    if now >= created + _GIVE_UP and attempts >= _LEAST_ATTEMPTS:
        return None
    pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE) * (1 + chance / 4)
    return now + timedelta(seconds=max(pause, min(retry_after or 0.0, _LONGEST_PAUSE)))


def message_id(namespace_uid: str, revision: int) -> str:
    """Of an event in a namespace's log."""
    return f"{namespace_uid}-{revision}"


def source(namespace: NamespaceName) -> str:
    """Where an event comes from, as CloudEvents ask."""
    return f"/{namespace}"
