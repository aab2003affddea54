"""How a command ends: its exit code, and what it says on stderr."""

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import typer

from modelyard import errors
from modelyard.cli import usage, words
from modelyard.cli.text import escape_lines


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    OTHER = 1
    NOT_FOUND = 2
    VERIFICATION_FAILED = 3
    REFUSED = 4
    INTERRUPTED = 130
    TERMINATED = 143


EXPLAINED = (
    "Exit codes: 0 ok; 2 not found; 3 verification failed; 4 refused by the registry or the SDK (invalid, not allowed,"
    " exists already, in use, or changed by somebody else at the same time); 1 anything else, including a command line"
    " that can't be read; 130 interrupted; 143 terminated. A reader of the output that had enough, as head, is no"
    " failure."
)

_CODES: tuple[tuple[type[errors.ModelyardError], Exit], ...] = (
    (errors.NotFoundError, Exit.NOT_FOUND),
    (errors.VerificationError, Exit.VERIFICATION_FAILED),
    (errors.InvalidArgumentError, Exit.REFUSED),
    (errors.UnauthenticatedError, Exit.REFUSED),
    (errors.PermissionDeniedError, Exit.REFUSED),
    (errors.AlreadyExistsError, Exit.REFUSED),
    (errors.FailedPreconditionError, Exit.REFUSED),
    (errors.ConflictError, Exit.REFUSED),
)
_HINTS: tuple[tuple[type[errors.ModelyardError], str, str], ...] = (
    (errors.FailedPreconditionError, "MODEL_NOT_EMPTY", "add --force to delete its versions with it"),
    (
        errors.FailedPreconditionError,
        "FACTS_DIFFER",
        "leave out --if-changed to make a new version, or add metrics with 'modelyard evaluate'",
    ),
    (
        errors.FailedPreconditionError,
        "VERSION_IN_USE",
        (
            "'modelyard show' lists its aliases and the services that serve it, 'modelyard lineage --down' the versions"
            " made from it; 'modelyard deployments --end' ends deployments of services that are gone"
        ),
    ),
    (
        errors.InvalidArgumentError,
        "TARGET_NOT_EMPTY",
        "use another folder, or add --force to replace all that the target holds",
    ),
    (errors.NotFoundError, "FILE_NOT_FOUND", "'modelyard show' lists the files of a version"),
    (errors.NotFoundError, "VERSION_NOT_FOUND", "'modelyard ls' with the model lists its versions and their metrics"),
    (errors.NotFoundError, "ALIAS_NOT_FOUND", "'modelyard show' with the model lists its aliases"),
    (errors.NotFoundError, "VERSION_DELETED", "'modelyard restore' brings it back"),
    (errors.NotFoundError, "MODEL_DELETED", "'modelyard restore' brings it back with its versions"),
    (errors.NotFoundError, "NAMESPACE_DELETED", "'modelyard namespaces restore' brings it back"),
    (errors.NotFoundError, "DEPLOYMENT_NOT_FOUND", "'modelyard deployments' with the model lists its deployments"),
    (errors.NotFoundError, "NOT_CACHED", "'modelyard cache ls' lists what is cached"),
    (errors.NotFoundError, "WEBHOOK_NOT_FOUND", "'modelyard webhooks ls' lists the webhooks of a namespace"),
    (errors.NotFoundError, "DELIVERY_NOT_FOUND", "'modelyard webhooks deliveries' lists the deliveries that are kept"),
    (
        errors.NotFoundError,
        "MODEL_NOT_FOUND",
        "'modelyard ls' lists the models of a namespace, 'modelyard search' finds them in all namespaces",
    ),
    (errors.NotFoundError, "", "'modelyard ls' lists what exists; add --deleted to include what can be restored"),
    (errors.UnauthenticatedError, "", "set MODELYARD_TOKEN"),
    (errors.UnavailableError, "UNAVAILABLE", ""),  # the message says what to check
    (errors.UnavailableError, "", "run the command again"),
    (errors.ConflictError, "", "look with 'modelyard show', then repeat the command if it is still right"),
)


_CUT_FILTER = r"filter: at character \d+, at the end: expected an operator"
"""The answer to a filter if a shell took its end, as in ``--filter metrics.auc > 0.9``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as a person and a program are told it."""

    code: Exit
    message: str
    reason: str = ""
    hint: str = ""
    metadata: dict[str, str] | None = None

    def for_people(self) -> str:
        hint = f"hint: {self.hint}\n" if self.hint else ""
        return f"error: {escape_lines(self.message)}\n{hint}"

    def for_programs(self, indent: int | None = 2) -> str:
        error = {
            "exit_code": int(self.code),
            "reason": self.reason,
            "message": self.message,
            "hint": self.hint,
            "metadata": self.metadata or {},
        }
        return f"{json.dumps({'error': error}, indent=indent)}\n"


def failure(error: BaseException) -> Failure | None:
    """What to say about an error; None about one that nobody expects, which is a bug of ours."""
    match error:
        case errors.ModelyardError():
            return Failure(
                code=next((code for kind, code in _CODES if isinstance(error, kind)), Exit.OTHER),
                message=words.of_command_line(error.message),
                reason=error.reason,
                hint=_hint(error),
                metadata=error.metadata,
            )
        case KeyboardInterrupt() | typer.Abort():
            return Failure(code=Exit.INTERRUPTED, message="interrupted", reason="INTERRUPTED")
        case OSError():
            return Failure(code=Exit.OTHER, message=str(error), reason="OS_ERROR")
        case _ if hasattr(error, "format_message"):
            return _usage(error)
        case _:
            return None


def _hint(error: errors.ModelyardError) -> str:
    if isinstance(error, errors.InvalidArgumentError) and re.match(_CUT_FILTER, error.message):
        return "put the filter in quotes: a shell takes > and < for itself"
    return next((hint for kind, reason, hint in _HINTS if isinstance(error, kind) and reason in {"", error.reason}), "")


def _usage(error: Any) -> Failure:
    context = getattr(error, "ctx", None)
    message = usage.told(error)
    hint = f"see '{context.command_path if context else 'modelyard'} --help'"
    extra = re.search(r"unexpected extra argument\S* \((\S+)\)$", message)
    if extra and context and context.info_name in words.WITH_ALIAS:
        hint = f"did you mean '--alias {extra[1]}'?"
    return Failure(code=Exit.OTHER, message=message, reason="USAGE", hint=hint)
