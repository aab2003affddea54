"""Requests as values: every violation of a request is collected before any is told."""

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
    """Gathers the violations of one request. ``raise_any`` before what was parsed is used."""

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
        """The same of what may be left out."""
        return self.parse(field, parse, value) if value else None

    def raise_any(self) -> None:
        if self._violations:
            raise InvalidArgument(self._violations)


def one(field: str, parse: Callable[[str], T], value: str) -> T:
    """The frequent case of a request with one name."""
    collector = Collector()
    parsed = collector.parse(field, parse, value)
    collector.raise_any()
    assert parsed is not None
    return parsed


def attempt(call: Call, request: Message, collector: Collector) -> Attempt:
    """What a change needs to know of its request besides the change."""
    request_id: str = getattr(request, "request_id", "")  # what can be done twice without harm has none
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
        # Two spellings of one UUID are one.
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
    """The frequent case of a change to one resource: its name, and the attempt. ``violations`` are told with theirs."""
    collector = Collector()
    parsed = collector.parse(field, parse, value)
    collector.add(violations)
    tried = attempt(call, request, collector)
    collector.raise_any()
    assert parsed is not None
    return parsed, tried


def time(field: str, message: Timestamp, collector: Collector) -> datetime | None:
    """A moment; None and a violation for what is none."""
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError):
        collector.add([FieldViolation(field, "is no time between the years 1 and 9999")])
        return None
