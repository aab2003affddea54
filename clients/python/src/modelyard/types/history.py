"""Records of evaluations, lineage and the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from modelyard.core.facts import Dataset, Direction, LineageRelation, Run, Slice, Source
from modelyard.core.names import EvaluationName
from modelyard.core.record import Record, readable
from modelyard.types.consumers import Deployment, Webhook
from modelyard.types.registry import Alias, Model, Namespace, Version


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Record):
    """Metrics of a version on a data set."""

    name: EvaluationName
    dataset: Dataset
    metrics: Mapping[str, float]
    directions: Mapping[str, Direction]
    """Whether higher or lower is better, for metrics that say so."""
    slices: tuple[Slice, ...]
    harness: str
    """The program that measured."""
    supersedes: EvaluationName | None
    """The evaluation that this one corrects."""
    superseded_by: EvaluationName | None
    """The evaluation that corrects this one."""
    created_by: str
    create_time: datetime


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode(Record):
    """A version, or a thing that a version was made from."""

    id: str
    """Unique in one answer: the name of a version, or ``dataset:train@md5:…``, ``commit:…`` or ``run:…``."""
    distance: int
    """Steps from the origin of the query."""
    thing: "Version | Dataset | Source | Run | None"
    """Of a version only name, digest, state, aliases, times and author are filled. None for a kind that this SDK does
    not know."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEdge(Record):
    """A version, and one thing that it was made from."""

    source: str
    """Id of the node that it was made from."""
    target: str
    """Id of the version that was made."""
    relation: LineageRelation
    digest: str
    """The manifest digest of a parent version; else empty."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage(Record):
    """The answer to a query of the lineage graph."""

    nodes: tuple[LineageNode, ...]
    """Nearest first."""
    edges: tuple[LineageEdge, ...]
    truncated: bool
    """Whether the graph goes on beyond this answer."""

    @property
    def versions(self) -> "tuple[Version, ...]":
        """The versions among the nodes, with their aliases."""
        return tuple(node.thing for node in self.nodes if isinstance(node.thing, Version))


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """One change of one resource: an entry of its namespace's log."""

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
    """Each changed field with its values before and after, as in JSON. Empty if the resource was created or deleted.

    Both values are None if they are too long for a message: see the snapshots of this event and the one before."""
    snapshot: "Namespace | Model | Version | Alias | Evaluation | Deployment | Webhook | None"
    """The resource after the change, or before it if it was deleted. None for a kind that this SDK does not know."""
    hash: str
    previous_hash: str
    payload: bytes = field(default=b"", repr=False)
    """The bytes that ``hash`` covers: ``sha256(b"\\0" + payload)``. Empty unless they were asked for."""
