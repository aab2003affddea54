"""LineageService: the origins and descendants of versions."""

from typing import Final

from modelyard import wire
from modelyard.core.facts import Dataset, Run
from modelyard.core.limits import DEFAULT_LINEAGE_DEPTH, MAX_LINEAGE_DEPTH
from modelyard.core.names import NamespaceName, parse_version_or_alias
from modelyard.v1 import lineage_pb2 as rpc
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.offload import offload
from modelyard_server.calls.parsing import Collector
from modelyard_server.lineage.service import Lineage
from modelyard_server.lineage.values import Edge, Graph, Node, Origin
from modelyard_server.registry.versions.messages import version_message
from modelyard_server.registry.versions.values import Version

_ORIGINS: Final = {"dataset": Origin.DATASET, "commit": Origin.COMMIT, "run": Origin.RUN}
_UPSTREAM, _DOWNSTREAM = rpc.QueryLineageRequest.DIRECTION_UPSTREAM, rpc.QueryLineageRequest.DIRECTION_DOWNSTREAM


class LineageServicer:
    """The graph of versions, data sets, commits and runs."""

    def __init__(self, lineage: Lineage, limits: Limits) -> None:
        self._lineage = lineage
        self._limits = limits

    async def QueryLineage(self, request: rpc.QueryLineageRequest, call: Call) -> rpc.QueryLineageResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        origin = request.WhichOneof("origin")
        collector.require("version", origin)
        value = getattr(request, origin) if origin else ""
        version = collector.parse("version", parse_version_or_alias, value) if origin == "version" else None
        if origin in _ORIGINS:
            collector.require(origin, value)
        if request.direction not in {_UPSTREAM, _DOWNSTREAM}:
            collector.add([FieldViolation("direction", "must be UPSTREAM or DOWNSTREAM")])
        elif origin in _ORIGINS and request.direction == _UPSTREAM:
            text = f"a {origin} has no origins. Use DOWNSTREAM to find the versions made from it."
            collector.add([FieldViolation("direction", text)])
        if not 0 <= request.depth <= MAX_LINEAGE_DEPTH:
            collector.add([FieldViolation("depth", f"{request.depth} is not between 0 and {MAX_LINEAGE_DEPTH}")])
        collector.raise_any()
        assert parent is not None
        assert origin is not None
        depth = request.depth or DEFAULT_LINEAGE_DEPTH
        if version is None:
            graph = await self._lineage.descendants(call.caller, parent, _ORIGINS[origin], value, depth)
        elif request.direction == _UPSTREAM:
            graph = await self._lineage.upstream(call.caller, version, depth)
        else:
            graph = await self._lineage.downstream(call.caller, version, depth)
        return await offload(len(graph.nodes) + len(graph.edges), _response, graph, self._limits.list_bytes)


def _response(graph: Graph, size: int) -> rpc.QueryLineageResponse:
    """With as many nodes, nearest first, as about ``size`` bytes hold, and as many edges between them as do again."""
    message = rpc.QueryLineageResponse(truncated=graph.truncated)
    shown, room = set(), size
    for node in sorted(graph.nodes.values(), key=lambda node: node.distance):
        told = _node(node)
        if (length := told.ByteSize()) > room:
            message.truncated = True
            continue
        room -= length
        shown.add(node.id)
        message.nodes.append(told)
    room = size // 2
    for edge in graph.edges.values():
        if not {edge.source, edge.target} <= shown:
            continue
        drawn = _edge(edge)
        room -= drawn.ByteSize()
        if room < 0:
            message.truncated = True
            break
        message.edges.append(drawn)
    return message


def _edge(edge: Edge) -> rpc.LineageEdge:
    return rpc.LineageEdge(
        source=edge.source,
        target=edge.target,
        relation=wire.LINEAGE_RELATIONS.to_proto(edge.relation),
        manifest_digest=edge.manifest_digest,
    )


def _node(node: Node) -> rpc.LineageNode:
    message = rpc.LineageNode(id=node.id, distance=node.distance)
    match node.thing:
        case Version():
            message.version.CopyFrom(version_message(node.thing))
        case Dataset():
            message.dataset.CopyFrom(wire.dataset_to_proto(node.thing))
        case Run():
            message.run.CopyFrom(wire.run_to_proto(node.thing))
        case _:
            message.source.CopyFrom(wire.source_to_proto(node.thing))
    return message
