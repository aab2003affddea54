"""A registry in this process: real services, real database, real folder, real channel; only the clock is ours."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy import text

from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.deployments_pb2_grpc import DeploymentsServiceStub
from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceStub
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard.v1.lineage_pb2_grpc import LineageServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub
from modelyard.v1.webhooks_pb2_grpc import WebhooksServiceStub
from modelyard_server.app import CAPABILITIES, Registry, folders_of
from modelyard_server.blobs.local import LocalStore
from modelyard_server.calls.limits import Limits
from modelyard_server.capability import Capability
from modelyard_server.db import schema
from modelyard_server.db.connection import Engine
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url
from modelyard_server.db.metadata import metadata
from modelyard_server.db.unit_of_work import Database
from modelyard_server.log.repository import append
from modelyard_server.outbound.https import HttpsSender
from modelyard_server.outbound.sender import Sender
from modelyard_server.telemetry import Metrics
from tests.support.children import PATIENCE
from tests.support.templates import sqlite_at

if TYPE_CHECKING:
    from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceAsyncStub
    from modelyard.v1.deployments_pb2_grpc import DeploymentsServiceAsyncStub
    from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceAsyncStub
    from modelyard.v1.events_pb2_grpc import EventsServiceAsyncStub
    from modelyard.v1.lineage_pb2_grpc import LineageServiceAsyncStub
    from modelyard.v1.registry_pb2_grpc import RegistryServiceAsyncStub
    from modelyard.v1.webhooks_pb2_grpc import WebhooksServiceAsyncStub

_TABLES: Final = metadata.sorted_tables


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class RunningRegistry:
    """What a test talks to, and may look behind."""

    registry: "RegistryServiceAsyncStub"
    artifacts: "ArtifactsServiceAsyncStub"
    events: "EventsServiceAsyncStub"
    lineage: "LineageServiceAsyncStub"
    evaluations: "EvaluationsServiceAsyncStub"
    webhooks: "WebhooksServiceAsyncStub"
    deployments: "DeploymentsServiceAsyncStub"
    channel: grpc.aio.Channel
    address: str
    engine: Engine
    database: Database
    store: LocalStore
    root: Path
    clock: Clock
    limits: Limits
    app: Registry
    metrics: Metrics

    async def sql(self, query: str, **values: Any) -> list[Any]:
        return list(await self.engine.read(lambda connection: connection.execute(text(query), values)))

    async def dump(self) -> dict[str, list[Any]]:
        """All rows of all tables, and all files of bytes: equal dumps mean that nothing changed."""
        dump = {table.name: await self.sql(f"SELECT * FROM {table.name} ORDER BY 1, 2") for table in _TABLES}
        for folder in ("blobs", "staging"):
            walk = os.walk(self.root / folder)
            files = ((name, Path(place, name).stat()) for place, _folders, names in walk for name in names)
            dump[f"{folder}/"] = sorted((name, status.st_size, status.st_mtime_ns) for name, status in files)
        return dump


@asynccontextmanager
async def running_registry(
    database_url: str,
    root: Path,
    *,
    limits: Limits | None = None,
    sender: Sender | None = None,
    capabilities: Sequence[Capability] = CAPABILITIES,
) -> AsyncIterator[RunningRegistry]:
    """``database_url`` is that of a migrated database. ``sqlite`` is a file below ``root``, made if it is missing."""
    root.mkdir(parents=True, exist_ok=True)
    file = root / "test.db"
    if database_url == "sqlite" and not file.exists():
        sqlite_at(file)
    url = sqlite_url(file) if database_url == "sqlite" else parse_url(database_url)
    # A busy machine is no overload that a test wants to hear of: that is tested with a server of its own.
    engine = create_engine(url, pool_timeout=PATIENCE)
    if folders := folders_of(capabilities):
        await schema.upgrade(engine, folders)
    database = Database(engine, append)
    store = await LocalStore.open(root)
    clock, metrics, limits = Clock(), Metrics(), limits or Limits()
    app = Registry(
        database,
        store,
        sender=sender or HttpsSender(),
        secrets={"page_tokens": b"k" * 32, "webhooks": b"w" * 32},
        limits=limits,
        metrics=metrics,
        capabilities=capabilities,
        reflect=True,
        clock=clock,
    )
    port = app.server.listen("127.0.0.1:0", None)
    await app.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield RunningRegistry(
                registry=RegistryServiceStub(channel),
                artifacts=ArtifactsServiceStub(channel),
                events=EventsServiceStub(channel),
                lineage=LineageServiceStub(channel),
                evaluations=EvaluationsServiceStub(channel),
                webhooks=WebhooksServiceStub(channel),
                deployments=DeploymentsServiceStub(channel),
                channel=channel,
                address=f"127.0.0.1:{port}",
                engine=engine,
                database=database,
                store=store,
                root=root,
                clock=clock,
                limits=limits,
                app=app,
                metrics=metrics,
            )
    finally:
        await app.drain(1.0)
        await database.close()
        await store.close()


@dataclass
class Refusal:
    """An error as a client gets it."""

    code: grpc.StatusCode
    message: str
    info: error_details_pb2.ErrorInfo
    details: dict[str, Message]

    @property
    def reason(self) -> str:
        return str(self.info.reason)

    @property
    def violations(self) -> dict[str, str]:
        """The violation of each field."""
        bad = self.details["BadRequest"]
        assert isinstance(bad, error_details_pb2.BadRequest)
        return {violation.field: violation.description for violation in bad.field_violations}

    @property
    def fields(self) -> list[str]:
        bad = self.details["BadRequest"]
        assert isinstance(bad, error_details_pb2.BadRequest)
        return [violation.field for violation in bad.field_violations]


def refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """Decodes the details: exactly one ErrorInfo, each kind at most once."""
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    assert isinstance(raw, bytes), f"no details: {error}"
    status = status_pb2.Status.FromString(raw)
    assert status.code == error.code().value[0]
    details: dict[str, Message] = {}
    for packed in status.details:
        kind = packed.TypeName().rpartition(".")[2]
        assert kind not in details
        details[kind] = message = getattr(error_details_pb2, kind)()
        packed.Unpack(message)
    info = details["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert info.domain == "modelyard.dev"
    return Refusal(error.code(), error.details() or "", info, details)


async def refused(call: Any) -> Refusal:
    """Awaits a call that must fail, or reads a stream that must."""
    try:
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return refusal(error)
    raise AssertionError("the call was not refused")
