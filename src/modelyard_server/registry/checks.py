"""Checks namespaces, models, versions and aliases against the log and against each other."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial

from modelyard.core.manifest import File, manifest_digest
from modelyard_server.checking.look import Look
from modelyard_server.log.checks import Kind as LogKind
from modelyard_server.log.checks import compare
from modelyard_server.registry import inventory
from modelyard_server.registry.guards import StoredBlobs
from modelyard_server.registry.inventory import VersionRecord


class Kind(StrEnum):
    """Kinds of faults of the registry's rows."""

    NUMBER_WRONG = "NUMBER_WRONG"
    ALIAS_DANGLING = "ALIAS_DANGLING"
    FILES_MISSING = "FILES_MISSING"
    SIZE_WRONG = "SIZE_WRONG"
    MANIFEST_CHANGED = "MANIFEST_CHANGED"
    FILE_WITHOUT_BLOB = "FILE_WITHOUT_BLOB"
    LINEAGE_WRONG = "LINEAGE_WRONG"


async def check(look: Look) -> None:
    """Checks every namespace, model, version with its files, and alias."""
    await _at_namespaces(look)
    await _at_models(look)
    await _at_versions(look)
    await _at_aliases(look)


async def _at_namespaces(look: Look) -> None:
    async for namespace in look.each("namespaces", inventory.NAMESPACES):
        compare(look, namespace.name, namespace.logged)
        if namespace.log_name is None:
            look.fault(LogKind.HEAD_WRONG, namespace.name, "its log has no head")
        elif namespace.log_name != namespace.name:
            look.fault(LogKind.HEAD_WRONG, namespace.name, f"the head of its log is that of {namespace.log_name}")


async def _at_models(look: Look) -> None:
    async for model in look.each("models", inventory.MODELS):
        compare(look, model.name, model.logged)
        if not model.numbered:
            text = (
                f"has {model.version_count} versions, numbered {model.lowest} to {model.highest}, but"
                f" {model.last_number} numbers were assigned"
            )
            look.fault(Kind.NUMBER_WRONG, model.name, text)


async def _at_versions(look: Look) -> None:
    async for version in look.each("versions", inventory.VERSIONS):
        compare(look, version.name, version.logged)
        if differing := sorted(version.parents ^ version.linked):
            text = f"its parents in the lineage graph and in its facts differ in {', '.join(differing)}"
            look.fault(Kind.LINEAGE_WRONG, version.name, text)
        await _at_files(look, version)


async def _at_aliases(look: Look) -> None:
    async for alias in look.each("aliases", inventory.ALIASES):
        if alias.dangling:
            look.fault(Kind.ALIAS_DANGLING, alias.name, "points to no existing version of its model")
        if alias.logged is not None:
            compare(look, alias.name, alias.logged)


async def _at_files(look: Look, version: VersionRecord) -> None:
    files = [file async for file in look.each("files", inventory.FILES, of_version=version.key)]
    await _at_blobs(look, version, files)
    if len(files) != version.file_count or not files:
        text = f"has {len(files)} files, but was committed with {version.file_count}"
        look.fault(Kind.FILES_MISSING, version.name, text)
    elif (size := sum(file.size for file in files)) != version.total_size:
        look.fault(Kind.SIZE_WRONG, version.name, f"its files have {size} bytes in total, not {version.total_size}")
    elif (digest := manifest_digest(files)) != version.manifest_digest:
        text = f"its files have the manifest digest {digest}, not {version.manifest_digest}"
        look.fault(Kind.MANIFEST_CHANGED, version.name, text)


async def _at_blobs(look: Look, version: VersionRecord, files: Sequence[File]) -> None:
    stored = look.offers.one(StoredBlobs)
    digests = {file.digest for file in files}
    held = await look.rows.read(partial(stored.held_sizes, namespace_key=version.namespace_key, digests=digests))
    for file in files:
        if (size := held.get(file.digest)) != file.size:
            found = "none" if size is None else f"{size} bytes"
            text = f"{file.digest} of {file.size} bytes; its namespace has under that digest: {found}"
            look.fault(Kind.FILE_WITHOUT_BLOB, f"{version.name} {file.path}", text)
