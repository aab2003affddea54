"""How versions are used: counted beside the calls, never in their way."""

import asyncio
from typing import Any

import grpc
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, commit_files, make_model, read

from modelyard.v1 import artifacts_pb2 as artifacts
from modelyard.v1 import deployments_pb2 as rpc
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.errors import Unavailable
from modelyard_server.deployments.usage.repository import UsageRepository
from modelyard_server.deployments.usage.service import UsageCounter
from modelyard_server.deployments.usage.values import VersionUse

V1 = f"{MODEL}/versions/1"
_FILES = {"small.txt": b"s", "large.bin": b"larger than the other"}


async def a_version(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit_files(yard, _FILES, aliases=["production"])


async def usage(yard: RunningRegistry, name: str = V1) -> rpc.Usage:
    await yard.app.job(UsageCounter).flush()
    return await yard.deployments.GetUsage(rpc.GetUsageRequest(name=name))


async def resolve(yard: RunningRegistry, reference: str = "fraud@production") -> None:
    await yard.registry.ResolveVersion(registry.ResolveVersionRequest(reference=reference))


async def test_an_unused_version_has_no_usage(yard: RunningRegistry) -> None:
    await a_version(yard)
    assert await usage(yard) == rpc.Usage(version=V1)


async def test_resolving_is_a_use_and_no_download(yard: RunningRegistry) -> None:
    await a_version(yard)
    before = await yard.sql("SELECT * FROM events")
    yard.clock.advance(60)
    await resolve(yard)

    told = await usage(yard, f"{MODEL}/versions/production")

    assert (told.version, told.download_count, told.HasField("download_time")) == (V1, 0, False)
    assert told.use_time.ToDatetime() == yard.clock.time.replace(tzinfo=None)
    assert await yard.sql("SELECT * FROM events") == before


async def test_a_download_is_a_read_of_the_largest_file_from_its_start(yard: RunningRegistry) -> None:
    await a_version(yard)
    await read(yard, V1, "large.bin")
    await read(yard, V1, "large.bin", read_offset=5)
    await read(yard, V1, "small.txt")
    yard.clock.advance(60)
    await read(yard, V1, "large.bin", read_limit=3)
    last = yard.clock.time.replace(tzinfo=None)
    yard.clock.advance(60)
    for paths in (["small.txt", "large.bin"], ["small.txt"]):
        await yard.artifacts.BatchReadFiles(artifacts.BatchReadFilesRequest(version=V1, paths=paths))
        await yard.app.job(UsageCounter).flush()

    told = await usage(yard)

    assert told.download_count == 3
    assert told.use_time.ToDatetime() == told.download_time.ToDatetime() > last


async def test_counts_of_replicas_add_up_in_any_order(yard: RunningRegistry) -> None:
    await a_version(yard)
    now = yard.clock.time
    (row,) = await yard.sql("SELECT key FROM versions")
    earlier = VersionUse(now.replace(hour=1), 2, now.replace(hour=1))
    adds = [{row.key: use} for use in (VersionUse(now, 1, now), earlier, VersionUse(now.replace(hour=2)))]
    database = yard.database

    async def add(uses: Any) -> None:
        await database.write(lambda transaction: UsageRepository(transaction).add(uses))

    await asyncio.gather(*map(add, adds * 3))

    told = await usage(yard)
    assert told.download_count == 9
    assert told.download_time.ToDatetime() == told.use_time.ToDatetime() == now.replace(tzinfo=None)


async def test_no_call_fails_and_nothing_is_lost_while_it_can_not_be_stored(
    yard: RunningRegistry, monkeypatch: Any
) -> None:
    await a_version(yard)
    counter = yard.app.job(UsageCounter)

    async def away(*_: Any) -> None:
        raise Unavailable("away", reason="DATABASE_UNAVAILABLE")

    with monkeypatch.context() as patched:
        patched.setattr(type(counter._database), "write", away)
        for _ in range(2):
            await read(yard, V1, "large.bin")
            await counter.flush()

    assert (await usage(yard)).download_count == 2


async def test_memory_is_bounded(yard: RunningRegistry) -> None:
    counter = yard.app.job(UsageCounter)
    for key in range(yard.limits.usage_versions + 5):
        counter.used(key)
    assert len(counter._uses) == yard.limits.usage_versions
    assert counter._full.is_set()
    counter._uses.clear()


async def test_a_draining_server_stores_its_counts(yard: RunningRegistry) -> None:
    await a_version(yard)
    await read(yard, V1, "large.bin")

    await yard.app.drain(1.0)

    assert [row.download_count for row in await yard.sql("SELECT download_count FROM version_usage")] == [1]


async def test_who_serves_it_is_counted(yard: RunningRegistry) -> None:
    await a_version(yard)
    for instance in ("a", "b"):
        given = pb.Deployment(version=V1, service="api", instance=instance)
        await yard.deployments.RegisterDeployment(rpc.RegisterDeploymentRequest(parent=MODEL, deployment=given))
    assert (await usage(yard)).deployment_count == 2
    yard.clock.advance(91)
    assert (await usage(yard)).deployment_count == 0
    got = await refused(usage(yard, f"{MODEL}/versions/9"))
    assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "VERSION_NOT_FOUND")
