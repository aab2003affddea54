"""Our client at work, as a process of its own:

python -m benchmarks.modelyard_client URL resolve|create MODEL SECONDS    prints the calls' times, one a line
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from modelyard import AsyncClient
from modelyard.types import Version
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2


async def _repeat(call: Callable[[], Awaitable[object]], seconds: float) -> None:
    await call()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + seconds
    times = []
    while (started := time.perf_counter()) < end:
        await call()
        times.append(time.perf_counter() - started)
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


async def main() -> None:
    url, action, model, seconds = sys.argv[1:]
    reference = f"{model}@production"
    async with AsyncClient(url) as client:
        if action == "resolve":
            await _repeat(lambda: client.resolve(reference), float(seconds))
        else:
            request = _creation((await client.resolve(reference)).version)
            await _repeat(lambda: _create(client, request), float(seconds))


if __name__ == "__main__":
    asyncio.run(main())
