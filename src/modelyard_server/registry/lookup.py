"""Finding what a request names, or saying which part of the name is missing."""

from collections.abc import Sequence
from typing import Final

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard_server.calls.errors import FailedPrecondition, NotFound, PreconditionViolation
from modelyard_server.db.protocols import Transaction
from modelyard_server.registry.values import Alias, Deployment, Model, Namespace, Version, VersionState

BLOCKERS: Final = 20
"""That one refusal names."""


async def namespace(transaction: Transaction, name: NamespaceName, *, lock: bool = False) -> Namespace:
    found = await transaction.namespaces.find(name, lock=lock)
    if found is None:
        raise namespace_not_found(name)
    return found


async def revision(transaction: Transaction, name: NamespaceName) -> int:
    """The last revision of a namespace's log."""
    found = await transaction.namespaces.revision(name)
    if found is None:
        raise namespace_not_found(name)
    return found


def namespace_not_found(name: NamespaceName) -> NotFound:
    return NotFound(
        f"there is no namespace {name.namespace!r}; create it first",
        reason="NAMESPACE_NOT_FOUND",
        kind="Namespace",
        name=str(name),
    )


async def model(transaction: Transaction, name: ModelName, *, lock: bool = False, deleted: bool = False) -> Model:
    """A live model; with ``deleted`` a soft-deleted one too."""
    found = await transaction.models.find(name, lock=lock)
    if found is None:
        await namespace(transaction, NamespaceName(name.namespace))
        raise NotFound(
            f"there is no model {name.model!r} in namespace {name.namespace!r}",
            reason="MODEL_NOT_FOUND",
            kind="Model",
            name=str(name),
        )
    if found.delete_time is not None and not deleted:
        raise NotFound(
            f"the model {name.model!r} in namespace {name.namespace!r} is deleted; restore it to use it again",
            reason="MODEL_DELETED",
            kind="Model",
            name=str(name),
        )
    return found


def version_not_found(name: ModelName, which: str) -> NotFound:
    return NotFound(
        f"the model {name.namespace}/{name.model} has no {which}",
        reason="VERSION_NOT_FOUND",
        kind="Version",
        name=f"{name}/versions/-",
    )


def version_deleted(name: VersionName) -> NotFound:
    return NotFound(
        f"version {name.number} of {name.model.namespace}/{name.model.model} is deleted; restore it to use it again",
        reason="VERSION_DELETED",
        kind="Version",
        name=str(name),
    )


async def version(transaction: Transaction, name: VersionName, *, lock: bool = False, deleted: bool = False) -> Version:
    """A live version; with ``deleted`` a soft-deleted one too."""
    found = await transaction.versions.find(name, lock=lock)
    if found is None:
        await model(transaction, name.model)
        raise version_not_found(name.model, f"version {name.number}")
    if found.delete_time is not None and not deleted:
        raise version_deleted(name)
    return found


async def servable(transaction: Transaction, name: VersionName) -> Version:
    """A live version whose bytes may be used."""
    found = await version(transaction, name)
    if found.state is VersionState.QUARANTINED:
        raise FailedPrecondition(
            f"{name} is quarantined: its bytes are not served",
            reason="QUARANTINED",
            violations=[PreconditionViolation("STATE", str(name), "the version is quarantined")],
            metadata={"resource": str(name)},
        )
    return found


async def alias(transaction: Transaction, name: AliasName, *, lock: bool = False) -> Alias:
    found = await transaction.aliases.find(name, lock=lock)
    if found is None:
        await model(transaction, name.model)
        raise alias_not_found(name)
    return found


async def follow(transaction: Transaction, name: AliasName) -> tuple[Version, Alias]:
    """An alias and the live version that it points at."""
    found = await transaction.versions.follow(name)
    if found is None:
        await model(transaction, name.model)
        raise alias_not_found(name)
    if found[0].delete_time is not None:
        raise version_deleted(found[0].name)
    return found


def alias_not_found(name: AliasName) -> NotFound:
    return NotFound(
        f"the model {name.model.namespace}/{name.model.model} has no alias {name.alias!r}",
        reason="ALIAS_NOT_FOUND",
        kind="Alias",
        name=str(name),
    )


def has_children(name: VersionName | ModelName, children: Sequence[Version]) -> FailedPrecondition:
    names = [str(child.name) for child in children]
    return FailedPrecondition(
        f"{name} is what {', '.join(names)} {'was' if len(names) == 1 else 'were'} made from; delete those first",
        reason="VERSION_IN_USE",
        violations=[PreconditionViolation("CHILD", child, "was made from the version") for child in names],
        metadata={"resource": str(name), "usedBy": ",".join(names)},
    )


def is_served(name: VersionName | ModelName, deployments: Sequence[Deployment]) -> FailedPrecondition:
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
