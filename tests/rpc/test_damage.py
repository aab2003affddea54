"""Stored bytes that are missing, cut or changed: no version gets them, they are reported, and a push heals them."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import (
    MODEL,
    NAMESPACE,
    blob_of,
    commit,
    compose,
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
from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as registry

on_one_yard = pytest.mark.asyncio(loop_scope="module")


def _file(yard: RunningRegistry, data: bytes) -> Path:
    """Where the one publication of some bytes is."""
    digits = digest_of(data).removeprefix("sha256:")
    (path,) = (yard.root / "blobs/sha256" / digits[:2]).glob(f"{digits}.*")
    return path


def _truncate(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size - 1)


def _swap(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(bytes(path.stat().st_size))
    other.replace(path)


DAMAGES: Final[dict[str, Callable[[Path], None]]] = {"missing": Path.unlink, "resized": _truncate, "changed": _swap}


async def _by_stream(yard: RunningRegistry, data: bytes) -> None:
    upload = await start(yard, data)
    assert upload.state == rpc.Upload.STATE_OPEN
    await write(yard, frames(upload.name, data))


async def _by_batch(yard: RunningRegistry, data: bytes) -> None:
    await store(yard, data)


async def _by_composing(yard: RunningRegistry, data: bytes) -> None:
    parts = [data[:3], data[3:]]
    await store(yard, *parts)
    await compose(yard, rpc.ComposeBlobRequest(parent=NAMESPACE, blob=blob_of(data), parts=map(blob_of, parts)))


async def _missing(yard: RunningRegistry, data: bytes) -> bool:
    request = rpc.FindMissingBlobsRequest(parent=NAMESPACE, blobs=[blob_of(data)])
    return bool((await yard.artifacts.FindMissingBlobs(request)).missing_blobs)


async def _events(yard: RunningRegistry, data: bytes, parent: str = NAMESPACE) -> list[tuple[str, str, str]]:
    resource = f"{parent}/blobs/{digest_of(data)}"
    request = events_pb2.ListEventsRequest(parent=parent, filter=f'resource = "{resource}"')
    return [
        (event.type, change.before.string_value, change.after.string_value)
        for event in (await yard.events.ListEvents(request)).events
        for change in [event.changes["damage"]]
    ]


def _counted(yard: RunningRegistry, damage: str) -> tuple[float, float]:
    sample = yard.metrics.registry.get_sample_value
    found = sample("modelyard_blobs_damaged_total", {"damage": damage})
    healed = sample("modelyard_blobs_healed_total")
    assert found is not None
    assert healed is not None
    return found, healed


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("send", [_by_stream, _by_batch, _by_composing])
@on_one_yard
async def test_bytes_that_arrive_again_heal_every_version_that_names_them(
    fraud_yard: RunningRegistry, send: Callable[[RunningRegistry, bytes], Awaitable[None]], damage: str
) -> None:
    yard, data = fraud_yard, f"weights {damage} {send}".encode()
    versions = [await commit(yard, data) for _ in range(2)]
    found, healed = _counted(yard, damage)
    DAMAGES[damage](_file(yard, data))

    assert await _missing(yard, data)
    assert await _missing(yard, data)
    for if_changed in (False, True):
        again = registry.CreateVersionRequest(
            parent=MODEL, version=version_of({"model.bin": data}), request_id=request_id(), if_changed=if_changed
        )
        got = await refused(yard.registry.CreateVersion(again))
        assert (got.reason, got.info.metadata["missingCount"]) == ("MISSING_BLOBS", "1")
    await send(yard, data)

    assert not await _missing(yard, data)
    assert [await read(yard, version.name) for version in versions] == [data, data]
    assert await _events(yard, data) == [("blob.damaged", "", damage), ("blob.healed", damage, "")]
    assert _counted(yard, damage) == (found + 1, healed + 1)
    assert _file(yard, data).read_bytes() == data  # nothing is left of the damaged file


@on_one_yard
async def test_a_read_of_damaged_bytes_is_refused_and_reported(fraud_yard: RunningRegistry) -> None:
    yard, data = fraud_yard, b"read, and found cut"
    version = await commit(yard, data)
    _truncate(_file(yard, data))

    by_stream = await refused(yard.artifacts.ReadFile(rpc.ReadFileRequest(version=version.name, path="model.bin")))
    batch = rpc.BatchReadFilesRequest(version=version.name, paths=["model.bin"])
    in_a_batch = await refused(yard.artifacts.BatchReadFiles(batch))

    for got in (by_stream, in_a_batch):
        assert (got.code, got.reason) == (grpc.StatusCode.DATA_LOSS, "BLOB_CORRUPT")
        assert "Push the same file again" in got.message
    assert await _events(yard, data) == [("blob.damaged", "", "resized")]


@on_one_yard
async def test_another_namespace_heals_the_bytes_and_learns_nothing(fraud_yard: RunningRegistry) -> None:
    yard, data = fraud_yard, b"both have it"
    version = await commit(yard, data)
    other = await yard.registry.CreateNamespace(registry.CreateNamespaceRequest(namespace_id="other"))
    _, healed = _counted(yard, "missing")
    _file(yard, data).unlink()

    await store(yard, data, parent=other.name)

    assert await read(yard, version.name) == data
    assert await _events(yard, data, other.name) == []
    assert _counted(yard, "missing")[1] == healed + 1


@on_one_yard
async def test_a_restored_file_that_kept_no_times_is_no_damage(fraud_yard: RunningRegistry) -> None:
    yard, data = fraud_yard, b"from a backup"
    version = await commit(yard, data)
    published = _file(yard, data).stat().st_mtime
    os.utime(_file(yard, data))

    assert await read(yard, version.name) == data
    assert not await _missing(yard, data)
    assert await _events(yard, data) == []
    assert _file(yard, data).stat().st_mtime == published  # so it need not be read again


async def test_a_store_whose_volume_is_gone_reports_no_damage(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"there")
    (yard.root / "blobs").rename(yard.root / "unmounted")

    request = rpc.FindMissingBlobsRequest(parent=NAMESPACE, blobs=[blob_of(b"there")])
    got = await refused(yard.artifacts.FindMissingBlobs(request))

    assert (got.code, got.reason) == (grpc.StatusCode.UNAVAILABLE, "BACKEND_DOWN")
    assert await _events(yard, b"there") == []
    (yard.root / "unmounted").rename(yard.root / "blobs")
    assert not (await yard.artifacts.FindMissingBlobs(request)).missing_blobs
