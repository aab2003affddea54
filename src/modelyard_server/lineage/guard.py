"""Keeps versions that others were made from."""

from collections.abc import Sequence

from modelyard.core.names import ModelName, VersionName
from modelyard_server.calls.errors import FailedPrecondition, PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.lineage.repository import LineageRepository
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.lookup import BLOCKERS
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version


class ParentsStay:
    """See :class:`~modelyard_server.registry.guards.DeleteGuard`."""

    async def check_version_deletion(self, mutations: Mutations, transaction: Transaction, version: Version) -> None:
        children = await LineageRepository(transaction).children([version.key], BLOCKERS, live=True)
        if children:
            raise _has_children(version.name, children)

    async def check_model_deletion(self, mutations: Mutations, transaction: Transaction, model: Model) -> None:
        children = await LineageRepository(transaction).children_elsewhere(model.key, BLOCKERS)
        if children:
            raise _has_children(model.name, children)


def _has_children(name: VersionName | ModelName, children: Sequence[Version]) -> FailedPrecondition:
    names = [str(child.name) for child in children]
    return FailedPrecondition(
        f"{name} is what {', '.join(names)} {'was' if len(names) == 1 else 'were'} made from; delete those first",
        reason="VERSION_IN_USE",
        violations=[PreconditionViolation("CHILD", child, "was made from the version") for child in names],
        metadata={"resource": str(name), "usedBy": ",".join(names)},
    )
