"""Namespaces, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import Mapping

from modelyard import _convert, _naming
from modelyard._client.messages import field_mask, fill, pager, request_id
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard._unset import UNSET, Unset
from modelyard.types import Namespace
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


class AsyncNamespaces:
    """Namespaces: ``client.namespaces``. A namespace belongs to a team and holds its models.

    >>> async for namespace in yard.namespaces.list():
    ...     print(namespace.id, namespace.display_name)
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        namespace: str,
        *,
        display_name: str = "",
        description: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Namespace:
        """Creates a namespace.

        Args:
            namespace: Its id: lower-case letters and digits, joined by single ``.``, ``_`` or ``-``; at most 63
                characters.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            labels: At most 100; keys up to 128 bytes, values up to 4 KiB.
            annotations: Like labels, but for programs.

        Raises:
            InvalidArgumentError: A value breaks a limit. Nothing was created.
            AlreadyExistsError: The id is taken.
        """
        message = resources.Namespace()
        fill(message, display_name=display_name, description=description, labels=labels, annotations=annotations)
        request = pb.CreateNamespaceRequest(
            namespace_id=_naming.namespace_name(namespace).namespace, namespace=message, request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).CreateNamespace
        return _convert.namespace(await self._connection.call(call, request))

    async def get(self, namespace: str) -> Namespace:
        """Reads one namespace. Raises ``NotFoundError`` if it does not exist."""
        request = pb.GetNamespaceRequest(name=str(_naming.namespace_name(namespace)))
        call = self._connection.stub(RegistryServiceStub).GetNamespace
        return _convert.namespace(await self._connection.call(call, request))

    def list(self, *, page_size: int | None = None) -> AsyncPager[Namespace]:
        """Lists all namespaces, ordered by id.

        Args:
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.
        """
        return pager(
            self._connection,
            lambda: self._connection.stub(RegistryServiceStub).ListNamespaces,
            pb.ListNamespacesRequest(page_size=_naming.page_size(page_size)),
            lambda page: page.namespaces,
            _convert.namespace,
        )

    async def update(
        self,
        namespace: str,
        *,
        display_name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Namespace:
        """Changes the fields that are given and no others. A mapping replaces the old one as a whole.

        Args:
            namespace: As ``team``.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            labels: At most 100; keys up to 128 bytes, values up to 4 KiB.
            annotations: Like labels, but for programs.
            etag: Only change the namespace if it still has this etag.

        Raises:
            InvalidArgumentError: A value breaks a limit, or no field is given. Nothing was changed.
            NotFoundError: The namespace does not exist.
            ConflictError: The namespace has another etag.
        """
        message = resources.Namespace(name=str(_naming.namespace_name(namespace)), etag=etag or "")
        mask = fill(message, display_name=display_name, description=description, labels=labels, annotations=annotations)
        request = pb.UpdateNamespaceRequest(namespace=message, update_mask=field_mask(mask), request_id=request_id())
        call = self._connection.stub(RegistryServiceStub).UpdateNamespace
        return _convert.namespace(await self._connection.call(call, request))
