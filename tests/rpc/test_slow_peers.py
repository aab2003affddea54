"""Slow clients hold up nobody, and those that are too slow lose their place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from tests.support.children import PATIENCE
from tests.support.registry import RunningRegistry, refused, running_registry
from tests.support.requests import MODEL, NAMESPACE, commit, frames, make_model, read, start, store, write

from modelyard.v1 import artifacts_pb2 as rpc
from modelyard.v1 import events_pb2, registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard_server.calls.limits import Limits
from modelyard_server.log import watching

_SLOW: Final = 70
_LARGE: Final = bytes(3 << 20)
# The transport would else take in all of a file for a reader that takes nothing, and use one connection for all.
_SMALL_WINDOW: Final = [
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1 << 16),
    ("grpc.use_local_subchannel_pool", 1),
]


async def _slow_writer(yard: RunningRegistry, stub: Any, hold: asyncio.Event) -> Any:
    upload, arrived = await start(yard, _LARGE, declare=False), asyncio.Event()

    async def trickle() -> AsyncIterator[rpc.WriteBlobRequest]:
        yield rpc.WriteBlobRequest(upload=upload.name, write_offset=0, data=b"x")
        arrived.set()
        await hold.wait()

    call = stub.WriteBlob(trickle())
    await arrived.wait()
    return call


async def _slow_reader(stub: Any, version: str) -> tuple[Any, int]:
    call = stub.ReadFile(rpc.ReadFileRequest(version=version, path="model.bin"))
    return call, len((await call.read()).data)


async def test_slow_clients_hold_up_nobody(tmp_path: Path) -> None:
    """Seventy writers and as many readers have stopped, of one machine: all others are served beside them."""
    async with running_registry("sqlite", tmp_path) as yard, AsyncExitStack() as stack:
        await make_model(yard)
        version = (await commit(yard, _LARGE)).name
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(yard.address, options=_SMALL_WINDOW))
            for _ in range(2)
        ]
        stubs = [ArtifactsServiceStub(channel) for channel in channels]
        hold = asyncio.Event()
        writers = await asyncio.gather(*(_slow_writer(yard, stubs[0], hold) for _ in range(_SLOW)))
        readers = await asyncio.gather(*(_slow_reader(stubs[1], version) for _ in range(_SLOW)))

        assert (await start(yard, b"12345")).name
        await store(yard, b"12345")
        data = _LARGE + b"another"
        done = await write(yard, frames((await start(yard, data)).name, data))
        assert done.state == rpc.Upload.STATE_COMMITTED
        assert await read(yard, version) == _LARGE

        # Those that have stopped go on where they were, all at once.
        hold.set()
        assert [upload.persisted_size for upload in await asyncio.gather(*writers)] == [1] * _SLOW
        assert set(await asyncio.gather(*(_rest(call, size) for call, size in readers))) == {len(_LARGE)}


async def _rest(call: Any, size: int) -> int:
    """Reads on. The number of all bytes."""
    while message := await call.read():
        size += len(message.data)
    return size


async def test_a_writer_that_trickles_is_ended(tmp_path: Path) -> None:
    """A49. A byte now and then keeps no stream alive. What came is kept."""
    async with running_registry("sqlite", tmp_path, limits=Limits(stream_idle=1.0)) as yard:
        upload = await start(yard, _LARGE)

        async def trickle() -> AsyncIterator[rpc.WriteBlobRequest]:
            yield rpc.WriteBlobRequest(upload=upload.name, write_offset=0)
            for offset in range(10_000):
                yield rpc.WriteBlobRequest(write_offset=offset, data=b"x")
                await asyncio.sleep(0.05)  # it is what the client does, not what the test waits for

        got = await refused(write(yard, trickle()))
        kept = (await yard.artifacts.GetUpload(rpc.GetUploadRequest(name=upload.name))).persisted_size

    assert (got.code, got.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert "4096 bytes a second" in got.message
    assert kept > 1


async def test_watches_that_stand_still_keep_large_events_from_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More watches than have places for large events are told of them and read nothing. Another watch reads on."""
    monkeypatch.setattr(watching, "_GRACE_SECONDS", 0.2)
    monkeypatch.setattr(watching, "ROOM", 4 << 10)
    async with running_registry("sqlite", tmp_path / "yard") as yard:
        await make_model(yard)
        for number in range(12):
            model = pb.Model(name=MODEL, description=f"{number}" + "x" * (60 << 10))
            await yard.registry.UpdateModel(registry_pb2.UpdateModelRequest(model=model))
        request = events_pb2.WatchEventsRequest(parent=NAMESPACE, start_revision=1)
        async with AsyncExitStack() as stack:
            stalled = []
            for _ in range(14):
                # A connection of its own, whose window is soon full.
                channel = await stack.enter_async_context(
                    grpc.aio.insecure_channel(yard.address, options=_SMALL_WINDOW)
                )
                call = EventsServiceStub(channel).WatchEvents(request)
                assert (await call.read()) is not grpc.aio.EOF
                stalled.append(call)

            async with asyncio.timeout(PATIENCE):
                seen = 0
                async for news in yard.events.WatchEvents(request):
                    seen = news.revision
                    if seen >= 13:
                        break
            assert seen >= 13
            for call in stalled:
                call.cancel()
