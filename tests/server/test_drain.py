"""A server that stops: what it says, and that calls go on elsewhere. Two real servers, as in a rolling restart."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.postgres import Postgres, free_port
from tests.support.requests import NAMESPACE
from tests.support.server import BIN, ServerProcess

from modelyard._connection import service_config
from modelyard.v1 import events_pb2, registry_pb2
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

# Two servers are started twice.
pytestmark = pytest.mark.timeout(400)

_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_DELAY: Final = "3"
"""Seconds. Above what a health check of gRPC or of Envoy takes to see it."""
_LOAD: Final = 8
"""Calls at once."""
_ENVOY: Final = Path(__file__).parents[2] / "protos" / "envoy.yaml"


@pytest.fixture
def slow_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """It stays for half a minute after SIGTERM."""
    process = ServerProcess(tmp_path, "--drain-delay", "30").start()
    yield process
    process.close()


@asynccontextmanager
async def _told(server: ServerProcess) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that was told to stop, and whose health has said so."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == _SERVING
        server.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == _NOT_SERVING
        yield channel


async def test_calls_and_watches_go_on_until_the_delay_is_over(slow_server: ServerProcess) -> None:
    async with _told(slow_server) as channel:
        watch = EventsServiceStub(channel).WatchEvents(events_pb2.WatchEventsRequest(parent=NAMESPACE))
        await watch.read()
        async with grpc.aio.insecure_channel(slow_server.address) as fresh:
            request = registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id="fraud")
            created = await RegistryServiceStub(fresh).CreateModel(request)
        told: Any = await watch.read()

    assert [event.resource for event in told.events] == [created.name]


async def test_a_second_signal_ends_it_at_once(slow_server: ServerProcess) -> None:
    async with _told(slow_server):
        assert await asyncio.to_thread(slow_server.stop) == -signal.SIGTERM


async def test_ctrl_c_waits_for_no_balancer(slow_server: ServerProcess) -> None:
    assert await asyncio.to_thread(slow_server.stop, signal.SIGINT) == 0
    records = [json.loads(line) for line in slow_server.log.read_text().splitlines()]
    assert [record["delay_seconds"] for record in records if record["event"] == "draining"] == [0]


@pytest.fixture
def pair(postgres: Postgres, tmp_path: Path) -> Iterator[list[ServerProcess]]:
    """Two servers on one database. Their folders say that they are one store: nothing here stores bytes."""
    flags = ("--database-url", postgres.migrated(), "--drain-delay", _DELAY)
    servers = [ServerProcess(tmp_path / name, *flags) for name in ("one", "two")]
    for server in servers:
        (server.folder / "data").mkdir(parents=True)
        (server.folder / "data" / "STORE_ID").write_text("1" * 32)
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.close()


class Load:
    """Calls that read and that write, one after the other in each of some tasks, and how each ended."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.ended: list[tuple[grpc.StatusCode, str | None]] = []
        self._registry: Any = RegistryServiceStub(channel)
        self._stop = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._run(number)) for number in range(_LOAD)]
        try:
            yield
        finally:
            self._stop = True
            await asyncio.gather(*tasks)

    async def progress(self, calls: int = 100) -> None:
        """Waits until so many more calls have ended."""
        goal = len(self.ended) + calls
        while len(self.ended) < goal:
            await asyncio.sleep(0.01)

    @property
    def lost(self) -> list[tuple[grpc.StatusCode, str | None]]:
        return [end for end in self.ended if end[0] is not grpc.StatusCode.OK]

    async def _run(self, number: int) -> None:
        count = 0
        while not self._stop:
            count += 1
            create = registry_pb2.CreateModelRequest(
                parent=NAMESPACE, model_id=f"model-{number}-{count}", request_id=str(uuid4())
            )
            await self._ends(self._registry.GetNamespace(registry_pb2.GetNamespaceRequest(name=NAMESPACE), timeout=30))
            await self._ends(self._registry.CreateModel(create, timeout=30))

    async def _ends(self, call: Any) -> None:
        try:
            await call
            self.ended.append((grpc.StatusCode.OK, None))
        except grpc.aio.AioRpcError as error:
            self.ended.append((error.code(), error.details()))


async def _restart_each(servers: list[ServerProcess], load: Load) -> None:
    for server in servers:
        await load.progress()
        assert await asyncio.to_thread(server.stop) == 0
        await load.progress()
        before = _calls(server)
        await asyncio.to_thread(server.start)
        # As any rolling restart, it waits until the balancer has taken the server back.
        while _calls(server) == before:
            await asyncio.sleep(0.01)
    await load.progress()


def _calls(server: ServerProcess) -> int:
    """How many calls it has served, over all its starts."""
    return server.log.read_text().count('"event": "rpc"')


def _round_robin(servers: list[ServerProcess], config: dict[str, Any], *, retries: bool) -> grpc.aio.Channel:
    target = f"ipv4:{','.join(server.address for server in servers)}"
    options = [
        ("grpc.enable_retries", int(retries)),
        ("grpc.service_config", json.dumps(config | {"loadBalancingConfig": [{"round_robin": {}}]})),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    return grpc.aio.insecure_channel(target, options)


async def test_round_robin_that_watches_health_loses_no_call_without_retries(pair: list[ServerProcess]) -> None:
    async with _round_robin(pair, {"healthCheckConfig": {"serviceName": ""}}, retries=False) as channel:
        load = Load(channel)
        async with load.running():
            await _restart_each(pair, load)

    assert load.lost == []


async def test_plain_round_robin_loses_no_call_with_the_contracts_retries(pair: list[ServerProcess]) -> None:
    async with _round_robin(pair, json.loads(service_config()), retries=True) as channel:
        load = Load(channel)
        async with load.running():
            await _restart_each(pair, load)

    assert load.lost == []


@contextmanager
def _envoy(servers: list[ServerProcess], folder: Path) -> Iterator[str]:
    """The address of an Envoy before servers, with the published configuration but for addresses."""
    port = free_port()
    text = _ENVOY.read_text()
    text = text.replace("address: 0.0.0.0, port_value: 8443", f"address: 127.0.0.1, port_value: {port}")
    marker = "              - endpoint:\n"
    head, _, endpoint = text.partition(marker)
    for server in servers:
        place = f"address: 127.0.0.1, port_value: {server.port}"
        head += marker + endpoint.replace("address: modelyard-1.example.org, port_value: 4850", place)
    config = folder / "envoy.yaml"
    config.write_text(head)
    command = [str(BIN / "envoy"), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id"]
    with (folder / "envoy.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as envoy:
        yield f"127.0.0.1:{port}"
        envoy.terminate()


async def test_envoy_loses_no_call_without_retries_of_the_client(pair: list[ServerProcess], tmp_path: Path) -> None:
    with _envoy(pair, tmp_path) as address:
        async with grpc.aio.insecure_channel(address, [("grpc.enable_retries", 0)]) as channel:
            registry: Any = RegistryServiceStub(channel)
            request = registry_pb2.GetNamespaceRequest(name=NAMESPACE)
            async with asyncio.timeout(60):
                while not await _answers(registry.GetNamespace(request, timeout=5, wait_for_ready=True)):
                    pass
            load = Load(channel)
            async with load.running():
                await _restart_each(pair, load)

    assert load.lost == []


async def _answers(call: Any) -> bool:
    """Until its first health check Envoy answers UNAVAILABLE."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True
