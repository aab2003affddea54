"""Records of namespaces, models, versions and aliases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from modelyard._frames import to_dataframe
from modelyard.core.facts import Direction, Facts, Param
from modelyard.core.manifest import File
from modelyard.core.names import AliasName, EvaluationName, ModelName, NamespaceName, VersionName
from modelyard.core.record import Record, readable
from modelyard.core.references import Reference, Selector

if TYPE_CHECKING:
    import pandas as pd


class VersionState(Enum):
    """The state of a version. A state that this SDK does not know reads as ``UNKNOWN``."""

    READY = "READY"
    DEPRECATED = "DEPRECATED"
    """Can still be pulled, with a warning."""
    QUARANTINED = "QUARANTINED"
    """Can't be pulled."""
    DELETED = "DELETED"
    """Can be restored until its ``purge_time``."""
    UNKNOWN = "UNKNOWN"


class Rule(Enum):
    """The rule by which a reference was resolved."""

    NUMBER = "NUMBER"
    ALIAS = "ALIAS"
    MANIFEST_DIGEST = "MANIFEST_DIGEST"
    LATEST = "LATEST"
    DEFAULT_ALIAS = "DEFAULT_ALIAS"
    DEFAULT_LATEST = "DEFAULT_LATEST"
    UNKNOWN = "UNKNOWN"


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(Record):
    """The space of a team or tenant. It holds models."""

    id: str
    uid: str
    display_name: str
    description: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None
    etag: str

    def _identity(self) -> Mapping[str, Any]:
        return {"name": str(NamespaceName(self.id))}

    def _summary(self) -> Iterable[str]:
        yield self.id


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Record):
    """A named family of versions in a namespace."""

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

    @property
    def reference(self) -> str:
        """As people write it: ``team/fraud``."""
        return str(Reference(self.name, Selector.DEFAULT))

    def _identity(self) -> Mapping[str, Any]:
        return {"name": str(self.name), "reference": self.reference}

    def _summary(self) -> Iterable[str]:
        yield self.reference
        yield from (f"{alias}@{number}" for alias, number in sorted(self.aliases.items())[:5])
        yield from ["DELETED"] if self.delete_time else []


@readable
@dataclass(frozen=True, kw_only=True)
class Version(Facts):
    """An immutable snapshot: files and facts. ``client.open(version, path)`` reads one of its files."""

    name: VersionName
    uid: str
    state: VersionState
    files: tuple[File, ...]
    """Sorted by path. Empty in lists and in ``resolve``."""
    file_count: int
    total_size: int
    """In bytes."""
    digest: str
    """The manifest digest, ``sha256:…``: it identifies all files of the version."""
    description: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    aliases: tuple[str, ...]
    """Aliases that pointed to the version when the registry answered."""
    created_by: str
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None
    purge_time: datetime | None
    deprecation_reason: str
    quarantine_reason: str
    """Empty if the version is not quarantined."""
    etag: str

    @property
    def number(self) -> int:
        return self.name.number

    @property
    def reference(self) -> str:
        """As people write it: ``team/fraud@7``."""
        return str(Reference(self.name.model, Selector.NUMBER, str(self.number)))

    def _identity(self) -> Mapping[str, Any]:
        return {"name": str(self.name), "reference": self.reference, "number": self.number}

    def _summary(self) -> Iterable[str]:
        yield from (self.reference, self.state.value, *self.aliases[:5])
        yield f"{self.total_size} bytes in {self.file_count} files"
        yield from (f"{name}={value:.6g}" for name, value in sorted(self.metrics.items())[:3])
        yield self.digest[:19]


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Record):
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

    @property
    def reference(self) -> str:
        """As people write it: ``team/fraud@production``."""
        return str(Reference(self.name.model, Selector.ALIAS, self.name.alias))

    def _identity(self) -> Mapping[str, Any]:
        return {"name": str(self.name), "reference": self.reference}

    def _summary(self) -> Iterable[str]:
        yield f"{self.reference} -> {self.version.number}"


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution(Record):
    """The version that a reference meant when the registry answered."""

    reference: str
    version: Version
    rule: Rule
    alias: Alias | None
    """The alias that was followed; None if there was none."""
    revision: int
    """The revision of the namespace's log when the answer was read."""
    serve_time: datetime


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion(Record):
    """What a promotion did."""

    alias: Alias
    """The alias as it is now."""
    previous_version: VersionName | None
    """The version that the alias pointed at before; None if it was not set. If it is the same, nothing was changed."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Best(Record):
    """The version with the best value of a metric, and which way is better."""

    version: Version
    """Without its ``files``."""
    metric: str
    value: float | None
    """The value that was compared. None if it was corrected away since."""
    direction: Direction
    direction_from: VersionName | EvaluationName | None
    """The version or the evaluation that says which way is better. None if the caller of ``best`` did, and if nothing
    does: then higher is better."""


class Section(Enum):
    """The section of a version that a difference is in."""

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


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Record):
    """One value that differs between two versions. None if a version lacks it."""

    section: Section
    name: str
    before: Param | None
    after: Param | None


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared(Record):
    """A fact that could not be collected for at least one of two versions, so nobody knows whether it differs."""

    section: Section
    name: str
    """As ``commit`` or ``packages``."""
    before: str
    """Why it was not collected for the base; empty if it was."""
    after: str
    """Why it was not collected for the other; empty if it was."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Record):
    """The differences between two versions."""

    base: Version
    other: Version
    """Both without their ``files``."""
    differences: tuple[Difference, ...]
    """Sorted by section and name."""
    not_compared: tuple[NotCompared, ...]
    """Facts that were not collected for one of them; ``differences`` has nothing about these."""
    shared_bytes: int
    """Bytes of files that both have, under any path."""
    removed_bytes: int
    added_bytes: int
    truncated: bool
    """Whether differences were left out because the answer would be too large."""

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each difference: ``section``, ``name``, ``before``, ``after``.

        Raises ``ImportError`` if pandas is not installed; ``modelyard[pandas]`` brings it.
        """
        return to_dataframe(self.differences)
