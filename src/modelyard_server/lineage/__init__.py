"""The graph of what was made from what: versions, data sets, commits, runs.

Its edges are facts of versions, frozen with them. A version that others were made from is not deleted under them.
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
