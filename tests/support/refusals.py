"""Tables of refused calls. A row is one call and its answer. The call must have no other effect."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from tests.support.calls import Call
from tests.support.registry import RunningRegistry, refused

Code = grpc.StatusCode

_SECRETS = ("Traceback", "sqlite", "asyncpg", "SELECT", "INSERT")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to be refused by a registry that has the model `fraud`, see :func:`tests.support.calls.fraud`."""

    id: str
    call: Call | None = None
    after: Callable[[RunningRegistry], Awaitable[Call]] | None = None
    """Prepares resources in addition to `fraud`, and returns the call that must be refused."""
    code: grpc.StatusCode = Code.INVALID_ARGUMENT
    reason: str = "INVALID_FIELD"
    detail: str = ""
    """A kind of detail that the error must carry."""
    fields: tuple[str, ...] = ()
    """The violations, all of them."""
    metadata: tuple[str, ...] = ()
    changes: frozenset[str] = frozenset()
    """What the call may change nevertheless, of what :meth:`RunningRegistry.dump` tells."""


async def check(yard: RunningRegistry, row: Row) -> None:
    """Makes the call of a row, and holds the registry to it."""
    call = row.call if row.after is None else await row.after(yard)
    assert call is not None
    before = await yard.dump()

    got = await refused(call(yard))

    assert (got.code, got.reason) == (row.code, row.reason), got.message
    assert row.detail in got.details or not row.detail
    assert tuple(got.fields) == row.fields if row.fields else True
    assert set(row.metadata) <= set(got.info.metadata)
    for secret in (*_SECRETS, str(yard.root)):
        assert secret not in got.message
    after = await yard.dump()
    assert {name for name in before if after[name] != before[name]} <= row.changes
