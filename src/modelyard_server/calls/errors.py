"""All errors that a caller can get, in one hierarchy.

RegistryError
├── InvalidArgument        wrong in any state; carries all violations of the request
├── Unauthenticated
├── PermissionDenied
├── NotFound               missing, or hidden from this caller
├── AlreadyExists
├── FailedPrecondition     the state does not allow the call; a retry fails too
├── Aborted                another change came first; read again, then decide
├── OutOfRange             an offset that is not the expected one
├── ResourceExhausted      a limit, a quota or the disk
├── Unavailable            try again later
├── DataLoss               stored bytes are missing or damaged
├── DeadlineExceeded
└── Internal               a bug; the caller gets an error id, the log has the details

``reason`` is for programs and never changes after a release. The message is for people. Every variable part of a
message is in ``metadata`` too. ``rpc.status`` converts errors to codes and details on the wire.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing wrong with a request."""

    field: str
    """Path of the field, as `version.files[3].path`."""
    description: str


@dataclass(frozen=True, slots=True)
class PreconditionViolation:
    """One fact about the state that does not allow the call."""

    type: str
    subject: str
    description: str


class RegistryError(Exception):
    """Base class of all errors that a caller can get."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        """Seconds after which the same call may succeed."""


class InvalidArgument(RegistryError):
    def __init__(
        self,
        violations: Sequence[FieldViolation],
        *,
        reason: str = "INVALID_FIELD",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        first = violations[0]
        found = {"field": first.field, "violationCount": str(len(violations))}
        super().__init__(
            f"{first.field}: {first.description}{more}", reason=reason, metadata={**found, **(metadata or {})}
        )
        self.violations = tuple(violations)


class Unauthenticated(RegistryError):
    pass


class PermissionDenied(RegistryError):
    pass


class ResourceError(RegistryError):
    """An error about one named resource."""

    def __init__(self, message: str, *, reason: str, kind: str, name: str) -> None:
        super().__init__(message, reason=reason, metadata={"resource": name})
        self.kind = kind
        self.name = name


class NotFound(ResourceError):
    pass


class AlreadyExists(ResourceError):
    pass


class FailedPrecondition(RegistryError):
    def __init__(
        self,
        message: str,
        *,
        reason: str,
        violations: Sequence[PreconditionViolation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.violations = tuple(violations)


class Aborted(RegistryError):
    pass


class OutOfRange(RegistryError):
    pass


class ResourceExhausted(RegistryError):
    pass


class Unavailable(RegistryError):
    pass


class DataLoss(RegistryError):
    pass


class DeadlineExceeded(RegistryError):
    pass


class Internal(RegistryError):
    pass


def invalid(field: str, description: str, *, reason: str = "INVALID_FIELD") -> InvalidArgument:
    """An error with one violation."""
    return InvalidArgument([FieldViolation(field, description)], reason=reason)


# Errors that more than one capability raises.


def upload_fenced() -> Aborted:
    return Aborted(
        "Another stream took over this upload. Call GetUpload for its state, or start another upload.",
        reason="UPLOAD_BUSY",
        retry_after=1.0,
    )


def offset_mismatch(given: int, persisted: int) -> OutOfRange:
    return OutOfRange(
        f"The data starts at offset {given}, but the server has {persisted} bytes. Continue from that offset.",
        reason="OFFSET_MISMATCH",
        metadata={"writeOffset": str(given), "persistedSize": str(persisted)},
    )


def chunk_corrupt(persisted: int) -> Aborted:
    return Aborted(
        f"A chunk was damaged in transit: its crc32c is wrong. Send again from offset {persisted}.",
        reason="CHUNK_CORRUPT",
        metadata={"persistedSize": str(persisted)},
        retry_after=0.0,
    )


def digest_mismatch(field: str, expected: str, actual: str) -> InvalidArgument:
    return InvalidArgument(
        [
            FieldViolation(
                field, f"the bytes have the digest {actual}, not {expected}. Nothing was stored. Don't retry unchanged."
            )
        ],
        reason="DIGEST_MISMATCH",
        metadata={"expected": expected, "actual": actual},
    )


def size_mismatch(field: str, expected: int, actual: int) -> InvalidArgument:
    return InvalidArgument(
        [
            FieldViolation(
                field,
                f"the data has {actual} bytes, not {expected}. Send the rest, or start again with the right size.",
            )
        ],
        reason="SIZE_MISMATCH",
        metadata={"expected": str(expected), "actual": str(actual)},
    )


def storage_full() -> ResourceExhausted:
    return ResourceExhausted(
        "The registry's disk is full. Nothing was stored. Free space on the disk or enlarge it, then retry.",
        reason="STORAGE_FULL",
        retry_after=30.0,
    )


def storage_down(retry_after: float = 5.0) -> Unavailable:
    return Unavailable(
        "The registry's blob store can't be read or written. Try again.", reason="BACKEND_DOWN", retry_after=retry_after
    )


def blob_corrupt(digest: str) -> DataLoss:
    return DataLoss(
        f"The stored bytes of {digest} are missing or damaged. Push the same file again to replace them, or report this"
        " to the registry's operator.",
        reason="BLOB_CORRUPT",
        metadata={"digest": digest},
    )
