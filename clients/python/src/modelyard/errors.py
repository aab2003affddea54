"""All errors that a call can raise, in one hierarchy.

ModelyardError
├── InvalidArgumentError     the call is wrong in any state of the registry; lists all violations; also a ValueError
├── UnauthenticatedError     no credentials, or invalid ones
├── PermissionDeniedError    the credentials don't allow it
├── NotFoundError            the resource does not exist, or this caller may not see it
├── AlreadyExistsError       the id is taken
├── FailedPreconditionError  the state or a policy forbids it; a retry will not help
├── ConflictError            the resource changed at the same time; read it again, then decide
├── OutOfRangeError          an offset or a revision that the registry does not have
├── ResourceExhaustedError   a limit or a quota is reached, or the disk is full
├── UnavailableError         the registry can't be reached or can't serve now; retry later
├── DeadlineExceededError    no answer in time; a change may have taken effect or not
├── VerificationError        bytes do not match their digest, on either side; never use them
├── ServerError              a bug in the registry; look in its log for the error id
│   └── BadAnswerError       the answer can't be right; nothing of it was used
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
        """For programs, as ``ALIAS_NOT_FOUND``. A published reason never changes."""
        self.metadata = dict(metadata or {})
        """Values of the message, by name."""
        self.retry_after = retry_after
        """Seconds to wait before a retry, if the registry said so."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders (data loaders, job queues), whatever their constructors ask for.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # typeshed


class InvalidArgumentError(ModelyardError, ValueError):
    """The call is wrong in any state of the registry. Also a ``ValueError``."""

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
        """Every violation, as (field, description)."""
        super().__init__(
            _list_violations(self.violations) or message, reason=reason, metadata=metadata, retry_after=retry_after
        )


class UnauthenticatedError(ModelyardError):
    """No credentials, or invalid ones."""


class PermissionDeniedError(ModelyardError):
    """The credentials don't allow it."""


class NotFoundError(ModelyardError):
    """The resource does not exist, or this caller may not see it."""


class AlreadyExistsError(ModelyardError):
    """The id is taken, perhaps by a deleted resource that can still be restored."""


class FailedPreconditionError(ModelyardError):
    """The state or a policy forbids the call. A retry will not help."""

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
        """What prevents the call, as (type, subject, description)."""


class ConflictError(ModelyardError):
    """The resource changed at the same time. Read it again, then decide."""


class OutOfRangeError(ModelyardError):
    """An offset or a revision that the registry does not have."""


class ResourceExhaustedError(ModelyardError):
    """A limit or a quota is reached, or the disk is full."""


class UnavailableError(ModelyardError):
    """The registry can't be reached or can't serve now. Retry later."""


class DeadlineExceededError(ModelyardError):
    """No answer in time. A change may have taken effect or not."""


class VerificationError(ModelyardError):
    """Bytes do not match their digest, on this machine or in the registry. Never use them."""


class ServerError(ModelyardError):
    """A bug in the registry."""

    @property
    def error_id(self) -> str:
        """The id to look for in the registry's log; empty if there is none."""
        return self.metadata.get("errorId", "")


class BadAnswerError(ServerError):
    """The registry's answer can't be right: it can't be read, or holds values that none can have.

    Nothing of it was used. Perhaps no Modelyard registry answered, but a proxy or another program.
    """


class CacheError(ModelyardError):
    """The cache folder on this machine can't be used."""


class DeprecatedVersionWarning(UserWarning):
    """A pulled or promoted version is deprecated. It is still served; the message has the owner's reason."""


class FactsWarning(UserWarning):
    """A push could not record a fact, or records it in another form. The message names each. The push goes on."""


class StaleModelWarning(UserWarning):
    """The registry can't be reached. The last version that the reference was known to mean is used."""


class SkippedVersionWarning(UserWarning):
    """A watched reference moved to a version that can't be used. The version before is kept."""


class WaitingWarning(UserWarning):
    """A watch waits for a registry or a reference that does not exist yet. The message says why."""


class FilesWarning(UserWarning):
    """A push leaves something out of a folder, or takes files whose names some systems can't use."""


class ServingWarning(UserWarning):
    """The registry could not be told what a program serves, or another process registered as the same consumer.

    Serving goes on.
    """


class UnknownFieldWarning(UserWarning):
    """A filter or an order names a label, a param or a metric that nothing in the list has."""


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
    BadAnswerError,
    DeprecatedVersionWarning,
    FactsWarning,
    FilesWarning,
    ServingWarning,
    SkippedVersionWarning,
    StaleModelWarning,
    UnknownFieldWarning,
    WaitingWarning,
):
    _public.__module__ = "modelyard"
