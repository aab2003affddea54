"""gRPC ignores an argument that it does not know, without a word. So each of ours is looked up, and shown to work."""

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from tests.support import http2
from tests.support.http2 import Frame
from tests.support.postgres import free_port
from tests.support.waiting import until

from modelyard._config import endpoint
from modelyard._connection import channels
from modelyard_server import probe
from modelyard_server.rpc import server

Options = Sequence[tuple[str, str | int]]

SDK: Options = channels.options(endpoint(), bulk=False)
ADDED: Options = (("grpc.max_receive_message_length", 1), ("grpc.ssl_target_name_override", ""))
"""What the server and the probe add by their settings."""
PING_INTERVAL = "grpc.http2.min_ping_interval_without_data_ms"


@pytest.fixture(scope="module")
def core() -> bytes:
    """The compiled library."""
    library = find_spec("grpc._cython.cygrpc")
    assert library is not None
    assert library.origin is not None
    return Path(library.origin).read_bytes()


@pytest.mark.parametrize("name", sorted({name for name, _ in (*server.OPTIONS, *SDK, *probe.OPTIONS, *ADDED)}))
def test_core_knows_each_argument(core: bytes, name: str) -> None:
    assert f"{name}\0".encode() in core, f"gRPC does not know {name}"


def test_a_misspelt_argument_would_be_found(core: bytes) -> None:
    assert b"grpc.http2.min_recv_ping_interval_without_data_ms\0" not in core


def test_the_server_bears_the_pings_of_the_sdk() -> None:
    assert dict(SDK)["grpc.keepalive_time_ms"] > dict(server.OPTIONS)[PING_INTERVAL]  # type: ignore[operator]


async def _is_sent_away(options: Options, pings: int = 6) -> bool:
    """Whether a server with these options ends a connection without calls that pings every 10 ms."""
    serving = grpc.aio.server(options=options)
    port = serving.add_insecure_port("127.0.0.1:0")
    await serving.start()
    try:
        async with http2.connected(f"127.0.0.1:{port}") as connection:
            for number in range(1, pings + 1):
                await connection.send(http2.frame(Frame.PING, payload=bytes(8)))
                await until(lambda number=number: connection.pings == number or Frame.GOAWAY in connection.received)  # type: ignore[misc]
                await asyncio.sleep(0.01)
            return Frame.GOAWAY in connection.received
    finally:
        await serving.stop(None)


async def test_pings_within_the_allowed_interval_are_no_abuse() -> None:
    """A thousandth of the interval: 5 ms are allowed where the default is five minutes."""
    scaled = [(name, value // 1000 if name == PING_INTERVAL else value) for name, value in server.OPTIONS]

    assert not await _is_sent_away(scaled)
    assert await _is_sent_away([(name, value) for name, value in scaled if name != PING_INTERVAL])


@pytest.mark.parametrize("proxy", ["http_proxy", "grpc_proxy"])
async def test_a_probe_uses_no_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv(proxy, f"http://127.0.0.1:{free_port()}")
    health = health_aio.HealthServicer()
    serving = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health, serving)
    port = serving.add_insecure_port("127.0.0.1:0")
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    await serving.start()
    try:
        await asyncio.to_thread(probe.probe, f"127.0.0.1:{port}", trusted=None, authority=None)
    finally:
        await serving.stop(None)
