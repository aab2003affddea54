"""Frozen fields of a version. An update may name them only with their current values."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from modelyard import wire
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.errors import FieldViolation, InvalidArgument
from modelyard_server.registry.versions.values import Version

_UNREADABLE: Final = object()
"""A value that equals no stored value."""


def frozen_fields(given: pb.Version, names: Iterable[str]) -> Mapping[str, object]:
    """The frozen fields in an update, parsed once before the transaction."""
    wanted = frozenset(names)
    if not wanted:
        return {}
    values: dict[str, object] = {"files": wire.files_from_proto(given.files)}
    with suppress(KeyError, ValueError):  # an enum value that this server does not know, so no version has it
        values |= wire.facts_from_proto(given)
    return {name: values.get(name, _UNREADABLE) for name in wanted}


def check_frozen(version: Version, given: Mapping[str, object]) -> None:
    """Raises ``IMMUTABLE_FIELD`` for given fields whose values differ from those of the version."""
    violations = [
        FieldViolation(f"version.{name}", "can't change after the version was created. Create a new version instead.")
        for name, value in sorted(given.items())
        if value != (version.files if name == "files" else getattr(version.facts, name))
    ]
    if violations:
        raise InvalidArgument(violations, reason="IMMUTABLE_FIELD")
