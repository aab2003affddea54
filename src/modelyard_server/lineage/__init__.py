"""The origins of versions, as a graph of versions, data sets, commits and runs.

Its edges are facts of versions, and frozen with them. A version cannot be deleted while live versions are derived from
it.
"""

from typing import Final

from modelyard.v1 import lineage_pb2
from modelyard_server.capability import Capability, Parts, Running
from modelyard_server.lineage.guard import ParentsStay
from modelyard_server.lineage.service import Lineage
from modelyard_server.lineage.servicer import LineageServicer


def _build(parts: Parts) -> Running:
    return Running(servicers=[LineageServicer(Lineage(parts.database), parts.limits)])


CAPABILITY: Final = Capability(
    name="lineage",
    services=[lineage_pb2.DESCRIPTOR.services_by_name["LineageService"]],
    offers=[ParentsStay()],
    build=_build,
)
