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
    """The version that one consumer serves. Heartbeats change neither ``update_time`` nor the etag."""

    name: DeploymentName
    service: str
    version: VersionName
    manifest_digest: str
    """Manifest digest of the version."""
    environment: str = ""
    instance: str = ""
    observed_digest: str = ""
    """Digest of the files on the consumer's disk; empty if it did not compute one."""
    reference: str = ""
    created_by: str = ""
    heartbeat_time: datetime = field(compare=False)
    expire_time: datetime = field(compare=False)
    lease: str = field(default="", repr=False, compare=False)
    """Secret of the consumer, sent with each heartbeat. No other caller may see it."""
    ttl: float = field(default=0.0, compare=False)
    """Seconds from the last heartbeat until the deployment expires."""
    model_key: int = field(default=0, repr=False, compare=False)
    version_key: int = field(default=0, repr=False, compare=False)
    namespace_key: int = field(default=0, repr=False, compare=False)

    @property
    def mismatched(self) -> bool:
        return self.observed_digest not in {"", self.manifest_digest}


@dataclass(frozen=True, slots=True)
class Rollout:
    """The deployments that follow an alias, compared with the version that the alias points to."""

    alias: Alias
    matching_count: int
    differing_count: int
    differing: Sequence[Deployment]
    """The first deployments that serve another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentListing:
    """A list of the deployments that are live at ``now``."""

    now: datetime
    where: Term | None = None
    after: int | None = None
    """The last key of the page before."""
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutQuery:
    """Selects the deployments that a rollout compares with an alias."""

    now: datetime
    references: Sequence[str]
    """Deployments that follow one of these references count. An empty reference means that a consumer follows none."""
    environment: str = ""
    """Empty for all environments."""
    size: int
    """Most differing deployments in the answer."""
