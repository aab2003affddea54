"""How a command ends: its exit code and its words, for people and for programs."""

import json

import pytest
import typer

from modelyard import errors
from modelyard.cli.exits import Exit, Failure, failure


def told(error: BaseException) -> Failure:
    found = failure(error)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotFoundError("no", reason="MODEL_NOT_FOUND"), 2),
        (errors.VerificationError("no"), 3),
        (errors.InvalidArgumentError([("reference", "no")]), 4),
        (errors.UnauthenticatedError("no"), 4),
        (errors.PermissionDeniedError("no"), 4),
        (errors.AlreadyExistsError("no"), 4),
        (errors.FailedPreconditionError("no"), 4),
        (errors.ConflictError("no"), 4),
        (errors.UnavailableError("no"), 1),
        (errors.DeadlineExceededError("no"), 1),
        (errors.ResourceExhaustedError("no"), 1),
        (errors.OutOfRangeError("no"), 1),
        (errors.ServerError("no"), 1),
        (errors.CacheError("no"), 1),
        (OSError("no"), 1),
        (typer.BadParameter("no"), 1),
        (typer.Abort(), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_an_exit_code(error: BaseException, code: int) -> None:
    assert told(error).code == code


def test_every_error_of_the_sdk_is_told_without_a_traceback() -> None:
    for kind in errors.ModelyardError.__subclasses__():
        error = kind([("field", "no")]) if kind is errors.InvalidArgumentError else kind("no")
        assert failure(error) is not None


def test_a_bug_is_not_hidden() -> None:
    assert failure(RuntimeError("bug")) is None


def test_people_are_told_what_to_do_and_nothing_acts_on_their_terminal() -> None:
    error = errors.FailedPreconditionError("3 versions of \x1b[31mevil\u202e\nremain", reason="MODEL_NOT_EMPTY")
    assert told(error).for_people() == (
        "error: 3 versions of \\x1b[31mevil\\u202e\nremain\nhint: add --force to delete its versions with it\n"
    )


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("WEBHOOK_NOT_FOUND", "'modelyard webhooks ls'"),
        ("DELIVERY_NOT_FOUND", "'modelyard webhooks deliveries'"),
        ("MODEL_NOT_FOUND", "'modelyard ls'"),
    ],
)
def test_who_looks_for_what_is_not_there_is_told_what_lists_it(reason: str, command: str) -> None:
    assert command in told(errors.NotFoundError("no", reason=reason)).hint


def test_programs_are_told_the_reason_and_the_values() -> None:
    error = errors.ConflictError("moved \u202e", reason="ETAG_MISMATCH", metadata={"currentEtag": '"a"'})
    text = told(error).for_programs()
    assert text.isascii()
    found = json.loads(text)["error"]
    assert found.pop("hint")
    assert found == {
        "exit_code": Exit.REFUSED,
        "reason": "ETAG_MISMATCH",
        "message": "moved \u202e",
        "metadata": {"currentEtag": '"a"'},
    }
