"""Following a reference: first what it means, then each promotion, each once and in order."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.proxy import chaos_proxy
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import (
    AsyncClient,
    Client,
    FailedPreconditionError,
    NotFoundError,
    PulledModel,
    SkippedVersionWarning,
    StaleModelWarning,
    UnavailableError,
)
from modelyard.v1 import events_pb2
from modelyard.v1.events_pb2_grpc import EventsServiceStub

_PROMOTIONS = (2, 3, 1, 2, 1, 3, 2)


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


async def take(watch: AsyncIterator[PulledModel], count: int) -> list[int]:
    """Numbers of the next versions, whose bytes are theirs."""
    found: list[int] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            model = await anext(watch)
            assert (model.path / "model.bin").read_text() == f"weights {model.version.number}"
            found.append(model.version.number)
    return found


async def test_it_follows_every_promotion_in_order(yard: AsyncClient) -> None:
    watch = yard.watch("fraud@production")
    assert await take(watch, 1) == [1]
    for number in _PROMOTIONS:
        await yard.aliases.set("fraud", "production", number)
    await yard.aliases.rollback("fraud", "production")

    assert await take(watch, len(_PROMOTIONS) + 1) == [*_PROMOTIONS, 3]


async def test_other_references_are_followed_as_they_resolve(yard: AsyncClient, tmp_path: Path) -> None:
    latest, default = yard.watch("fraud@latest"), yard.watch("fraud")
    assert [await take(latest, 1), await take(default, 1)] == [[3], [1]]
    await yard.aliases.set("fraud", "production", 2)
    await yard.versions.deprecate("fraud@3", reason="old")
    assert [await take(latest, 1), await take(default, 1)] == [[2], [2]]
    await yard.aliases.delete("fraud", "production")
    (tmp_path / "v4").mkdir()
    (tmp_path / "v4" / "model.bin").write_text("weights 4")
    await yard.push("fraud", tmp_path / "v4", capture=False)
    assert [await take(latest, 1), await take(default, 1)] == [[4], [4]]


async def test_a_reference_that_means_nothing_is_told_at_once(yard: AsyncClient) -> None:
    with pytest.raises(NotFoundError):
        await anext(yard.watch("fraud@canary"))


async def test_an_alias_that_is_removed_and_set_again_is_followed(yard: AsyncClient) -> None:
    watch = yard.watch("fraud@production")
    assert await take(watch, 1) == [1]
    await yard.aliases.delete("fraud", "production")
    await yard.aliases.set("fraud", "production", 3)

    assert await take(watch, 1) == [3]


async def test_a_version_that_is_gone_is_skipped_with_a_warning(yard: AsyncClient) -> None:
    watch = yard.watch("fraud@production")
    assert await take(watch, 1) == [1]
    await yard.aliases.set("fraud", "production", 2)
    await yard.aliases.set("fraud", "production", 3)
    await yard.versions.delete("fraud@2")

    with pytest.warns(SkippedVersionWarning, match="moved to .*/versions/2, which can't be used"):
        assert await take(watch, 1) == [3]


async def _compact(yard: AsyncClient) -> None:
    connection = yard._connection
    head = (await anext(aiter(yard.events.list(newest_first=True)))).revision
    request = events_pb2.CompactEventsRequest(parent="namespaces/default", revision=head)
    await connection.call(connection.stub(EventsServiceStub).CompactEvents, request)


async def test_over_a_compaction_it_tells_what_the_reference_means_then(
    server: ServerProcess, yard: AsyncClient, tmp_path: Path
) -> None:
    async with chaos_proxy(server.port) as proxy, AsyncClient(proxy.url, cache_dir=tmp_path / "other") as follower:
        watch = follower.watch("fraud@production")
        assert await take(watch, 1) == [1]
        for number in (2, 3, 2):
            await yard.aliases.set("fraud", "production", number)
        await _compact(yard)

        assert await take(watch, 1) == [2]
        proxy.reset()
        await yard.aliases.set("fraud", "production", 3)
        assert await take(watch, 1) == [3]


async def test_a_quarantine_is_told_at_the_start_and_survived_later(
    server: ServerProcess, yard: AsyncClient, tmp_path: Path
) -> None:
    async with chaos_proxy(server.port) as proxy, AsyncClient(proxy.url, cache_dir=tmp_path / "other") as follower:
        watch = follower.watch("fraud@production")
        assert await take(watch, 1) == [1]
        await yard.aliases.set("fraud", "production", 2)
        await yard.versions.quarantine("fraud@2", "malware")
        await _compact(yard)
        with pytest.raises(FailedPreconditionError, match="quarantined: malware"):
            await anext(follower.watch("fraud@production"))

        following = asyncio.create_task(take(watch, 1))
        with pytest.warns(SkippedVersionWarning, match="quarantined: malware") as told:
            await until(lambda: bool(told))
        await yard.aliases.set("fraud", "production", 3)
        assert await following == [3]


async def test_without_a_registry_the_last_known_good_comes_first(
    server: ServerProcess, yard: AsyncClient, tmp_path: Path
) -> None:
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as first:
        watch = first.watch("fraud@production")
        assert await take(watch, 1) == [1]
        await yard.aliases.set("fraud", "production", 2)
        assert await take(watch, 1) == [2]
    server.kill()
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as second:
        watch = second.watch("fraud@production")
        with pytest.warns(StaleModelWarning):
            assert await take(watch, 1) == [2]
        server.start()
        await yard.aliases.set("fraud", "production", 3)
        assert await take(watch, 1) == [3]


async def test_without_a_registry_and_without_a_past_there_is_nothing_to_follow(tmp_path: Path) -> None:
    async with AsyncClient("grpc://127.0.0.1:9", cache_dir=tmp_path / "cache") as client:
        with pytest.raises(UnavailableError):
            await anext(client.watch("fraud@production"))


async def test_no_promotion_is_missed_or_told_twice_whatever_dies(
    server: ServerProcess, yard: AsyncClient, tmp_path: Path
) -> None:
    """R10: 100 resets and kills."""
    async with chaos_proxy(server.port) as proxy, AsyncClient(proxy.url, cache_dir=tmp_path / "other") as follower:
        watch = follower.watch("fraud@production")
        assert await take(watch, 1) == [1]
        seen: list[int] = []
        promoted: list[int] = []
        for times in range(100):
            promoted.append(_PROMOTIONS[times % 3])
            await yard.aliases.set("fraud", "production", promoted[-1])
            proxy.reset()
            if times % 25 == 24:
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            if times % 3 == 0:
                seen += await take(watch, len(promoted) - len(seen))
        seen += await take(watch, len(promoted) - len(seen))

    assert seen == promoted


def test_the_synchronous_client_follows_too(server: ServerProcess, tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    with Client(server.url, cache_dir=tmp_path / "cache") as client:
        for number in (1, 2):
            model.write_text(f"weights {number}")
            client.push("fraud", model, capture=False)
        client.aliases.set("fraud", "production", 1)
        watch = client.watch("fraud@production")
        assert next(watch).version.number == 1
        threading.Thread(target=client.aliases.set, args=("fraud", "production", 2)).start()
        assert next(watch).version.number == 2


async def test_a_roll_back_that_is_impossible_says_so(yard: AsyncClient) -> None:
    with pytest.raises(FailedPreconditionError) as error:
        await yard.aliases.rollback("fraud", "production")
    assert error.value.reason == "NOTHING_TO_ROLL_BACK"


async def test_what_was_in_production_is_told(yard: AsyncClient) -> None:
    before = (await yard.aliases.get("fraud", "production")).update_time
    await yard.aliases.set("fraud", "production", 2, reason="better")

    assert (await yard.aliases.get("fraud", "production", at=before)).version.number == 1
    events = [event async for event in yard.events.list("fraud@production", newest_first=True)]
    assert [(event.type, event.reason) for event in events] == [("alias.moved", "better"), ("alias.created", "")]
    assert events[0].changes["version"][0] == "namespaces/default/models/fraud/versions/1"
