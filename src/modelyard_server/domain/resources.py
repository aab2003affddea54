"""The records that the registry keeps, as values. ``key`` is what the database calls a row; only it reads that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from modelyard.facts import Dataset, Direction, Facts, Slice
from modelyard.manifest import File
from modelyard.names import AliasName, EvaluationName, ModelName, NamespaceName, UploadName, VersionName


class VersionState(Enum):
    READY = "READY"
    DEPRECATED = "DEPRECATED"
    QUARANTINED = "QUARANTINED"
    DELETED = "DELETED"


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


AnyResource = Namespace | Model | Version | Alias | Evaluation
