"""RegistryService: models."""

from modelyard.core.names import ALL_NAMESPACES, ModelName, NamespaceName, check_id
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import masks, parsing
from modelyard_server.calls.call import Call
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.query import requests
from modelyard_server.query.requests import Lists
from modelyard_server.query.words import parse_query
from modelyard_server.registry.described import described, patched
from modelyard_server.registry.models.fields import FIELDS, parse_model_order
from modelyard_server.registry.models.messages import model_message
from modelyard_server.registry.models.service import Models
from modelyard_server.registry.models.values import Model


class ModelsServicer:
    """Models: create, read, list, search, update, delete, restore."""

    def __init__(self, models: Models, lists: Lists, limits: Limits) -> None:
        self._models = models
        self._lists = lists
        self._limits = limits

    async def CreateModel(self, request: rpc.CreateModelRequest, call: Call) -> pb.Model:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        identity = collector.parse("model_id", lambda value: check_id(value, "model"), request.model_id)
        collector.add(described("model", request.model, self._limits))
        attempt = parsing.attempt(call, request, collector)
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
        return model_message(await self._models.create(attempt, model))

    async def GetModel(self, request: rpc.GetModelRequest, call: Call) -> pb.Model:
        return model_message(await self._models.get(call.caller, parsing.one("name", ModelName.parse, request.name)))

    async def ListModels(self, request: rpc.ListModelsRequest, call: Call) -> rpc.ListModelsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        where = requests.where(request.filter, FIELDS, self._models.mutations.clock(), collector)
        order = requests.order(request.order_by, parse_model_order, collector)
        query = self._lists.query(request, collector)
        assert parent is not None
        page = await self._models.page(
            call.caller, parent, query.listing(where, order, show_deleted=request.show_deleted)
        )
        models, token = await self._lists.answer(query, page, model_message)
        return rpc.ListModelsResponse(models=models, next_page_token=token, unknown_fields=page.unknown_fields)

    async def SearchModels(self, request: rpc.SearchModelsRequest, call: Call) -> rpc.SearchModelsResponse:
        collector = Collector()
        parent: NamespaceName | None = None
        if request.parent != ALL_NAMESPACES:
            parent = collector.parse("parent", NamespaceName.parse, request.parent)
        words = collector.parse("query", parse_query, request.query)
        query = self._lists.query(request, collector)
        assert words is not None
        assert parent is not None or request.parent == ALL_NAMESPACES
        listing = query.listing(None, None, show_deleted=False)
        models, token = await self._lists.answer(
            query, await self._models.search(call.caller, parent, words, listing), model_message
        )
        return rpc.SearchModelsResponse(models=models, next_page_token=token)

    async def UpdateModel(self, request: rpc.UpdateModelRequest, call: Call) -> pb.Model:
        given = request.model
        name, attempt = parsing.change(
            call, request, "model.name", ModelName.parse, given.name, described("model", given, self._limits)
        )
        patch = masks.parse("model", given, masks.of(request))

        def apply(current: Model) -> Model:
            return patched("model", current, patch, self._limits)

        return model_message(await self._models.update(attempt, name, apply, given.etag))

    async def DeleteModel(self, request: rpc.DeleteModelRequest, call: Call) -> pb.Model:
        name, attempt = parsing.change(call, request, "name", ModelName.parse, request.name)
        return model_message(await self._models.delete(attempt, name, etag=request.etag, force=request.force))

    async def UndeleteModel(self, request: rpc.UndeleteModelRequest, call: Call) -> pb.Model:
        name, attempt = parsing.change(call, request, "name", ModelName.parse, request.name)
        return model_message(await self._models.undelete(attempt, name, etag=request.etag))
