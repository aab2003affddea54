"""Versions and their states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from modelyard.core.facts import Facts
from modelyard.core.manifest import File
from modelyard.core.names import ModelName, VersionName
from modelyard_server.calls.resource import Resource
from modelyard_server.registry.versions.recorded import Recorded


class VersionState(Enum):
    READY = "READY"
    DEPRECATED = "DEPRECATED"
    QUARANTINED = "QUARANTINED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Resource):
    name: VersionName
    live_state: VersionState
    """The state, or for a deleted version the state before the deletion."""
    files: tuple[File, ...] | None
    """None if they were not requested."""
    file_count: int
    total_size: int
    manifest_digest: str
    recorded: Recorded = field(repr=False)
    """Its facts, which are decoded when they are first asked for."""
    created_by: str
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    delete_time: datetime | None = None
    purge_time: datetime | None = None
    deprecation_reason: str = ""
    quarantine_reason: str = ""
    released_state: VersionState | None = None
    """The state that a release returns a quarantined version to; None for any other version."""
    model_key: int = field(default=0, repr=False, compare=False)
    namespace_key: int = field(default=0, repr=False, compare=False)

    @property
    def facts(self) -> Facts:
        return self.recorded.facts

    @property
    def entries(self) -> int:
        """About how many entries its files and its facts have."""
        return len(self.files or ()) + self.recorded.entries

    @property
    def state(self) -> VersionState:
        return self.live_state if self.delete_time is None else VersionState.DELETED


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """The fields of a version to create."""

    parent: ModelName
    files: tuple[File, ...]
    facts: Facts
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    alias_ids: Sequence[str] = ()
    if_changed: bool = False
