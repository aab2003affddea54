"""Evaluations: metrics of a version on a data set. They can be added at any time, and never change.

A correction is a new evaluation that supersedes an older one. Filters and sort orders use the latest metrics.
"""

from typing import Final

from modelyard.v1 import evaluations_pb2
from modelyard_server.capability import Capability, Parts, Running
from modelyard_server.evaluations import inventory
from modelyard_server.evaluations.checks import check
from modelyard_server.evaluations.events import EVALUATION
from modelyard_server.evaluations.service import Evaluations
from modelyard_server.evaluations.servicer import EvaluationsServicer
from modelyard_server.evaluations.tables import evaluations
from modelyard_server.log.changes import Mutations


def _build(parts: Parts) -> Running:
    service = Evaluations(Mutations(parts.database, parts.clock, parts.limits))
    return Running(servicers=[EvaluationsServicer(service, parts.lists, parts.limits)])


CAPABILITY: Final = Capability(
    name="evaluations",
    tables=[evaluations],
    services=[evaluations_pb2.DESCRIPTOR.services_by_name["EvaluationsService"]],
    offers=[EVALUATION, inventory.FAMILY],
    checks=[check],
    build=_build,
)
