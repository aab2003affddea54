"""The lineage graph."""

from modelyard._convert.registry import version
from modelyard.core.facts import Dataset, Run, Source
from modelyard.types import Lineage, LineageEdge, LineageNode, Version
from modelyard.v1 import lineage_pb2
from modelyard.wire import LINEAGE_RELATIONS, dataset_from_proto, run_from_proto, source_from_proto


def lineage(message: lineage_pb2.QueryLineageResponse) -> Lineage:
    return Lineage(
        nodes=tuple(LineageNode(id=node.id, distance=node.distance, thing=_thing(node)) for node in message.nodes),
        edges=tuple(
            LineageEdge(
                source=edge.source,
                target=edge.target,
                relation=LINEAGE_RELATIONS.from_proto(edge.relation),
                digest=edge.manifest_digest,
            )
            for edge in message.edges
        ),
        truncated=message.truncated,
    )


def _thing(node: lineage_pb2.LineageNode) -> Version | Dataset | Source | Run | None:
    match node.WhichOneof("kind"):
        case "version":
            return version(node.version)
        case "dataset":
            return dataset_from_proto(node.dataset)
        case "source":
            return source_from_proto(node.source)
        case "run":
            return run_from_proto(node.run)
        case _:
            return None
