"""How calls travel: retried where that is safe, named, authorised, and over a connection that fits them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from modelyard._config import endpoint
from modelyard._connection import Connection
from modelyard.errors import InvalidArgumentError, ServerError, UnavailableError
from modelyard.v1 import artifacts_pb2, registry_pb2
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

MIB = 1024**2


Context = grpc.aio.ServicerContext[Any, Any]


class Recorder:
    """A registry of two methods that notes what arrives, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.failures: list[grpc.StatusCode] = []
        self.requests: list[object] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.peers: defaultdict[str, set[str]] = defaultdict(set)
        self.remaining: float | None = None
        self.entered = asyncio.Event()
        self.hold = False

    async def create_model(self, request: registry_pb2.CreateModelRequest, context: Context) -> resources.Model:
        await self._note(request, context, "registry")
        return resources.Model(name="namespaces/a/models/b")

    async def batch_write_blobs(
        self, request: artifacts_pb2.BatchWriteBlobsRequest, context: Context
    ) -> artifacts_pb2.BatchWriteBlobsResponse:
        await self._note(len(request.items[0].data), context, "artifacts")
        return artifacts_pb2.BatchWriteBlobsResponse()

    async def _note(self, request: object, context: Context, what: str) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        self.peers[what].add(context.peer())
        self.remaining = context.time_remaining()
        self.entered.set()
        if self.hold:
            await asyncio.Event().wait()
        if self.failures:
            await context.abort(self.failures.pop(0), "failed on purpose")


@asynccontextmanager
async def serving(recorder: Recorder) -> AsyncIterator[str]:
    create_model = grpc.unary_unary_rpc_method_handler(
        recorder.create_model,
        request_deserializer=registry_pb2.CreateModelRequest.FromString,
        response_serializer=resources.Model.SerializeToString,
    )
    batch_write_blobs = grpc.unary_unary_rpc_method_handler(
        recorder.batch_write_blobs,
        request_deserializer=artifacts_pb2.BatchWriteBlobsRequest.FromString,
        response_serializer=artifacts_pb2.BatchWriteBlobsResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("modelyard.v1.RegistryService", {"CreateModel": create_model}),
            grpc.method_handlers_generic_handler(
                "modelyard.v1.ArtifactsService", {"BatchWriteBlobs": batch_write_blobs}
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        await server.stop(None)


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def connection(recorder: Recorder) -> AsyncIterator[Connection]:
    async with serving(recorder) as url:
        connection = Connection(endpoint(url, token="secret"))
        yield connection
        await connection.close()


async def create(connection: Connection) -> resources.Model:
    request = registry_pb2.CreateModelRequest(parent="namespaces/a", model_id="b", request_id="1")
    return await connection.call(connection.stub(RegistryServiceStub).CreateModel, request)


async def write(connection: Connection, size: int) -> None:
    item = artifacts_pb2.BatchWriteBlobsRequest.Item(data=bytes(size))
    request = artifacts_pb2.BatchWriteBlobsRequest(items=[item])
    await connection.call(connection.stub(ArtifactsServiceStub).BatchWriteBlobs, request)


async def test_an_unavailable_registry_is_tried_again_with_the_same_request(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.failures = [grpc.StatusCode.UNAVAILABLE] * 2

    assert (await create(connection)).name == "namespaces/a/models/b"
    assert len(recorder.requests) == 3
    assert recorder.requests[0] == recorder.requests[2]
    assert len({metadata["x-request-id"] for metadata in recorder.metadata}) == 1


async def test_a_registry_that_has_answered_is_given_time_to_come_back(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.failures = [grpc.StatusCode.UNAVAILABLE] * 7
    with pytest.raises(UnavailableError):
        await create(connection)
    assert len(recorder.requests) == 5

    recorder.failures = []
    await create(connection)
    recorder.requests.clear()
    recorder.failures = [grpc.StatusCode.UNAVAILABLE] * 7
    await create(connection)
    assert len(recorder.requests) == 8
    assert len({repr(request) for request in recorder.requests}) == 1


async def test_a_batch_as_large_as_they_get_is_tried_again_too(connection: Connection, recorder: Recorder) -> None:
    recorder.failures = [grpc.StatusCode.UNAVAILABLE]

    await write(connection, 3 * MIB)

    assert recorder.requests == [3 * MIB] * 2


@pytest.mark.parametrize("code", ["INTERNAL", "UNKNOWN", "ABORTED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"])
async def test_nothing_else_is_tried_again(connection: Connection, recorder: Recorder, code: str) -> None:
    recorder.failures = [grpc.StatusCode[code]]

    with pytest.raises(Exception, match=r"."):
        await create(connection)

    assert len(recorder.requests) == 1


async def test_a_call_names_itself_and_its_caller(connection: Connection, recorder: Recorder) -> None:
    await create(connection)
    await create(connection)

    first, second = recorder.metadata
    assert first["authorization"] == "Bearer secret"
    assert str(first["user-agent"]).startswith("modelyard-python/")
    assert first["x-request-id"] != second["x-request-id"]


async def test_a_call_has_a_deadline(connection: Connection, recorder: Recorder) -> None:
    await create(connection)
    assert recorder.remaining is not None
    assert 25 < recorder.remaining < 31


async def test_bytes_travel_over_a_connection_of_their_own(connection: Connection, recorder: Recorder) -> None:
    for _ in range(2):
        await create(connection)
        await write(connection, 1)

    assert len(recorder.peers["registry"]) == 1
    assert len(recorder.peers["artifacts"]) == 1
    assert recorder.peers["registry"] != recorder.peers["artifacts"]


async def test_users_see_no_frames_of_the_transport(connection: Connection, recorder: Recorder) -> None:
    recorder.failures = [grpc.StatusCode.INTERNAL]

    with pytest.raises(ServerError) as failed:
        await create(connection)

    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


async def test_a_cancel_of_the_servers_is_an_outage_and_one_of_the_callers_is_not(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.failures = [grpc.StatusCode.CANCELLED]
    await create(connection)
    assert len(recorder.requests) == 2

    recorder.entered.clear()
    recorder.hold = True
    call = asyncio.create_task(create(connection))
    await recorder.entered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_closed_connection_says_so(connection: Connection) -> None:
    await create(connection)
    await connection.close()
    await connection.close()

    with pytest.raises(RuntimeError, match="closed"):
        await create(connection)


async def test_an_unopened_client_can_be_closed() -> None:
    await Connection(endpoint("grpc://127.0.0.1:1")).close()


async def test_a_connection_in_use_on_one_loop_refuses_another(connection: Connection) -> None:
    await create(connection)

    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, create(connection))


def test_a_connection_outlives_its_loop() -> None:
    connection = Connection(endpoint("grpc://127.0.0.1:9"))

    async def call() -> str:
        async with serving(Recorder()) as url:
            connection._endpoint = endpoint(url)
            return (await create(connection)).name

    assert asyncio.run(call()) == asyncio.run(call())


async def test_a_registry_that_is_not_there_is_named() -> None:
    connection = Connection(endpoint("grpc://127.0.0.1:9"))

    with pytest.raises(UnavailableError, match=r"grpc://127.0.0.1:9 can't be reached") as failed:
        await create(connection)

    assert failed.value.reason == "UNAVAILABLE"
    assert not isinstance(failed.value, InvalidArgumentError)
    await connection.close()
