"""Refuses to delete versions that other live versions are derived from."""

from collections.abc import Sequence

from modelyard.core.names import ModelName, VersionName
from modelyard_server.calls.errors import FailedPrecondition, PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.lineage.repository import LineageRepository
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.lookup import MAX_LISTED_BLOCKERS
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version


class ParentsStay:
    """See :class:`~modelyard_server.registry.guards.DeleteGuard`."""

    async def check_version_deletion(self, mutations: Mutations, transaction: Transaction, version: Version) -> None:
        children = await LineageRepository(transaction).live_children(version.key, MAX_LISTED_BLOCKERS)
        if children:
            raise _has_children(version.name, children)

    async def check_model_deletion(self, mutations: Mutations, transaction: Transaction, model: Model) -> None:
        children = await LineageRepository(transaction).children_elsewhere(model.key, MAX_LISTED_BLOCKERS)
        if children:
            raise _has_children(model.name, children)


def _has_children(name: VersionName | ModelName, children: Sequence[VersionName]) -> FailedPrecondition:
    names = [str(child) for child in children]
    return FailedPrecondition(
        f"{name} can't be deleted: {', '.join(names)} {'was' if len(names) == 1 else 'were'} made from it. Delete"
        f" {'that' if len(names) == 1 else 'those'} first.",
        reason="VERSION_IN_USE",
        violations=[PreconditionViolation("CHILD", child, "was made from the version") for child in names],
        metadata={"resource": str(name), "usedBy": ",".join(names)},
    )
