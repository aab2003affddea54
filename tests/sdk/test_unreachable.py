"""A registry that can't be reached: the error says why and what to do, and nothing else gets to the terminal."""

import asyncio
import os
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from tests.sdk.fake_artifacts import FakeArtifacts
from tests.sdk.fake_registry import Context, serve_registry
from tests.sdk.test_push_pull import version
from tests.support.children import PATIENCE
from tests.support.postgres import free_port

from modelyard import AsyncClient, StaleModelWarning, WaitingWarning
from modelyard._client import pulling, watching
from modelyard._config import endpoint
from modelyard._connection.diagnosis import diagnose
from modelyard.v1 import registry_pb2

DATA = Path(__file__).parents[1] / "data"
QUICK = """
import sys
from modelyard._connection import methods
from modelyard.cli import main
methods._RETRY_POLICY["maxAttempts"] = 2
sys.exit(main())
"""
"""The command, which does not try for seconds."""


@asynccontextmanager
async def serving(certificate: str = "") -> AsyncIterator[int]:
    """The port of a server, with a certificate of the tests' data or in plaintext."""
    server = grpc.aio.server()
    if certificate:
        chain, key = ((DATA / f"{certificate}.{kind}").read_bytes() for kind in ("crt", "key"))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def why(url: str) -> str:
    return str(await diagnose(endpoint(url)))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize(
    ("certificate", "trusted", "told"),
    [
        ("expired", "expired", "its certificate has expired"),
        ("elsewhere", "elsewhere", "its certificate is not for the name '{host}'"),
        ("first", "second", "its certificate was not signed by those in MODELYARD_CA_FILE"),
        ("first", "", "set MODELYARD_CA_FILE to the file with its CA certificate"),
        ("", "first", "does not speak TLS. Use grpc://"),
    ],
)
async def test_each_fault_of_a_certificate_has_a_message_of_its_own(
    monkeypatch: pytest.MonkeyPatch, host: str, certificate: str, trusted: str, told: str
) -> None:
    if trusted:
        monkeypatch.setenv("MODELYARD_CA_FILE", str(DATA / f"{trusted}.crt"))
    async with serving(certificate) as port:
        assert told.format(host=host) in await why(f"grpcs://{host}:{port}")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_nobody_listening_and_another_protocol_have_messages_of_their_own(host: str) -> None:
    for scheme in ("grpc", "grpcs"):
        port = free_port()
        assert f"nothing listens on port {port} of {host}" in await why(f"{scheme}://{host}:{port}")
    async with serving("first") as port:
        assert "Use grpcs:// if the registry serves TLS" in await why(f"grpc://{host}:{port}")

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as web:
        port = web.sockets[0].getsockname()[1]
        assert "speaks another protocol than gRPC" in await why(f"grpc://{host}:{port}")


async def test_nothing_is_found_wrong_with_a_registry_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_CA_FILE", str(DATA / "first.crt"))
    async with serving() as plain, serving("first") as port:
        assert await diagnose(endpoint(f"grpc://localhost:{plain}")) is None
        assert await diagnose(endpoint(f"grpcs://localhost:{port}")) is None


async def test_an_unknown_host_is_told_as_such() -> None:
    assert "the host name 'no-such-host.invalid' is unknown" in await why("grpcs://no-such-host.invalid:1")


@pytest.mark.parametrize("proxy", ["http_proxy", "https_proxy", "grpc_proxy"])
async def test_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    async def resolve(_: registry_pb2.ResolveVersionRequest, __: Context) -> registry_pb2.ResolveVersionResponse:
        return registry_pb2.ResolveVersionResponse(version=version())

    monkeypatch.setenv(proxy, f"http://127.0.0.1:{free_port()}")
    async with serve_registry(FakeArtifacts(), ResolveVersion=resolve) as url, AsyncClient(url) as yard:
        assert (await yard.resolve("team/fraud@7")).version.number == 7


async def test_a_terminal_sees_our_words_only() -> None:
    """gRPC writes of its own about failed handshakes, and Python about what gRPC's wrapper logs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GRPC_", "MODELYARD_"))}
    async with serving("first") as port:
        url = f"grpcs://localhost:{port}"
        told = await asyncio.create_subprocess_exec(
            sys.executable, "-c", QUICK, "ls", "--url", url, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await asyncio.wait_for(told.communicate(), PATIENCE)

    assert out == b""
    (error,) = (line for line in err.decode().splitlines() if not line.startswith(f"{url} does not answer: "))
    assert error.startswith(f"error: {url} can't be reached: its certificate is not trusted: ")


class Moody:
    """A registry of one version that can stop answering. It still takes connections then."""

    def __init__(self) -> None:
        self.artifacts = FakeArtifacts()
        self.artifacts.files = {"weights": b"weights"}
        self.hangs = False
        self.asked: list[int] = []

    async def resolve(
        self, request: registry_pb2.ResolveVersionRequest, _: Context
    ) -> registry_pb2.ResolveVersionResponse:
        self.asked.append(request.view)
        if self.hangs:
            await asyncio.Event().wait()
        return registry_pb2.ResolveVersionResponse(version=version())


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of each bound, which together are what a hanging registry costs."""
    assert pulling._SILENCE + pulling._LAST_CHANCE <= 5
    assert watching._HANGING <= 5
    for module, name in ((pulling, "_SILENCE"), (pulling, "_LAST_CHANCE"), (watching, "_HANGING")):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)


@pytest.mark.usefixtures("short")
async def test_a_hanging_registry_is_given_up_early_for_the_last_known_version() -> None:
    registry = Moody()
    async with serve_registry(registry.artifacts, ResolveVersion=registry.resolve) as url, AsyncClient(url) as yard:
        assert not (await yard.pull("team/fraud@production")).stale
        registry.hangs = True
        with pytest.warns(StaleModelWarning, match="did not answer in time"):
            pulled = await yard.pull("team/fraud@production")
        with pytest.warns(StaleModelWarning, match="did not answer in time"):
            watched = await anext(yard.watch("team/fraud@production"))

    assert (pulled.stale, watched.stale) == (True, True)


@pytest.mark.usefixtures("short")
async def test_a_slow_answer_with_many_files_is_waited_for_if_the_registry_lives() -> None:
    registry, slow = Moody(), asyncio.Event()

    async def resolve(
        request: registry_pb2.ResolveVersionRequest, context: Context
    ) -> registry_pb2.ResolveVersionResponse:
        if request.view == registry_pb2.VERSION_VIEW_FULL and registry.asked:
            await slow.wait()
        elif registry.asked:
            slow.set()
        return await registry.resolve(request, context)

    async with serve_registry(registry.artifacts, ResolveVersion=resolve) as url, AsyncClient(url) as yard:
        await yard.pull("team/fraud@production")
        assert not (await yard.pull("team/fraud@production")).stale

    full, basic = registry_pb2.VERSION_VIEW_FULL, registry_pb2.VERSION_VIEW_BASIC
    assert registry.asked == [full, basic, full]


@pytest.mark.usefixtures("short")
async def test_a_watch_waits_for_what_is_not_there_yet_if_told_to() -> None:
    """First for the registry, then for the alias."""
    registry, asked = Moody(), 0

    async def resolve(
        request: registry_pb2.ResolveVersionRequest, context: Context
    ) -> registry_pb2.ResolveVersionResponse:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.Event().wait()
        if asked == 2:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such alias")
        return await registry.resolve(request, context)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with serve_registry(registry.artifacts, ResolveVersion=resolve) as url, AsyncClient(url) as yard:
            first = await anext(yard.watch("team/fraud@production", wait=True))

    assert first.version.number == 7
    assert [each.category for each in told] == [WaitingWarning, WaitingWarning]
    away, missing = (str(each.message) for each in told)
    assert away.startswith(f"Waiting for team/fraud@production: {url} did not answer in time")
    assert "taken effect" not in away
    assert missing == "Waiting for team/fraud@production: no such alias"
