"""Field masks (AIP-134, 161): the fields that an update changes, checked against the annotations of the contract."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.api import field_behavior_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from modelyard_server.calls.errors import FieldViolation, InvalidArgument, invalid

# Descriptors of the protobuf runtime. Their class depends on the build of protobuf.
Descriptor = Any

_PATH: Final = re.compile(r"(?P<field>[a-z_]+)(?:\.(?:(?P<plain>[A-Za-z0-9_]+)|`(?P<quoted>[^`]+)`))?")
_MAX_PATHS: Final = 1000
_FROZEN: Final = field_behavior_pb2.IMMUTABLE
_GIVEN: Final = frozenset({field_behavior_pb2.OPTIONAL, field_behavior_pb2.REQUIRED})


def _behaviors(descriptor: Descriptor) -> set[int]:
    return set(descriptor.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def _is_map(descriptor: Descriptor) -> bool:
    message = descriptor.message_type
    return message is not None and bool(message.GetOptions().map_entry)


@dataclass(frozen=True, slots=True)
class Patch:
    """The changes of an update to one resource."""

    fields: Mapping[str, Any]
    """New values of whole fields."""
    entries: Mapping[str, Mapping[str, str | None]]
    """Changed entries of maps; None removes one."""
    frozen: frozenset[str] = field(default_factory=frozenset)
    """Immutable fields in the mask. Their values must equal the stored ones."""

    def values(self, current: Any) -> dict[str, Any]:
        """The fields of ``current``, a domain record, that change."""
        changed = dict(self.fields)
        for name, entries in self.entries.items():
            merged = {**changed.get(name, getattr(current, name)), **entries}
            changed[name] = {key: value for key, value in merged.items() if value is not None}
        return changed


def parse(field_name: str, message: Message, mask: FieldMask | None) -> Patch:
    """The patch of ``message`` and its mask. Without a mask: the populated fields. With ``*``: all fields."""
    descriptors = message.DESCRIPTOR.fields_by_name
    fields: dict[str, Any] = {}
    entries: dict[str, dict[str, str | None]] = {}
    frozen: set[str] = set()
    violations = []
    for path in _paths(message, mask):
        match = _PATH.fullmatch(path)
        descriptor = descriptors.get(match["field"]) if match else None
        if match is None or descriptor is None:
            violations.append(
                FieldViolation("update_mask", f"{path[:80]!r} is not a field of {field_name}: {_known(descriptors)}")
            )
            continue
        behaviors = _behaviors(descriptor)
        key = match["plain"] or match["quoted"]
        if _FROZEN in behaviors:
            frozen.add(descriptor.name)
        elif not behaviors & _GIVEN:
            continue  # output only, or the name and the etag: clients may send back a resource that they read
        elif key is None:
            value = getattr(message, descriptor.name)
            fields[descriptor.name] = dict(value) if _is_map(descriptor) else value
        elif not _is_map(descriptor):
            violations.append(FieldViolation("update_mask", f"{path[:80]!r}: {descriptor.name} is not a map"))
        else:
            stored = getattr(message, descriptor.name)
            entries.setdefault(descriptor.name, {})[key] = stored.get(key)
    if violations:
        raise InvalidArgument(violations)
    return Patch(fields, entries, frozenset(frozen))


def _paths(message: Message, mask: FieldMask | None) -> Iterable[str]:
    if mask is None or not mask.paths:
        return [descriptor.name for descriptor, _ in message.ListFields()]
    if list(mask.paths) == ["*"]:
        return _mutable(message.DESCRIPTOR.fields_by_name)
    if len(mask.paths) > _MAX_PATHS:
        raise invalid("update_mask", f"has {len(mask.paths)} paths; at most {_MAX_PATHS} are allowed")
    return mask.paths


def _mutable(descriptors: Mapping[str, Descriptor]) -> list[str]:
    behaviors = {descriptor.name: _behaviors(descriptor) for descriptor in descriptors.values()}
    return [name for name, found in behaviors.items() if found & _GIVEN and _FROZEN not in found]


def _known(descriptors: Mapping[str, Descriptor]) -> str:
    return f"use {', '.join(_mutable(descriptors))}"


def of(request: Any) -> FieldMask | None:
    """The mask of an update, if it has one."""
    return request.update_mask if request.HasField("update_mask") else None
