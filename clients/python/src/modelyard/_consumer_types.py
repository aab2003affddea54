"""The records of who serves what and who is told; users import them from :mod:`modelyard.types`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from modelyard.core.names import DeliveryName, DeploymentName, ModelName, VersionName, WebhookName


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What one consumer serves."""

    name: DeploymentName
    uid: str
    service: str
    environment: str
    instance: str
    """The three together are the consumer."""
    version: VersionName
    digest: str
    """Manifest digest of that version."""
    observed_digest: str
    """Of the files that the consumer found on its disk; empty if it did not look."""
    mismatched: bool
    """The consumer found other bytes than those of the version."""
    reference: str
    """What it follows, as ``team/fraud@production``; empty if it follows nothing."""
    created_by: str
    create_time: datetime
    update_time: datetime
    """When what it serves last changed."""
    heartbeat_time: datetime | None
    """When it was last heard of. Events tell neither this nor the next."""
    expire_time: datetime | None
    """When it ends unless it is heard of."""
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A deployment with the lease that its heartbeats carry."""

    deployment: Deployment
    lease: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How a version is used."""

    version: VersionName
    download_count: int
    """How often it was fetched by somebody who had nothing of it."""
    download_time: datetime | None
    use_time: datetime | None
    """When a reference was last resolved to it, or any file of it read."""
    deployment_count: int
    """How many serve it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An HTTPS endpoint that is told of events."""

    name: WebhookName
    uid: str
    url: str
    """In an event of the log its host alone."""
    types: tuple[str, ...]
    """``alias.moved`` or ``alias.*``; all events if there are none."""
    model: ModelName | None
    """The one model whose events are told; None for the whole namespace."""
    description: str
    disabled: bool
    secret: str = field(repr=False)
    """What deliveries are signed with. Told when it is made or renewed, and else empty."""
    created_by: str
    create_time: datetime
    update_time: datetime
    etag: str


class DeliveryState(Enum):
    """What has become of a delivery."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    """It was given up after a day."""
    UNKNOWN = "UNKNOWN"
    """A state that this SDK does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook."""

    name: DeliveryName
    revision: int
    """Of the event, in its namespace's log."""
    type: str
    resource: str
    state: DeliveryState
    attempt_count: int
    status_code: int
    """What the receiver answered last; 0 if it did not."""
    error: str
    """Why the last attempt failed; empty if it did not."""
    latency: float | None
    """Seconds that the last attempt took."""
    create_time: datetime
    attempt_time: datetime | None
    next_attempt_time: datetime | None
    """None if it waits for another of its model, or has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTest:
    """What posting a test event came to."""

    delivered: bool
    status_code: int
    """What the receiver answered; 0 if it did not."""
    error: str
    latency: float
    """Seconds."""
