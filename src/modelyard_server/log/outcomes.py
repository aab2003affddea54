"""Answers of changes that are stored for their retries as the log's snapshots are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from modelyard_server.calls.resource import Resource
from modelyard_server.db.requests import StoredOutcome
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.kinds import Kind
from modelyard_server.log.values import Json

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True)
class SnapshotOutcomes(Generic[R]):
    """See :class:`~modelyard_server.log.changes.Outcomes`. ``beside`` gives fields that only answers have."""

    kind: Kind[R]
    beside: Callable[[R], Mapping[str, Any]] = lambda _resource: {}

    def store(self, resource: R, /) -> Json:
        return {**self.kind.encode(resource), **self.beside(resource)}

    async def restore(self, transaction: Transaction, outcome: StoredOutcome, /) -> R:  # noqa: ARG002 (others read rows)
        return replace(self.kind.decode(dict(outcome.snapshot)), key=outcome.key)
