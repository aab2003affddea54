"""Failed RPCs as the SDK's errors.

The details are decoded here and not by grpcio-status, whose releases each ask for a protobuf as new as themselves.
"""

from collections.abc import Iterable
from typing import Final, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from modelyard.errors import (
    AlreadyExistsError,
    ConflictError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    ModelyardError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    ServerError,
    UnauthenticatedError,
    UnavailableError,
    VerificationError,
)

_LONGEST_RETRY: Final = 3600.0
"""Seconds."""
_DETAILS_KEY: Final = "grpc-status-details-bin"

_ERRORS: Final[dict[grpc.StatusCode, type[ModelyardError]]] = {
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRangeError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DATA_LOSS: VerificationError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    # A cancel by the caller is asyncio's CancelledError. This one came from a connection that broke or was reset.
    grpc.StatusCode.CANCELLED: UnavailableError,
}
# INVALID_ARGUMENT, but not by a wrong call: the bytes changed on their way, or under the reader.
_VERIFICATION_REASONS: Final = frozenset({"DIGEST_MISMATCH", "SIZE_MISMATCH"})

_Detail = TypeVar("_Detail", bound=Message)


def from_rpc_error(
    error: grpc.aio.AioRpcError, server: str = "the registry", *, changes: bool = True
) -> ModelyardError:
    """The error for a failed RPC. ``server`` names the registry in errors that came from the network alone.

    ``changes``: whether the call may have changed something.
    """
    status = _status(error)
    info = _detail(status, error_details_pb2.ErrorInfo)
    retry = _detail(status, error_details_pb2.RetryInfo)
    retry_after = _bounded(retry.retry_delay) if retry is not None else None
    code = error.code()
    message = status.message or error.details() or ""
    if info is None:
        message = _explain(code, message, server, changes=changes)
    reason = info.reason if info is not None else code.name
    metadata = dict(info.metadata) if info is not None else {}

    if code is grpc.StatusCode.INVALID_ARGUMENT and reason not in _VERIFICATION_REASONS:
        bad = _detail(status, error_details_pb2.BadRequest)
        return InvalidArgumentError(
            ((v.field, v.description) for v in bad.field_violations) if bad is not None else (),
            message=message,
            reason=reason,
            metadata=metadata,
            retry_after=retry_after,
        )
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        failure = _detail(status, error_details_pb2.PreconditionFailure)
        return FailedPreconditionError(
            message,
            violations=((v.type, v.subject, v.description) for v in failure.violations) if failure is not None else (),
            reason=reason,
            metadata=metadata,
            retry_after=retry_after,
        )
    kind = VerificationError if reason in _VERIFICATION_REASONS else _ERRORS.get(code, ServerError)
    return kind(message, reason=reason, metadata=metadata, retry_after=retry_after)


def _bounded(delay: Duration) -> float:
    """Seconds, within what anybody could mean: a registry can't hold its clients for ever."""
    return min(max(delay.seconds + delay.nanos / 1e9, 0.0), _LONGEST_RETRY)


def unreachable(server: str, why: str) -> str:
    return f"{server} can't be reached: {why}"


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    trailers: Iterable[tuple[str, str | bytes]] = error.trailing_metadata() or ()
    for key, value in trailers:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break  # some proxy's own; the code still says what to do
    return status_pb2.Status()


def _detail(status: status_pb2.Status, kind: type[_Detail]) -> _Detail | None:
    for packed in status.details:
        detail = kind()
        try:
            if packed.Unpack(detail):
                return detail
        except DecodeError:
            continue
    return None


def _explain(code: grpc.StatusCode, message: str, server: str, *, changes: bool) -> str:
    """Says what the transport's own words leave out: which registry, and what to do."""
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return unreachable(server, f"{message}. Check that it runs and that MODELYARD_URL is right.")
        case grpc.StatusCode.CANCELLED:
            return f"the connection to {server} was cut: {message}"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            advice = "A change may have taken effect or not: check it before you repeat the call." if changes else ""
            return f"{server} did not answer in time. {advice or 'Check that it runs.'}"
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"{server} does not know this call. It is older than this SDK, or not a Modelyard registry."
        case _:
            return message or f"{server} answered {code.name}"
