"""A server that dies while it tells webhooks: each event comes at least once, and those of a model in order."""

import asyncio
import json
from itertools import groupby
from pathlib import Path

import pytest
from tests.support.children import PATIENCE
from tests.support.deaths import dying_at, sql
from tests.support.fsck import assert_clean
from tests.support.postgres import Postgres
from tests.support.receiver import CERTIFICATE, receiving
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient
from modelyard.types import DeliveryState

_COUNT = 12
_ALLOWED = ("--webhook-networks", "127.0.0.0/8")


@pytest.fixture
def flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "sqlite":
        return _ALLOWED
    cluster: Postgres = request.getfixturevalue("postgres")
    return (*_ALLOWED, "--database-url", cluster.migrated())


@pytest.mark.parametrize(
    ("flags", "point"),
    [
        ("sqlite", "webhook.after_fan_out@3"),
        ("sqlite", "webhook.after_post@3"),
        ("sqlite", "webhook.after_end@3"),
        ("postgresql", "webhook.after_post@3"),
    ],
    indirect=["flags"],
)
async def test_webhooks_are_delivered_in_order_when_the_server_dies(
    flags: tuple[str, ...], point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    server = ServerProcess(tmp_path, *flags)
    try:
        async with receiving() as receiver, AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
            server.start()
            await client.models.create("fraud")
            await client.webhooks.create("ci", receiver.url, types=["model.updated"])
            server.stop()
            async with dying_at(server, point):
                for number in range(_COUNT):
                    await client.models.update("fraud", owner=str(number))
                    if number < 4:  # one after the other, so that the third is a round of its own
                        await receiver.has(number + 1)
            async with asyncio.timeout(PATIENCE), receiver.came:
                await receiver.came.wait_for(lambda: len({p.headers["webhook-id"] for p in receiver.posted}) == _COUNT)
            owners = [json.loads(posted.body)["data"]["model"]["owner"] for posted in receiver.posted]
            assert [owner for owner, _ in groupby(owners)] == [str(number) for number in range(_COUNT)]

            async def done() -> bool:  # the last answer is on its way into the database
                pending = client.webhooks.deliveries("ci", state=DeliveryState.PENDING)
                return not [each async for each in pending]

            await until(done)
            assert len([each async for each in client.webhooks.deliveries("ci")]) == _COUNT
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()


@pytest.mark.parametrize("flags", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("point", ["RedeliverDelivery.before_commit", "RedeliverDelivery.after_commit"])
async def test_a_redelivery_is_added_once_when_the_server_dies(
    flags: tuple[str, ...], point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R11: the server dies in the middle of the call, and the client retries it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    server = ServerProcess(tmp_path, *flags)
    try:
        async with receiving() as receiver, AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
            server.start()
            await client.webhooks.create("ci", receiver.url, types=["model.created"])
            await client.models.create("fraud")
            await until(lambda: _delivered(client, 1))
            (first,) = [each async for each in client.webhooks.deliveries("ci")]
            server.stop()
            async with dying_at(server, point):
                again = await client.webhooks.redeliver(first.name)
            assert again.name != first.name
            await until(lambda: _delivered(client, 2))
            assert [each.name async for each in client.webhooks.deliveries("ci")] == [again.name, first.name]
            assert len({posted.headers["webhook-id"] for posted in receiver.posted}) == 1
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()


async def _delivered(client: AsyncClient, count: int) -> bool:
    return len([each async for each in client.webhooks.deliveries("ci", state=DeliveryState.DELIVERED)]) == count


async def test_a_stopping_server_releases_its_deliveries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next server tells it at once, instead of waiting for claims to run out."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    server = ServerProcess(tmp_path, *_ALLOWED)
    try:
        async with receiving() as receiver, AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
            server.start()
            receiver.hold = asyncio.Event()
            await client.webhooks.create("ci", receiver.url, types=["model.created"])
            await client.models.create("fraud")
            await receiver.has(1)
            assert await asyncio.to_thread(server.stop) == 0
            assert await sql(server, "SELECT state, claim FROM webhook_deliveries") == [("PENDING", "")]
            receiver.hold.set()
            server.start()
            await receiver.has(2)
        assert server.stop() == 0
    finally:
        server.close()
