"""Kinds of resources in the log. Each capability declares its own. The log knows them only by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from google.protobuf.message import Message

from modelyard_server.calls.resource import Resource
from modelyard_server.log.encoding import bare, without_empty
from modelyard_server.log.values import Json

R = TypeVar("R", bound=Resource)

# They change with every other field.
_FOLLOWERS: Final = frozenset({"update_time", "row_version"})


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[R]):
    """Encodes and decodes resources of one kind for the log.

    ``encode`` writes a snapshot with all the fields of the newest schema. ``decode`` reads a snapshot of any schema: it
    takes a default for a field that is absent, and ignores one that it does not know.
    """

    name: str
    """The first part of its event types, for example `model`."""
    verbs: tuple[str, ...]
    """The second parts of its event types."""
    removals: tuple[str, ...] = ()
    """Verbs after which the resource has no row."""
    schemas: Mapping[int, frozenset[str]]
    """Fields of a snapshot, by the version of its schema. The newest is written."""
    uncompared: frozenset[str] = frozenset()
    """Fields that change without an event of this kind."""
    records: frozenset[str] = frozenset()
    """Fields that hold records, or lists of them. A member of a record that is absent is the same as an empty one."""
    encode: Callable[[R], Json]
    decode: Callable[[Json], R]
    message_field: str = ""
    """Of the contract's Event: where its snapshot goes. Empty if there is none."""
    render: Callable[[R], Message] | None = None

    @property
    def schema(self) -> int:
        return max(self.schemas)

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{verb}" for verb in self.verbs)

    @property
    def removal_types(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{verb}" for verb in self.removals)

    def snapshot(self, resource: R) -> Json:
        """The snapshot of a resource for the log."""
        encoded = self.encode(resource)
        assert encoded.keys() == self.schemas[self.schema], encoded.keys() ^ self.schemas[self.schema]
        return without_empty(encoded)

    @staticmethod
    def resource_name(resource: R) -> str:
        return str(getattr(resource, "name"))  # noqa: B009 (the names of resources have types of their own)

    def changes(self, old: Json, new: Json) -> Json:
        """The differences between two snapshots: field to [before, after]."""
        names = sorted(old.keys() | new.keys())
        return {
            name: [old.get(name), new.get(name)]
            for name in names
            if old.get(name) != new.get(name) and name not in _FOLLOWERS
        }

    def differences(self, row: Json, schema: int, snapshot: Json) -> list[str]:
        """The fields in which a row, as a snapshot of ours, is not as a stored snapshot of some schema says."""
        told = without_empty(snapshot)

        def value(of: Json, name: str) -> Any:
            return bare(of.get(name)) if name in self.records else of.get(name)

        return sorted(name for name in self.compared(schema, told) if value(row, name) != value(told, name))

    def compared(self, schema: int, snapshot: Json) -> frozenset[str]:
        """The fields that a snapshot of some schema and one of ours both have.

        A newer release's schema is not known here. Only fields that such a snapshot holds are sure to be its own.
        """
        theirs = self.schemas.get(schema, frozenset(snapshot))
        return (self.schemas[self.schema] & theirs) - self.uncompared


class Kinds:
    """All that a server knows."""

    def __init__(self, kinds: Iterable[Kind[Any]]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def of(self, name: str) -> Kind[Any] | None:
        """The kind with this name; None for a kind of another release."""
        return self._kinds.get(name)

    @property
    def types(self) -> frozenset[str]:
        """All event types."""
        return frozenset(type_ for kind in self._kinds.values() for type_ in kind.types)

    @property
    def removals(self) -> tuple[str, ...]:
        """The types of events after which a resource has no row."""
        return tuple(type_ for kind in self._kinds.values() for type_ in kind.removal_types)
