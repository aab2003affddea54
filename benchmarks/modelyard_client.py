"""Our client at work, as a process of its own:

python -m benchmarks.modelyard_client URL ACTION MODEL SECONDS CLIENTS

ACTION is a name of ACTIONS and what it takes, with bars between. It prints the calls' times, one a line.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle
from typing import Final
from uuid import uuid4

from modelyard import AsyncClient, _convert
from modelyard.types import Event, Model, Version
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

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


# Each makes what is measured ready, and gives the call that is.


async def _resolve(client: AsyncClient, model: str) -> Call:
    return partial(client.resolve, f"{model}@production")


async def _get(client: AsyncClient, model: str) -> Call:
    return partial(client.versions.get, f"{model}@1")


async def _create(client: AsyncClient, model: str) -> Call:
    """Another version of the same bytes: what the last step of a push asks for."""
    version = await client.versions.get(f"{model}@production")
    files = [
        resources_pb2.File(path=file.path, blob=resources_pb2.Blob(digest=file.digest, size_bytes=file.size))
        for file in version.files
    ]
    request = pb.CreateVersionRequest(parent=str(version.name.model), version=resources_pb2.Version(files=files))
    connection = client._connection  # noqa: SLF001 - the SDK has this call only as a part of push

    async def create() -> None:
        request.request_id = str(uuid4())
        await connection.call(connection.stub(RegistryServiceStub).CreateVersion, request)

    return create


async def _set_alias(client: AsyncClient, model: str) -> Call:
    numbers = cycle((1, 2))
    return lambda: client.aliases.set(model, "candidate", next(numbers))


async def _alias_then(client: AsyncClient, model: str) -> Call:
    """What was in production in the middle of its history."""
    alias = await client.aliases.get(model, "production")
    then = alias.create_time + (alias.update_time - alias.create_time) / 2
    return partial(client.aliases.get, model, "production", at=then)


async def _history(client: AsyncClient, model: str) -> Call:
    async def history() -> list[Event]:
        return [event async for event in client.events.list(f"{model}@production", newest_first=True)]

    return history


async def _search(client: AsyncClient, _model: str, words: str) -> Call:
    async def search() -> tuple[Model, ...]:
        return await anext(client.models.search(words).pages())

    return search


async def _list(client: AsyncClient, model: str, text: str, order_by: str, page: str) -> Call:
    """A page of a list, by its number."""
    namespace, _, name = model.rpartition("/")
    parent = f"namespaces/{namespace or 'default'}/models/{name}"
    request = pb.ListVersionsRequest(parent=parent, filter=text, order_by=order_by)
    connection = client._connection  # noqa: SLF001 - the SDK has lists, whose pages it reads as they are needed

    async def answer() -> pb.ListVersionsResponse:
        return await connection.call(connection.stub(RegistryServiceStub).ListVersions, request)

    async def listed() -> list[Version]:
        return [_convert.version(message) for message in (await answer()).versions]

    for _ in range(1, int(page)):
        request.page_token = (await answer()).next_page_token
    return listed


ACTIONS: Final[dict[str, Callable[..., Awaitable[Call]]]] = {
    "resolve": _resolve,
    "get": _get,
    "create": _create,
    "set alias": _set_alias,
    "alias then": _alias_then,
    "history": _history,
    "search": _search,
    "list": _list,
}


async def main() -> None:
    url, action, model, seconds, count = sys.argv[1:]
    name, *arguments = action.split("|")
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(AsyncClient(url)) for _ in range(int(count))]
        calls = [await ACTIONS[name](client, model, *arguments) for client in clients]
        await _repeat(calls, float(seconds))


if __name__ == "__main__":
    asyncio.run(main())
