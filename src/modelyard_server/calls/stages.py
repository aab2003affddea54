"""The stages of every call, outermost first: outcome, errors, caller, deadline, limits.

A stage is a context manager around the whole call. It includes streams, so that it sees errors in the middle of one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Final, NoReturn
from uuid import uuid4

import structlog

from modelyard_server.calls.call import Call
from modelyard_server.calls.caller import ANONYMOUS
from modelyard_server.calls.codes import Code, code_of
from modelyard_server.calls.errors import DeadlineExceeded, Internal, RegistryError
from modelyard_server.calls.methods import CallClass
from modelyard_server.telemetry import Metrics

Stage = Callable[[Call], AbstractAsyncContextManager[None]]

_log: Final = structlog.get_logger("modelyard.rpc")
_MAX_LOGGED: Final = 200


class Outcome:
    """Writes one log line and the metrics of each call. Knows whether any call is in flight."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self) -> None:
        """Waits until no call is in flight."""
        await self._idle.wait()

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        self._running += 1
        self._idle.clear()
        in_flight = self.metrics.in_flight.labels(call.method.name)
        in_flight.inc()
        try:
            yield
        except asyncio.CancelledError:
            if call.code is Code.OK:
                call.code, call.reason = Code.CANCELLED, "CANCELLED"
            raise
        finally:
            in_flight.dec()
            self._tell(call)
            self._running -= 1
            if not self._running:
                self._idle.set()

    def _tell(self, call: Call) -> None:
        seconds = perf_counter() - call.started
        timed = None if call.method.call_class is CallClass.WATCH else seconds
        self.metrics.observe(call.method.name, call.code.name, timed, call.bytes_in, call.bytes_out)
        failed = call.code in {Code.INTERNAL, Code.DATA_LOSS}
        facts = {"reason": call.reason, "error_id": call.error_id, **call.origin}
        (_log.error if failed else _log.info)(
            "rpc",
            method=call.method.name,
            resource=call.resource[:_MAX_LOGGED],
            code=call.code.name,
            **{name: value[:_MAX_LOGGED] for name, value in facts.items() if value},
            duration_ms=round(seconds * 1000, 2),
            bytes_in=call.bytes_in,
            bytes_out=call.bytes_out,
            actor=call.caller.actor,
            call_id=call.id,
        )


@asynccontextmanager
async def errors(call: Call) -> AsyncIterator[None]:
    """Passes domain errors on. Turns other exceptions into an error id for the caller, and logs the details."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # cancelled by the client, its deadline or the server's stop
            raise
        # A cancellation that leaked from our own code would leave the client waiting until its deadline.
        await _refuse(call, _bug(call))
    except RegistryError as error:
        await _refuse(call, error)
    except Exception:  # noqa: BLE001 (the last wall: whatever it is, the client must not see it)
        await _refuse(call, _bug(call))


def _bug(call: Call) -> Internal:
    call.error_id = uuid4().hex
    _log.exception("internal error", error_id=call.error_id, method=call.method.name, call_id=call.id)
    return Internal(
        f"The registry has an internal error. Report the error id {call.error_id} to its operator.",
        reason="INTERNAL",
        metadata={"errorId": call.error_id},
    )


async def _refuse(call: Call, error: RegistryError) -> NoReturn:
    if error.__cause__ is not None:
        _log.warning("cause", reason=error.reason, call_id=call.id, cause=repr(error.__cause__)[:2000])
    call.code, call.reason = code_of(error), error.reason
    await call.door.refuse(call.code, error)


@asynccontextmanager
async def caller(call: Call) -> AsyncIterator[None]:
    """Makes every caller `anonymous`, until there is access control."""
    call.caller = ANONYMOUS
    yield


@asynccontextmanager
async def deadline(call: Call) -> AsyncIterator[None]:
    """Ends a unary call at its deadline in the contract. Refuses a call whose own deadline has passed."""
    remaining = call.door.remaining()
    if remaining is not None and remaining <= 0:
        raise _too_late()
    if not call.method.unary:
        yield
        return
    longest = call.method.deadline
    try:
        async with asyncio.timeout(longest if remaining is None else min(remaining, longest)):
            yield
    except TimeoutError:
        raise _too_late() from None


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded(
        "The call exceeded its deadline. Retry with the same request_id to get its result.",
        reason="DEADLINE_EXCEEDED",
    )
