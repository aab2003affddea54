"""The one interceptor: parses the raw request itself, and takes every call through the stages."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeAlias
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError, Message

from modelyard_server.calls.call import Call, current
from modelyard_server.calls.errors import DeadlineExceeded, invalid
from modelyard_server.calls.methods import Method
from modelyard_server.calls.stages import Stage

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def _parse(call: Call, raw: bytes) -> Message:
    call.bytes_in += len(raw)
    try:
        return call.method.request.FromString(raw)
    except DecodeError:
        raise invalid(
            "", "the request is no valid protobuf message: cut short, not UTF-8 where text belongs, or nested too deep"
        ) from None


async def _requests(call: Call, raws: AsyncIterator[bytes]) -> AsyncGenerator[Message, None]:
    async for raw in raws:
        yield _parse(call, raw)


def _serialize(call: Call, response: Message) -> bytes:
    raw = response.SerializeToString()
    call.bytes_out += len(raw)
    return raw


class PipelineInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of our services; those of others, health and reflection, pass untouched."""

    def __init__(self, methods: Mapping[str, Method], stages: Sequence[Stage], *, reader_stall: float) -> None:
        self._methods = methods
        self._stages = stages
        self._reader_stall = reader_stall
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        path = handler_call_details.method
        if (wrapped := self._wrapped.get(path)) is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        method = self._methods.get(path)
        if handler is None or method is None:
            return handler
        wrapped = self._wrapped[path] = self._wrap(method, handler)
        return wrapped

    async def _enter(self, stack: AsyncExitStack, method: Method, context: Context) -> Call:
        given = next((v for k, v in context.invocation_metadata() or () if k == "x-request-id"), "")
        call = Call(method, context, id=given if isinstance(given, str) and given else uuid4().hex)
        current.set(call)
        for stage in self._stages:
            await stack.enter_async_context(stage(call))
        return call

    async def _write(self, context: Context, raw: bytes) -> None:
        """Returns once the client has taken enough of what went before: one that never does is cut off."""
        try:
            async with asyncio.timeout(self._reader_stall):
                await context.write(raw)
        except TimeoutError:
            raise DeadlineExceeded(
                f"nothing was taken for {self._reader_stall:.0f} s; read on from where you are", reason="READER_STALLED"
            ) from None

    def _wrap(self, method: Method, handler: Handler) -> Handler:
        # Serializers are None: a request that doesn't parse must pass the stages like any other, and bytes are counted.
        if method.client_streaming:
            inner: Any = handler.stream_unary  # of either kind, the stubs say; ours are all async

            async def stream_unary(raws: AsyncIterator[bytes], context: Context) -> bytes:
                async with AsyncExitStack() as stack:
                    call = await self._enter(stack, method, context)
                    requests = await stack.enter_async_context(aclosing(_requests(call, raws)))
                    return _serialize(call, await inner(requests, context))
                raise AssertionError("a stage swallowed an error")

            return grpc.stream_unary_rpc_method_handler(stream_unary)
        if method.server_streaming:
            inner = handler.unary_stream

            # A coroutine that writes, not a generator: what a write raises would pass a generator by.
            async def unary_stream(raw: bytes, context: Context) -> None:
                async with AsyncExitStack() as stack:
                    call = await self._enter(stack, method, context)
                    request = _parse(call, raw)
                    call.describe(request)
                    responses = await stack.enter_async_context(aclosing(inner(request, context)))
                    async for response in responses:
                        await self._write(context, _serialize(call, response))

            return grpc.unary_stream_rpc_method_handler(unary_stream)
        inner = handler.unary_unary

        async def unary_unary(raw: bytes, context: Context) -> bytes:
            async with AsyncExitStack() as stack:
                call = await self._enter(stack, method, context)
                request = _parse(call, raw)
                call.describe(request)
                return _serialize(call, await inner(request, context))
            raise AssertionError("a stage swallowed an error")

        return grpc.unary_unary_rpc_method_handler(unary_unary)
