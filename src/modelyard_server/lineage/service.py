"""Reads the origins and the descendants of versions."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from modelyard.core.facts import LineageRelation
from modelyard.core.names import AliasName, NamespaceName, VersionName
from modelyard_server.calls.caller import Caller
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.lineage.repository import LineageRepository
from modelyard_server.lineage.values import Edge, Graph, Level, Origin, Thing, id_of, mentions
from modelyard_server.registry import lookup
from modelyard_server.registry.lookup import named
from modelyard_server.registry.versions.values import Version

MAX_NODES: Final = 1000


@dataclass(frozen=True, slots=True)
class Lineage:
    database: Database

    async def upstream(self, caller: Caller, name: VersionName | AliasName, depth: int) -> Graph:
        """The origins of a version."""

        async def work(transaction: Transaction) -> Graph:
            graph, lineage = Graph(MAX_NODES), LineageRepository(transaction)
            level = _first(graph, await named(transaction, name))
            for distance in range(1, depth + 1):
                level.draw_sources(distance)
                parents = await lineage.parents(level.keys, MAX_NODES + 1)
                above = await _read(graph, lineage, parents, distance)
                level.draw_parents()
                level = above
            level.draw_sources(depth + 1)
            graph.truncated |= level.has_parents
            return graph

        return await self.database.read(work)

    async def downstream(self, caller: Caller, name: VersionName | AliasName, depth: int) -> Graph:
        """The versions made from a version."""

        async def work(transaction: Transaction) -> Graph:
            graph = Graph(MAX_NODES)
            level = _first(graph, await named(transaction, name))
            await _descend(graph, LineageRepository(transaction), level, 1, depth)
            return graph

        return await self.database.read(work)

    async def descendants(self, caller: Caller, parent: NamespaceName, origin: Origin, value: str, depth: int) -> Graph:
        """The versions of a namespace that were made from a data set, a commit or a run, and their descendants."""

        async def work(transaction: Transaction) -> Graph:
            graph, lineage = Graph(MAX_NODES), LineageRepository(transaction)
            namespace = await lookup.namespace(transaction, parent)
            keys = await lineage.mentioning(namespace.key, origin.value, value, MAX_NODES + 1)
            level = await _read(graph, lineage, keys, 1, lambda version: mentions(version, origin, value))
            await _descend(graph, lineage, level, 2, depth + 1)
            return graph

        return await self.database.read(work)


def _first(graph: Graph, version: Version) -> Level:
    level = Level(graph)
    level.add(version, 0)
    return level


async def _read(
    graph: Graph,
    lineage: LineageRepository,
    keys: Sequence[int],
    distance: int,
    things: Callable[[Version], Iterable[tuple[Thing, LineageRelation]]] = lambda _version: (),
) -> Level:
    """Adds versions to the graph, each behind the ``things`` it was made from. The new ones are the level."""
    level = Level(graph)
    async with aclosing(lineage.read(keys)) as versions:
        async for version in versions:
            if graph.room <= 0:
                graph.truncated = True
                break
            origins = list(things(version))
            for thing, _ in origins:
                graph.add(thing, distance - 1)
            level.add(version, distance)
            for thing, relation in origins:
                graph.connect(Edge(id_of(thing), id_of(version), relation))
    return level


async def _descend(graph: Graph, lineage: LineageRepository, level: Level, first: int, last: int) -> None:
    for distance in range(first, last + 1):
        level = await _read(graph, lineage, await lineage.children(level.keys, MAX_NODES + 1), distance)
        level.draw_parents()
        if not level.keys:
            return
    graph.truncated |= bool(await lineage.children(level.keys, 1))
