"""Events: one for each change of one resource, chained by hash. The events of a namespace are its log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName

Json = dict[str, Any]

GENESIS: Final = "0" * 64
"""The previous hash of the first event of a namespace."""

Place = NamespaceName | ModelName | VersionName | AliasName
"""The scope of events: a namespace, a model with everything in it, or one version or alias."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one resource, before it has a revision."""

    namespace_key: int
    schema: int
    """Version of the snapshot's schema."""
    type: str
    """`model.created`, `alias.moved` and the like."""
    resource: str
    actor: str
    request_id: str
    reason: str
    time: datetime
    changes: Json
    """Field to [before, after]."""
    snapshot: Json
    """The resource after the change; before it, for one that was removed."""

    @property
    def kind(self) -> str:
        return self.type.partition(".")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A change with its revision, and the bytes that are stored."""

    revision: int
    change: Change
    previous_hash: str
    hash: str
    payload: bytes
    """The bytes that the hash covers. See :mod:`modelyard_server.log.encoding`."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as stored, not decoded."""

    revision: int
    payload: bytes
    hash: str
    columns: Mapping[str, Any]
    """The columns with copies of the event's fields."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The columns of an event that decide which webhooks receive it."""

    revision: int
    type: str
    resource: str
    model_id: str


@dataclass(frozen=True, slots=True)
class LogHead:
    """The end of a namespace's log, and its floor."""

    namespace_key: int
    revision: int
    hash: str
    floor: int
    """The last compacted revision; 0 if none is."""
    floor_hash: str


_MODELS: Final = "/models/"


def model_of(resource: str) -> str:
    """Id of the model of a resource; empty for others."""
    return resource.partition(_MODELS)[2].partition("/")[0]


def namespace_of(place: Place) -> NamespaceName:
    """The namespace of a scope."""
    match place:
        case NamespaceName():
            return place
        case VersionName() | AliasName():
            return NamespaceName(place.model.namespace)
        case _:
            return NamespaceName(place.namespace)
