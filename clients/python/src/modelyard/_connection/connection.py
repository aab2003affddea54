"""One registry, from one event loop."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

import grpc
import grpc.aio

from modelyard._config import Endpoint
from modelyard._connection.absence import Absence
from modelyard._connection.channels import Channels
from modelyard._connection.diagnosis import diagnose
from modelyard._connection.fork import opening
from modelyard._connection.intercept import entered
from modelyard._connection.methods import deadlines, reading_paths, retried_paths
from modelyard._connection.reading import readable
from modelyard._connection.status import from_rpc_error, unreachable
from modelyard.errors import ModelyardError, UnavailableError
from modelyard.interceptors import Call, Interceptor

if TYPE_CHECKING:
    from google.protobuf.message import Message

_Stub = TypeVar("_Stub")
_Request = TypeVar("_Request", bound="Message")
_Response = TypeVar("_Response")
_Stream = TypeVar("_Stream", bound="grpc.aio.Call")

PATIENCE: Final = 15.0
"""Seconds for which a registry that has answered before may be away: a failover, or a restart on a busy machine."""
_PAUSE: Final = 1.0
"""Seconds; the longest pause before the next attempt, unless the registry asks for more."""
_NO_CONNECTION: Final = "UNAVAILABLE"
"""The reason where gRPC, not the registry, says that it is away."""
_random: Final = random.SystemRandom()


@dataclass(slots=True)
class _Open:
    """Channels, and to whom they belong."""

    pid: int
    loop: asyncio.AbstractEventLoop
    channels: Channels
    absence: Absence
    calls: int = 0
    """How many are under way."""
    answered: bool = False
    """Whether the registry ever did."""


class Connection:
    """One registry, from one event loop. Channels are made at the first call.

    gRPC's objects belong to the process and the loop that made them. In a forked child, or under a new loop after the
    old one was closed, a connection makes itself new channels; see :mod:`modelyard._connection.fork`.
    """

    def __init__(self, endpoint: Endpoint, interceptors: Sequence[Interceptor] = ()) -> None:
        self.server: Final = endpoint.server
        """The registry's address in one spelling: what caches know it by."""
        self._endpoint = endpoint
        self._interceptors = tuple(interceptors)
        self._opened: _Open | None = None
        self._closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the channels belong to; None if there are none."""
        return self._opened.loop if self._opened is not None else None

    @property
    def answered(self) -> bool:
        """Whether there is a registry at this address, as far as this connection knows."""
        return self._opened is not None and self._opened.answered

    def stub(self, kind: Callable[[grpc.aio.Channel], _Stub]) -> _Stub:
        """The stub of a generated class, as ``RegistryServiceStub``.

        Its methods are for :meth:`call` and :meth:`stream`.

        Don't keep it: it belongs to the channels of the moment.
        """
        return self._current().channels.stub(kind)

    async def call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[_Request, _Response]",
        request: _Request,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline that the server is told
        patience: float = PATIENCE,
    ) -> _Response:
        """The answer of a unary method.

        A method that the contract calls idempotent is retried while the registry is unavailable. ``timeout`` in seconds
        is for one attempt with gRPC's quick retries; None means the deadline in the contract. A registry that has
        answered before is then given ``patience`` seconds to come back. Raises ``ModelyardError``.
        """
        clock = asyncio.get_running_loop().time
        give_up = clock() + patience
        request_id = str(uuid4())
        with self._in_use() as opened:
            path = opened.channels.path(method)
            deadline = deadlines()[path] if timeout is None else timeout
            is_retried = opened.answered and path in retried_paths()
            with opened.absence.watched(give_up if is_retried and patience else None):
                while True:
                    try:
                        answer = await self._attempt(path, method, request, request_id, deadline)
                    except ModelyardError as error:
                        pause = _pause_after(error) if path in retried_paths() else None
                        left = give_up - clock()
                        if pause is None or not opened.answered or left <= 0:
                            raise await self._explained(error, opened) from None
                    else:
                        opened.answered = True
                        opened.absence.end()
                        return answer
                    await asyncio.sleep(min(pause, left))  # a registry may ask for more than there is

    @asynccontextmanager
    async def stream(self, method: Callable[..., _Stream], request: "Message | None" = None) -> AsyncIterator[_Stream]:
        """An open stream, cancelled at the end of the block. Not retried: the caller resumes where it broke.

        ``request`` is None if the client streams. gRPC's errors that leave the block become ``ModelyardError``.
        """
        arguments = () if request is None else (request,)
        with self._in_use() as opened:
            call = _call(opened.channels.path(method), request, str(uuid4()))
            async with entered(self._interceptors, call):
                stream = method(*arguments, metadata=self._headers(call))
                try:
                    yield stream
                except grpc.aio.AioRpcError as error:
                    opened.absence.suspect()
                    raise self.translate(error) from None
                finally:
                    stream.cancel()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps the channels, and so the connections, from one call to the next: a fork would free them."""
        with self._in_use():
            yield

    def translate(self, error: grpc.aio.AioRpcError) -> ModelyardError:
        """What a failed call means to the SDK's user; raise it ``from None``."""
        return from_rpc_error(error, self.server)

    def release(self) -> bool:
        """Frees the channels unless a call is under way, and tells whether none are left."""
        if self._opened is not None and self._opened.calls:
            return False
        self._opened = None
        return True

    async def close(self) -> None:
        """Ends the calls under way and the connections; there is no next call."""
        self._closed = True
        opened = self._opened
        # Those of another process or loop can't be closed from here.
        if opened is not None and opened.pid == os.getpid() and opened.loop is asyncio.get_running_loop():
            self._opened = None
            await opened.channels.close()

    async def _attempt(
        self,
        path: str,
        method: "grpc.aio.UnaryUnaryMultiCallable[_Request, _Response]",
        request: _Request,
        request_id: str,
        timeout: float,  # noqa: ASYNC109 - a deadline that the server is told
    ) -> _Response:
        call = _call(path, request, request_id)
        if not self._interceptors:
            return await self._answer(method, request, call, timeout)
        async with entered(self._interceptors, call):
            return await self._answer(method, request, call, timeout)
        raise AssertionError("unreachable")  # but not for the type checker: a context manager may suppress errors

    async def _answer(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[_Request, _Response]",
        request: _Request,
        call: Call,
        timeout: float,  # noqa: ASYNC109 - a deadline that the server is told
    ) -> _Response:
        try:
            return readable(await method(request, timeout=timeout, metadata=self._headers(call)))
        except grpc.aio.AioRpcError as error:
            changes = f"/{call.method}" not in reading_paths()
            raise from_rpc_error(error, self.server, changes=changes) from None

    async def _explained(self, error: ModelyardError, opened: _Open) -> ModelyardError:
        """The error; where no connection could be made, with the cause."""
        # With an answer or details of its own, the registry was reached.
        if opened.answered or not isinstance(error, UnavailableError) or error.reason != _NO_CONNECTION:
            return error
        why = await diagnose(self._endpoint)
        return error if why is None else UnavailableError(unreachable(self.server, why), reason=error.reason)

    def _headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        token = self._endpoint.token
        return (*call.metadata.items(), *((("authorization", f"Bearer {token}"),) if token else ()))

    @contextmanager
    def _in_use(self) -> Iterator[_Open]:
        opened = self._current()
        opened.calls += 1
        try:
            yield opened
        finally:
            opened.calls -= 1
            if not opened.calls:
                opened.absence.dismiss()

    def _current(self) -> _Open:
        if self._closed:
            raise RuntimeError("this client is closed; make a new one")
        loop = asyncio.get_running_loop()
        opened = self._opened
        if opened is not None and opened.pid == os.getpid():
            if opened.loop is loop:
                return opened
            if not opened.loop.is_closed():
                raise RuntimeError("this client is in use on another event loop; make one for each loop")
        with opening(self):
            channels = Channels(self._endpoint)
            absence = Absence(self._endpoint, channels)
            self._opened = _Open(pid=os.getpid(), loop=loop, channels=channels, absence=absence)
        return self._opened


def _call(path: str, request: object, request_id: str) -> Call:
    # A new id for each call, not for each attempt: the registry's logs tell retries apart from new calls.
    return Call(method=path.removeprefix("/"), request=request, metadata={"x-request-id": request_id})


def _pause_after(error: ModelyardError) -> float | None:
    """Seconds to wait for a registry that is away; None for any other error."""
    if not isinstance(error, UnavailableError):
        return None
    # Clients that one restart threw out must not come back together.
    return max(_random.uniform(0, _PAUSE), error.retry_after or 0)
