"""Keeps versions that are served."""

from collections.abc import Sequence

from modelyard.core.names import ModelName, VersionName
from modelyard_server.calls.errors import FailedPrecondition, PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.deployments.repository import DeploymentRepository
from modelyard_server.deployments.values import Deployment
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.lookup import BLOCKERS
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version


class ServedStay:
    """See :class:`~modelyard_server.registry.guards.DeleteGuard`."""

    async def check_version_deletion(self, mutations: Mutations, transaction: Transaction, version: Version) -> None:
        deployments = DeploymentRepository(transaction)
        if served := await deployments.of_version(version.key, mutations.clock(), BLOCKERS):
            raise _is_served(version.name, served)

    async def check_model_deletion(self, mutations: Mutations, transaction: Transaction, model: Model) -> None:
        deployments = DeploymentRepository(transaction)
        if served := await deployments.of_model(model.key, mutations.clock(), BLOCKERS):
            raise _is_served(model.name, served)


def _is_served(name: VersionName | ModelName, deployments: Sequence[Deployment]) -> FailedPrecondition:
    consumers = ", ".join(dict.fromkeys(map(_consumer, deployments)))
    return FailedPrecondition(
        f"{name} is served by {consumers}; let them load another version or stop them first, or end the deployments of"
        " those that are gone",
        reason="VERSION_IN_USE",
        violations=[
            PreconditionViolation("DEPLOYMENT", str(each.name), f"{_consumer(each)} serves {each.version}")
            for each in deployments
        ],
        metadata={"resource": str(name), "usedBy": ",".join(str(each.name) for each in deployments)},
    )


def _consumer(deployment: Deployment) -> str:
    """As a person says it: `fraud-api in production (pod-1)`."""
    where = f" in {deployment.environment}" if deployment.environment else ""
    return f"{deployment.service}{where}" + (f" ({deployment.instance})" if deployment.instance else "")
