"""What a failed call tells its caller."""

import pickle
import re
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

import modelyard
from modelyard import errors
from modelyard._connection.status import from_rpc_error

CLASSES = [
    errors.ModelyardError,
    *(getattr(errors, name) for name in dir(errors) if name.endswith("Error") and name != "ModelyardError"),
]


def failed(code: grpc.StatusCode, message: str = "no", *details: Message) -> grpc.aio.AioRpcError:
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details=message)


def info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="modelyard.dev", metadata=metadata)


def test_the_drawing_at_the_top_is_the_hierarchy() -> None:
    drawn = set(re.findall(r"^(?:[├└│ ]*── )?(\w+Error)\b", errors.__doc__ or "", re.MULTILINE))

    assert drawn == {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_are_public_and_cross_process_borders(kind: Any) -> None:
    arguments = ([("field", "why")],) if kind is errors.InvalidArgumentError else ("why",)
    error = kind(*arguments, reason="R", metadata={"key": "value"}, retry_after=2.0)
    error.add_note("noted")

    copy = pickle.loads(pickle.dumps(error))

    assert kind is getattr(modelyard, kind.__name__)
    assert kind.__module__ == "modelyard"
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("INVALID_ARGUMENT", "INVALID_FIELD", errors.InvalidArgumentError),
        ("INVALID_ARGUMENT", "DIGEST_MISMATCH", errors.VerificationError),
        ("INVALID_ARGUMENT", "SIZE_MISMATCH", errors.VerificationError),
        ("UNAUTHENTICATED", "CREDENTIALS_INVALID", errors.UnauthenticatedError),
        ("PERMISSION_DENIED", "PERMISSION_DENIED", errors.PermissionDeniedError),
        ("NOT_FOUND", "MODEL_NOT_FOUND", errors.NotFoundError),
        ("ALREADY_EXISTS", "MODEL_EXISTS", errors.AlreadyExistsError),
        ("FAILED_PRECONDITION", "QUARANTINED", errors.FailedPreconditionError),
        ("ABORTED", "ETAG_MISMATCH", errors.ConflictError),
        ("OUT_OF_RANGE", "OFFSET_MISMATCH", errors.OutOfRangeError),
        ("RESOURCE_EXHAUSTED", "STORAGE_FULL", errors.ResourceExhaustedError),
        ("UNAVAILABLE", "DRAINING", errors.UnavailableError),
        ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", errors.DeadlineExceededError),
        ("DATA_LOSS", "BLOB_CORRUPT", errors.VerificationError),
        ("INTERNAL", "INTERNAL", errors.ServerError),
        ("UNKNOWN", "WHO_KNOWS", errors.ServerError),
        ("UNIMPLEMENTED", "NEW", errors.ServerError),
    ],
)
def test_each_status_has_its_class(code: str, reason: str, kind: Any) -> None:
    error = from_rpc_error(failed(grpc.StatusCode[code], "what happened", info(reason, resource="r")))

    assert type(error) is kind
    assert (error.reason, error.metadata, error.message) == (reason, {"resource": "r"}, "what happened")


def test_all_violations_of_a_request_arrive() -> None:
    bad = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field="a", description="is bad"),
            error_details_pb2.BadRequest.FieldViolation(field="b", description="is worse"),
        ]
    )

    error = from_rpc_error(failed(grpc.StatusCode.INVALID_ARGUMENT, "a: is bad", info("INVALID_FIELD"), bad))

    assert isinstance(error, ValueError)
    assert isinstance(error, errors.InvalidArgumentError)
    assert error.violations == (("a", "is bad"), ("b", "is worse"))
    assert str(error) == "a: is bad\nb: is worse"


def test_what_stands_in_the_way_arrives() -> None:
    failure = error_details_pb2.PreconditionFailure(
        violations=[error_details_pb2.PreconditionFailure.Violation(type="MISSING", subject="blobs/x", description="d")]
    )

    error = from_rpc_error(failed(grpc.StatusCode.FAILED_PRECONDITION, "no", info("MISSING_BLOBS"), failure))

    assert isinstance(error, errors.FailedPreconditionError)
    assert error.violations == (("MISSING", "blobs/x", "d"),)


def test_the_time_to_wait_arrives() -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500_000_000))

    assert from_rpc_error(failed(grpc.StatusCode.UNAVAILABLE, "no", retry)).retry_after == 1.5


def test_a_bug_of_the_registry_carries_its_error_id() -> None:
    error = from_rpc_error(failed(grpc.StatusCode.INTERNAL, "no", info("INTERNAL", errorId="abc")))

    assert isinstance(error, errors.ServerError)
    assert error.error_id == "abc"


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        ("UNAVAILABLE", errors.UnavailableError, "can't be reached"),
        ("CANCELLED", errors.UnavailableError, "was cut"),
        ("DEADLINE_EXCEEDED", errors.DeadlineExceededError, "did not answer in time"),
        ("UNIMPLEMENTED", errors.ServerError, "does not know this call"),
        ("INTERNAL", errors.ServerError, "INTERNAL"),
    ],
)
def test_what_no_registry_explained_names_the_address_and_the_code(code: str, kind: Any, told: str) -> None:
    status = grpc.StatusCode[code]
    bare = grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(), details="")

    error = from_rpc_error(bare, "grpc://host:1")

    assert type(error) is kind
    assert error.reason == code
    assert "grpc://host:1" in error.message
    assert told in error.message


def test_only_a_change_without_an_answer_may_have_taken_effect() -> None:
    late = grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, grpc.aio.Metadata(), grpc.aio.Metadata())

    assert "may have taken effect" in from_rpc_error(late, "grpc://host:1", changes=True).message
    read = from_rpc_error(late, "grpc://host:1", changes=False).message
    assert read == "grpc://host:1 did not answer in time. Check that it runs."


def test_details_that_are_no_status_are_ignored() -> None:
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), trailers, details="gone")

    assert type(from_rpc_error(error)) is errors.NotFoundError


def test_a_detail_that_cannot_be_read_is_left_out() -> None:
    error = failed(grpc.StatusCode.NOT_FOUND, "gone")
    status = status_pb2.Status(code=5, message="gone")
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), trailers, details="gone")

    assert from_rpc_error(error).reason == "NOT_FOUND"


def test_a_long_list_of_violations_is_cut_in_the_message_only() -> None:
    error = errors.InvalidArgumentError([(f"f{number}", "bad") for number in range(30)])

    assert len(error.violations) == 30
    assert str(error).endswith("and 10 more")
