"""Everything that a call can fail with, in one hierarchy.

ModelyardError
├── InvalidArgumentError     the call is wrong whatever the registry holds; all violations at once; also a ValueError
├── UnauthenticatedError     no credentials, or bad ones
├── PermissionDeniedError    the credentials don't allow it
├── NotFoundError            missing, or not for this caller to see
├── AlreadyExistsError       the id is taken
├── FailedPreconditionError  the state or a policy says no; trying again changes nothing
├── ConflictError            someone else was faster; read again, then decide
├── OutOfRangeError          an offset that is not the expected one
├── ResourceExhaustedError   a limit, a quota or the disk
├── UnavailableError         the registry can't be reached or can't serve now; try again later
├── DeadlineExceededError    no answer in time; a change may have taken effect or not
├── VerificationError        bytes are not what their digest says, on either side; never use them
├── ServerError              a bug in the registry; its log tells more under the error id
└── CacheError               the cache folder on this machine can't be used

>>> try:
...     model = modelyard.pull("team/fraud@production")
... except modelyard.NotFoundError as error:
...     print(error.reason)
ALIAS_NOT_FOUND
"""

import copyreg
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

_SHOWN: Final = 20


class FieldViolation(NamedTuple):
    """One thing wrong with what was given."""

    field: str
    description: str


class PreconditionViolation(NamedTuple):
    """One thing about the registry's state that stands in the way."""

    type: str
    subject: str
    description: str


class ModelyardError(Exception):
    """Root of all errors that a call can fail with."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        """For programs: never changes once published."""
        self.metadata = dict(metadata or {})
        """What the message mentions, by name."""
        self.retry_after = retry_after
        """Seconds after which the same call may work, if the registry said so."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders (data loaders, job queues), whatever their constructors ask for.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # typeshed


class InvalidArgumentError(ModelyardError, ValueError):
    """The call is wrong whatever the registry holds."""

    def __init__(
        self,
        violations: Iterable[tuple[str, str]],
        *,
        message: str = "",
        reason: str = "INVALID_FIELD",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.violations = tuple(FieldViolation(*violation) for violation in violations)
        """All that is wrong, as (field, description)."""
        super().__init__(
            _list_violations(self.violations) or message, reason=reason, metadata=metadata, retry_after=retry_after
        )


class UnauthenticatedError(ModelyardError):
    """No credentials, or bad ones."""


class PermissionDeniedError(ModelyardError):
    """The credentials don't allow it."""


class NotFoundError(ModelyardError):
    """Missing, or not for this caller to see."""


class AlreadyExistsError(ModelyardError):
    """The id is taken, if only by something that was deleted and can still be restored."""


class FailedPreconditionError(ModelyardError):
    """The state or a policy says no; trying again changes nothing."""

    def __init__(
        self,
        message: str,
        *,
        violations: Iterable[tuple[str, str, str]] = (),
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata, retry_after=retry_after)
        self.violations = tuple(PreconditionViolation(*violation) for violation in violations)
        """What stands in the way, as (type, subject, description)."""


class ConflictError(ModelyardError):
    """Someone else was faster; read again, then decide."""


class OutOfRangeError(ModelyardError):
    """An offset that is not the expected one."""


class ResourceExhaustedError(ModelyardError):
    """A limit, a quota or the disk."""


class UnavailableError(ModelyardError):
    """The registry can't be reached or can't serve now; try again later."""


class DeadlineExceededError(ModelyardError):
    """No answer in time; a change may have taken effect or not."""


class VerificationError(ModelyardError):
    """Bytes are not what their digest says, on this machine or in the registry; never use them."""


class ServerError(ModelyardError):
    """A bug in the registry."""

    @property
    def error_id(self) -> str:
        """What to look for in the registry's log; empty if it gave none."""
        return self.metadata.get("errorId", "")


class CacheError(ModelyardError):
    """The cache folder on this machine can't be used."""


class DeprecatedVersionWarning(UserWarning):
    """A pulled version is deprecated: it is still served, and its owner says what to use instead."""


class StaleModelWarning(UserWarning):
    """The registry could not be reached, and the last version that a reference was known to mean was used."""


class SkippedVersionWarning(UserWarning):
    """A watched reference came to mean a version that can't be used, and the one before it was kept."""


class ServingWarning(UserWarning):
    """The registry can't be told what a program serves, or another process has taken its place. Serving goes on."""


def _list_violations(violations: tuple[FieldViolation, ...]) -> str:
    lines = [f"{violation.field}: {violation.description}" for violation in violations[:_SHOWN]]
    if len(violations) > _SHOWN:
        lines.append(f"and {len(violations) - _SHOWN} more")
    return "\n".join(lines)


# Where people import them from; tracebacks and pickles name that place.
for _public in (
    FieldViolation,
    PreconditionViolation,
    ModelyardError,
    *ModelyardError.__subclasses__(),
    DeprecatedVersionWarning,
    ServingWarning,
    SkippedVersionWarning,
    StaleModelWarning,
):
    _public.__module__ = "modelyard"
