"""Events: one for each change of one resource, chained by hash. A namespace's events are its log: the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName

Json = dict[str, Any]

GENESIS: Final = "0" * 64
"""The previous hash of the first event of a namespace."""

Place = NamespaceName | ModelName | VersionName | AliasName
"""Where to look for events: in a namespace all, in a model those of everything in it, else those of one resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one resource, before it has a revision."""

    namespace_key: int
    schema: int
    """Version of the form that the snapshot has."""
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
    """A change at its place in the log, with the bytes that it is stored as."""

    revision: int
    change: Change
    previous_hash: str
    hash: str
    payload: bytes
    """What the hash covers. See :mod:`modelyard_server.log.encoding`."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it lies in the database, its bytes not read yet."""

    revision: int
    payload: bytes
    hash: str
    columns: Mapping[str, Any]
    """Those that are copies of fields in the bytes."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The columns of an event that decide who wants it."""

    revision: int
    type: str
    resource: str
    model_id: str


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where a namespace's log ends, and where the kept part of it begins."""

    namespace_key: int
    revision: int
    hash: str
    floor: int
    """The last revision that is not kept any more; 0 if all are."""
    floor_hash: str


_MODELS: Final = "/models/"


def model_of(resource: str) -> str:
    """Id of the model that a resource is, or is in; empty for others."""
    return resource.partition(_MODELS)[2].partition("/")[0]


def namespace_of(place: Place) -> NamespaceName:
    """The namespace whose log tells of a place."""
    match place:
        case NamespaceName():
            return place
        case VersionName() | AliasName():
            return NamespaceName(place.model.namespace)
        case _:
            return NamespaceName(place.namespace)
