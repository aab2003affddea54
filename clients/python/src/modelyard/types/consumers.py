"""Records of deployments and webhooks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from modelyard.core.names import DeliveryName, DeploymentName, ModelName, VersionName, WebhookName
from modelyard.core.record import Record, readable
from modelyard.types.registry import Alias


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Record):
    """One consumer that serves one version."""

    name: DeploymentName
    uid: str
    service: str
    environment: str
    instance: str
    """Service, environment and instance together identify the consumer."""
    version: VersionName
    digest: str
    """Manifest digest of that version."""
    observed_digest: str
    """Manifest digest of the files on the consumer's disk; empty if nobody looked."""
    mismatched: bool
    """Whether the files on the consumer's disk are not those of the version."""
    reference: str
    """The reference that it follows, as ``team/fraud@production``; empty if there is none."""
    created_by: str
    create_time: datetime
    update_time: datetime
    """When the served version last changed."""
    heartbeat_time: datetime | None
    """When the last heartbeat came. None in events."""
    expire_time: datetime | None
    """When it ends without another heartbeat. None in events."""
    etag: str

    def _summary(self) -> Iterable[str]:
        yield from (repr(part) for part in (self.service, self.environment, self.instance) if part)
        yield f"{self.version.model.namespace}/{self.version.model.model}@{self.version.number}"
        yield from ["mismatched=True"] if self.mismatched else []


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Registration(Record):
    """A deployment, with the lease that its heartbeats need."""

    deployment: Deployment
    lease: str = field(repr=False)


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout(Record):
    """The deployments that follow an alias, compared with the version that it points at."""

    alias: Alias
    matching_count: int
    """Deployments that serve the alias's version, with no other bytes observed."""
    differing_count: int
    differing: tuple[Deployment, ...]
    """Oldest first; at most 100."""

    @property
    def complete(self) -> bool:
        """Whether at least one deployment follows the alias, and all that do serve its version."""
        return self.matching_count > 0 and not self.differing_count

    def _identity(self) -> Mapping[str, Any]:
        return {"complete": self.complete}


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Record):
    """How a version is used. Counted within seconds, not at once."""

    version: VersionName
    download_count: int
    """Downloads by clients that had no file of the version."""
    download_time: datetime | None
    use_time: datetime | None
    """When a reference was last resolved to the version, or one of its files was last read."""
    deployment_count: int
    """Deployments that serve it now."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Record):
    """An HTTPS endpoint that events are posted to."""

    name: WebhookName
    uid: str
    url: str
    """In events only its host."""
    types: tuple[str, ...]
    """Types of events, as ``alias.moved`` or ``alias.*``. All types if empty."""
    model: ModelName | None
    """The only model whose events are posted; None for the whole namespace."""
    description: str
    disabled: bool
    secret: str = field(repr=False)
    """Deliveries are signed with it. Only ``create`` and ``rotate_secret`` return it; else it is empty."""
    created_by: str
    create_time: datetime
    update_time: datetime
    etag: str


class DeliveryState(Enum):
    """The state of a delivery."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    """Given up after one day."""
    UNKNOWN = "UNKNOWN"
    """A state that this SDK does not know: the registry is newer."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Record):
    """One event on its way to one webhook."""

    name: DeliveryName
    revision: int
    """Of the event, in its namespace's log."""
    type: str
    resource: str
    state: DeliveryState
    attempt_count: int
    status_code: int
    """The receiver's last HTTP status; 0 if it did not answer."""
    error: str
    """Why the last attempt failed; empty if it succeeded."""
    latency: float | None
    """Duration of the last attempt in seconds; None before the first."""
    create_time: datetime
    attempt_time: datetime | None
    next_attempt_time: datetime | None
    """None if it waits for an earlier delivery of the same model, or has ended."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTest(Record):
    """The result of a test event."""

    delivered: bool
    status_code: int
    """The receiver's HTTP status; 0 if it did not answer."""
    error: str
    latency: float
    """In seconds."""
