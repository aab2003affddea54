"""Finds the resources of a request, or raises :class:`NotFound` for the missing part of the name."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from modelyard.core.manifest import File
from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard.core.suggestions import MOST_COMPARED, did_you_mean
from modelyard.core.times import rfc3339
from modelyard_server.calls.errors import FailedPrecondition, NotFound, PreconditionViolation
from modelyard_server.calls.offload import FEW
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.log.history import namespace_not_found
from modelyard_server.registry.aliases.repository import AliasRepository
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.models.repository import ModelRepository
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.namespaces.repository import NamespaceRepository
from modelyard_server.registry.namespaces.values import Namespace
from modelyard_server.registry.versions.repository import VersionRepository
from modelyard_server.registry.versions.values import Version, VersionState

_SHOWN_ALIASES: Final = 10
MAX_LISTED_BLOCKERS: Final = 20
"""Most resources that one error lists."""


async def namespace(
    transaction: Transaction, name: NamespaceName, *, lock: bool = False, hold: bool = False, deleted: bool = False
) -> Namespace:
    """A live namespace; with ``deleted`` a soft-deleted one too.

    With ``hold`` it can't be deleted until the commit, as whoever makes something in it needs.
    """
    found = await NamespaceRepository(transaction).find(name, lock=lock, hold=hold)
    if found is None:
        raise await namespace_not_found(transaction, name)
    if found.delete_time is not None and not deleted:
        raise NotFound(
            f"the namespace {name.namespace!r} is deleted; restore it to use it again",
            reason="NAMESPACE_DELETED",
            kind="Namespace",
            name=str(name),
        )
    return found


async def model(transaction: Transaction, name: ModelName, *, lock: bool = False, deleted: bool = False) -> Model:
    """A live model. With ``deleted``, also a deleted one."""
    found = await ModelRepository(transaction).find(name, lock=lock)
    if found is None:
        home = await namespace(transaction, NamespaceName(name.namespace))
        near = await ModelRepository(transaction).ids_like(home.key, name.model, limit=MOST_COMPARED)
        raise NotFound(
            f"There is no model {name.model!r} in namespace {name.namespace!r}.{did_you_mean(name.model, near)}",
            reason="MODEL_NOT_FOUND",
            kind="Model",
            name=str(name),
        )
    if found.delete_time is not None and not deleted:
        raise NotFound(
            f"The model {name.model!r} in namespace {name.namespace!r} is deleted. Restore it to use it again.",
            reason="MODEL_DELETED",
            kind="Model",
            name=str(name),
        )
    return found


def version_not_found(name: ModelName, which: str) -> NotFound:
    return NotFound(
        f"The model {name.namespace}/{name.model} has no {which}.",
        reason="VERSION_NOT_FOUND",
        kind="Version",
        name=f"{name}/versions/-",
    )


def version_deleted(name: VersionName) -> NotFound:
    return NotFound(
        f"Version {name.number} of {name.model.namespace}/{name.model.model} is deleted. Restore it to use it again.",
        reason="VERSION_DELETED",
        kind="Version",
        name=str(name),
    )


async def version(transaction: Transaction, name: VersionName, *, lock: bool = False, deleted: bool = False) -> Version:
    """A live version. With ``deleted``, also a deleted one."""
    found = await VersionRepository(transaction).find(name, lock=lock)
    if found is None:
        await model(transaction, name.model)
        raise version_not_found(name.model, f"version {name.number}")
    if found.delete_time is not None and not deleted:
        raise version_deleted(name)
    return found


async def servable(transaction: Transaction, name: VersionName) -> Version:
    """A live version that is not quarantined."""
    return check_servable(await version(transaction, name))


def check_servable(found: Version) -> Version:
    """Raises ``QUARANTINED`` for a version whose bytes must not be used."""
    if found.state is VersionState.QUARANTINED:
        why = f": {found.quarantine_reason[:200]}" if found.quarantine_reason else ""
        raise FailedPrecondition(
            f"{found.name} is quarantined{why}. It can't be read or resolved. Ask its owner for another version.",
            reason="QUARANTINED",
            violations=[PreconditionViolation("STATE", str(found.name), "the version is quarantined")],
            metadata={"resource": str(found.name)},
        )
    return found


async def alias(transaction: Transaction, name: AliasName, *, lock: bool = False) -> Alias:
    found = await AliasRepository(transaction).find(name, lock=lock)
    if found is None:
        await model(transaction, name.model)
        raise await alias_not_found(transaction, name)
    return found


async def alias_not_set_at(transaction: Transaction, name: AliasName, time: datetime) -> NotFound:
    """The error about an alias that the model has at another time, or never had."""
    if await AliasRepository(transaction).find(name) is None:
        return await alias_not_found(transaction, name)
    return NotFound(
        f"The alias {name.alias!r} of {name.model.namespace}/{name.model.model} was not set at"
        f" {rfc3339(time, 'seconds')}. The log has its moves.",
        reason="ALIAS_NOT_FOUND",
        kind="Alias",
        name=str(name),
    )


async def follow(transaction: Transaction, name: AliasName) -> tuple[Version, Alias]:
    """An alias and the live version that it points to."""
    found = await AliasRepository(transaction).follow(name)
    if found is None:
        await model(transaction, name.model)
        raise await alias_not_found(transaction, name)
    if found[0].delete_time is not None:
        raise version_deleted(found[0].name)
    return found


async def alias_not_found(transaction: Transaction, name: AliasName) -> NotFound:
    """The error that names the aliases that there are."""
    ids = await AliasRepository(transaction).ids(name.model, limit=MOST_COMPARED)
    shown = ", ".join(ids[:_SHOWN_ALIASES]) + (", …" if len(ids) > _SHOWN_ALIASES else "")
    known = (
        f"Its aliases are: {shown}."
        if len(ids) > 1
        else f"Its only alias is {shown}."
        if ids
        else "It has no aliases. Promote a version first."
    )
    meant = did_you_mean(name.alias, ids)
    return NotFound(
        f"The model {name.model.namespace}/{name.model.model} has no alias {name.alias!r}.{meant} {known}",
        reason="ALIAS_NOT_FOUND",
        kind="Alias",
        name=str(name),
    )


def digest_changed(version: Version, expected: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"{version.name} has the manifest digest {version.manifest_digest}, not {expected}. Check the version.",
        reason="DIGEST_CHANGED",
        violations=[PreconditionViolation("DIGEST", str(version.name), "the manifest digest differs")],
        metadata={"resource": str(version.name), "expected": expected, "actual": version.manifest_digest},
    )


async def named(transaction: Transaction, name: VersionName | AliasName) -> Version:
    """The version, which may be deleted, or the version that the alias points to."""
    if isinstance(name, AliasName):
        return (await follow(transaction, name))[0]
    return await version(transaction, name, deleted=True)


async def with_files(transaction: Transaction, version: Version) -> Version:
    return replace(version, files=await VersionRepository(transaction).files(version.key))


async def with_few_files(transaction: Transaction, version: Version) -> Version:
    """The version with its files, if they are few. :func:`read_files` reads many."""
    return version if version.file_count > FEW else await with_files(transaction, version)


async def read_files(database: Database, version: Version) -> tuple[File, ...]:
    """The files of a version, however many, beside the event loop."""
    return await database.read_large(lambda transaction: VersionRepository(transaction).files(version.key))
