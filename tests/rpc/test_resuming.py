"""R16: an upload goes on after a restart. The server reads few bytes again, and the client sees that it reads."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.journals import note_upload
from tests.support.registry import RunningRegistry, running_registry
from tests.support.requests import frames, start, write
from tests.support.waiting import until

from modelyard._config import endpoint
from modelyard._connection import Connection
from modelyard._transfer import silence
from modelyard._transfer.local_files import collect
from modelyard._transfer.upload import upload as push
from modelyard.v1 import artifacts_pb2 as rpc
from modelyard_server import failpoints
from modelyard_server.calls.limits import Limits

MIB: Final = 1 << 20
DATA: Final = bytes(range(256)) * (32 * MIB // 256)
SLOW: Final = "blob.rehash=delay:400"
"""A disk that reads 4 MiB in 0.4 s: all of the data in three seconds."""


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("", development=True)


def rehashed(yard: RunningRegistry) -> float | None:
    return yard.metrics.registry.get_sample_value("modelyard_upload_rehashed_bytes_total")


async def _staged_without_state(root: Path) -> str:
    """An upload with all its bytes, at a server that is gone, whose mark has no state of the hash. Its name."""
    async with running_registry("sqlite", root) as yard:
        upload = await start(yard, DATA)
        await write(yard, frames(upload.name, DATA, chunk=MIB, finish=False))
    mark = root / "staging" / f"{upload.name.rpartition('/')[2]}.mark"
    mark.write_text(" ".join(mark.read_text().split()[:2]))
    return upload.name


async def test_reading_again_is_told_and_is_not_the_silence_of_the_client(tmp_path: Path) -> None:
    name = await _staged_without_state(tmp_path)
    failpoints.arm(SLOW, development=True)
    async with running_registry("sqlite", tmp_path, limits=Limits(stream_idle=1.0)) as yard:
        writing = asyncio.create_task(write(yard, frames(name, DATA, offset=len(DATA))))
        told = []
        while not writing.done():
            told.append((await yard.artifacts.GetUpload(rpc.GetUploadRequest(name=name))).rehashed_size)
            await asyncio.sleep(0.01)  # what a patient client does

        done = await writing

        assert done.state == rpc.Upload.STATE_COMMITTED
        assert done.rehashed_size == 0
        while told[-1] == 0:
            told.pop()
        assert told == sorted(told)
        assert {4 * MIB, 16 * MIB} <= set(told)
        assert rehashed(yard) == len(DATA)


async def test_a_push_waits_for_a_registry_that_reads_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than the registry may be silent, and the push needs no second stream."""
    monkeypatch.setattr(silence, "GRACE", 2.0)
    name = await _staged_without_state(tmp_path)
    path = tmp_path / "model.bin"
    path.write_bytes(DATA)
    failpoints.arm(SLOW, development=True)
    async with running_registry("sqlite", tmp_path, limits=Limits(stream_idle=1.0)) as yard:
        connection = Connection(endpoint(f"grpc://{yard.address}", token=""))
        files = collect(path).files
        await note_upload(connection, "namespaces/default", files[0], tmp_path / "state", name)

        uploaded = await push(connection, "default", files, state_dir=tmp_path / "state")

        await connection.close()
        assert uploaded.bytes_sent == 0
        assert rehashed(yard) == len(DATA)
        assert await yard.sql("SELECT epoch FROM uploads") == [(2,)]  # the writers of this upload


async def test_bytes_that_an_ended_call_read_again_are_counted(tmp_path: Path) -> None:
    """The next call goes on behind them, so each byte is counted once."""
    name = await _staged_without_state(tmp_path)
    failpoints.arm(SLOW, development=True)
    async with running_registry("sqlite", tmp_path) as yard:
        writing = asyncio.create_task(write(yard, frames(name, DATA, offset=len(DATA))))
        await until(lambda: bool(rehashed(yard)))
        writing.cancel()
        await asyncio.wait([writing])
        failpoints.arm("", development=True)

        done = await write(yard, frames(name, DATA, offset=len(DATA)))

        assert done.state == rpc.Upload.STATE_COMMITTED
        assert rehashed(yard) == len(DATA)
