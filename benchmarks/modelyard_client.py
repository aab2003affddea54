"""Our client at work, as a process of its own:

python -m benchmarks.modelyard_client URL resolve|create|list MODEL SECONDS CLIENTS

It prints the calls' times, one a line.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from uuid import uuid4

from modelyard import AsyncClient
from modelyard.types import Version
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2

Call = Callable[[], Awaitable[object]]


async def _repeat(calls: Sequence[Call], seconds: float) -> None:
    await asyncio.gather(*(call() for call in calls))
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + seconds
    times = []

    async def repeat(call: Call) -> None:
        while (started := time.perf_counter()) < end:
            await call()
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(repeat(call) for call in calls))
    print("\n".join(f"{time:.6f}" for time in times))


def _creation(version: Version) -> pb.CreateVersionRequest:
    """Another version of the same bytes: what the last step of a push asks for."""
    files = [
        resources_pb2.File(path=file.path, blob=resources_pb2.Blob(digest=file.digest, size_bytes=file.size))
        for file in version.files
    ]
    return pb.CreateVersionRequest(parent=str(version.name.model), version=resources_pb2.Version(files=files))


async def _create(client: AsyncClient, request: pb.CreateVersionRequest) -> None:
    connection = client._connection  # noqa: SLF001 - the SDK has this call only as a part of push
    request.request_id = str(uuid4())
    await connection.call(connection.registry.CreateVersion, request)


async def _page(client: AsyncClient, place: str, action: str) -> pb.ListVersionsRequest:
    """What asks for a page of a list: the first, or the hundredth."""
    _, text, order_by, deep = action.split("|")
    namespace, _, model = place.rpartition("/")
    parent = f"namespaces/{namespace or 'default'}/models/{model}"
    request = pb.ListVersionsRequest(parent=parent, filter=text, order_by=order_by)
    for _ in range(99 if deep else 0):
        request.page_token = (await _list(client, request)).next_page_token
    return request


async def _list(client: AsyncClient, request: pb.ListVersionsRequest) -> pb.ListVersionsResponse:
    connection = client._connection  # noqa: SLF001 - the SDK makes records of the messages, and MLflow's client too
    return await connection.call(connection.registry.ListVersions, request)


async def main() -> None:
    url, action, model, seconds, count = sys.argv[1:]
    reference = f"{model}@production"
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(AsyncClient(url)) for _ in range(int(count))]
        calls: list[Call]
        if action.startswith("list|"):
            requests = [await _page(client, model, action) for client in clients]
            calls = [partial(_list, client, request) for client, request in zip(clients, requests, strict=True)]
        elif action == "resolve":
            calls = [partial(client.resolve, reference) for client in clients]
        else:
            version = (await clients[0].resolve(reference)).version
            calls = [partial(_create, client, _creation(version)) for client in clients]
        await _repeat(calls, float(seconds))


if __name__ == "__main__":
    asyncio.run(main())
