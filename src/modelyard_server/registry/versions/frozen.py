"""Fields that are frozen with a version: an update may name them, with the values that they have."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from modelyard import wire
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.errors import FieldViolation, InvalidArgument
from modelyard_server.registry.versions.values import Version

_UNREADABLE: Final = object()
"""A value that no stored one equals."""


def frozen_fields(given: pb.Version, names: Iterable[str]) -> Mapping[str, object]:
    """The values that an update gives for frozen fields. Read once, before the transaction."""
    wanted = frozenset(names)
    if not wanted:
        return {}
    values: dict[str, object] = {"files": wire.files_from_proto(given.files)}
    with suppress(KeyError, ValueError):  # an enum's value that this server does not know, and so no version has
        values |= wire.facts_from_proto(given)
    return {name: values.get(name, _UNREADABLE) for name in wanted}


def check_frozen(version: Version, given: Mapping[str, object]) -> None:
    """Raises ``IMMUTABLE_FIELD`` for fields that are given with another value than the version has."""
    violations = [
        FieldViolation(f"version.{name}", "is frozen with the version; commit a new version instead")
        for name, value in sorted(given.items())
        if value != (version.files if name == "files" else getattr(version.facts, name))
    ]
    if violations:
        raise InvalidArgument(violations, reason="IMMUTABLE_FIELD")
