"""How a client stream ended, in the server's words."""

from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio

from modelyard._connection import readable

Request = TypeVar("Request")
Response = TypeVar("Response")
T = TypeVar("T")


class Outcome(Generic[Request, Response]):
    """The answer to a stream that the server may end while a message is on its way to it.

    The write of that message fails then, and grpc.aio notes that as the call's status too: INTERNAL, without details,
    before or after the one that the server sent, and the later one stays. So this keeps the earlier one as well.
    """

    def __init__(self, call: "grpc.aio.StreamUnaryCall[Request, Response]") -> None:
        self._call = call
        self._first: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._note)

    async def get(self) -> Response:
        """The server's answer. Raises ``AioRpcError`` with the status that it sent, if it sent one."""
        try:
            return readable(await self._call)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INTERNAL and self._first is not None:
                raise self._first from None
            raise

    def _note(self, call: "grpc.aio.StreamUnaryCall[Request, Response]") -> None:
        code = _result(call.code())
        if code is not grpc.StatusCode.OK:
            self._first = grpc.aio.AioRpcError(
                code, _result(call.initial_metadata()), _result(call.trailing_metadata()), _result(call.details())
            )


def _result(done: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that has nothing to wait for. By the time a task got it, it could be another."""
    try:
        done.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    done.close()
    raise RuntimeError("a call that is done has no status")
