"""Reads the origins and the descendants of versions."""

from dataclasses import dataclass
from typing import Final

from modelyard.core.names import AliasName, NamespaceName, VersionName
from modelyard_server.calls.caller import Caller
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.lineage.repository import LineageRepository
from modelyard_server.lineage.values import Edge, Graph, Origin, id_of, mentions, parents_of, sources_of
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
            graph, frontier = Graph(MAX_NODES), [await named(transaction, name)]
            graph.add(frontier[0], 0)
            for distance in range(1, depth + 1):
                for version in frontier:
                    _add_sources(graph, version, distance)
                frontier = await self._parents(transaction, graph, frontier, distance)
            for version in frontier:
                _add_sources(graph, version, depth + 1)
            graph.truncated |= any(version.facts.parents for version in frontier)
            return graph

        return await self.database.read(work)

    async def downstream(self, caller: Caller, name: VersionName | AliasName, depth: int) -> Graph:
        """The versions made from a version."""

        async def work(transaction: Transaction) -> Graph:
            graph, first = Graph(MAX_NODES), await named(transaction, name)
            graph.add(first, 0)
            await self._descend(transaction, graph, [first], 1, depth)
            return graph

        return await self.database.read(work)

    async def descendants(self, caller: Caller, parent: NamespaceName, origin: Origin, value: str, depth: int) -> Graph:
        """The versions of a namespace that were made from a data set, a commit or a run, and their descendants."""

        async def work(transaction: Transaction) -> Graph:
            graph = Graph(MAX_NODES)
            namespace = await lookup.namespace(transaction, parent)
            found = await LineageRepository(transaction).mentioning(namespace.key, origin.value, value, MAX_NODES + 1)
            for version in found:
                for thing, relation in mentions(version, origin, value):
                    graph.add(thing, 0)
                    graph.add(version, 1)
                    graph.connect(Edge(id_of(thing), id_of(version), relation))
            frontier = [version for version in found if id_of(version) in graph.nodes]
            await self._descend(transaction, graph, frontier, 2, depth + 1)
            return graph

        return await self.database.read(work)

    @staticmethod
    async def _parents(transaction: Transaction, graph: Graph, versions: list[Version], distance: int) -> list[Version]:
        """Adds the parents of versions. Returns the parents that are new."""
        edges = [edge for version in versions for edge in parents_of(version)]
        found = await LineageRepository(transaction).parents([version.key for version in versions], MAX_NODES + 1)
        new = [version for version in found if graph.add(version, distance)]
        for edge in edges:
            graph.connect(edge)
        return new

    @staticmethod
    async def _descend(transaction: Transaction, graph: Graph, frontier: list[Version], first: int, last: int) -> None:
        for distance in range(first, last + 1):
            children = await LineageRepository(transaction).children(
                [version.key for version in frontier], MAX_NODES + 1
            )
            frontier = [version for version in children if graph.add(version, distance)]
            for version in children:
                for edge in parents_of(version):
                    graph.connect(edge)
            if not frontier:
                return
        graph.truncated |= bool(await LineageRepository(transaction).children([version.key for version in frontier], 1))


def _add_sources(graph: Graph, version: Version, distance: int) -> None:
    for thing, relation in sources_of(version):
        graph.add(thing, distance)
        graph.connect(Edge(id_of(thing), id_of(version), relation))
