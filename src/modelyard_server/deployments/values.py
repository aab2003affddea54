"""Deployments."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from modelyard.core.names import DeploymentName, VersionName
from modelyard_server.calls.resource import Resource
from modelyard_server.query.terms import Term
from modelyard_server.registry.aliases.values import Alias


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


@dataclass(frozen=True, slots=True)
class Rollout:
    """What runs, beside what an alias points at."""

    alias: Alias
    matching_count: int
    differing_count: int
    differing: Sequence[Deployment]
    """The first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentListing:
    """Which deployments a caller wants, of those that are live at ``now``."""

    now: datetime
    where: Term | None = None
    after: int | None = None
    """The key that the page before ended with."""
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutQuery:
    """Which deployments are held against an alias."""

    now: datetime
    references: Sequence[str]
    """That count: what is meant by the alias, and what follows nothing."""
    environment: str = ""
    """Empty for all."""
    size: int
    """Of the list of those that differ."""
