"""Attacks on the way in: on the transport, and by load. The server is a process of its own, others use it meanwhile."""

import asyncio
import os
import shutil
import socket
import ssl
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import grpc
import psutil
import pytest
from tests.support import http2
from tests.support.children import PATIENCE
from tests.support.http2 import Flag, Frame
from tests.support.scale import SCALE
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

Code = grpc.StatusCode

_MIB: Final = 1 << 20
_DATA: Final = Path(__file__).parents[1] / "data"
_GET: Final = "/modelyard.v1.RegistryService/GetNamespace"
_HANDSHAKE: Final = 10
"""Seconds that a server gives whoever connects to say hello."""
_DELAY: Final = 1.0
"""Seconds by which the attack may delay a small call of somebody else."""
_BUSY: Final = 5
"""How many times as long as usual a small call may take by chance, on a busy machine."""


class Victim(ServerProcess):
    """The server that is attacked, and another one that is not. The machine is as busy for both."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "victim")
        self.other = ServerProcess(folder / "other")


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    process = Victim(tmp_path_factory.mktemp("servers"))
    for each in (process, process.other):
        each.folder.mkdir()
        each.start()
    yield process
    process.close()
    process.other.close()


class Bystander:
    """Somebody who goes on working meanwhile, over a connection of his own."""

    def __init__(self) -> None:
        self.slowest = 0.0
        self.calls = 0

    async def work(self, client: AsyncClient) -> None:
        while True:
            started = time.perf_counter()
            await client.namespaces.get("default")
            self.slowest = max(self.slowest, time.perf_counter() - started)
            self.calls += 1
            await asyncio.sleep(0.01)


@asynccontextmanager
async def at_work(server: ServerProcess) -> AsyncIterator[Bystander]:
    async with AsyncClient(server.url) as client:
        await client.namespaces.get("default")
        bystander = Bystander()
        working = asyncio.create_task(bystander.work(client))
        yield bystander
        await client.namespaces.get("default")
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working  # with its error, if it had one


@asynccontextmanager
async def unharmed(victim: Victim, memory: int = 50 * _MIB) -> AsyncIterator[None]:
    """Nobody else notices what happens inside, and it costs the server at most ``memory``."""
    process = psutil.Process(victim.pid)
    async with at_work(victim.other) as elsewhere, at_work(victim) as bystander:
        before = process.memory_info().rss
        yield
    assert bystander.calls
    assert bystander.slowest < _DELAY + _BUSY * elsewhere.slowest
    assert process.memory_info().rss - before < memory


_TOO_LARGE: Final[dict[str, Callable[[Any], Any]]] = {
    "A47 a message of 4 MiB and a bit": lambda stub: stub.GetModel(rpc.GetModelRequest(name="x" * (4 * _MIB))),
    "A47 a gzip bomb of 200 MB": lambda stub: stub.GetModel(
        rpc.GetModelRequest(name="x" * 200_000_000), compression=grpc.Compression.Gzip
    ),
    "A47 17 KiB of metadata": lambda stub: stub.GetModel(rpc.GetModelRequest(), metadata=(("x", "y" * (17 << 10)),)),
}


@pytest.mark.parametrize("attack", _TOO_LARGE)
async def test_too_large_messages_are_refused_unread(victim: Victim, attack: str) -> None:
    async with grpc.aio.insecure_channel(victim.address) as channel, unharmed_memory(victim):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await _TOO_LARGE[attack](RegistryServiceStub(channel))
        assert error.value.code() == Code.RESOURCE_EXHAUSTED


@asynccontextmanager
async def unharmed_memory(server: ServerProcess) -> AsyncIterator[None]:
    """Making the attack keeps this process busy, so that nobody here can tell how long others wait."""
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    yield
    assert process.memory_info().rss - before < 50 * _MIB
    async with AsyncClient(server.url) as client:
        await client.namespaces.get("default")


async def test_connections_that_never_say_hello_are_closed(victim: Victim) -> None:
    """A48"""
    async with unharmed(victim):
        silent = [await asyncio.open_connection("127.0.0.1", victim.port) for _ in range(500 * SCALE)]
        async with asyncio.timeout(5 * _HANDSHAKE):
            await asyncio.gather(*(_read_to_the_end(reader) for reader, _ in silent))
        for _, writer in silent:
            writer.close()


async def _read_to_the_end(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="A48 HTTP/1.1"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", id="A109 metrics from the public port"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), id="A56 TLS to the plaintext port"),
        pytest.param(os.urandom(4096), id="A48 random bytes"),
        pytest.param(b"", id="A48 nothing"),
    ],
)
async def test_connections_without_http2_are_closed(victim: Victim, junk: bytes) -> None:
    async with unharmed(victim):
        reader, writer = await asyncio.open_connection("127.0.0.1", victim.port)
        writer.write(junk)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                assert b"modelyard" not in await reader.read()
        writer.close()


async def test_rapid_resets_do_not_affect_others(victim: Victim) -> None:
    """A51: calls that are made and given up at once, as fast as they can be sent."""
    headers = http2.request_headers(_GET, victim.address)
    async with unharmed(victim), http2.connected(victim.address) as connection:
        for stream in range(1, 2 * 5000 * SCALE, 2):
            call = http2.frame(Frame.HEADERS, Flag.END_HEADERS, stream, headers)
            call += http2.frame(Frame.DATA, Flag.END_STREAM, stream, bytes(5))
            if not await connection.send(call + http2.reset(stream)):
                break


async def test_a_flood_of_pings_ends_the_connection_it_comes_from(victim: Victim) -> None:
    """A51: the server says that it is too much, unless it has closed the connection before that was read."""
    ping = http2.frame(Frame.PING, payload=bytes(8))
    async with unharmed(victim), http2.connected(victim.address) as connection, asyncio.timeout(PATIENCE):
        while not connection.closed and Frame.GOAWAY not in connection.received:
            await connection.send(ping * 10)
            await asyncio.sleep(0)


async def test_endless_headers_are_not_kept(victim: Victim) -> None:
    """A51: 10 MB of CONTINUATION frames."""
    headers = http2.request_headers(_GET, victim.address)
    more = http2.header_block({f"x-{number:03}": "y" * 100 for number in range(140)})
    assert len(more) < 16 << 10
    async with unharmed(victim, memory=20 * _MIB), http2.connected(victim.address) as connection:
        await connection.send(http2.frame(Frame.HEADERS, Flag.NONE, 1, headers))
        for _ in range(10_000_000 // len(more)):
            if not await connection.send(http2.frame(Frame.CONTINUATION, Flag.NONE, 1, more)):
                break
        await until(lambda: bool(connection.received & {Frame.RST_STREAM, Frame.GOAWAY}))


@pytest.mark.parametrize(
    "path",
    [
        "/modelyard.v1.RegistryService/DropTables",
        "/modelyard.v1.AdminService/Delete",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
        "/modelyard.v1.RegistryService",
        "/../modelyard.v1.RegistryService/GetNamespace",
        "/modelyard.v1.registryservice/getnamespace",
    ],
)
async def test_unknown_methods_reveal_no_names(victim: Victim, path: str) -> None:
    """A55, A109"""
    async with grpc.aio.insecure_channel(victim.address) as channel:
        call: Any = channel.unary_unary(path)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(b"")
    assert error.value.code() == Code.UNIMPLEMENTED
    assert "odelyard" not in (error.value.details() or "")


@pytest.fixture(scope="module")
def tls_victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("tls")
    for name in ("crt", "key"):
        shutil.copy(_DATA / f"first.{name}", folder / f"tls.{name}")
    process = ServerProcess(folder, "--tls-cert", str(folder / "tls.crt"), "--tls-key", str(folder / "tls.key"))
    process.start(wait=False)
    while '"serving"' not in process.log.read_text():
        assert process.running
    yield process
    process.close()


def _handshake(server: ServerProcess, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=_DATA / "first.crt")
    context.set_alpn_protocols(["h2"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is old, that is the attack
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        return wrapped.version()


def test_old_tls_is_refused(tls_victim: ServerProcess) -> None:
    """A56"""
    assert _handshake(tls_victim, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _handshake(tls_victim, version)


async def test_plaintext_to_a_tls_port_gets_no_answer(tls_victim: ServerProcess) -> None:
    """A56"""
    async with grpc.aio.insecure_channel(tls_victim.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await RegistryServiceStub(channel).GetNamespace(rpc.GetNamespaceRequest(), timeout=PATIENCE)
    assert error.value.code() == Code.UNAVAILABLE
    assert _handshake(tls_victim, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
