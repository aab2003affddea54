"""Domain errors as ``google.rpc.Status``: one ErrorInfo, and each kind of detail at most once."""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from modelyard_server.calls import errors
from modelyard_server.calls.codes import code_of
from modelyard_server.calls.errors import RegistryError

DOMAIN: Final = "modelyard.dev"

# Clients drop answers with trailers of more than 8 KiB. Base64 makes the details a third longer. The message is sent in
# the details and also separately.
_MAX_DETAIL_BYTES: Final = 4096
_MAX_MESSAGE: Final = 1024
_MAX_VALUE: Final = 200
# Room for the type names of the details, and for the details that are always short.
_FRAMING: Final = 256


def _cut(text: str, room: int) -> str:
    """Cuts a text to ``room`` bytes of a header, in which each non-ASCII byte takes three."""
    text = text[:room]
    costs = (1 if " " <= c <= "~" and c != "%" else 3 * len(c.encode()) for c in text)
    return text[: sum(total <= room for total in accumulate(costs))]


def _fitting(violations: Iterable[Message], room: int) -> Iterator[Message]:
    """The violations that fit into an answer. The error's message has their total number."""
    for violation in violations:
        room -= violation.ByteSize() + 4
        if room < 0:
            return
        yield violation


def _details(error: RegistryError) -> Iterator[Message]:
    metadata = {key: _cut(value, _MAX_VALUE) for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    yield info
    room = _MAX_DETAIL_BYTES - info.ByteSize() - _FRAMING
    if isinstance(error, errors.InvalidArgument):
        fields = (
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field[:200], description=violation.description[:500], reason=error.reason
            )
            for violation in error.violations
        )
        bad_request = error_details_pb2.BadRequest()
        bad_request.field_violations.extend(_fitting(fields, room))
        yield bad_request
    elif isinstance(error, errors.FailedPrecondition) and error.violations:
        preconditions = (
            error_details_pb2.PreconditionFailure.Violation(
                type=violation.type, subject=violation.subject[:300], description=violation.description[:300]
            )
            for violation in error.violations
        )
        failure = error_details_pb2.PreconditionFailure()
        failure.violations.extend(_fitting(preconditions, room))
        yield failure
    elif isinstance(error, errors.ResourceError):
        yield error_details_pb2.ResourceInfo(resource_type=f"modelyard.dev/{error.kind}", resource_name=error.name)
    elif isinstance(error, errors.ResourceExhausted) and error.reason == "STORAGE_FULL":
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject="registry", description="the disk is full")
        yield quota
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        yield error_details_pb2.RetryInfo(retry_delay=delay)


def to_proto(error: RegistryError) -> status_pb2.Status:
    status = status_pb2.Status(code=code_of(error), message=_cut(error.message, _MAX_MESSAGE))
    for detail in _details(error):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status
