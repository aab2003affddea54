"""Stores the answers of changes for their retries, encoded like the log's snapshots."""

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
    """See :class:`~modelyard_server.log.changes.Outcomes`. ``answer_fields`` gives fields that only answers have."""

    kind: Kind[R]
    answer_fields: Callable[[R], Mapping[str, Any]] = lambda _resource: {}

    def store(self, resource: R, /) -> Json:
        return {**self.kind.encode(resource), **self.answer_fields(resource)}

    async def restore(self, transaction: Transaction, outcome: StoredOutcome, /) -> R:  # noqa: ARG002 (others read rows)
        return replace(self.kind.decode(dict(outcome.snapshot)), key=outcome.key)
