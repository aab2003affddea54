"""Deliveries of events to webhooks."""

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
    """The delivery of one event to one webhook. Deliveries have no events of their own."""

    name: DeliveryName
    revision: int
    type: str
    resource: str
    lane: str
    """Id of the model of the event, or empty. Deliveries of one lane are sent in order."""
    state: DeliveryState
    create_time: datetime
    attempt_count: int = 0
    status_code: int = 0
    error: str = ""
    latency: float = 0.0
    """Duration of the last attempt in seconds."""
    attempt_time: datetime | None = None
    next_attempt_time: datetime | None = None
    key: int = field(default=0, repr=False, compare=False)
    webhook_key: int = field(default=0, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that is due, and its webhook."""

    delivery: Delivery
    webhook: Webhook
    namespace_uid: str
