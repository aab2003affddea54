"""The records that the registry keeps, as values. ``key`` is what the database calls a row; only it reads that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from modelyard.core.facts import Dataset, Direction, Facts, Slice
from modelyard.core.manifest import File
from modelyard.core.names import (
    AliasName,
    DeliveryName,
    DeploymentName,
    EvaluationName,
    ModelName,
    NamespaceName,
    UploadName,
    VersionName,
    WebhookName,
)


class VersionState(Enum):
    READY = "READY"
    DEPRECATED = "DEPRECATED"
    QUARANTINED = "QUARANTINED"
    DELETED = "DELETED"


class DeliveryState(Enum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class UploadState(Enum):
    OPEN = "OPEN"
    COMMITTED = "COMMITTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What every named, changing resource has."""

    uid: str
    create_time: datetime
    update_time: datetime
    row_version: int = 1
    """Counts the changes of this resource."""
    key: int = field(default=0, repr=False, compare=False)

    @property
    def etag(self) -> str:
        """A strong tag. It holds part of the uid, so that a resource removed and made anew never has an old one's."""
        return f'"{self.uid[:8]}-{self.row_version}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(Resource):
    name: NamespaceName
    display_name: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Resource):
    name: ModelName
    display_name: str = ""
    description: str = ""
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    delete_time: datetime | None = None
    purge_time: datetime | None = None
    aliases: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Ids to the numbers of versions. They are resources of their own, and no part of what the log tells of a model."""
    namespace_key: int = field(default=0, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Resource):
    name: VersionName
    live_state: VersionState
    """The state it has, or had before it was deleted."""
    files: tuple[File, ...] | None
    """None where they were not asked for."""
    file_count: int
    total_size: int
    manifest_digest: str
    facts: Facts
    created_by: str
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    delete_time: datetime | None = None
    purge_time: datetime | None = None
    deprecation_reason: str = ""
    model_key: int = field(default=0, repr=False, compare=False)
    namespace_key: int = field(default=0, repr=False, compare=False)

    @property
    def state(self) -> VersionState:
        return self.live_state if self.delete_time is None else VersionState.DELETED


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Resource):
    name: AliasName
    version: VersionName
    manifest_digest: str
    updated_by: str
    version_key: int = field(default=0, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Resource):
    """Never changes: ``update_time`` is ``create_time``."""

    name: EvaluationName
    dataset: Dataset
    metrics: Mapping[str, float]
    directions: Mapping[str, Direction] = field(default_factory=dict)
    slices: tuple[Slice, ...] = ()
    harness: str = ""
    supersedes: str = ""
    """Name of the one that it corrects."""
    created_by: str = ""
    superseded_by: str = field(default="", compare=False)
    """Told by another row, and so no part of what the log tells of this one."""
    version_key: int = field(default=0, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Resource):
    """What one consumer serves, as long as it says so. Heartbeats change neither ``update_time`` nor the etag."""

    name: DeploymentName
    service: str
    version: VersionName
    manifest_digest: str
    """Of the version."""
    environment: str = ""
    instance: str = ""
    observed_digest: str = ""
    """What the consumer found on its disk; empty if it did not look."""
    reference: str = ""
    created_by: str = ""
    heartbeat_time: datetime = field(compare=False)
    expire_time: datetime = field(compare=False)
    lease: str = field(default="", repr=False, compare=False)
    """What its heartbeats carry; for nobody else to see."""
    ttl: float = field(default=0.0, compare=False)
    """Seconds from a heartbeat to the end."""
    model_key: int = field(default=0, repr=False, compare=False)
    version_key: int = field(default=0, repr=False, compare=False)
    namespace_key: int = field(default=0, repr=False, compare=False)

    @property
    def mismatched(self) -> bool:
        return self.observed_digest not in {"", self.manifest_digest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Resource):
    name: WebhookName
    url: str
    types: tuple[str, ...] = ()
    """`alias.moved`, or `alias.*`; all if there are none."""
    model_id: str = ""
    """Of the one model whose events are told; empty for the whole namespace."""
    description: str = ""
    disabled: bool = False
    secret_generation: int = 1
    """Counts the secrets that it has had."""
    overlap_end_time: datetime | None = None
    """Until then deliveries are signed with the secret before the last one too."""
    created_by: str = ""
    queued_revision: int = field(default=0, repr=False, compare=False)
    """The last revision of the log of which it is known who is to be told."""
    namespace_key: int = field(default=0, repr=False, compare=False)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A session that turns a stream into one blob."""

    name: UploadName
    size: int
    digest: str
    """Empty until it is declared."""
    state: UploadState
    generation: str
    """Of the blob that it will publish: the same on each try, so that a crash between two steps leaves one file."""
    epoch: int
    """Counts the writers; only the last one may go on."""
    create_time: datetime
    expire_time: datetime
    persisted_size: int = 0


AnyResource = Namespace | Model | Version | Alias | Evaluation | Deployment | Webhook
