"""The graph of what was made from what."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from modelyard.core.facts import Dataset, DatasetRole, LineageRelation, Run, Source
from modelyard_server.registry.versions.values import Version

Thing = Version | Dataset | Source | Run

_DATA: Final = {
    DatasetRole.TRAINING: LineageRelation.TRAINING_DATA,
    DatasetRole.VALIDATION: LineageRelation.VALIDATION_DATA,
    DatasetRole.TEST: LineageRelation.TEST_DATA,
    DatasetRole.OTHER: LineageRelation.OTHER_DATA,
}


@dataclass(frozen=True, slots=True)
class Node:
    id: str
    distance: int
    thing: Thing


@dataclass(frozen=True, slots=True)
class Edge:
    """``target``, a version, was made from ``source``."""

    source: str
    target: str
    relation: LineageRelation
    manifest_digest: str = ""


@dataclass(slots=True)
class Graph:
    """Grows up to a number of nodes."""

    limit: int
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str, LineageRelation], Edge] = field(default_factory=dict)
    truncated: bool = False

    def add(self, thing: Thing, distance: int) -> bool:
        """Adds a node; whether it was neither there nor one too many."""
        id_ = id_of(thing)
        if id_ in self.nodes:
            return False
        if len(self.nodes) >= self.limit:
            self.truncated = True
            return False
        self.nodes[id_] = Node(id_, distance, thing)
        return True

    def connect(self, edge: Edge) -> None:
        """Adds an edge between nodes that are there."""
        if edge.source in self.nodes and edge.target in self.nodes:
            self.edges[edge.source, edge.target, edge.relation] = edge


def id_of(thing: Thing) -> str:
    match thing:
        case Version():
            return str(thing.name)
        case Dataset():
            return f"dataset:{thing.name}{f'@{thing.digest}' if thing.digest else ''}"
        case Source():
            return f"commit:{thing.commit}"
        case Run():
            return f"run:{thing.tracker}{'/' if thing.tracker else ''}{thing.id}"


def sources_of(version: Version) -> Iterator[tuple[Thing, LineageRelation]]:
    """What a version was made from, but for other versions, and how."""
    for dataset in version.facts.datasets:
        yield dataset, _DATA[dataset.role]
    if (source := version.facts.source) is not None and source.commit:
        yield source, LineageRelation.SOURCE
    if (run := version.facts.run) is not None:
        yield run, LineageRelation.RUN


class Origin(Enum):
    """Things that are no versions, by the fields that versions are searched by for them."""

    DATASET = ("dataset", "dataset.digest", "dataset.uri")
    COMMIT = ("source.commit",)
    RUN = ("run",)


def mentions(version: Version, origin: Origin, value: str) -> Iterator[tuple[Thing, LineageRelation]]:
    """What a version names by a value, and how it was made from that."""
    for thing, relation in sources_of(version):
        match origin, thing:
            case Origin.DATASET, Dataset():
                told = {thing.name, thing.digest, thing.uri}
            case Origin.COMMIT, Source():
                told = {thing.commit}
            case Origin.RUN, Run():
                told = {thing.id}
            case _:
                continue
        if value in told:
            yield thing, relation


def parents_of(version: Version) -> Iterator[Edge]:
    for parent in version.facts.parents:
        yield Edge(parent.version, str(version.name), LineageRelation(parent.relation.value), parent.manifest_digest)
