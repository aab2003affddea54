"""A promotion: moves an alias, unless somebody else does at the same time."""

from modelyard import _naming
from modelyard._client.aliases import AsyncAliases
from modelyard._client.resolving import resolve
from modelyard._connection import Connection
from modelyard.core.names import ModelName, VersionName
from modelyard.core.references import Reference
from modelyard.errors import NotFoundError
from modelyard.types import Alias, Promotion


async def promote(connection: Connection, reference: Reference, alias: str, reason: str) -> Promotion:
    """Points the alias at what the reference means; see ``AsyncClient.promote``."""
    _naming.alias_name(reference.model, alias)
    found = (await resolve(connection, reference, files=False)).version
    version = VersionName.parse(found.name)
    aliases = AsyncAliases(connection)
    before = await _current(aliases, reference.model, alias)
    previous = before.version if before is not None else None
    if before is not None and previous == version:
        return Promotion(alias=before, previous_version=previous)
    after = await aliases.set(
        reference.model,
        alias,
        version,
        etag=before.etag if before is not None else None,
        create_only=before is None,
        expected_digest=found.manifest_digest,
        reason=reason,
    )
    return Promotion(alias=after, previous_version=previous)


async def _current(aliases: AsyncAliases, model: ModelName, alias: str) -> Alias | None:
    try:
        return await aliases.get(model, alias)
    except NotFoundError as error:
        if error.reason == "ALIAS_NOT_FOUND":
            return None
        raise
