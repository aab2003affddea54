"""Runs a call inside of its interceptors."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from modelyard.interceptors import Call, Interceptor


@asynccontextmanager
async def entered(interceptors: Sequence[Interceptor], call: Call) -> AsyncIterator[None]:
    """Enters the context managers of all interceptors, and leaves them in reverse order.

    Raises ``RuntimeError`` if one of them suppressed an error.
    """
    ended = False
    async with AsyncExitStack() as stack:
        for interceptor in interceptors:
            context = interceptor(call)
            if isinstance(context, AbstractAsyncContextManager):
                await stack.enter_async_context(context)
            else:
                stack.enter_context(context)
        yield
        ended = True
    if not ended:
        raise RuntimeError(f"an interceptor suppressed the error of {call.method}; there is no answer to return")
