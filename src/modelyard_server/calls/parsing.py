"""Parses requests into values, and collects all violations of a request before it raises."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from modelyard_server.calls import validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.caller import Attempt
from modelyard_server.calls.errors import FieldViolation, InvalidArgument

T = TypeVar("T")


class Collector:
    """Collects the violations of one request. Call ``raise_any`` before you use parsed values."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def add(self, violations: Iterable[FieldViolation]) -> None:
        self._violations.extend(violations)

    def require(self, field: str, present: object) -> None:
        if not present:
            self._violations.append(FieldViolation(field, "is required"))

    def parse(self, field: str, parse: Callable[[str], T], value: str) -> T | None:
        """The parsed value, or None and a violation."""
        if not value:
            self.require(field, value)
            return None
        try:
            return parse(value)
        except ValueError as error:
            self._violations.append(FieldViolation(field, str(error)))
            return None

    def optional(self, field: str, parse: Callable[[str], T], value: str) -> T | None:
        """The same for an optional field."""
        return self.parse(field, parse, value) if value else None

    def raise_any(self) -> None:
        if self._violations:
            raise InvalidArgument(self._violations)


def one(field: str, parse: Callable[[str], T], value: str) -> T:
    """Parses the only name of a request."""
    collector = Collector()
    parsed = collector.parse(field, parse, value)
    collector.raise_any()
    assert parsed is not None
    return parsed


def attempt(call: Call, request: Message, collector: Collector) -> Attempt:
    """The attempt of a request: caller, method, payload hash, request_id and flags."""
    request_id: str = getattr(request, "request_id", "")  # idempotent requests have none
    if request_id:
        collector.add(validation.uuid4("request_id", request_id))
    bare = type(request)()
    bare.CopyFrom(request)
    if request_id:
        bare.ClearField("request_id")
    return Attempt(
        caller=call.caller,
        method=call.method.name,
        payload_hash=hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest(),
        # Upper and lower case are the same UUID.
        request_id=request_id.lower(),
        validate_only=getattr(request, "validate_only", False),
        returns_secret=call.method.returns_secret,
    )


def change(
    call: Call,
    request: Message,
    field: str,
    parse: Callable[[str], T],
    value: str,
    violations: Iterable[FieldViolation] = (),
) -> tuple[T, Attempt]:
    """Parses a change to one resource: its name and the attempt. Raises with ``violations`` and their own."""
    collector = Collector()
    parsed = collector.parse(field, parse, value)
    collector.add(violations)
    tried = attempt(call, request, collector)
    collector.raise_any()
    assert parsed is not None
    return parsed, tried


def time(field: str, message: Timestamp, collector: Collector) -> datetime | None:
    """Parses a time. None and a violation if it is invalid."""
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError):
        collector.add([FieldViolation(field, "is not a time between the years 1 and 9999")])
        return None
