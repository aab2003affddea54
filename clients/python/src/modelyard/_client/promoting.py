"""Promotions and rollbacks: an alias moves, unless somebody else moves it at the same time."""

from modelyard import _convert, _naming
from modelyard._caller import warn
from modelyard._client.aliases import AsyncAliases
from modelyard._client.deprecation import notice_with_actor
from modelyard._client.resolving import resolve
from modelyard._connection import Connection
from modelyard.core.names import AliasName, ModelName
from modelyard.core.references import Reference, Selector
from modelyard.errors import DeprecatedVersionWarning, NotFoundError
from modelyard.types import Alias, Promotion


async def promote(connection: Connection, reference: Reference, alias: str, reason: str) -> Promotion:
    """Points the alias at what the reference means; see ``AsyncClient.promote``."""
    if isinstance(alias, int):
        raise _naming.invalid("alias", f"{alias} is not an alias. Name the version as '{reference}@{alias}'.")
    _naming.alias_name(reference.model, alias)
    if reference.selector is Selector.DEFAULT:
        raise _naming.invalid(
            "reference",
            f"{str(reference)!r} names no version. Give one, for example {reference}@7, or {reference}@latest for the"
            " newest.",
        )
    found = (await resolve(connection, reference, files=False)).version
    version = _convert.version_name(found.name)
    if (warning := await notice_with_actor(connection, found, reference)) is not None:
        warn(warning, DeprecatedVersionWarning)
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


async def rollback(connection: Connection, name: AliasName, reason: str) -> Promotion:
    """Points the alias back at the version before its last move; see ``AsyncClient.rollback``."""
    aliases = AsyncAliases(connection)
    before = await aliases.get(name.model, name.alias)
    after = await aliases.rollback(name.model, name.alias, etag=before.etag, reason=reason)
    return Promotion(alias=after, previous_version=before.version)


async def _current(aliases: AsyncAliases, model: ModelName, alias: str) -> Alias | None:
    try:
        return await aliases.get(model, alias)
    except NotFoundError as error:
        if error.reason == "ALIAS_NOT_FOUND":
            return None
        raise
