"""The rules for the editable fields of namespaces, models and versions."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import masks, validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.namespaces.values import Namespace
from modelyard_server.registry.versions.values import Version

Described = TypeVar("Described", Namespace, Model, Version)


def described(field: str, message: pb.Namespace | pb.Model | pb.Version, limits: Limits) -> Iterable[FieldViolation]:
    """Violations in the editable fields."""
    yield from validation.text(f"{field}.description", message.description, max_bytes=limits.description_bytes)
    yield from validation.labels(f"{field}.labels", message.labels, limits)
    yield from validation.labels(f"{field}.annotations", message.annotations, limits)
    if not isinstance(message, pb.Version):
        yield from _line(f"{field}.display_name", message.display_name, limits.display_name_length)
    if isinstance(message, pb.Model):
        yield from _line(f"{field}.owner", message.owner, limits.owner_length)


def _line(field: str, value: str, length: int) -> Iterable[FieldViolation]:
    if len(value) > length:
        yield FieldViolation(field, f"is {len(value)} characters long; at most {length} are allowed")
    yield from validation.text(field, value, one_line=True)


def patched(field: str, current: Described, patch: masks.Patch, limits: Limits) -> Described:
    """The record with the patch applied. Raises if a map then has too many entries."""
    changed = replace(current, **patch.values(current))
    collector = Collector()
    for name in patch.entries:
        collector.add(validation.labels(f"{field}.{name}", getattr(changed, name), limits))
    collector.raise_any()
    return changed
