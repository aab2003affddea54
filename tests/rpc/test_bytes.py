"""Bytes in and out over a real channel: nothing is published that was not finished, whole and right."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import google_crc32c
import grpc
import pytest
from sqlalchemy import text
from tests.support.registry import RunningRegistry, refusal, refused, running_registry
from tests.support.requests import (
    MODEL,
    NAMESPACE,
    blob_of,
    commit,
    commit_files,
    digest_of,
    frames,
    make_model,
    read,
    request_id,
    start,
    store,
    version_of,
    write,
)

from modelyard.v1 import artifacts_pb2 as rpc
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard_server.calls.limits import Limits

DATA = os.urandom(9 << 20)
OPEN, COMMITTED = rpc.Upload.STATE_OPEN, rpc.Upload.STATE_COMMITTED


async def _progress(yard: RunningRegistry, upload: str) -> int:
    return (await yard.artifacts.GetUpload(rpc.GetUploadRequest(name=upload))).persisted_size


async def _staged(yard: RunningRegistry, upload: str, size: int) -> None:
    """Waits until the server has that much of an upload: a stream that was cut may still be on its way to the disk."""
    while await _progress(yard, upload) < size:
        await asyncio.sleep(0)


async def one_frame(
    upload: str, offset: int, *, finish_write: bool = False, digest: str = ""
) -> AsyncIterator[rpc.WriteBlobRequest]:
    """A stream that is refused at its first message: a longer one may lose the answer to a write that fails."""
    yield rpc.WriteBlobRequest(upload=upload, write_offset=offset, finish_write=finish_write, digest=digest)


async def test_what_was_written_is_read_back(yard: RunningRegistry) -> None:
    await make_model(yard)
    upload = await start(yard, DATA)

    done = await yard.artifacts.WriteBlob(frames(upload.name, DATA, chunk=1 << 20))
    version = await commit_of(yard, DATA)

    assert (upload.state, done.state) == (OPEN, COMMITTED)
    assert done.persisted_size == len(DATA)
    assert await read(yard, version) == DATA
    assert await read(yard, version, read_offset=5_000_000, read_limit=3) == DATA[5_000_000:5_000_003]
    assert await read(yard, version, read_offset=len(DATA) - 2) == DATA[-2:]
    assert await read(yard, version, read_offset=len(DATA)) == b""


async def commit_of(yard: RunningRegistry, data: bytes) -> str:
    from modelyard.v1 import registry_pb2

    request = registry_pb2.CreateVersionRequest(
        parent=MODEL, version=pb.Version(files=[pb.File(path="model.bin", blob=blob_of(data))])
    )
    return (await yard.registry.CreateVersion(request)).name


async def test_each_message_of_a_read_says_where_it_stands(yard: RunningRegistry) -> None:
    await make_model(yard)
    await yard.artifacts.WriteBlob(frames((await start(yard, DATA)).name, DATA))
    version = await commit_of(yard, DATA)
    offset = 0

    request = rpc.ReadFileRequest(version=version, digest=digest_of(DATA))
    async for message in yard.artifacts.ReadFile(request):
        assert message.offset == offset
        assert message.crc32c == google_crc32c.value(message.data)
        assert len(message.data) <= yard.limits.preferred_chunk_bytes
        offset += len(message.data)
    assert offset == len(DATA)


async def test_an_empty_file_is_a_file(yard: RunningRegistry) -> None:
    await make_model(yard)
    upload = await start(yard, b"")
    await yard.artifacts.WriteBlob(frames(upload.name, b""))

    assert await read(yard, await commit_of(yard, b"")) == b""


async def test_the_end_of_a_stream_commits_nothing(yard: RunningRegistry) -> None:
    """A16: half-close without finish_write. What came stays for the one who goes on."""
    upload = await start(yard, DATA)

    half = await yard.artifacts.WriteBlob(frames(upload.name, DATA, finish=False))

    assert (half.state, half.persisted_size) == (OPEN, len(DATA))
    assert not await yard.sql("SELECT * FROM blobs")


async def test_a_cancelled_stream_is_resumed_where_it_broke(yard: RunningRegistry) -> None:
    upload = await start(yard, DATA)
    sent = asyncio.Event()

    async def endless() -> AsyncIterator[rpc.WriteBlobRequest]:
        async for frame in frames(upload.name, DATA[: 6 << 20], finish=False):
            yield frame
        sent.set()
        await asyncio.Event().wait()

    call = yard.artifacts.WriteBlob(endless())
    await sent.wait()
    await _staged(yard, upload.name, 4 << 20)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    while (await _try_to_finish(yard, upload.name)) is None:
        await asyncio.sleep(0)

    assert await yard.sql("SELECT digest FROM blobs") == [(digest_of(DATA),)]


async def _try_to_finish(yard: RunningRegistry, upload: str) -> rpc.Upload | None:
    """Goes on from where the server is; None while it still holds the stream that was cut."""
    offset = await _progress(yard, upload)
    try:
        await write(yard, one_frame(upload, offset))
    except grpc.aio.AioRpcError as error:
        if refusal(error).reason not in {"UPLOAD_BUSY", "OFFSET_MISMATCH"}:
            raise
        return None
    return await yard.artifacts.WriteBlob(frames(upload, DATA, offset=offset))


@pytest.mark.parametrize("offset", [0, 1, 100, 102, 2**40])
async def test_offsets_must_continue(yard: RunningRegistry, offset: int) -> None:
    """A17: a gap, an overlap and a duplicate are told the right offset."""
    upload = await start(yard, DATA)
    await yard.artifacts.WriteBlob(frames(upload.name, DATA[:101], finish=False))

    got = await refused(write(yard, one_frame(upload.name, offset)))

    assert (got.code, got.reason) == (grpc.StatusCode.OUT_OF_RANGE, "OFFSET_MISMATCH")
    assert got.info.metadata["persistedSize"] == "101"


async def test_damage_in_flight_is_found_and_sent_again(yard: RunningRegistry) -> None:
    """A19"""
    upload = await start(yard, DATA)

    async def damaged() -> AsyncIterator[rpc.WriteBlobRequest]:  # short: all of it is on its way before the answer
        crc = google_crc32c.value(DATA[:1000])
        yield rpc.WriteBlobRequest(upload=upload.name, write_offset=0, data=DATA[:1000], crc32c=crc)
        yield rpc.WriteBlobRequest(write_offset=1000, data=b"\x00" * 1000, crc32c=crc)

    got = await refused(write(yard, damaged()))

    assert (got.code, got.reason) == (grpc.StatusCode.ABORTED, "CHUNK_CORRUPT")
    assert got.info.metadata["persistedSize"] == "1000"
    done = await yard.artifacts.WriteBlob(frames(upload.name, DATA, offset=1000))
    assert done.state == COMMITTED


async def test_finishing_twice_is_finishing_once(yard: RunningRegistry) -> None:
    """A24: a retry after a lost answer, and one that claims another digest."""
    upload = await start(yard, b"abc", declare=False)
    first = await yard.artifacts.WriteBlob(frames(upload.name, b"abc", digest=digest_of(b"abc")))

    again = await yard.artifacts.WriteBlob(one_frame(upload.name, 3, finish_write=True, digest=digest_of(b"abc")))
    got = await refused(write(yard, one_frame(upload.name, 3, finish_write=True, digest=digest_of(b"x"))))

    assert again == first
    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_COMMITTED")


async def test_a_short_upload_can_be_completed(yard: RunningRegistry) -> None:
    """A15: the session survives a finish that came too early."""
    upload = await start(yard, DATA)
    got = await refused(write(yard, _early_finish(upload.name)))

    assert got.reason == "SIZE_MISMATCH"
    assert got.info.metadata["actual"] == "1000"
    done = await yard.artifacts.WriteBlob(frames(upload.name, DATA, offset=1000))
    assert done.state == COMMITTED


async def _early_finish(upload: str) -> AsyncIterator[rpc.WriteBlobRequest]:
    yield rpc.WriteBlobRequest(upload=upload, write_offset=0, data=DATA[:1000])
    yield rpc.WriteBlobRequest(write_offset=1000, finish_write=True)


async def test_wrong_bytes_end_the_upload(yard: RunningRegistry) -> None:
    """A13: the digest is the server's own; nothing stays of what did not match."""
    upload = await start(yard, b"good")

    got = await refused(write(yard, frames(upload.name, b"evil")))
    gone = await refused(yard.artifacts.GetUpload(rpc.GetUploadRequest(name=upload.name)))

    assert (got.code, got.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH")
    assert got.info.metadata == {
        "field": "digest",
        "violationCount": "1",
        "expected": digest_of(b"good"),
        "actual": digest_of(b"evil"),
    }
    assert (gone.code, gone.reason) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")
    assert [staged async for staged in yard.store.staged()] == []


async def test_a_live_writer_is_not_disturbed_and_a_stalled_one_is_replaced(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    limits = Limits(writer_stall=0.0)
    async with running_registry("sqlite", tmp_path_factory.mktemp("stall"), limits=limits) as yard:
        upload = await start(yard, DATA)
        hold, call = await _held_writer(yard, upload.name)

        done = await yard.artifacts.WriteBlob(frames(upload.name, DATA, offset=await _progress(yard, upload.name)))
        hold.set()
        loser = await refused(call)

    assert done.state == COMMITTED
    assert loser.reason in {"UPLOAD_BUSY", "UPLOAD_NOT_FOUND"}


async def test_two_live_writers_have_one_winner(yard: RunningRegistry) -> None:
    upload = await start(yard, DATA)
    hold, call = await _held_writer(yard, upload.name)

    got = await refused(write(yard, one_frame(upload.name, 4 << 20)))
    hold.set()

    assert (got.code, got.reason) == (grpc.StatusCode.ABORTED, "UPLOAD_BUSY")
    assert "RetryInfo" in got.details
    assert (await call).state == COMMITTED


async def test_a_writer_that_lost_its_upload_to_another_commits_nothing(yard: RunningRegistry) -> None:
    """Another replica took the upload over, and this writer has not heard of it when it finishes."""
    upload = await start(yard, DATA)
    hold, call = await _held_writer(yard, upload.name)

    claim = "UPDATE uploads SET epoch = epoch + 1"
    await yard.engine.migrate(lambda connection: connection.execute(text(claim)))
    hold.set()
    loser = await refused(call)

    assert (loser.code, loser.reason) == (grpc.StatusCode.ABORTED, "UPLOAD_BUSY")
    assert "RetryInfo" in loser.details
    assert not await yard.sql("SELECT * FROM blobs")
    assert (await yard.artifacts.GetUpload(rpc.GetUploadRequest(name=upload.name))).state == OPEN


async def _held_writer(yard: RunningRegistry, upload: str) -> tuple[asyncio.Event, asyncio.Task[rpc.Upload]]:
    """A stream that sends 4 MiB, and the rest when told to."""
    hold = asyncio.Event()

    async def held() -> AsyncIterator[rpc.WriteBlobRequest]:
        async for frame in frames(upload, DATA[: 4 << 20], finish=False):
            yield frame
        await hold.wait()
        async for frame in frames("", DATA, offset=4 << 20):
            yield frame

    call = asyncio.create_task(write(yard, held()))
    await _staged(yard, upload, 4 << 20)
    return hold, call


async def test_a_second_push_of_the_same_bytes_sends_none(yard: RunningRegistry) -> None:
    await store(yard, b"abc")

    upload = await start(yard, b"abc")
    found = await yard.artifacts.FindMissingBlobs(
        rpc.FindMissingBlobsRequest(parent=NAMESPACE, blobs=[blob_of(b"abc"), blob_of(b"x")], sizes=[3, 4, 5])
    )

    assert (upload.state, upload.persisted_size) == (COMMITTED, 3)
    assert list(found.missing_blobs) == [blob_of(b"x")]
    assert list(found.known_sizes) == [3]


async def test_sixteen_clients_push_the_same_new_file(yard: RunningRegistry) -> None:
    """A21: all succeed, one blob stays, nothing else does."""

    async def push() -> rpc.Upload:
        upload = await start(yard, DATA)
        return await yard.artifacts.WriteBlob(frames(upload.name, DATA, chunk=1 << 20))

    done = await asyncio.gather(*(push() for _ in range(16)))

    assert {upload.state for upload in done} == {COMMITTED}
    assert len([path for path in (yard.root / "blobs").rglob("*") if path.is_file()]) == 1
    assert [staged async for staged in yard.store.staged()] == []


async def test_starting_twice_with_one_request_id_opens_one_upload(yard: RunningRegistry) -> None:
    request = rpc.StartUploadRequest(parent=NAMESPACE, size_bytes=5, request_id=request_id())
    first = await yard.artifacts.StartUpload(request)

    assert await yard.artifacts.StartUpload(request) == first
    request.size_bytes = 6
    assert (await refused(yard.artifacts.StartUpload(request))).reason == "REQUEST_ID_REUSED"


async def test_a_cancelled_upload_is_gone(yard: RunningRegistry) -> None:
    upload = await start(yard, DATA)
    await yard.artifacts.WriteBlob(frames(upload.name, DATA[:1000], finish=False))

    await yard.artifacts.CancelUpload(rpc.CancelUploadRequest(name=upload.name))

    for call in (
        yard.artifacts.GetUpload(rpc.GetUploadRequest(name=upload.name)),
        yard.artifacts.CancelUpload(rpc.CancelUploadRequest(name=upload.name)),
        write(yard, one_frame(upload.name, 1000)),
    ):
        assert (await refused(call)).reason == "UPLOAD_NOT_FOUND"
    assert [staged async for staged in yard.store.staged()] == []


async def test_an_upload_of_another_namespace_is_not_there(yard: RunningRegistry) -> None:
    """A23"""
    upload = await start(yard, DATA)

    foreign = upload.name.replace("default", "other")

    assert (await refused(yard.artifacts.GetUpload(rpc.GetUploadRequest(name=foreign)))).reason == "UPLOAD_NOT_FOUND"


async def test_uploads_expire(yard: RunningRegistry) -> None:
    """A25: after a day without a writer the session and its bytes are gone."""
    upload = await start(yard, DATA)
    await yard.artifacts.WriteBlob(frames(upload.name, DATA[:1000], finish=False))

    yard.clock.advance(yard.limits.upload_ttl + 1)
    late = await refused(write(yard, one_frame(upload.name, 1000)))
    expired = (await yard.app.sweeper.sweep())["uploads"]

    assert (late.code, late.reason) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")
    assert expired == 1
    assert not await yard.sql("SELECT * FROM uploads")
    assert [staged async for staged in yard.store.staged()] == []


async def test_the_sweep_leaves_what_is_alive(yard: RunningRegistry) -> None:
    upload = await start(yard, DATA)
    await yard.artifacts.WriteBlob(frames(upload.name, DATA[:1000], finish=False))

    assert (await yard.app.sweeper.sweep())["uploads"] == 0
    assert await _progress(yard, upload.name) == 1000


async def test_too_many_open_uploads_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = Limits(open_uploads=2)
    async with running_registry("sqlite", tmp_path_factory.mktemp("many"), limits=limits) as yard:
        for _ in range(2):
            await start(yard, b"x")

        got = await refused(start(yard, b"x"))

    assert (got.code, got.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS")


async def test_an_idle_stream_is_ended(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A49"""
    limits = Limits(stream_idle=2.0)  # enough for the first bytes to come, on a busy machine too
    async with running_registry("sqlite", tmp_path_factory.mktemp("idle"), limits=limits) as yard:
        upload = await start(yard, DATA)

        async def idle() -> AsyncIterator[rpc.WriteBlobRequest]:
            yield rpc.WriteBlobRequest(upload=upload.name, write_offset=0, data=b"x")
            await asyncio.Event().wait()

        got = await refused(write(yard, idle()))
        progress = await _progress(yard, upload.name)

    assert (got.code, got.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert progress == 1


async def test_a_reader_that_takes_nothing_is_cut_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A50"""
    limits = Limits(reader_stall=1.0)
    async with running_registry("sqlite", tmp_path_factory.mktemp("slow"), limits=limits) as yard:
        await make_model(yard)
        await yard.artifacts.WriteBlob(frames((await start(yard, DATA)).name, DATA, chunk=1 << 20))
        version = await commit_of(yard, DATA)

        # The transport would else learn how fast this machine is, and take in all of it for a reader who takes nothing.
        fixed_window = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 16)]
        async with grpc.aio.insecure_channel(yard.address, options=fixed_window) as channel:
            call = ArtifactsServiceStub(channel).ReadFile(rpc.ReadFileRequest(version=version, path="model.bin"))
            await call.read()
            await yard.app.server.idle()
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await _drain(call)

    assert refusal(error.value).reason == "READER_STALLED"


async def _drain(call: Any) -> None:
    while await call.read():
        pass


async def test_a_batch_tells_of_each_item(yard: RunningRegistry) -> None:
    items = [
        rpc.BatchWriteBlobsRequest.Item(blob=blob_of(b"good"), data=b"good"),
        rpc.BatchWriteBlobsRequest.Item(blob=blob_of(b"good"), data=b"evil"),
        rpc.BatchWriteBlobsRequest.Item(blob=blob_of(b"torn"), data=b"torn", crc32c=1),
        rpc.BatchWriteBlobsRequest.Item(blob=blob_of(b"four"), data=b"fives"),
        rpc.BatchWriteBlobsRequest.Item(blob=blob_of(b""), data=b""),
    ]

    done = await yard.artifacts.BatchWriteBlobs(rpc.BatchWriteBlobsRequest(parent=NAMESPACE, items=items))

    assert [result.status.code for result in done.results] == [0, 3, 10, 3, 0]
    assert {row.digest for row in await yard.sql("SELECT digest FROM blobs")} == {digest_of(b"good"), digest_of(b"")}


async def test_a_batch_has_limits(yard: RunningRegistry) -> None:
    data = b"x" * (yard.limits.batch_bytes + 1)
    items = [rpc.BatchWriteBlobsRequest.Item(blob=blob_of(data), data=data)]

    got = await refused(yard.artifacts.BatchWriteBlobs(rpc.BatchWriteBlobsRequest(parent=NAMESPACE, items=items)))

    assert (got.code, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["items"])


async def test_parts_are_joined_and_hashed_anew(yard: RunningRegistry) -> None:
    await make_model(yard)
    parts = [DATA[: 2 << 20], DATA[2 << 20 : 3 << 20], DATA[: 2 << 20]]
    for part in parts[:2]:
        await yard.artifacts.WriteBlob(frames((await start(yard, part)).name, part))
    whole = b"".join(parts)
    request = rpc.ComposeBlobRequest(parent=NAMESPACE, blob=blob_of(whole), parts=map(blob_of, parts))

    first = await yard.artifacts.ComposeBlob(request)
    again = await yard.artifacts.ComposeBlob(request)

    assert first == again == blob_of(whole)
    assert await read(yard, await commit_of(yard, whole)) == whole


@pytest.mark.parametrize(
    ("whole", "parts", "code", "reason"),
    [
        (b"ab", [b"a", b"b", b"?"], grpc.StatusCode.INVALID_ARGUMENT, "SIZE_MISMATCH"),
        (b"ba", [b"a", b"b"], grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH"),
        (b"a?", [b"a", b"?"], grpc.StatusCode.FAILED_PRECONDITION, "MISSING_BLOBS"),
        (b"", [], grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
    ],
)
async def test_what_does_not_add_up_is_not_composed(
    yard: RunningRegistry, whole: bytes, parts: list[bytes], code: grpc.StatusCode, reason: str
) -> None:
    await store(yard, b"a", b"b")
    before = await yard.dump()

    got = await refused(
        yard.artifacts.ComposeBlob(
            rpc.ComposeBlobRequest(parent=NAMESPACE, blob=blob_of(whole), parts=map(blob_of, parts))
        )
    )

    assert (got.code, got.reason) == (code, reason)
    assert await yard.dump() == before


async def test_stored_bytes_that_are_gone_are_data_loss(yard: RunningRegistry) -> None:
    """Never NOT_FOUND: somebody has to be told."""
    await make_model(yard)
    version = await commit(yard)
    for path in (yard.root / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()

    by_stream = await refused(yard.artifacts.ReadFile(rpc.ReadFileRequest(version=version.name, path="model.bin")))
    batch = rpc.BatchReadFilesRequest(version=version.name, paths=["model.bin"])
    in_a_batch = await refused(yard.artifacts.BatchReadFiles(batch))

    assert (by_stream.code, by_stream.reason) == (grpc.StatusCode.DATA_LOSS, "BLOB_CORRUPT")
    assert (in_a_batch.code, in_a_batch.reason) == (grpc.StatusCode.DATA_LOSS, "BLOB_CORRUPT")


async def test_a_batch_of_files_is_no_larger_than_a_message(yard: RunningRegistry) -> None:
    await make_model(yard)
    contents = {f"{index}.bin": bytes([index]) * (2 << 20) for index in (1, 2)}
    for data in contents.values():
        await store(yard, data)
    version = await yard.registry.CreateVersion(
        registry.CreateVersionRequest(parent=MODEL, version=version_of(contents))
    )

    got = await refused(
        yard.artifacts.BatchReadFiles(rpc.BatchReadFilesRequest(version=version.name, paths=list(contents)))
    )

    assert (got.code, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["paths"])
    assert "use ReadFile" in got.message


async def test_small_files_are_read_together(yard: RunningRegistry) -> None:
    await make_model(yard)
    contents = {f"{index}.bin": bytes([index % 7]) * index for index in range(200)}
    version = await commit_files(yard, contents)
    paths = sorted(contents, reverse=True)

    read = await yard.artifacts.BatchReadFiles(rpc.BatchReadFilesRequest(version=version.name, paths=paths))

    assert [item.data for item in read.items] == [contents[path] for path in paths]
    assert [item.crc32c for item in read.items] == [google_crc32c.value(contents[path]) for path in paths]


async def test_limits_are_told(yard: RunningRegistry) -> None:
    told = await yard.artifacts.GetArtifactLimits(rpc.GetArtifactLimitsRequest())

    assert told.max_chunk_bytes == yard.limits.chunk_bytes
    assert told.max_batch_bytes == yard.limits.batch_bytes
    assert told.max_file_count == 10_000


async def test_draining_ends_streams_so_that_they_can_be_resumed(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("drain")
    async with running_registry("sqlite", root) as yard:
        upload = await start(yard, DATA)
        hold, call = await _held_writer(yard, upload.name)
        draining = asyncio.create_task(yard.app.drain(20.0))
        while not yard.app.draining:
            await asyncio.sleep(0)
        hold.set()
        got = await refused(call)
        await draining
    async with running_registry("sqlite", root) as yard:
        progress = await _progress(yard, upload.name)
        done = await yard.artifacts.WriteBlob(frames(upload.name, DATA, offset=progress))

    assert (got.code, got.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    assert progress >= 4 << 20
    assert done.state == COMMITTED
