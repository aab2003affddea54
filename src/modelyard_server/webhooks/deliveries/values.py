"""Deliveries: events on their way to webhooks."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from modelyard.core.names import DeliveryName
from modelyard_server.webhooks.values import Webhook


class DeliveryState(Enum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook. No resource of the log: it tells of it."""

    name: DeliveryName
    revision: int
    type: str
    resource: str
    lane: str
    """Id of the model that the event is about, or empty: the order of those of one lane is kept."""
    state: DeliveryState
    create_time: datetime
    attempt_count: int = 0
    status_code: int = 0
    error: str = ""
    latency: float = 0.0
    """Seconds that the last attempt took."""
    attempt_time: datetime | None = None
    next_attempt_time: datetime | None = None
    key: int = field(default=0, repr=False, compare=False)
    webhook_key: int = field(default=0, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that is to be tried now, and the webhook that it goes to."""

    delivery: Delivery
    webhook: Webhook
    namespace_uid: str
