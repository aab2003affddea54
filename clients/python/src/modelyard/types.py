"""What the SDK hands to its users: frozen records, no protobuf."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from modelyard._consumer_types import (
    Delivery,
    DeliveryState,
    Deployment,
    Registration,
    Usage,
    Webhook,
    WebhookTest,
)
from modelyard.core.facts import Dataset, Direction, Facts, LineageRelation, Param, Run, Slice, Source
from modelyard.core.manifest import File
from modelyard.core.names import AliasName, EvaluationName, ModelName, VersionName

__all__ = [
    "Alias",
    "Comparison",
    "Delivery",
    "DeliveryState",
    "Deployment",
    "Difference",
    "Evaluation",
    "Event",
    "Lineage",
    "LineageEdge",
    "LineageNode",
    "Model",
    "Namespace",
    "Progress",
    "PulledModel",
    "Registration",
    "Resolution",
    "Rollout",
    "Rule",
    "Section",
    "Usage",
    "Version",
    "VersionState",
    "Webhook",
    "WebhookTest",
]


class VersionState(Enum):
    """Where a version is in its life. Servers newer than this SDK may send others: those read as ``UNKNOWN``."""

    READY = "READY"
    DEPRECATED = "DEPRECATED"
    """Can still be pulled; the SDK warns."""
    QUARANTINED = "QUARANTINED"
    """Its bytes are refused."""
    DELETED = "DELETED"
    """Soft-deleted; can be restored until its purge time."""
    UNKNOWN = "UNKNOWN"


class Rule(Enum):
    """Which rule of references matched."""

    NUMBER = "NUMBER"
    ALIAS = "ALIAS"
    MANIFEST_DIGEST = "MANIFEST_DIGEST"
    LATEST = "LATEST"
    DEFAULT_ALIAS = "DEFAULT_ALIAS"
    DEFAULT_LATEST = "DEFAULT_LATEST"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A team or tenant."""

    id: str
    uid: str
    display_name: str
    description: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    create_time: datetime
    update_time: datetime
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A named family of versions."""

    name: ModelName
    uid: str
    display_name: str
    description: str
    owner: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None
    purge_time: datetime | None
    aliases: Mapping[str, int]
    """Aliases to the numbers of the versions they point at."""
    etag: str


@dataclass(frozen=True, kw_only=True)
class Version(Facts):
    """An immutable snapshot: files and facts."""

    name: VersionName
    uid: str
    state: VersionState
    files: tuple[File, ...]
    """Sorted by path; empty in lists."""
    file_count: int
    total_size: int
    """In bytes."""
    digest: str
    """The manifest digest: what the version is, in one line."""
    description: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    aliases: tuple[str, ...]
    """Those that pointed here when the server answered."""
    created_by: str
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None
    purge_time: datetime | None
    deprecation_reason: str
    etag: str

    @property
    def number(self) -> int:
        return self.name.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A movable pointer to one version."""

    name: AliasName
    uid: str
    version: VersionName
    digest: str
    """Manifest digest of that version."""
    create_time: datetime
    update_time: datetime
    updated_by: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a version was measured to be on some data."""

    name: EvaluationName
    dataset: Dataset
    metrics: Mapping[str, float]
    directions: Mapping[str, Direction]
    """Which way metrics are better, where that was told."""
    slices: tuple[Slice, ...]
    harness: str
    """What measured it."""
    supersedes: EvaluationName | None
    """The evaluation that this one corrects."""
    superseded_by: EvaluationName | None
    """The evaluation that corrects this one."""
    created_by: str
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What runs, beside what an alias points at."""

    alias: Alias
    matching_count: int
    """How many serve that version, and have observed no other bytes."""
    differing_count: int
    differing: tuple[Deployment, ...]
    """The oldest first; at most 100."""

    @property
    def complete(self) -> bool:
        """Whether somebody follows the alias, and all that do serve what it points at."""
        return self.matching_count > 0 and not self.differing_count


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """A thing that a version was made from, or a version."""

    id: str
    """Names it in one answer: a version by its name, else as ``dataset:train@md5:…``, ``commit:…`` or ``run:…``."""
    distance: int
    """Steps from where the question began."""
    thing: "Version | Dataset | Source | Run | None"
    """A version has its name, digest, state, aliases, times and author here, and nothing else of it. None for a kind
    that this SDK does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEdge:
    """Says that a version was made from something."""

    source: str
    """Id of what was made from."""
    target: str
    """Id of the version that was made."""
    relation: LineageRelation
    digest: str
    """Of a parent: the manifest digest that it had, and has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The part of the graph that was asked for."""

    nodes: tuple[LineageNode, ...]
    """The nearest first."""
    edges: tuple[LineageEdge, ...]
    truncated: bool
    """It goes on behind what is told here."""

    @property
    def versions(self) -> "tuple[Version, ...]":
        """The versions among the nodes, with their aliases: what an answer to "what is affected?" consists of."""
        return tuple(node.thing for node in self.nodes if isinstance(node.thing, Version))


class Section(Enum):
    """The parts of a version that a comparison tells apart."""

    PARAMS = "PARAMS"
    METRICS = "METRICS"
    DATASETS = "DATASETS"
    SOURCE = "SOURCE"
    ENVIRONMENT = "ENVIRONMENT"
    PACKAGES = "PACKAGES"
    OTHER = "OTHER"
    """Framework, format, signature, parents and run."""
    FILES = "FILES"
    """By path: digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same in two versions. None: it is not there."""

    section: Section
    name: str
    before: Param | None
    after: Param | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is different between two versions."""

    base: Version
    other: Version
    """Both without their files."""
    differences: tuple[Difference, ...]
    """By section and name."""
    shared_bytes: int
    """Of files that both have, whatever their paths."""
    removed_bytes: int
    added_bytes: int
    truncated: bool
    """There were more differences than fit into a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one resource, as its namespace's log tells it."""

    revision: int
    """Counts the events of the namespace from 1, without gaps."""
    type: str
    """``model.created``, ``alias.moved`` and the like."""
    resource: str
    """Its name."""
    actor: str
    request_id: str
    reason: str
    time: datetime
    changes: Mapping[str, tuple[Any, Any]]
    """Field to what it was before and after, as JSON has it; empty for what was created or removed."""
    snapshot: "Namespace | Model | Version | Alias | Evaluation | Deployment | Webhook | None"
    """The resource after the change, or before it if it was removed; None for a kind that this SDK does not know."""
    hash: str
    previous_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What a reference meant when the server answered."""

    reference: str
    version: Version
    rule: Rule
    alias: Alias | None
    """The alias that was followed, if one was."""
    revision: int
    """The namespace's revision that the answer was read at."""
    serve_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledModel:
    """A version whose files are on this machine, every byte verified."""

    reference: str
    path: Path
    """The folder that holds the files. Without a target of your own it is the cache's: read it, don't change it."""
    version: Version
    stale: bool
    """True if the registry could not be reached, and this is the last version that the reference was known to mean."""
    bytes_received: int
    """Over the network; 0 if all was cached."""

    @property
    def digest(self) -> str:
        """The manifest digest."""
        return self.version.digest

    @property
    def metadata(self) -> Facts:
        """Params, metrics and the other frozen facts."""
        return self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a push or a pull is; handed to a progress callback on the thread or loop that makes the call."""

    phase: str
    """``hash``, ``upload``, ``download`` or ``verify``."""
    path: str
    """The file that moved last."""
    done: int
    """Bytes of this phase so far; bytes that need not travel count at once."""
    total: int
    """Bytes of this phase in all."""
