"""RegistryService: aliases."""

from collections.abc import Iterable
from datetime import datetime

from modelyard.core.manifest import check_digest
from modelyard.core.names import AliasName, ModelName, VersionName
from modelyard.core.times import check_past
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.query.requests import Lists
from modelyard_server.registry.aliases.messages import alias_message
from modelyard_server.registry.aliases.service import Aliases, Precondition


class AliasesServicer:
    """Aliases: read, list, set, roll back, delete."""

    def __init__(self, aliases: Aliases, lists: Lists, limits: Limits) -> None:
        self._aliases = aliases
        self._lists = lists
        self._limits = limits

    def _reason(self, reason: str) -> Iterable[FieldViolation]:
        return validation.text("reason", reason, max_bytes=self._limits.reason_bytes)

    def _past(self, request: rpc.GetAliasRequest, collector: Collector) -> datetime | None:
        moment = parsing.time("time", request.time, collector)
        if moment is not None:
            try:
                check_past(moment, self._aliases.mutations.clock())
            except ValueError as error:
                collector.add([FieldViolation("time", str(error))])
        return moment

    async def GetAlias(self, request: rpc.GetAliasRequest, call: Call) -> pb.Alias:
        collector = Collector()
        name = collector.parse("name", AliasName.parse, request.name)
        time = self._past(request, collector) if request.HasField("time") else None
        collector.raise_any()
        assert name is not None
        alias = await (
            self._aliases.get(call.caller, name) if time is None else self._aliases.get_at(call.caller, name, time)
        )
        return alias_message(alias)

    async def ListAliases(self, request: rpc.ListAliasesRequest, call: Call) -> rpc.ListAliasesResponse:
        collector = Collector()
        parent = collector.parse("parent", ModelName.parse, request.parent)
        query = self._lists.query(request, collector)
        assert parent is not None
        page = await self._aliases.page(call.caller, parent, after=query.after_id, size=query.size)
        aliases, token = await self._lists.answer(query, page, alias_message)
        return rpc.ListAliasesResponse(aliases=aliases, next_page_token=token)

    async def SetAlias(self, request: rpc.SetAliasRequest, call: Call) -> pb.Alias:
        collector = Collector()
        name = collector.parse("alias.name", AliasName.parse, request.alias.name)
        version = collector.parse("alias.version", VersionName.parse, request.alias.version)
        if name is not None and version is not None and name.model != version.model:
            text = f"{version} is not a version of {name.model}. Use a version of the alias's model."
            collector.add([FieldViolation("alias.version", text)])
        if request.create_only and request.alias.etag:
            collector.add([FieldViolation("create_only", "can't be set together with alias.etag")])
        if request.expected_manifest_digest:
            collector.parse("expected_manifest_digest", check_digest, request.expected_manifest_digest)
        collector.add(self._reason(request.reason))
        attempt = parsing.attempt(call, request, collector)
        collector.raise_any()
        assert name is not None
        assert version is not None
        only_if = Precondition(request.alias.etag, request.create_only, request.expected_manifest_digest)
        return alias_message(await self._aliases.set(attempt, name, version, only_if=only_if, reason=request.reason))

    async def RollbackAlias(self, request: rpc.RollbackAliasRequest, call: Call) -> pb.Alias:
        name, attempt = parsing.change(
            call, request, "name", AliasName.parse, request.name, self._reason(request.reason)
        )
        return alias_message(await self._aliases.roll_back(attempt, name, etag=request.etag, reason=request.reason))

    async def DeleteAlias(self, request: rpc.DeleteAliasRequest, call: Call) -> pb.Alias:
        name, attempt = parsing.change(
            call, request, "name", AliasName.parse, request.name, self._reason(request.reason)
        )
        return alias_message(await self._aliases.delete(attempt, name, etag=request.etag, reason=request.reason))
