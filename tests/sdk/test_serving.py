"""A program says what it serves, and goes on serving whatever becomes of the registry."""

import asyncio
import threading
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.proxy import chaos_proxy
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import (
    AsyncClient,
    AsyncServing,
    Client,
    ConflictError,
    Deployment,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PulledModel,
    ServingWarning,
)

_OTHER = "sha256:" + "1" * 64


@pytest.fixture
async def yard(server: ServerProcess, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    """With three versions, the first in production."""
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
        for number in (1, 2, 3):
            folder = tmp_path / f"v{number}"
            folder.mkdir()
            (folder / "model.bin").write_text(f"weights {number}")
            await client.push("fraud", folder, capture=False, alias="production" if number == 1 else None)
        yield client


async def listed(yard: AsyncClient, text: str = "") -> list[Deployment]:
    return [each async for each in yard.deployments.list("fraud", filter=text)]


async def served(yard: AsyncClient, *numbers: int) -> None:
    """Waits until these versions and no others are served."""

    async def told() -> bool:
        return [each.version.number for each in await listed(yard)] == list(numbers)

    await until(told, 60)


async def take(watch: AsyncIterator[PulledModel]) -> int:
    async with asyncio.timeout(60):
        return (await anext(watch)).version.number


async def test_a_watch_says_what_is_served_once_it_is(yard: AsyncClient) -> None:
    async with yard.serving("fraud-api", environment="eu", instance="pod-1") as serving:
        watch = yard.watch("fraud@production", serving=serving)
        assert await take(watch) == 1
        assert await listed(yard) == []
        following = asyncio.ensure_future(anext(watch))
        await served(yard, 1)
        await yard.aliases.set("fraud", "production", 2)
        assert (await following).version.number == 2
        await served(yard, 1)
        assert not (await yard.deployments.rollout("fraud", "production")).complete
        following = asyncio.ensure_future(anext(watch))
        await served(yard, 2)

        (told,) = await listed(yard)
        assert (told.service, told.environment, told.instance) == ("fraud-api", "eu", "pod-1")
        assert (told.reference, told.mismatched) == ("default/fraud@production", False)
        assert told.observed_digest == told.digest == (await yard.versions.get("fraud@2")).digest
        rollout = await yard.deployments.rollout("fraud", "production", environment="eu")
        assert (rollout.complete, rollout.matching_count) == (True, 1)
        await yard.aliases.set("fraud", "production", 1)
        with pytest.raises(FailedPreconditionError, match=r"is served by fraud-api in eu \(pod-1\)"):
            await yard.versions.delete("fraud@2")
        following.cancel()
    assert await listed(yard) == []
    types = [event.type async for event in yard.events.list(filter='type = "deployment.*"')]
    assert types == ["deployment.created", "deployment.moved", "deployment.deleted"]


async def test_a_body_that_fails_says_nothing(yard: AsyncClient) -> None:
    async def fail(serving: AsyncServing) -> None:
        async for _ in yard.watch("fraud@production", serving=serving):
            raise ZeroDivisionError

    async with yard.serving("fraud-api") as serving:
        with pytest.raises(ZeroDivisionError):
            await fail(serving)
        assert await listed(yard) == []


async def test_it_is_told_over_a_restart_of_the_registry(
    server: ServerProcess, yard: AsyncClient, tmp_path: Path
) -> None:
    async with (
        chaos_proxy(server.port) as proxy,
        AsyncClient(proxy.url, cache_dir=tmp_path / "other") as follower,
        follower.serving("fraud-api") as serving,
    ):
        watch = follower.watch("fraud@production", serving=serving)
        assert await take(watch) == 1
        await asyncio.to_thread(server.kill)
        following = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        await asyncio.to_thread(server.start)
        await served(yard, 1)
        proxy.reset()
        await yard.aliases.set("fraud", "production", 3)
        assert (await following).version.number == 3
        following = asyncio.ensure_future(anext(watch))
        await served(yard, 3)
        following.cancel()


async def test_it_is_heard_of_by_itself(yard: AsyncClient) -> None:
    async with yard.serving("fraud-api", ttl=10) as serving:
        await serving.loaded("fraud@2", reference="fraud@production")
        (first,) = await listed(yard)
        assert first.heartbeat_time is not None

        async def heard() -> bool:
            (now,) = await listed(yard)
            assert (now.etag, now.update_time) == (first.etag, first.update_time)
            return now.heartbeat_time != first.heartbeat_time

        await until(heard, 60)
    assert first.reference == "default/fraud@production"


async def test_what_ran_out_while_nobody_was_heard_is_registered_again(yard: AsyncClient) -> None:
    async with yard.serving("fraud-api") as serving:
        model = await yard.pull("fraud@production")
        await serving.loaded(model)
        (first,) = serving.deployments
        await yard.deployments.delete(first.name)
        await serving.loaded(model)

        (second,) = await listed(yard)
        assert second.uid != first.uid
        assert serving.deployments == (second,)


async def test_nothing_is_raised_while_the_registry_is_away(server: ServerProcess, yard: AsyncClient) -> None:
    model = await yard.pull("fraud@production")
    async with yard.serving("fraud-api") as serving:
        await asyncio.to_thread(server.kill)
        await serving.loaded(model)
        assert serving.deployments == ()
        await asyncio.to_thread(server.start)
        await served(yard, 1)
        await asyncio.to_thread(server.kill)


async def test_who_is_taken_over_from_warns_once_and_gives_way(yard: AsyncClient) -> None:
    model = await yard.pull("fraud@production")
    async with yard.serving("fraud-api", instance="pod-1") as first:
        await first.loaded(model)
        async with yard.serving("fraud-api", instance="pod-1") as second:
            await second.loaded("fraud@2")
            with pytest.warns(ServingWarning, match="another process has registered") as told:
                await first.loaded(model)
            assert len(told) == 1
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await first.loaded(model)
            await served(yard, 2)
            await first.__aexit__(None, None, None)
            await served(yard, 2)


async def test_a_refusal_is_a_warning(yard: AsyncClient) -> None:
    model = await yard.pull("fraud@2")
    await yard.versions.delete("fraud@2")
    async with yard.serving("fraud-api") as serving:
        with pytest.warns(ServingWarning, match="is deleted"):
            await serving.loaded(model)
        with warnings.catch_warnings(record=True) as again:
            await serving.loaded(model)
        assert not again
        await yard.versions.undelete("fraud@2")
        await serving.loaded(model)
        await served(yard, 2)


async def test_the_observed_digest_is_that_of_the_files(yard: AsyncClient, tmp_path: Path) -> None:
    cached = await yard.pull("fraud@1")
    own = await yard.pull("fraud@1", tmp_path / "own")
    async with yard.serving("fraud-api", instance="pod-1") as serving:
        for model in (cached, own):
            await serving.loaded(model)
            (told,) = serving.deployments
            assert told.observed_digest == told.digest

        (tmp_path / "own" / "model.bin").write_text("other weights")
        await serving.loaded(own)
        (told,) = serving.deployments
        assert told.mismatched
        (tmp_path / "own" / "model.bin").unlink()
        await serving.loaded(own)
        assert serving.deployments[0].mismatched
        rollout = await yard.deployments.rollout("fraud", "production")
        assert rollout.matching_count == 0

        await serving.loaded(await yard.versions.get("fraud@1"))
        (told,) = serving.deployments
        assert (told.observed_digest, told.mismatched) == ("", False)
    types = [event.type async for event in yard.events.list(filter='type = "deployment.mismatched"')]
    assert len(types) == 2


async def test_what_is_no_reference_is_raised(yard: AsyncClient) -> None:
    serving = yard.serving("fraud-api")
    with pytest.raises(RuntimeError, match="inside of its 'with' block"):
        await serving.loaded("fraud@1")
    for service, ttl in (("", 90.0), ("fraud-api", 9.0), ("fraud-api", float("nan"))):
        with pytest.raises(InvalidArgumentError):
            yard.serving(service, ttl=ttl)
    async with serving:
        with pytest.raises(InvalidArgumentError):
            await serving.loaded("fraud@@")
        with pytest.raises(NotFoundError):
            await serving.loaded("fraud@canary")
        await serving.loaded("fraud@production")
        assert [each.reference for each in serving.deployments] == ["default/fraud@production"]


async def test_leases_can_be_kept_by_hand(yard: AsyncClient) -> None:
    first = await yard.deployments.register("fraud@production", "fraud-api", instance="pod-1", ttl=30)
    assert first.deployment.reference == "default/fraud@production"
    assert first.lease not in repr(first)
    moved = await yard.deployments.heartbeat(
        first, version=(await yard.resolve("fraud@2")).version.name, observed_digest=_OTHER
    )
    assert (moved.version.number, moved.mismatched) == (2, True)
    second = await yard.deployments.register("fraud@2", "fraud-api", instance="pod-1")
    for call in (yard.deployments.heartbeat(first), yard.deployments.delete(first.deployment.name, lease=first.lease)):
        with pytest.raises(ConflictError) as error:
            await call
        assert error.value.reason == "LEASE_LOST"
    assert await yard.deployments.get(str(second.deployment.name)) == second.deployment
    assert [event.snapshot async for event in yard.events.list(filter="type = deployment.created")]
    await yard.deployments.delete(second.deployment.name, lease=second.lease)
    with pytest.raises(NotFoundError):
        await yard.deployments.get(second.deployment.name)


async def test_how_a_version_is_used(yard: AsyncClient) -> None:
    await yard.pull("fraud@production")

    async def counted() -> bool:
        return (await yard.versions.usage("fraud@production")).download_count == 1

    await until(counted, 60)
    await yard.pull("fraud@production")
    await yard.deployments.register("fraud@1", "fraud-api")
    usage = await yard.versions.usage("fraud@1")
    assert (usage.version.number, usage.download_count, usage.deployment_count) == (1, 1, 1)
    assert usage.use_time is not None
    assert usage.download_time is not None
    never = await yard.versions.usage("fraud@3")
    assert (never.download_count, never.download_time, never.use_time) == (0, None, None)


def test_the_synchronous_client_serves_too(server: ServerProcess, tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    with Client(server.url, cache_dir=tmp_path / "cache") as client:
        for number in (1, 2):
            model.write_text(f"weights {number}")
            client.push("fraud", model, capture=False)
        client.aliases.set("fraud", "production", 1)
        with client.serving("fraud-api", instance="pod-1") as serving:
            assert "fraud-api" in repr(serving)
            watch = client.watch("fraud@production", serving=serving)
            assert next(watch).version.number == 1
            threading.Thread(target=client.aliases.set, args=("fraud", "production", 2)).start()
            assert next(watch).version.number == 2
            serving.loaded("fraud@2")
            assert [each.version.number for each in client.deployments.list("fraud")] == [2]
            assert [each.version.number for each in serving.deployments] == [2]
        assert list(client.deployments.list("fraud")) == []
