"""The graph of versions and their origins."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from modelyard.core.facts import Dataset, DatasetRole, LineageRelation, Run, Source
from modelyard_server.calls.offload import ENTRY_BYTES
from modelyard_server.registry.versions.recorded import NO_FACTS
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
    """The version ``target`` was made from ``source``."""

    source: str
    target: str
    relation: LineageRelation
    manifest_digest: str = ""


_FACTS_BYTES: Final = 64 << 20


@dataclass(slots=True)
class Graph:
    """A graph with a maximum number of nodes."""

    limit: int
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str, LineageRelation], Edge] = field(default_factory=dict)
    truncated: bool = False
    room: int = _FACTS_BYTES
    """Bytes of facts that may still be looked through."""

    def add(self, thing: Thing, distance: int) -> bool:
        """Adds a node. False if the graph has it already or is full."""
        id_ = id_of(thing)
        if id_ in self.nodes:
            return False
        if len(self.nodes) >= self.limit:
            self.truncated = True
            return False
        self.nodes[id_] = Node(id_, distance, thing)
        return True

    def connect(self, edge: Edge) -> None:
        """Adds an edge, if the graph has both nodes."""
        if edge.source in self.nodes and edge.target in self.nodes:
            self.edges[edge.source, edge.target, edge.relation] = edge


@dataclass(slots=True)
class Level:
    """The versions at one distance, with the fields that a graph shows. Their facts may be large, and are not kept."""

    graph: Graph
    keys: list[int] = field(default_factory=list)
    """Of the versions that are new to the graph."""
    has_parents: bool = False
    """Whether a new version was made from another version."""
    _parents: list[Edge] = field(default_factory=list)
    _sources: list[tuple[Thing, Edge]] = field(default_factory=list)

    def add(self, version: Version, distance: int) -> None:
        self.graph.room -= version.recorded.entries * ENTRY_BYTES
        parents = list(parents_of(version))
        self._parents += parents
        bare = replace(version, recorded=NO_FACTS, description="", labels={}, annotations={})
        if not self.graph.add(bare, distance):
            return
        self.keys.append(version.key)
        self.has_parents |= bool(parents)
        for thing, relation in sources_of(version):
            if len(self._sources) >= self.graph.limit:
                self.graph.truncated = True
                return
            self._sources.append((thing, Edge(id_of(thing), id_of(version), relation)))

    def draw_parents(self) -> None:
        """Draws the edges from the parents that the graph has."""
        for edge in self._parents:
            self.graph.connect(edge)

    def draw_sources(self, distance: int) -> None:
        """Adds the origins that are no versions."""
        for thing, edge in self._sources:
            self.graph.add(thing, distance)
            self.graph.connect(edge)


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
    """The origins of a version that are not versions, each with its relation."""
    for dataset in version.facts.datasets:
        yield dataset, _DATA[dataset.role]
    if (source := version.facts.source) is not None and source.commit:
        yield source, LineageRelation.SOURCE
    if (run := version.facts.run) is not None:
        yield run, LineageRelation.RUN


class Origin(Enum):
    """Origins that are not versions. The value is the search field of versions for it."""

    DATASET = ("dataset", "dataset.digest", "dataset.uri")
    COMMIT = ("source.commit",)
    RUN = ("run",)


def mentions(version: Version, origin: Origin, value: str) -> Iterator[tuple[Thing, LineageRelation]]:
    """The origins of a version with this value, each with its relation."""
    for thing, relation in sources_of(version):
        match origin, thing:
            case Origin.DATASET, Dataset():
                values = {thing.name, thing.digest, thing.uri}
            case Origin.COMMIT, Source():
                values = {thing.commit}
            case Origin.RUN, Run():
                values = {thing.id}
            case _:
                continue
        if value in values:
            yield thing, relation


def parents_of(version: Version) -> Iterator[Edge]:
    for parent in version.facts.parents:
        yield Edge(parent.version, str(version.name), LineageRelation(parent.relation.value), parent.manifest_digest)
