"""The facts of a version, frozen at its commit: what it was made from, with what, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from modelyard.core.record import Record, readable

Param = str | int | float | bool
"""A training parameter: text, a signed 64-bit integer, a finite float or a truth value, with its type kept."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})


class DatasetRole(Enum):
    """The use of a data set."""

    TRAINING = "TRAINING"
    VALIDATION = "VALIDATION"
    TEST = "TEST"
    OTHER = "OTHER"


class Fingerprint(Enum):
    """Whether a data set's digest covers all data or a sample."""

    EXACT = "EXACT"
    SAMPLED = "SAMPLED"


class Relation(Enum):
    """How a version was made from its parent."""

    FINE_TUNED_FROM = "FINE_TUNED_FROM"
    DISTILLED_FROM = "DISTILLED_FROM"
    QUANTIZED_FROM = "QUANTIZED_FROM"
    MERGED_FROM = "MERGED_FROM"
    ADAPTER_OF = "ADAPTER_OF"
    DERIVED_FROM = "DERIVED_FROM"


class LineageRelation(Enum):
    """How a version was made from something: a version, a dataset, a commit or a run."""

    FINE_TUNED_FROM = "FINE_TUNED_FROM"
    DISTILLED_FROM = "DISTILLED_FROM"
    QUANTIZED_FROM = "QUANTIZED_FROM"
    MERGED_FROM = "MERGED_FROM"
    ADAPTER_OF = "ADAPTER_OF"
    DERIVED_FROM = "DERIVED_FROM"
    TRAINING_DATA = "TRAINING_DATA"
    VALIDATION_DATA = "VALIDATION_DATA"
    TEST_DATA = "TEST_DATA"
    OTHER_DATA = "OTHER_DATA"
    SOURCE = "SOURCE"
    RUN = "RUN"
    UNKNOWN = "UNKNOWN"
    """One that this release does not know."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(Record):
    """Data that a version was made from or measured on."""

    name: str
    uri: str = ""
    """Where the data is. The registry keeps the text and never opens it."""
    digest: str = ""
    """Any digest with its algorithm as prefix, as ``md5:…``."""
    role: DatasetRole = DatasetRole.OTHER
    rows: int | None = None
    fingerprint: Fingerprint | None = None


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Record):
    """The code that made a version."""

    repository: str = ""
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    """Whether the work tree differed from the commit. Also True if that is in ``not_collected``."""
    diff_digest: str = ""
    """``sha256:…`` of that difference."""
    entry_point: str = ""
    arguments: tuple[str, ...] = ()
    not_collected: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Fields of this record that could not be collected, each with the reason."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Environment(Record):
    """Where a version was made."""

    python: str = ""
    os: str = ""
    packages: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Installed packages: name to version."""
    hardware: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """``cpu``, ``cpu_count``, ``memory_bytes``, ``accelerators``, ``host``."""
    image: str = ""
    job: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Ids that the scheduler or CI gave the job."""
    not_collected: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Fields of this record that could not be collected, each with the reason."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Framework(Record):
    """The library that loads a version."""

    name: str
    version: str = ""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Signature(Record):
    """What goes in and what comes out, as JSON Schemas."""

    inputs: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Parent(Record):
    """A version that another was made from."""

    version: str
    """``namespaces/{namespace}/models/{model}/versions/{number}``; in a push, any reference."""
    relation: Relation
    manifest_digest: str = ""
    """The manifest digest of the parent. The registry fills it in if it is empty, and checks it if it is not."""


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Record):
    """The training run in an experiment tracker."""

    id: str
    tracker: str = ""
    url: str = ""


class Direction(Enum):
    """Which way a metric is better."""

    HIGHER_IS_BETTER = "HIGHER_IS_BETTER"
    LOWER_IS_BETTER = "LOWER_IS_BETTER"


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Record):
    """Metrics of a part of the data."""

    name: str
    metrics: Mapping[str, float]


@readable
@dataclass(frozen=True, kw_only=True)
class Facts(Record):
    """Everything that is frozen with a version's files."""

    params: Mapping[str, Param] = field(default_factory=lambda: _EMPTY)
    metrics: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    """Finite numbers."""
    directions: Mapping[str, Direction] = field(default_factory=lambda: _EMPTY)
    """Whether higher or lower is better, for metrics that say so."""
    datasets: tuple[Dataset, ...] = ()
    source: Source | None = None
    environment: Environment | None = None
    framework: Framework | None = None
    format: str = ""
    """How the files are laid out: ``safetensors``, ``onnx``, ``sklearn`` …"""
    signature: Signature | None = None
    parents: tuple[Parent, ...] = ()
    run: Run | None = None
