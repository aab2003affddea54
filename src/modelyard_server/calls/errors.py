"""Everything a caller can do wrong and everything that can be wrong with the registry, in one hierarchy.

RegistryError
├── InvalidArgument        bad whatever the state; carries every violation of the request at once
├── Unauthenticated
├── PermissionDenied
├── NotFound               missing, or not for this caller to see
├── AlreadyExists
├── FailedPrecondition     the state says no; retrying changes nothing
├── Aborted                lost a race; read again, then decide
├── OutOfRange             an offset that is not the expected one
├── ResourceExhausted      a limit, a quota or the disk
├── Unavailable            try again later
├── DataLoss               stored bytes are not what they were
├── DeadlineExceeded
└── Internal               a bug; the caller learns an id, the log the rest

``reason`` is for programs and never changes once published; the message is for people. Every changing value in a
message is in ``metadata`` too. Codes and details on the wire are the business of ``rpc.status``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelyard.core.names import NamespaceName


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing wrong with a request."""

    field: str
    """Path of the field, as `version.files[3].path`."""
    description: str


@dataclass(frozen=True, slots=True)
class PreconditionViolation:
    """One thing about the state that stands in the way."""

    type: str
    subject: str
    description: str


class RegistryError(Exception):
    """Root of all errors that a caller is told about."""

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
        """Seconds after which the same call may work."""


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
    """An error about one resource, named."""

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
    """The frequent case of one violation."""
    return InvalidArgument([FieldViolation(field, description)], reason=reason)


# Errors that more than one room raises.


def upload_fenced() -> Aborted:
    return Aborted(
        "another stream writes this upload now; ask GetUpload where it is, or start an upload of your own",
        reason="UPLOAD_BUSY",
        retry_after=1.0,
    )


def offset_mismatch(given: int, persisted: int) -> OutOfRange:
    return OutOfRange(
        f"the data starts at offset {given}, but the server has {persisted} bytes; go on from there",
        reason="OFFSET_MISMATCH",
        metadata={"writeOffset": str(given), "persistedSize": str(persisted)},
    )


def chunk_corrupt(persisted: int) -> Aborted:
    return Aborted(
        f"a chunk was damaged in flight (its crc32c is wrong); resend from offset {persisted}",
        reason="CHUNK_CORRUPT",
        metadata={"persistedSize": str(persisted)},
        retry_after=0.0,
    )


def digest_mismatch(field: str, expected: str, actual: str) -> InvalidArgument:
    return InvalidArgument(
        [
            FieldViolation(
                field, f"the bytes hash to {actual}, not to {expected}; nothing was stored, don't retry as is"
            )
        ],
        reason="DIGEST_MISMATCH",
        metadata={"expected": expected, "actual": actual},
    )


def size_mismatch(field: str, expected: int, actual: int) -> InvalidArgument:
    return InvalidArgument(
        [
            FieldViolation(
                field, f"there are {actual} bytes, not {expected}; send the rest, or start anew with the right size"
            )
        ],
        reason="SIZE_MISMATCH",
        metadata={"expected": str(expected), "actual": str(actual)},
    )


def storage_full() -> ResourceExhausted:
    return ResourceExhausted(
        "the registry's disk is full; nothing was stored. Free space or enlarge it, then retry",
        reason="STORAGE_FULL",
        retry_after=30.0,
    )


def storage_down(retry_after: float = 5.0) -> Unavailable:
    return Unavailable(
        "the registry's store can't be reached or written", reason="BACKEND_DOWN", retry_after=retry_after
    )


def blob_corrupt(digest: str) -> DataLoss:
    return DataLoss(
        f"the stored bytes of {digest} are missing or damaged; tell the registry's operator",
        reason="BLOB_CORRUPT",
        metadata={"digest": digest},
    )


def namespace_not_found(name: NamespaceName) -> NotFound:
    return NotFound(
        f"there is no namespace {name.namespace!r}; create it first",
        reason="NAMESPACE_NOT_FOUND",
        kind="Namespace",
        name=str(name),
    )
