"""The differences between two versions."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Final, NamedTuple

from modelyard.core.facts import Facts, Param, Signature
from modelyard_server.registry.versions.values import Version


class Section(Enum):
    """The parts of a version, in the order of the answer."""

    PARAMS = "PARAMS"
    METRICS = "METRICS"
    DATASETS = "DATASETS"
    SOURCE = "SOURCE"
    ENVIRONMENT = "ENVIRONMENT"
    PACKAGES = "PACKAGES"
    OTHER = "OTHER"
    FILES = "FILES"


_SECTIONS: Final = tuple(Section)
# As keys, numbers are hashed and compared ten times as fast as the sections themselves.
_PLACES: Final = {section: place for place, section in enumerate(Section)}


class Difference(NamedTuple):
    """A value that differs between two versions. None if a version lacks it."""

    section: Section
    name: str
    before: Param | None
    after: Param | None


class NotCompared(NamedTuple):
    """A fact that was not collected for at least one of the versions."""

    section: Section
    name: str
    before: str
    """Why it was not collected for the base; empty if it was."""
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    base: Version
    other: Version
    differences: tuple[Difference, ...]
    not_compared: tuple[NotCompared, ...]
    shared_bytes: int
    """Total size of the files in both versions, compared by digest, not by path."""
    removed_bytes: int
    added_bytes: int


_Values = Iterator[tuple[Section, str, Param]]


def compare(base: Version, other: Version) -> Comparison:
    """Compares two versions. Both must have their files."""
    before, after = (
        {(_PLACES[section], name): value for section, name, value in _values(version)} for version in (base, other)
    )
    differences = (
        Difference(_SECTIONS[place], name, before.get((place, name)), after.get((place, name)))
        for place, name in sorted(before.keys() | after.keys())
    )
    missing = _not_compared(base.facts, other.facts)
    unknown = {(each.section, each.name) for each in missing}
    sizes = {file.digest: file.size for version in (base, other) for file in version.files or ()}
    old, new = (Counter(file.digest for file in version.files or ()) for version in (base, other))

    def total(digests: "Counter[str]") -> int:
        return sum(sizes[digest] * count for digest, count in digests.items())

    return Comparison(
        base=base,
        other=other,
        differences=tuple(
            each
            for each in differences
            if not _alike(each.before, each.after) and not (unknown and unknown & _facts_of(each))
        ),
        not_compared=missing,
        shared_bytes=total(old & new),
        removed_bytes=total(old - new),
        added_bytes=total(new - old),
    )


def _not_compared(base: Facts, other: Facts) -> tuple[NotCompared, ...]:
    before, after = (dict(_not_collected(facts)) for facts in (base, other))
    places = sorted(before.keys() | after.keys(), key=lambda place: (_PLACES[place[0]], place[1]))
    return tuple(NotCompared(*place, before.get(place, ""), after.get(place, "")) for place in places)


def _not_collected(facts: Facts) -> Iterator[tuple[tuple[Section, str], str]]:
    if facts.source is not None:
        for name, reason in facts.source.not_collected.items():
            yield (Section.SOURCE, name), reason
    if facts.environment is not None:
        for name, reason in facts.environment.not_collected.items():
            section = Section.PACKAGES if name == "packages" else Section.ENVIRONMENT
            yield (section, name), reason


def _facts_of(difference: Difference) -> set[tuple[Section, str]]:
    """The names under which the value may be listed as not collected: its own, and that of the map that holds it."""
    of_map = "packages" if difference.section is Section.PACKAGES else difference.name.partition(".")[0]
    return {(difference.section, difference.name), (difference.section, of_map)}


def _alike(before: Param | None, after: Param | None) -> bool:
    # In Python, True == 1 == 1.0. Here they differ.
    return type(before) is type(after) and before == after


def _values(version: Version) -> _Values:
    facts = version.facts
    for name, value in facts.params.items():
        yield Section.PARAMS, name, value
    for name, metric in facts.metrics.items():
        yield Section.METRICS, name, metric
    for name, direction in facts.directions.items():
        yield Section.OTHER, f"directions.{name}", direction.value
    for dataset in facts.datasets:
        for name, value in _fields(dataset):
            if name not in {"name", "role"}:
                yield Section.DATASETS, f"{dataset.role.value}/{dataset.name}.{name}", value
        yield Section.DATASETS, f"{dataset.role.value}/{dataset.name}", dataset.name
    yield from _provenance(facts)
    for file in version.files or ():
        yield Section.FILES, file.path, f"{file.digest} executable" if file.executable else file.digest


def _provenance(facts: Facts) -> _Values:
    if facts.source is not None:
        yield from _record(Section.SOURCE, "", facts.source)
    if (environment := facts.environment) is not None:
        yield from _record(Section.ENVIRONMENT, "", environment)
        yield from _map(Section.PACKAGES, "", environment.packages)
        yield from _map(Section.ENVIRONMENT, "hardware.", environment.hardware)
        yield from _map(Section.ENVIRONMENT, "job.", environment.job)
    for name, record in (("framework.", facts.framework), ("run.", facts.run)):
        if record is not None:
            yield from _record(Section.OTHER, name, record)
    if facts.format:
        yield Section.OTHER, "format", facts.format
    for parent in facts.parents:
        yield Section.OTHER, f"parents.{parent.relation.value}/{parent.version}", parent.manifest_digest
    yield from _signature(facts.signature)


def _signature(signature: Signature | None) -> _Values:
    for name in ("inputs", "outputs"):
        if (schema := getattr(signature, name, None)) is not None:
            yield Section.OTHER, f"signature.{name}", json.dumps(schema, sort_keys=True)


def _record(section: Section, prefix: str, record: Any) -> _Values:
    for name, value in _fields(record):
        yield section, f"{prefix}{name}", value


def _map(section: Section, prefix: str, entries: Mapping[str, str]) -> _Values:
    for name, value in entries.items():
        yield section, f"{prefix}{name}", value


def _fields(record: Any) -> Iterator[tuple[str, Param]]:
    """The scalar fields of a record that have a value."""
    for each in fields(record):
        value = getattr(record, each.name)
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, tuple):
            value = " ".join(value)
        if isinstance(value, str | int | float) and value != "":
            yield each.name, value
