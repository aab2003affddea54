"""Stored outcomes of requests with a request_id. A retry gets the stored outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from modelyard_server.db import tables
from modelyard_server.db.unit_of_work import Transaction

_REQUESTS = tables.requests.c
_INSERT = insert(tables.requests)
_FIND = select(_REQUESTS.payload_hash, _REQUESTS.snapshot, _REQUESTS.resource_key).where(
    _REQUESTS.actor == bindparam("actor"),
    _REQUESTS.method == bindparam("method"),
    _REQUESTS.request_id == bindparam("request_id"),
)


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """The outcome of a request with a request_id."""

    payload_hash: str
    snapshot: Mapping[str, Any]
    key: int
    """Key of the resource in the answer."""


class RequestRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def find(self, actor: str, method: str, request_id: str) -> StoredOutcome | None:
        parameters = {"actor": actor, "method": method, "request_id": request_id}
        row = (await self._connection.execute(_FIND, parameters)).one_or_none()
        return None if row is None else StoredOutcome(*row)

    async def add(self, actor: str, method: str, request_id: str, outcome: StoredOutcome, at: datetime) -> None:
        values = {
            "actor": actor,
            "method": method,
            "request_id": request_id,
            "payload_hash": outcome.payload_hash,
            "snapshot": outcome.snapshot,
            "resource_key": outcome.key,
            "create_time": at,
        }
        await self._connection.execute(_INSERT, values)

    async def sweep(self, before: datetime) -> int:
        """Removes older outcomes. Returns their number."""
        old = delete(tables.requests).where(_REQUESTS.create_time < before)
        return (await self._connection.execute(old)).rowcount
