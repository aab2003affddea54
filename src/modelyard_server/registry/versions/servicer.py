"""RegistryService: versions."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from modelyard.core.names import NamespaceName, VersionName, parse_version_or_alias
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import masks, parsing, validation
from modelyard_server.calls.answers import Answer, Encoded
from modelyard_server.calls.call import Call
from modelyard_server.calls.caller import Attempt
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.offload import offload
from modelyard_server.calls.parsing import Collector
from modelyard_server.query import requests
from modelyard_server.query.requests import Lists
from modelyard_server.registry.described import described, patched
from modelyard_server.registry.versions.encoded import EncodedVersions
from modelyard_server.registry.versions.fields import FIELDS, parse_version_order
from modelyard_server.registry.versions.frozen import check_frozen, frozen_fields
from modelyard_server.registry.versions.messages import rendered, version_message
from modelyard_server.registry.versions.parsing import check_view, models_parent, new_version
from modelyard_server.registry.versions.service import Versions
from modelyard_server.registry.versions.values import Version


class VersionsServicer:
    """Versions: commit, read, list, update, deprecate, quarantine, release, delete, restore."""

    def __init__(self, versions: Versions, encoded: EncodedVersions, lists: Lists, limits: Limits) -> None:
        self._versions = versions
        self._encoded = encoded
        self._lists = lists
        self._limits = limits

    def _reason(self, reason: str) -> Iterable[FieldViolation]:
        return validation.text("reason", reason, max_bytes=self._limits.reason_bytes)

    def _required_reason(self, reason: str) -> Iterable[FieldViolation]:
        if not reason:
            yield FieldViolation("reason", "is required")
        yield from self._reason(reason)

    async def CreateVersion(self, request: rpc.CreateVersionRequest, call: Call) -> pb.Version:
        collector = Collector()
        new = await offload(call.entries, new_version, request, self._limits, collector)
        attempt = await offload(call.entries, parsing.attempt, call, request, collector)
        collector.add(check_view(request.view))
        collector.raise_any()
        assert new is not None
        created = await self._versions.create(attempt, new)
        return await rendered(created if request.view == rpc.VERSION_VIEW_FULL else replace(created, files=None))

    async def GetVersion(self, request: rpc.GetVersionRequest, call: Call) -> Answer:
        collector = Collector()
        name = collector.parse("name", parse_version_or_alias, request.name)
        collector.add(check_view(request.view))
        collector.raise_any()
        assert name is not None
        full = request.view != rpc.VERSION_VIEW_BASIC
        version = await self._versions.get(call.caller, name, files=full)
        return Encoded(*await self._encoded.message(version, files=full))

    async def ListVersions(self, request: rpc.ListVersionsRequest, call: Call) -> rpc.ListVersionsResponse:
        collector = Collector()
        parent = collector.parse("parent", models_parent, request.parent)
        where = requests.where(request.filter, FIELDS, self._versions.mutations.clock(), collector)
        order = requests.order(request.order_by, parse_version_order, collector)
        if order is not None and order.field == "number" and isinstance(parent, NamespaceName):
            text = "version numbers are per model. Sort versions of several models by create_time."
            collector.add([FieldViolation("order_by", text)])
        collector.add(check_view(request.view))
        query = self._lists.query(request, collector)
        assert parent is not None
        listing = query.listing(where, order, show_deleted=request.show_deleted)
        page = await self._versions.page(call.caller, parent, listing, files=request.view == rpc.VERSION_VIEW_FULL)
        versions, token = await self._lists.answer(query, page, version_message)
        return rpc.ListVersionsResponse(versions=versions, next_page_token=token, unknown_fields=page.unknown_fields)

    async def UpdateVersion(self, request: rpc.UpdateVersionRequest, call: Call) -> pb.Version:
        name, attempt, apply = await offload(call.entries, self._edit, request, call)
        return await rendered(await self._versions.update(attempt, name, apply, request.version.etag))

    def _edit(
        self, request: rpc.UpdateVersionRequest, call: Call
    ) -> tuple[VersionName, Attempt, Callable[[Version], Version]]:
        given = request.version
        name, attempt = parsing.change(
            call, request, "version.name", VersionName.parse, given.name, described("version", given, self._limits)
        )
        patch = masks.parse("version", given, masks.of(request))
        frozen = frozen_fields(given, patch.frozen)

        def apply(current: Version) -> Version:
            check_frozen(current, frozen)
            return patched("version", current, patch, self._limits)

        return name, attempt, apply

    async def DeprecateVersion(self, request: rpc.DeprecateVersionRequest, call: Call) -> pb.Version:
        name, attempt = parsing.change(
            call, request, "name", VersionName.parse, request.name, self._reason(request.reason)
        )
        return await rendered(await self._versions.deprecate(attempt, name, reason=request.reason, etag=request.etag))

    async def QuarantineVersion(self, request: rpc.QuarantineVersionRequest, call: Call) -> pb.Version:
        name, attempt = parsing.change(
            call, request, "name", VersionName.parse, request.name, self._required_reason(request.reason)
        )
        return await rendered(await self._versions.quarantine(attempt, name, reason=request.reason, etag=request.etag))

    async def ReleaseVersion(self, request: rpc.ReleaseVersionRequest, call: Call) -> pb.Version:
        name, attempt = parsing.change(
            call, request, "name", VersionName.parse, request.name, self._required_reason(request.reason)
        )
        return await rendered(await self._versions.release(attempt, name, reason=request.reason, etag=request.etag))

    async def DeleteVersion(self, request: rpc.DeleteVersionRequest, call: Call) -> pb.Version:
        name, attempt = parsing.change(call, request, "name", VersionName.parse, request.name)
        return await rendered(await self._versions.delete(attempt, name, etag=request.etag))

    async def UndeleteVersion(self, request: rpc.UndeleteVersionRequest, call: Call) -> pb.Version:
        name, attempt = parsing.change(call, request, "name", VersionName.parse, request.name)
        return await rendered(await self._versions.undelete(attempt, name, etag=request.etag))
