"""Models, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import Mapping

from modelyard import _convert, _naming
from modelyard._client.homes import create_namespace_of
from modelyard._client.messages import field_mask, fill, pager, request_id
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard._unset import UNSET, Unset
from modelyard.core.names import ALL_NAMESPACES, DEFAULT_NAMESPACE, ModelName
from modelyard.errors import NotFoundError
from modelyard.types import Model
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


class AsyncModels:
    """Models: ``client.models``. A model is a named family of versions in a namespace.

    >>> async for model in yard.models.list("team", filter="alias:production"):
    ...     print(model.name, model.aliases)
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        model: str | ModelName | Model,
        *,
        display_name: str = "",
        description: str = "",
        owner: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Model:
        """Creates a model without versions, and its namespace if that does not exist. So does ``push``.

        Args:
            model: As ``team/fraud``.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            owner: Who answers for it; at most 256 characters.
            labels: Indexed. At most 100; keys up to 128 bytes, values up to 4 KiB. Filter as ``labels.<key>``.
            annotations: Like labels, but not indexed: for programs.

        Raises:
            InvalidArgumentError: A value breaks a limit. The model was not created.
            NotFoundError: The namespace is deleted.
            AlreadyExistsError: The id is taken, perhaps by a deleted model that can still be restored.
        """
        name = _naming.model_name(model)
        message = resources.Model()
        fill(
            message,
            display_name=display_name,
            description=description,
            owner=owner,
            labels=labels,
            annotations=annotations,
        )
        request = pb.CreateModelRequest(
            parent=str(_naming.namespace_name(name.namespace)),
            model_id=name.model,
            model=message,
            request_id=request_id(),
        )
        call = self._connection.stub(RegistryServiceStub).CreateModel
        try:
            return _convert.model(await self._connection.call(call, request))
        except NotFoundError as error:
            if error.reason != "NAMESPACE_NOT_FOUND":
                raise
        await create_namespace_of(self._connection, name)
        return _convert.model(await self._connection.call(call, request))

    async def get(self, model: str | ModelName | Model) -> Model:
        """Reads one model, also a deleted one. Raises ``NotFoundError`` if it does not exist."""
        request = pb.GetModelRequest(name=str(_naming.model_name(model)))
        return _convert.model(await self._connection.call(self._connection.stub(RegistryServiceStub).GetModel, request))

    def list(
        self,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
        order_by: str = "",
        show_deleted: bool = False,
        page_size: int | None = None,
    ) -> AsyncPager[Model]:
        """Lists the models of a namespace, ordered by id.

        Args:
            namespace: As ``team``.
            filter: Only matching models, for example ``labels.tier = gold AND alias:production``.
            order_by: ``id``, ``create_time`` or ``update_time``. Add ``desc`` to reverse the order.
            show_deleted: Include deleted models that can still be restored.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The filter or the order can't be read. The message tells the character.
            NotFoundError: The namespace does not exist.
        """
        request = pb.ListModelsRequest(
            parent=str(_naming.namespace_name(namespace)),
            filter=filter,
            order_by=order_by,
            show_deleted=show_deleted,
            page_size=_naming.page_size(page_size),
        )
        return pager(
            self._connection,
            lambda: self._connection.stub(RegistryServiceStub).ListModels,
            request,
            lambda page: page.models,
            _convert.model,
        )

    def search(self, query: str, namespace: str | None = None, *, page_size: int | None = None) -> AsyncPager[Model]:
        """Finds models by words, the best match first.

        Every word of the query must be the beginning of a word in the model's id, display name, description or labels.
        Case and punctuation don't matter.

        Args:
            query: At most 256 characters, for example ``fraud detec``.
            namespace: As ``team``. All namespaces if not given.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The query is empty or too long.
            NotFoundError: The namespace does not exist.
        """
        request = pb.SearchModelsRequest(
            parent=ALL_NAMESPACES if namespace is None else str(_naming.namespace_name(namespace)),
            query=query,
            page_size=_naming.page_size(page_size),
        )
        return pager(
            self._connection,
            lambda: self._connection.stub(RegistryServiceStub).SearchModels,
            request,
            lambda page: page.models,
            _convert.model,
        )

    async def update(
        self,
        model: str | ModelName | Model,
        *,
        display_name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        owner: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Model:
        """Changes the fields that are given and no others. A mapping replaces the old one as a whole.

        Args:
            model: As ``team/fraud``.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            owner: Who answers for it; at most 256 characters.
            labels: Indexed. At most 100; keys up to 128 bytes, values up to 4 KiB. Filter as ``labels.<key>``.
            annotations: Like labels, but not indexed: for programs.
            etag: Only change the model if it still has this etag.

        Raises:
            InvalidArgumentError: A value breaks a limit, or no field is given. Nothing was changed.
            NotFoundError: The model does not exist.
            ConflictError: The model has another etag.
        """
        message = resources.Model(name=str(_naming.model_name(model)), etag=etag or "")
        mask = fill(
            message,
            display_name=display_name,
            description=description,
            owner=owner,
            labels=labels,
            annotations=annotations,
        )
        request = pb.UpdateModelRequest(model=message, update_mask=field_mask(mask), request_id=request_id())
        call = self._connection.stub(RegistryServiceStub).UpdateModel
        return _convert.model(await self._connection.call(call, request))

    async def delete(self, model: str | ModelName | Model, *, force: bool = False, etag: str | None = None) -> Model:
        """Deletes a model. ``undelete`` restores it until its ``purge_time``, 30 days later.

        Args:
            model: As ``team/fraud``.
            force: Delete its versions and aliases with it, in the same transaction.
            etag: Only delete the model if it still has this etag.

        Raises:
            NotFoundError: The model does not exist.
            FailedPreconditionError: The model has versions and ``force`` is not set, or a version is in use: a
                deployment serves it, or a version of another model was made from it. Nothing was deleted.
            ConflictError: The model has another etag.
        """
        request = pb.DeleteModelRequest(
            name=str(_naming.model_name(model)), force=force, etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).DeleteModel
        return _convert.model(await self._connection.call(call, request))

    async def undelete(self, model: str | ModelName | Model, *, etag: str | None = None) -> Model:
        """Restores a deleted model with the versions and aliases that were deleted with it.

        Args:
            model: As ``team/fraud``.
            etag: Only restore the model if it still has this etag.

        Raises:
            NotFoundError: The model does not exist.
            AlreadyExistsError: The model is not deleted.
            ConflictError: The model has another etag.
        """
        request = pb.UndeleteModelRequest(name=str(_naming.model_name(model)), etag=etag or "", request_id=request_id())
        call = self._connection.stub(RegistryServiceStub).UndeleteModel
        return _convert.model(await self._connection.call(call, request))
