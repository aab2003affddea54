"""Interceptors: what users put around every call to the registry."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

import pytest
from tests.support.server import ServerProcess

from modelyard import AsyncClient, Call, Client, Interceptor, ModelyardError, NotFoundError, UnavailableError

SPAN: ContextVar[str] = ContextVar("span", default="none")


class Trace:
    """Notes each call, and how it ended."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.ended: list[str] = []

    @contextmanager
    def __call__(self, call: Call) -> Iterator[None]:
        self.calls.append(call)
        try:
            yield
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("ok")

    @property
    def methods(self) -> list[str]:
        return [call.method.partition("/")[2] for call in self.calls]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "large.bin").write_bytes(bytes(2 << 20))
    (tmp_path / "out" / "small.txt").write_text("small")
    return tmp_path / "out"


async def test_every_call_passes_the_interceptor_streams_too(server: ServerProcess, folder: Path) -> None:
    trace = Trace()
    async with AsyncClient(server.url, interceptors=[trace]) as yard:
        await yard.push("team/fraud", folder, capture=False)
        await yard.pull("team/fraud")
        watch = yard.watch("team/fraud")
        await anext(watch)

    assert {"CreateVersion", "WriteBlob", "BatchWriteBlobs", "ReadFile", "ResolveVersion"} <= set(trace.methods)
    assert trace.calls[0].method.startswith("modelyard.v1.")
    assert len(trace.ended) == len(trace.calls)
    create = next(call for call in trace.calls if call.method == "modelyard.v1.RegistryService/CreateVersion")
    assert "team/models/fraud" in str(create.request)


async def test_an_interceptor_sees_the_error_that_the_caller_gets(server: ServerProcess) -> None:
    trace = Trace()
    async with AsyncClient(server.url, interceptors=[trace]) as yard:
        with pytest.raises(NotFoundError):
            await yard.models.get("team/none")

    assert (trace.methods, trace.ended) == (["GetModel"], ["NotFoundError"])


async def test_a_cancelled_call_leaves_the_interceptor(server: ServerProcess) -> None:
    trace, entered = Trace(), asyncio.Event()

    @asynccontextmanager
    async def hold(_: Call) -> AsyncIterator[None]:
        entered.set()
        await asyncio.Event().wait()
        yield

    async with AsyncClient(server.url, interceptors=[trace, hold]) as yard:
        task = asyncio.create_task(yard.models.get("team/none"))
        await entered.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    assert trace.ended == ["CancelledError"]


async def test_headers_of_an_interceptor_are_sent_and_the_token_is_not_shown(server: ServerProcess) -> None:
    seen = []

    @contextmanager
    def name(call: Call) -> Iterator[None]:
        seen.append(dict(call.metadata))
        call.metadata["x-request-id"] = "chosen-by-the-test"
        yield

    async with AsyncClient(server.url, token="secret", interceptors=[name]) as yard:
        await yard.namespaces.get("default")

    assert "authorization" not in seen[0]
    assert "chosen-by-the-test" in server.log.read_text()


async def test_interceptors_nest_in_their_order(server: ServerProcess) -> None:
    order = []

    def named(name: str) -> Interceptor:
        @contextmanager
        def intercept(_: Call) -> Iterator[None]:
            order.append(f"enter {name}")
            yield
            order.append(f"leave {name}")

        return intercept

    async with AsyncClient(server.url, interceptors=[named("outer"), named("inner")]) as yard:
        await yard.namespaces.get("default")

    assert order == ["enter outer", "enter inner", "leave inner", "leave outer"]


async def test_an_outage_that_an_interceptor_makes_is_retried_like_a_real_one(server: ServerProcess) -> None:
    outages = [UnavailableError("made by a test"), UnavailableError("made by a test")]
    trace = Trace()

    @contextmanager
    def fail(call: Call) -> Iterator[None]:
        if outages and call.method.endswith("/GetModel"):
            raise outages.pop()
        yield

    async with AsyncClient(server.url, interceptors=[trace, fail]) as yard:
        await yard.models.create("fraud")
        assert (await yard.models.get("fraud")).name.model == "fraud"

    assert trace.ended == ["ok", "UnavailableError", "UnavailableError", "ok"]
    assert len({call.metadata["x-request-id"] for call in trace.calls[1:]}) == 1


async def test_any_other_error_of_an_interceptor_reaches_the_caller(server: ServerProcess) -> None:
    @contextmanager
    def refuse(_: Call) -> Iterator[None]:
        raise LookupError("made by a test")
        yield

    async with AsyncClient(server.url, interceptors=[refuse]) as yard:
        with pytest.raises(LookupError, match="made by a test"):
            await yard.models.get("fraud")


async def test_an_error_can_not_be_suppressed(server: ServerProcess) -> None:
    @contextmanager
    def swallow(_: Call) -> Iterator[None]:
        with suppress(ModelyardError):
            yield

    async with AsyncClient(server.url, interceptors=[swallow]) as yard:
        with pytest.raises(RuntimeError, match=r"suppressed the error of .*/GetModel"):
            await yard.models.get("none")


def test_the_synchronous_client_shows_the_context_of_its_caller(server: ServerProcess, folder: Path) -> None:
    spans = set()

    @contextmanager
    def trace(_: Call) -> Iterator[None]:
        spans.add(SPAN.get())
        yield

    token = SPAN.set("training")
    try:
        with Client(server.url, interceptors=[trace]) as yard:
            yard.push("team/fraud", folder, capture=False)
            yard.pull("team/fraud")
    finally:
        SPAN.reset(token)

    assert spans == {"training"}
