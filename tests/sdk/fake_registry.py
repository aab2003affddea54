"""Methods of RegistryService to order, over a real channel, beside the bytes of FakeArtifacts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from tests.sdk.fake_artifacts import FakeArtifacts

from modelyard.v1 import artifacts_pb2_grpc, registry_pb2

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Context], Awaitable[Any]]


@asynccontextmanager
async def serve_registry(artifacts: FakeArtifacts, **methods: Method) -> AsyncIterator[str]:
    """The URL of a server on loopback that knows these methods, by their names in the contract."""
    service = registry_pb2.DESCRIPTOR.services_by_name["RegistryService"]
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=GetMessageClass(service.methods_by_name[name].input_type).FromString,
            response_serializer=GetMessageClass(service.methods_by_name[name].output_type).SerializeToString,
        )
        for name, method in methods.items()
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    artifacts_pb2_grpc.add_ArtifactsServiceServicer_to_server(artifacts, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def refuse(context: Context, code: grpc.StatusCode, reason: str, **metadata: str) -> None:
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="modelyard.dev", metadata=metadata))
    status = status_pb2.Status(code=code.value[0], message=f"{reason} to order", details=[info])
    await context.abort(code, status.message, (("grpc-status-details-bin", status.SerializeToString()),))
