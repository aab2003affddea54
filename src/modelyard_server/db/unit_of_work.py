"""Transactions: opened and ended here and nowhere else."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Collection
from itertools import groupby
from typing import Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from modelyard_server import failpoints
from modelyard_server.db import tables
from modelyard_server.db.connection import Connection, Engine
from modelyard_server.db.faults import explained, is_conflict
from modelyard_server.db.protocols import (
    AliasRepository,
    BlobRepository,
    DeliveryRepository,
    DeploymentRepository,
    EvaluationRepository,
    EventRepository,
    ModelRepository,
    NamespaceRepository,
    RequestRepository,
    Transaction,
    UploadRepository,
    UsageRepository,
    VersionRepository,
    WebhookRepository,
)
from modelyard_server.db.requests import SqlRequests
from modelyard_server.deployments.repository import SqlDeployments
from modelyard_server.deployments.usage.repository import SqlUsage
from modelyard_server.evaluations.repository import SqlEvaluations
from modelyard_server.log import repository as events
from modelyard_server.log.repository import SqlEvents
from modelyard_server.log.values import Change
from modelyard_server.registry.aliases.repository import SqlAliases
from modelyard_server.registry.models.repository import SqlModels
from modelyard_server.registry.namespaces.repository import SqlNamespaces
from modelyard_server.registry.versions.repository import SqlVersions
from modelyard_server.transfers.blobs.repository import SqlBlobs
from modelyard_server.transfers.uploads.repository import SqlUploads
from modelyard_server.webhooks.deliveries.repository import SqlDeliveries
from modelyard_server.webhooks.repository import SqlWebhooks

T = TypeVar("T")

_ATTEMPTS: Final = 5
_BACKOFF: Final = 0.01
_SECRET_BYTES: Final = 32


class SqlTransaction:
    """One transaction's repositories, and the changes that it will log."""

    def __init__(self, connection: Connection) -> None:
        self.namespaces: NamespaceRepository = SqlNamespaces(connection)
        self.models: ModelRepository = SqlModels(connection)
        self.versions: VersionRepository = SqlVersions(connection)
        self.aliases: AliasRepository = SqlAliases(connection)
        self.blobs: BlobRepository = SqlBlobs(connection)
        self.uploads: UploadRepository = SqlUploads(connection)
        self.requests: RequestRepository = SqlRequests(connection)
        self.events: EventRepository = SqlEvents(connection)
        self.evaluations: EvaluationRepository = SqlEvaluations(connection)
        self.webhooks: WebhookRepository = SqlWebhooks(connection)
        self.deliveries: DeliveryRepository = SqlDeliveries(connection)
        self.deployments: DeploymentRepository = SqlDeployments(connection)
        self.usage: UsageRepository = SqlUsage(connection)
        self._connection = connection
        self._changes: list[Change] = []
        self._discarded = False

    def record(self, change: Change) -> None:
        self._changes.append(change)

    def discard(self) -> None:
        self._discarded = True

    async def finish(self) -> Collection[int]:
        """Commits; the keys of the namespaces whose logs went on."""
        if self._discarded:
            await self._connection.rollback()
            return ()
        # Namespaces in one order everywhere, so that two transactions never lock two heads crosswise.
        ordered = sorted(self._changes, key=lambda change: change.namespace_key)
        if ordered:
            failpoints.hit("commit.before_events")
        for namespace_key, changes in groupby(ordered, key=lambda change: change.namespace_key):
            await events.append(self._connection, namespace_key, list(changes))
        failpoints.hit("commit.before_db")
        await self._connection.commit()
        failpoints.hit("commit.after_db")
        return {change.namespace_key for change in ordered}


class SqlDatabase:
    """Runs units of work on one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: set[asyncio.Task[Any]] = set()
        self._listeners: list[Callable[[Collection[int]], None]] = []

    def listen(self, listener: Callable[[Collection[int]], None]) -> None:
        """Tells ``listener`` of each commit by this process: the keys of the namespaces whose logs went on."""
        self._listeners.append(listener)

    async def read(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with explained():
            return await self._engine.read(lambda connection: work(SqlTransaction(connection)))

    async def look(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with explained():
            return await self._engine.look(lambda connection: work(SqlTransaction(connection)))

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        # A transaction that is cancelled half-way may or may not have committed; one that runs to its end is known.
        task = asyncio.create_task(self._write(work))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone; nobody else is to be told

    async def _write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with explained():
            for attempt in range(_ATTEMPTS):
                try:
                    result, changed = await self._engine.write(lambda connection: _attempt(connection, work))
                except Exception as error:
                    if not is_conflict(error) or attempt == _ATTEMPTS - 1:
                        raise
                else:
                    if changed:
                        for listener in self._listeners:
                            listener(changed)
                    return result
                await asyncio.sleep(_BACKOFF * 2**attempt * (1 + random.random()))  # noqa: S311 (no secret)
        raise AssertionError("unreachable")

    async def secret(self, identity: str) -> bytes:
        """32 random bytes that all replicas on this database share, made by the first that asks."""

        async def work(connection: Connection) -> bytes:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            fresh = insert(tables.secrets).values(id=identity, value=os.urandom(_SECRET_BYTES))
            await connection.execute(fresh.on_conflict_do_nothing())
            stored = select(tables.secrets.c.value).where(tables.secrets.c.id == identity)
            secret = bytes((await connection.execute(stored)).scalar_one())
            await connection.commit()
            return secret

        async with explained():
            return await self._engine.write(work)

    async def close(self) -> None:
        """Lets running transactions end, then closes all connections."""
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()


async def _attempt(connection: Connection, work: Callable[[Transaction], Awaitable[T]]) -> tuple[T, Collection[int]]:
    transaction = SqlTransaction(connection)
    result = await work(transaction)
    return result, await transaction.finish()
