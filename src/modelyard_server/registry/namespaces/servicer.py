"""RegistryService: namespaces."""

from modelyard.core.names import NamespaceName, check_id
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import masks, parsing
from modelyard_server.calls.call import Call
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.query.requests import Lists
from modelyard_server.registry.described import described, patched
from modelyard_server.registry.namespaces.messages import namespace_message
from modelyard_server.registry.namespaces.service import Namespaces
from modelyard_server.registry.namespaces.values import Namespace


class NamespacesServicer:
    """Namespaces: create, read, update, delete, restore."""

    def __init__(self, namespaces: Namespaces, lists: Lists, limits: Limits) -> None:
        self._namespaces = namespaces
        self._lists = lists
        self._limits = limits

    async def CreateNamespace(self, request: rpc.CreateNamespaceRequest, call: Call) -> pb.Namespace:
        collector = Collector()
        identity = collector.parse("namespace_id", lambda value: check_id(value, "namespace"), request.namespace_id)
        collector.add(described("namespace", request.namespace, self._limits))
        attempt = parsing.attempt(call, request, collector)
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
        return namespace_message(await self._namespaces.create(attempt, namespace))

    async def GetNamespace(self, request: rpc.GetNamespaceRequest, call: Call) -> pb.Namespace:
        return namespace_message(
            await self._namespaces.get(call.caller, parsing.one("name", NamespaceName.parse, request.name))
        )

    async def ListNamespaces(self, request: rpc.ListNamespacesRequest, call: Call) -> rpc.ListNamespacesResponse:
        query = self._lists.query(request, Collector())
        page = await self._namespaces.page(
            call.caller, after=query.after_id, size=query.size, show_deleted=request.show_deleted
        )
        namespaces, token = await self._lists.answer(query, page, namespace_message)
        return rpc.ListNamespacesResponse(namespaces=namespaces, next_page_token=token)

    async def UpdateNamespace(self, request: rpc.UpdateNamespaceRequest, call: Call) -> pb.Namespace:
        given = request.namespace
        name, attempt = parsing.change(
            call,
            request,
            "namespace.name",
            NamespaceName.parse,
            given.name,
            described("namespace", given, self._limits),
        )
        patch = masks.parse("namespace", given, masks.of(request))

        def apply(current: Namespace) -> Namespace:
            return patched("namespace", current, patch, self._limits)

        return namespace_message(await self._namespaces.update(attempt, name, apply, given.etag))

    async def DeleteNamespace(self, request: rpc.DeleteNamespaceRequest, call: Call) -> pb.Namespace:
        name, attempt = parsing.change(call, request, "name", NamespaceName.parse, request.name)
        return namespace_message(await self._namespaces.delete(attempt, name, etag=request.etag))

    async def UndeleteNamespace(self, request: rpc.UndeleteNamespaceRequest, call: Call) -> pb.Namespace:
        name, attempt = parsing.change(call, request, "name", NamespaceName.parse, request.name)
        return namespace_message(await self._namespaces.undelete(attempt, name, etag=request.etag))
