"""Aliases, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from datetime import datetime

from modelyard import _convert, _naming
from modelyard._client.messages import pager, request_id
from modelyard._client.resolving import resolve
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard.core.names import ModelName, VersionName
from modelyard.core.references import Selector
from modelyard.types import Alias, Model, Version
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


class AsyncAliases:
    """Aliases: ``client.aliases``. An alias is a movable pointer to one version of its model, as ``production``.

    ``client.promote`` is the everyday way to move one. Each move is one event of the log.

    >>> alias = await yard.aliases.get("team/fraud", "production")
    >>> await yard.aliases.set("team/fraud", "production", 8, etag=alias.etag, reason="better recall")
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, model: str | ModelName | Model, alias: str, *, at: datetime | str | None = None) -> Alias:
        """Reads one alias, as it is or as it was.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            at: Read the alias as it was at this time: a ``datetime``, or a text such as ``2026-03-31T12:00:00Z``,
                ``7d`` or ``3h ago``. Without a zone it is in UTC. A text without fractions of a second includes that
                second.

        Raises:
            InvalidArgumentError: ``at`` is not a time, or is in the future.
            NotFoundError: The alias is not set, or was not set at that time.
            OutOfRangeError: The log no longer reaches back to that time.
        """
        request = pb.GetAliasRequest(name=str(_naming.alias_name(model, alias)))
        if at is not None:
            request.time.FromDatetime(_naming.moment("at", at))
        return _convert.alias(await self._connection.call(self._connection.stub(RegistryServiceStub).GetAlias, request))

    def list(self, model: str | ModelName | Model, *, page_size: int | None = None) -> AsyncPager[Alias]:
        """Lists the aliases of a model, ordered by id.

        Args:
            model: As ``team/fraud``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The model does not exist.
        """
        return pager(
            self._connection,
            lambda: self._connection.stub(RegistryServiceStub).ListAliases,
            pb.ListAliasesRequest(parent=str(_naming.model_name(model)), page_size=_naming.page_size(page_size)),
            lambda page: page.aliases,
            _convert.alias,
        )

    async def set(
        self,
        model: str | ModelName | Model,
        alias: str,
        version: int | str | VersionName | Version,
        *,
        etag: str | None = None,
        create_only: bool = False,
        expected_digest: str | None = None,
        reason: str = "",
    ) -> Alias:
        """Points an alias at a version, and creates the alias if it does not exist.

        Args:
            model: As ``team/fraud``.
            alias: A lower-case letter, then lower-case letters, digits, ``_`` or ``-``; at most 63 characters.
            version: The number, or any reference to a version of this model. A reference is resolved first; the alias
                then points at that version and no other, even if the reference moves at the same time.
            etag: Only move the alias if it still has this etag.
            create_only: Only create the alias; never move one that exists.
            expected_digest: Only move the alias if the version has this manifest digest.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The version or the model does not exist.
            ConflictError: The alias has another etag, or exists although ``create_only`` is set.
            FailedPreconditionError: The version has another digest, or is quarantined. The alias was not moved.
        """
        name = _naming.alias_name(model, alias)
        wanted = name.model.version(version) if isinstance(version, int) else version
        reference = _naming.reference(wanted, "version")
        if reference.model != name.model:
            raise _naming.invalid("version", f"{str(reference)!r} is not a version of the model {model!s}.")
        number, digest = reference.value, expected_digest or ""
        if reference.selector is not Selector.NUMBER:
            found = (await resolve(self._connection, reference, files=False)).version
            number, digest = found.name.rpartition("/")[2], digest or found.manifest_digest
        request = pb.SetAliasRequest(
            alias=resources.Alias(name=str(name), version=f"{name.model}/versions/{number}", etag=etag or ""),
            create_only=create_only,
            expected_manifest_digest=digest,
            reason=reason,
            request_id=request_id(),
        )
        return _convert.alias(await self._connection.call(self._connection.stub(RegistryServiceStub).SetAlias, request))

    async def rollback(
        self, model: str | ModelName | Model, alias: str, *, etag: str | None = None, reason: str = ""
    ) -> Alias:
        """Points an alias back at the version before its last move. Call it again to go back one move more.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            etag: Only move the alias if it still has this etag.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The alias is not set.
            ConflictError: The alias has another etag.
            FailedPreconditionError: There is no earlier move, or the earlier version is deleted or quarantined.
        """
        request = pb.RollbackAliasRequest(
            name=str(_naming.alias_name(model, alias)), etag=etag or "", reason=reason, request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).RollbackAlias
        return _convert.alias(await self._connection.call(call, request))

    async def delete(
        self, model: str | ModelName | Model, alias: str, *, etag: str | None = None, reason: str = ""
    ) -> Alias:
        """Deletes an alias and returns it as it was. The version stays.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            etag: Only delete the alias if it still has this etag.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The alias is not set.
            ConflictError: The alias has another etag.
        """
        request = pb.DeleteAliasRequest(
            name=str(_naming.alias_name(model, alias)), etag=etag or "", reason=reason, request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).DeleteAlias
        return _convert.alias(await self._connection.call(call, request))
