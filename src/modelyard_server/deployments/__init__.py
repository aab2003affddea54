"""Deployments: the version that each consumer serves, as leases. Also counts the uses of versions.

A deployment lives as long as its consumer sends heartbeats. A served version cannot be deleted, and a deleted version
cannot be served. The log has an event when a deployment begins, moves or ends. Heartbeats and uses have no events.
"""

from typing import Final

from modelyard.v1 import deployments_pb2
from modelyard_server.capability import Capability, Parts, Running, Sweep
from modelyard_server.deployments import inventory
from modelyard_server.deployments.checks import check
from modelyard_server.deployments.events import DEPLOYMENT
from modelyard_server.deployments.guard import ServedStay
from modelyard_server.deployments.service import Deployments
from modelyard_server.deployments.servicer import DeploymentsServicer
from modelyard_server.deployments.sweeps import ExpireDeployments, ShortenLeases
from modelyard_server.deployments.tables import deployments
from modelyard_server.deployments.usage.service import UsageCounter
from modelyard_server.deployments.usage.tables import version_usage
from modelyard_server.log.changes import Mutations


def _build(parts: Parts) -> Running:
    mutations = Mutations(parts.database, parts.clock, parts.limits)
    usage = UsageCounter(mutations)
    parts.offers.add(usage)
    return Running(
        servicers=[DeploymentsServicer(Deployments(mutations), parts.lists, parts.limits)],
        jobs=[usage],
        sweeps=[
            Sweep("deployments", ExpireDeployments(mutations)),
            Sweep("shortened_leases", ShortenLeases(mutations)),
        ],
    )


CAPABILITY: Final = Capability(
    name="deployments",
    tables=[deployments, version_usage],
    services=[deployments_pb2.DESCRIPTOR.services_by_name["DeploymentsService"]],
    offers=[DEPLOYMENT, inventory.FAMILY, ServedStay()],
    checks=[check],
    build=_build,
)
