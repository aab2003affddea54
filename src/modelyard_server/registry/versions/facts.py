"""Converts facts to JSON and back, for the database, the log and stored outcomes."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from modelyard.core.facts import (
    Dataset,
    DatasetRole,
    Direction,
    Environment,
    Facts,
    Fingerprint,
    Framework,
    Parent,
    Relation,
    Run,
    Signature,
    Source,
)
from modelyard_server.log.values import Json

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Converts a fact or a record of facts to JSON. Records become objects with all their fields."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def facts_to_json(facts: Facts) -> Json:
    """Converts facts to JSON. Unset facts are left out, so that versions with few facts stay small."""
    return {
        f.name: encoded for f in fields(facts) if (encoded := to_json(getattr(facts, f.name))) not in (None, "", [], {})
    }


@cache
def _fields_of(make: Callable[..., Any]) -> frozenset[str]:
    return frozenset(f.name for f in fields(cast("Any", make)))


def _known(make: Callable[..., T], value: Mapping[str, Any]) -> T:
    """A record from the fields that this release knows."""
    names = _fields_of(make)
    if names.issuperset(value):
        return make(**value)
    return make(**{name: item for name, item in value.items() if name in names})


def _some(make: Callable[..., T], value: Mapping[str, Any] | None) -> T | None:
    return None if value is None else _known(make, value)


def dataset_from_json(value: Mapping[str, Any]) -> Dataset:
    fingerprint = value.get("fingerprint")
    typed = {
        "role": DatasetRole(value["role"]),
        "fingerprint": None if fingerprint is None else Fingerprint(fingerprint),
    }
    return _known(Dataset, {**value, **typed})


def directions_from_json(value: Mapping[str, str]) -> dict[str, Direction]:
    return {metric: Direction(direction) for metric, direction in value.items()}


def _source(value: Mapping[str, Any] | None) -> Source | None:
    return None if value is None else _known(Source, {**value, "arguments": tuple(value.get("arguments", ()))})


def facts_from_json(stored: Mapping[str, Any]) -> Facts:
    return Facts(
        params=stored.get("params", {}),
        metrics=stored.get("metrics", {}),
        directions=directions_from_json(stored.get("directions", {})),
        datasets=tuple(map(dataset_from_json, stored.get("datasets", ()))),
        source=_source(stored.get("source")),
        environment=_some(Environment, stored.get("environment")),
        framework=_some(Framework, stored.get("framework")),
        format=stored.get("format", ""),
        signature=_some(Signature, stored.get("signature")),
        parents=tuple(
            _known(Parent, {**value, "relation": Relation(value["relation"])}) for value in stored.get("parents", ())
        ),
        run=_some(Run, stored.get("run")),
    )
