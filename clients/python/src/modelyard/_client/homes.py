"""Namespaces that are made with the first thing that is put into them."""

from contextlib import suppress
from uuid import uuid4

from modelyard._connection import Connection
from modelyard.core.names import ModelName
from modelyard.errors import AlreadyExistsError
from modelyard.v1.registry_pb2 import CreateNamespaceRequest
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


async def create_namespace_of(connection: Connection, model: ModelName) -> None:
    """Creates the namespace of a model, unless another program did so just now."""
    request = CreateNamespaceRequest(namespace_id=model.namespace, request_id=str(uuid4()))
    with suppress(AlreadyExistsError):
        await connection.call(connection.stub(RegistryServiceStub).CreateNamespace, request)
