"""RegistryService: parse, one service call, render."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from modelyard.core.manifest import check_digest
from modelyard.core.names import (
    AliasName,
    ModelName,
    NamespaceName,
    VersionName,
    check_id,
    parse_version_or_alias,
)
from modelyard.core.references import Reference
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.registry_pb2_grpc import RegistryServiceServicer
from modelyard_server.calls import masks, parsing, validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.page_tokens import PageTokens
from modelyard_server.calls.parsing import Collector, ListQuery
from modelyard_server.query.listing import Listed
from modelyard_server.query.order import parse_model_order, parse_version_order
from modelyard_server.query.paging import Page
from modelyard_server.query.terms import MODEL_FIELDS, VERSION_FIELDS
from modelyard_server.query.words import parse_query
from modelyard_server.registry import messages as convert
from modelyard_server.registry.aliases.service import Aliases, Precondition
from modelyard_server.registry.models.service import Models
from modelyard_server.registry.namespaces.service import Namespaces
from modelyard_server.registry.resolving.service import Resolver
from modelyard_server.registry.values import Model, Namespace, Version
from modelyard_server.registry.versions.service import Versions

T = TypeVar("T")
Described = TypeVar("Described", Namespace, Model, Version)
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def _mask(request: Any) -> FieldMask | None:
    return request.update_mask if request.HasField("update_mask") else None


class RegistryServicer(RegistryServiceServicer):
    """Namespaces, models, versions, aliases, references."""

    def __init__(
        self,
        namespaces: Namespaces,
        models: Models,
        versions: Versions,
        aliases: Aliases,
        resolver: Resolver,
        page_tokens: PageTokens,
        limits: Limits,
    ) -> None:
        self._namespaces = namespaces
        self._models = models
        self._versions = versions
        self._aliases = aliases
        self._resolver = resolver
        self._page_tokens = page_tokens
        self._limits = limits

    def _reason(self, reason: str) -> Iterable[FieldViolation]:
        return validation.text("reason", reason, max_bytes=self._limits.reason_bytes)

    def _patched(self, field: str, current: Described, patch: masks.Patch) -> Described:
        """The record with its patch. Entries that a mask adds one by one must not outgrow a map either."""
        patched = replace(current, **patch.values(current))
        collector = Collector()
        for name in patch.entries:
            collector.add(validation.labels(f"{field}.{name}", getattr(patched, name), self._limits))
        collector.raise_any()
        return patched

    # Lists

    def _query(self, request: Any, collector: Collector) -> ListQuery:
        return parsing.query(request, self._page_tokens, self._limits, collector)

    def _next(self, query: ListQuery, page: Page[T], position: Callable[[T], str | int]) -> str:
        """The token for what is behind the page's last row, if anything is."""
        return self._page_tokens.seal(query.text, position(page.items[-1])) if page.more else ""

    def _next_of(self, query: ListQuery, page: Listed[T]) -> str:
        return "" if page.end is None else self._page_tokens.seal(query.text, page.end)

    # Namespaces

    async def CreateNamespace(self, request: rpc.CreateNamespaceRequest, context: Context) -> pb.Namespace:
        collector = Collector()
        identity = collector.parse("namespace_id", lambda value: check_id(value, "namespace"), request.namespace_id)
        collector.add(parsing.described("namespace", request.namespace, self._limits))
        attempt = parsing.attempt(request, collector)
        collector.raise_any()
        given, now = request.namespace, self._namespaces.mutations.clock()
        namespace = Namespace(
            uid="",
            create_time=now,
            update_time=now,
            name=NamespaceName(identity or ""),
            display_name=given.display_name,
            description=given.description,
            labels=dict(given.labels),
            annotations=dict(given.annotations),
        )
        return convert.namespace(await self._namespaces.create(attempt, namespace))

    async def GetNamespace(self, request: rpc.GetNamespaceRequest, context: Context) -> pb.Namespace:
        return convert.namespace(await self._namespaces.get(parsing.one("name", NamespaceName.parse, request.name)))

    async def ListNamespaces(self, request: rpc.ListNamespacesRequest, context: Context) -> rpc.ListNamespacesResponse:
        query = self._query(request, Collector())
        page = await self._namespaces.page(after=str(query.position or ""), size=query.size)
        return rpc.ListNamespacesResponse(
            namespaces=map(convert.namespace, page.items),
            next_page_token=self._next(query, page, lambda row: row.name.namespace),
        )

    async def UpdateNamespace(self, request: rpc.UpdateNamespaceRequest, context: Context) -> pb.Namespace:
        given = request.namespace
        name, attempt = parsing.change(
            request,
            "namespace.name",
            NamespaceName.parse,
            given.name,
            parsing.described("namespace", given, self._limits),
        )
        patch = masks.parse("namespace", given, _mask(request))

        def apply(current: Namespace) -> Namespace:
            return self._patched("namespace", current, patch)

        return convert.namespace(await self._namespaces.update(attempt, name, apply, given.etag))

    # Models

    async def CreateModel(self, request: rpc.CreateModelRequest, context: Context) -> pb.Model:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        identity = collector.parse("model_id", lambda value: check_id(value, "model"), request.model_id)
        collector.add(parsing.described("model", request.model, self._limits))
        attempt = parsing.attempt(request, collector)
        collector.raise_any()
        assert parent is not None
        given, now = request.model, self._models.mutations.clock()
        model = Model(
            uid="",
            create_time=now,
            update_time=now,
            name=ModelName(parent.namespace, identity or ""),
            display_name=given.display_name,
            description=given.description,
            owner=given.owner,
            labels=dict(given.labels),
            annotations=dict(given.annotations),
        )
        return convert.model(await self._models.create(attempt, model))

    async def GetModel(self, request: rpc.GetModelRequest, context: Context) -> pb.Model:
        return convert.model(await self._models.get(parsing.one("name", ModelName.parse, request.name)))

    async def ListModels(self, request: rpc.ListModelsRequest, context: Context) -> rpc.ListModelsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        where = parsing.where(request.filter, MODEL_FIELDS, self._models.mutations.clock(), collector)
        order = parsing.order(request.order_by, parse_model_order, collector)
        query = self._query(request, collector)
        assert parent is not None
        page = await self._models.page(parent, query.listing(where, order, show_deleted=request.show_deleted))
        return rpc.ListModelsResponse(models=map(convert.model, page.items), next_page_token=self._next_of(query, page))

    async def SearchModels(self, request: rpc.SearchModelsRequest, context: Context) -> rpc.SearchModelsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        words = collector.parse("query", parse_query, request.query)
        query = self._query(request, collector)
        assert parent is not None
        assert words is not None
        page = await self._models.search(parent, words, query.listing(None, None, show_deleted=False))
        return rpc.SearchModelsResponse(
            models=map(convert.model, page.items), next_page_token=self._next_of(query, page)
        )

    async def UpdateModel(self, request: rpc.UpdateModelRequest, context: Context) -> pb.Model:
        given = request.model
        name, attempt = parsing.change(
            request, "model.name", ModelName.parse, given.name, parsing.described("model", given, self._limits)
        )
        patch = masks.parse("model", given, _mask(request))

        def apply(current: Model) -> Model:
            return self._patched("model", current, patch)

        return convert.model(await self._models.update(attempt, name, apply, given.etag))

    async def DeleteModel(self, request: rpc.DeleteModelRequest, context: Context) -> pb.Model:
        name, attempt = parsing.change(request, "name", ModelName.parse, request.name)
        return convert.model(await self._models.delete(attempt, name, etag=request.etag, force=request.force))

    async def UndeleteModel(self, request: rpc.UndeleteModelRequest, context: Context) -> pb.Model:
        name, attempt = parsing.change(request, "name", ModelName.parse, request.name)
        return convert.model(await self._models.undelete(attempt, name, etag=request.etag))

    # Versions

    async def CreateVersion(self, request: rpc.CreateVersionRequest, context: Context) -> pb.Version:
        collector = Collector()
        new = parsing.new_version(request, self._limits, collector)
        attempt = parsing.attempt(request, collector)
        collector.raise_any()
        assert new is not None
        return convert.version(await self._versions.create(attempt, new))

    async def GetVersion(self, request: rpc.GetVersionRequest, context: Context) -> pb.Version:
        collector = Collector()
        name = collector.parse("name", parse_version_or_alias, request.name)
        collector.add(parsing.view(request.view))
        collector.raise_any()
        assert name is not None
        return convert.version(await self._versions.get(name, files=request.view != rpc.VERSION_VIEW_BASIC))

    async def ListVersions(self, request: rpc.ListVersionsRequest, context: Context) -> rpc.ListVersionsResponse:
        collector = Collector()
        parent = collector.parse("parent", parsing.models_parent, request.parent)
        where = parsing.where(request.filter, VERSION_FIELDS, self._versions.mutations.clock(), collector)
        order = parsing.order(request.order_by, parse_version_order, collector)
        if order is not None and order.field == "number" and isinstance(parent, NamespaceName):
            text = "versions are numbered within their model; sort those of several models by create_time"
            collector.add([FieldViolation("order_by", text)])
        collector.add(parsing.view(request.view))
        query = self._query(request, collector)
        assert parent is not None
        listing = query.listing(where, order, show_deleted=request.show_deleted)
        page = await self._versions.page(parent, listing, files=request.view == rpc.VERSION_VIEW_FULL)
        return rpc.ListVersionsResponse(
            versions=map(convert.version, page.items), next_page_token=self._next_of(query, page)
        )

    async def CompareVersions(
        self, request: rpc.CompareVersionsRequest, context: Context
    ) -> rpc.CompareVersionsResponse:
        collector = Collector()
        base = collector.parse("base", parse_version_or_alias, request.base)
        other = collector.parse("other", parse_version_or_alias, request.other)
        collector.raise_any()
        assert base is not None
        assert other is not None
        return convert.comparison(await self._versions.compare(base, other), self._limits.list_bytes)

    async def UpdateVersion(self, request: rpc.UpdateVersionRequest, context: Context) -> pb.Version:
        given = request.version
        name, attempt = parsing.change(
            request, "version.name", VersionName.parse, given.name, parsing.described("version", given, self._limits)
        )
        patch = masks.parse("version", given, _mask(request))

        def apply(current: Version) -> Version:
            masks.check_frozen(patch, given, convert.version(current), "version")
            return self._patched("version", current, patch)

        return convert.version(await self._versions.update(attempt, name, apply, given.etag))

    async def DeprecateVersion(self, request: rpc.DeprecateVersionRequest, context: Context) -> pb.Version:
        name, attempt = parsing.change(request, "name", VersionName.parse, request.name, self._reason(request.reason))
        return convert.version(await self._versions.deprecate(attempt, name, reason=request.reason, etag=request.etag))

    async def DeleteVersion(self, request: rpc.DeleteVersionRequest, context: Context) -> pb.Version:
        name, attempt = parsing.change(request, "name", VersionName.parse, request.name)
        return convert.version(await self._versions.delete(attempt, name, etag=request.etag))

    async def UndeleteVersion(self, request: rpc.UndeleteVersionRequest, context: Context) -> pb.Version:
        name, attempt = parsing.change(request, "name", VersionName.parse, request.name)
        return convert.version(await self._versions.undelete(attempt, name, etag=request.etag))

    # Aliases

    async def GetAlias(self, request: rpc.GetAliasRequest, context: Context) -> pb.Alias:
        collector = Collector()
        name = collector.parse("name", AliasName.parse, request.name)
        time = parsing.time("time", request.time, collector) if request.HasField("time") else None
        collector.raise_any()
        assert name is not None
        alias = await (self._aliases.get(name) if time is None else self._aliases.get_at(name, time))
        return convert.alias(alias)

    async def ListAliases(self, request: rpc.ListAliasesRequest, context: Context) -> rpc.ListAliasesResponse:
        collector = Collector()
        parent = collector.parse("parent", ModelName.parse, request.parent)
        query = self._query(request, collector)
        assert parent is not None
        page = await self._aliases.page(parent, after=str(query.position or ""), size=query.size)
        return rpc.ListAliasesResponse(
            aliases=map(convert.alias, page.items),
            next_page_token=self._next(query, page, lambda row: row.name.alias),
        )

    async def SetAlias(self, request: rpc.SetAliasRequest, context: Context) -> pb.Alias:
        collector = Collector()
        name = collector.parse("alias.name", AliasName.parse, request.alias.name)
        version = collector.parse("alias.version", VersionName.parse, request.alias.version)
        if name is not None and version is not None and name.model != version.model:
            text = f"{version} is no version of {name.model}: an alias points at a version of its own model"
            collector.add([FieldViolation("alias.version", text)])
        if request.create_only and request.alias.etag:
            collector.add([FieldViolation("create_only", "can't be set together with alias.etag")])
        if request.expected_manifest_digest:
            collector.parse("expected_manifest_digest", check_digest, request.expected_manifest_digest)
        collector.add(self._reason(request.reason))
        attempt = parsing.attempt(request, collector)
        collector.raise_any()
        assert name is not None
        assert version is not None
        only_if = Precondition(request.alias.etag, request.create_only, request.expected_manifest_digest)
        return convert.alias(await self._aliases.set(attempt, name, version, only_if=only_if, reason=request.reason))

    async def RollbackAlias(self, request: rpc.RollbackAliasRequest, context: Context) -> pb.Alias:
        name, attempt = parsing.change(request, "name", AliasName.parse, request.name, self._reason(request.reason))
        return convert.alias(await self._aliases.roll_back(attempt, name, etag=request.etag, reason=request.reason))

    async def DeleteAlias(self, request: rpc.DeleteAliasRequest, context: Context) -> pb.Alias:
        name, attempt = parsing.change(request, "name", AliasName.parse, request.name, self._reason(request.reason))
        return convert.alias(await self._aliases.delete(attempt, name, etag=request.etag, reason=request.reason))

    # References

    async def ResolveVersion(self, request: rpc.ResolveVersionRequest, context: Context) -> rpc.ResolveVersionResponse:
        reference = parsing.one("reference", Reference.parse, request.reference)
        return convert.resolution(await self._resolver.resolve(reference))
