"""The gRPC handlers: each call passes through the stages to the servicer that answers it.

Handlers get raw bytes and parse them inside the stages, so that invalid requests are logged and counted too.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Final, NoReturn, TypeAlias
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError, Message

from modelyard.core.pace import MIN_BYTES_PER_SECOND, Pace
from modelyard_server.calls import status
from modelyard_server.calls.answers import Answer
from modelyard_server.calls.call import Call, Turn
from modelyard_server.calls.codes import Code
from modelyard_server.calls.errors import DeadlineExceeded, RegistryError, invalid
from modelyard_server.calls.methods import ContractError, Method
from modelyard_server.calls.stages import Stage

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

CALL_ID_KEY: Final = "x-call-id"
"""The trailer with the server's id of the call."""
_ORIGIN_KEYS: Final = {"user-agent": "user_agent", "traceparent": "traceparent", "x-request-id": "x_request_id"}
"""What callers say of themselves, and how the log names it."""
_DETAILS_KEY: Final = "grpc-status-details-bin"
_GRPC_CODES: Final = {Code(code.value[0]): code for code in grpc.StatusCode}
# Seconds between two looks at whether others wait for the place of a slow client.
_LOOK_SECONDS: Final = 0.5
# Seconds for a client to read its error.
_ERROR_TIMEOUT_SECONDS: Final = 1.0


class _GrpcDoor:
    """See :class:`~modelyard_server.calls.call.Door`."""

    def __init__(self, context: Context, id_trailer: tuple[str, str]) -> None:
        self._context = context
        self._id_trailer = id_trailer

    def remaining(self) -> float | None:
        return self._context.time_remaining()

    async def refuse(self, code: Code, error: RegistryError) -> NoReturn:
        proto = status.to_proto(error)
        trailer = (self._id_trailer, (_DETAILS_KEY, proto.SerializeToString()))
        try:
            async with asyncio.timeout(_ERROR_TIMEOUT_SECONDS):
                await self._context.abort(_GRPC_CODES[code], proto.message, trailing_metadata=trailer)
        except (TimeoutError, grpc.aio.InternalError):
            # The client reads nothing, and the status stays queued; or it has left. The call ends.
            raise asyncio.CancelledError from None
        raise AssertionError("abort raises")


def _origin(context: Context) -> dict[str, str]:
    """Where a call comes from. All but the peer is the caller's word."""
    origin = {"peer": context.peer()}
    for key, value in context.invocation_metadata() or ():
        if (name := _ORIGIN_KEYS.get(key)) is not None and isinstance(value, str):
            origin[name] = value
    return origin


def _parse(call: Call, raw: bytes) -> Message:
    call.bytes_in += len(raw)
    try:
        return call.method.request.FromString(raw)
    except DecodeError:
        raise invalid(
            "", "the request is not a valid protobuf message: it is truncated, has invalid UTF-8, or is nested too deep"
        ) from None


async def _requests(call: Call, raws: AsyncIterator[bytes]) -> AsyncGenerator[Message, None]:
    async for raw in raws:
        yield _parse(call, raw)


def _serialize(call: Call, response: Answer) -> bytes:
    raw = response.SerializeToString()
    call.bytes_out += len(raw)
    return raw


@asynccontextmanager
async def _gives_way(turn: Turn | None, limit: asyncio.Timeout) -> AsyncIterator[None]:
    """Ends the body at ``limit``, or as soon as others wait for a place that the stream has held for too long."""
    if turn is None:
        yield
        return

    async def look() -> None:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(turn.until - now())
        while not turn.is_wanted():  # noqa: ASYNC110 (few streams hold a place, and the gate has no event for this)
            await asyncio.sleep(_LOOK_SECONDS)
        limit.reschedule(now())

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait((looking,))


class Handlers:
    """Creates the handlers of the contract's methods from the servicers."""

    def __init__(self, stages: Sequence[Stage], *, reader_stall: float) -> None:
        self._stages = stages
        self._reader_stall = reader_stall

    def of(self, methods: Iterable[Method], servicers: Sequence[object]) -> Mapping[str, Mapping[str, Handler]]:
        """Handlers by service and method. Raises :class:`ContractError` unless exactly one servicer has each method."""
        made: dict[str, dict[str, Handler]] = {}
        for method in methods:
            answering = [getattr(each, method.name) for each in servicers if hasattr(each, method.name)]
            if len(answering) != 1:
                raise ContractError(f"{len(answering)} servicers answer {method.path}. Exactly one must.")
            made.setdefault(method.service, {})[method.name] = self._handler(method, answering[0])
        return made

    async def _enter(self, stack: AsyncExitStack, method: Method, context: Context, request_bytes: int = 0) -> Call:
        identity = uuid4().hex
        id_trailer = (CALL_ID_KEY, identity)
        context.set_trailing_metadata((id_trailer,))
        door = _GrpcDoor(context, id_trailer)
        call = Call(method, door, id=identity, origin=_origin(context), request_bytes=request_bytes)
        for stage in self._stages:
            await stack.enter_async_context(stage(call))
        return call

    async def _write(self, call: Call, context: Context, raw: bytes, pace: Pace) -> None:
        """Writes a message, and waits until the client has read enough. Ends the call of a client that is too slow."""
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with asyncio.timeout(pace.seconds) as limit:
                async with _gives_way(call.turn, limit):
                    await context.write(raw)
        except TimeoutError:
            raise DeadlineExceeded(
                f"The client read nothing for {self._reader_stall:.0f} s, or less than {MIN_BYTES_PER_SECOND} bytes a"
                " second, or large events so slowly that others waited. Continue after what was received.",
                reason="READER_STALLED",
            ) from None
        except grpc.aio.InternalError:
            # The client has left, and gRPC has not cancelled the call yet.
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        pace.waited(now() - began, len(raw))

    def _handler(self, method: Method, answer: Any) -> Handler:
        if method.client_streaming:

            async def stream_unary(raws: AsyncIterator[bytes], context: Context) -> bytes:
                async with AsyncExitStack() as stack:
                    call = await self._enter(stack, method, context)
                    requests = await stack.enter_async_context(aclosing(_requests(call, raws)))
                    return _serialize(call, await answer(requests, call))
                raise AssertionError("a stage swallowed an error")

            return grpc.stream_unary_rpc_method_handler(stream_unary)
        if method.server_streaming:
            # A coroutine that writes, not a generator: a generator would not see exceptions of a write.
            async def unary_stream(raw: bytes, context: Context) -> None:
                async with AsyncExitStack() as stack:
                    call = await self._enter(stack, method, context, len(raw))
                    request = _parse(call, raw)
                    call.describe(request)
                    responses = await stack.enter_async_context(aclosing(answer(request, call)))
                    pace = Pace(self._reader_stall)
                    async for response in responses:
                        await self._write(call, context, _serialize(call, response), pace)

            return grpc.unary_stream_rpc_method_handler(unary_stream)

        async def unary_unary(raw: bytes, context: Context) -> bytes:
            async with AsyncExitStack() as stack:
                call = await self._enter(stack, method, context, len(raw))
                request = _parse(call, raw)
                call.describe(request)
                return _serialize(call, await answer(request, call))
            raise AssertionError("a stage swallowed an error")

        return grpc.unary_unary_rpc_method_handler(unary_unary)
