"""The composition root: what a server is made of, in which order it starts, and in which it drains."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import partial
from typing import Final, Self

import structlog
from prometheus_client import start_http_server

from modelyard.core.names import DEFAULT_NAMESPACE, NamespaceName
from modelyard_server import failpoints
from modelyard_server.blobs.local import LocalStore
from modelyard_server.blobs.store import BlobStore
from modelyard_server.calls.errors import RegistryError
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.page_tokens import PageTokens
from modelyard_server.config import Settings
from modelyard_server.data_directory import DataDirectory, DataDirectoryError, database_in
from modelyard_server.db import integrity, schema
from modelyard_server.db.connection import Engine
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url
from modelyard_server.db.unit_of_work import SqlDatabase
from modelyard_server.deployments.service import Deployments
from modelyard_server.deployments.servicer import DeploymentsServicer
from modelyard_server.deployments.usage.service import UsageCounter
from modelyard_server.evaluations.service import Evaluations
from modelyard_server.evaluations.servicer import EvaluationsServicer
from modelyard_server.lineage.service import Lineage
from modelyard_server.lineage.servicer import LineageServicer
from modelyard_server.log.changes import Clock, Mutations
from modelyard_server.log.service import Log
from modelyard_server.log.servicer import EventsServicer
from modelyard_server.log.watching import Watching
from modelyard_server.outbound.https import HttpsSender
from modelyard_server.outbound.sender import WebhookSender
from modelyard_server.registry.aliases.service import Aliases
from modelyard_server.registry.models.service import Models
from modelyard_server.registry.namespaces.service import Namespaces
from modelyard_server.registry.resolving.service import Resolver
from modelyard_server.registry.servicer import RegistryServicer
from modelyard_server.registry.versions.service import Versions
from modelyard_server.rpc.server import CertificateFiles, ListenError, Server
from modelyard_server.telemetry import Metrics
from modelyard_server.transfers.blobs.service import Blobs
from modelyard_server.transfers.downloads.service import Downloads
from modelyard_server.transfers.servicer import ArtifactsServicer
from modelyard_server.transfers.uploads.service import Uploads
from modelyard_server.upkeep.fsck import ConsistencyCheck, Progress, Report
from modelyard_server.upkeep.sql_inventory import SqlInventory
from modelyard_server.upkeep.sweeps import Maintenance
from modelyard_server.webhooks import cloud_events
from modelyard_server.webhooks.deliveries.jobs import Dispatcher
from modelyard_server.webhooks.deliveries.service import Deliveries
from modelyard_server.webhooks.service import Webhooks
from modelyard_server.webhooks.servicer import WebhooksServicer

_log: Final = structlog.get_logger("modelyard.server")
_SWEEP_SECONDS: Final = 600.0


def now() -> datetime:
    return datetime.now(UTC)


def _arm_failpoints(settings: Settings) -> None:
    failpoints.arm(os.environ.get(failpoints.VARIABLE, ""), development=settings.development)


def engine_for(settings: Settings, directory: DataDirectory) -> Engine:
    if settings.database_url is None:
        url = sqlite_url(directory.database)
    else:
        url = parse_url(settings.database_url.get_secret_value())
    return create_engine(url, pool_size=settings.database_pool_size)


async def _prepare(engine: Engine, directory: DataDirectory) -> tuple[str | None, str]:
    """Brings the embedded database's schema up to ours; its version before and now."""
    await integrity.require_intact(engine, str(directory.database))
    if await schema.version(engine) is None and LocalStore.has_blobs(directory.path):
        raise DataDirectoryError(
            f"{directory.database} is missing or empty, but there are blobs beside it: as a new registry this one would"
            " know none of them. Restore the database, or give an empty --data-dir"
        )
    return await schema.upgrade(engine)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What all replicas on one database share, and nobody else knows."""

    page_tokens: bytes
    webhooks: bytes

    @classmethod
    async def of(cls, database: SqlDatabase) -> Self:
        return cls(*[await database.secret(field.name) for field in fields(cls)])


class Registry:
    """The services on one database and one store, and the gRPC server before them."""

    def __init__(
        self,
        database: SqlDatabase,
        store: BlobStore,
        *,
        sender: WebhookSender,
        secrets: Secrets,
        limits: Limits,
        metrics: Metrics,
        reflect: bool = False,
        clock: Clock = now,
    ) -> None:
        mutations = Mutations(database, clock, limits)
        aliases = Aliases(mutations)
        blobs = Blobs(mutations, store)
        self.namespaces = Namespaces(mutations)
        self.uploads = Uploads(mutations, blobs, store)
        self.usage = UsageCounter(mutations)
        self.maintenance = Maintenance(mutations, store)
        self._draining = asyncio.Event()
        self._sender = sender
        page_tokens = PageTokens(secrets.page_tokens, clock, limits.page_token_ttl)
        registry = RegistryServicer(
            self.namespaces,
            Models(mutations),
            Versions(mutations, aliases),
            aliases,
            Resolver(database, clock, self.usage),
            page_tokens,
            limits,
        )
        artifacts = ArtifactsServicer(
            blobs,
            self.uploads,
            Downloads(database, store, limits.preferred_chunk_bytes, limits.batch_bytes, self.usage),
            limits,
            store.compose_threshold,
            self._draining,
        )
        self._watching = Watching(database, progress_seconds=limits.watch_progress)
        database.listen(self._watching.committed)
        events = EventsServicer(Log(mutations), self._watching, page_tokens, limits)
        lineage = LineageServicer(Lineage(database))
        evaluations = EvaluationsServicer(Evaluations(mutations), page_tokens, limits)
        self.dispatcher = Dispatcher(
            mutations, sender, cloud_events.render, secrets.webhooks, observe=metrics.delivered
        )
        database.listen(self.dispatcher.committed)
        trial = partial(cloud_events.trial, clock=clock)
        deliveries = Deliveries(mutations, sender, secrets.webhooks, trial, self.dispatcher.wake)
        self.server = Server(
            registry,
            artifacts,
            events,
            lineage,
            evaluations,
            DeploymentsServicer(Deployments(mutations), page_tokens, limits),
            WebhooksServicer(Webhooks(mutations, secrets.webhooks), deliveries, page_tokens, limits),
            limits=limits,
            metrics=metrics,
            reflect=reflect,
        )

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    async def start(self) -> None:
        await self.namespaces.ensure_default(NamespaceName(DEFAULT_NAMESPACE))
        self.dispatcher.start()
        await self.server.start()

    async def drain(self, grace: float) -> None:
        """Health says NOT_SERVING, streams end so that they can be resumed, small calls run to their end."""
        self._draining.set()
        await self._watching.close()
        await self.dispatcher.close()
        await self.server.stop(grace)
        await self._sender.close()
        await self.uploads.drain()
        await self.usage.flush()


@asynccontextmanager
async def open_registry(
    settings: Settings, directory: DataDirectory, metrics: Metrics, limits: Limits
) -> AsyncIterator[Registry]:
    """A registry on its database and store, which are closed after it."""
    async with AsyncExitStack() as stack:
        engine = engine_for(settings, directory)
        stack.push_async_callback(engine.dispose)
        if settings.embedded:
            before, after = await _prepare(engine, directory)
            if before != after:
                _log.info("migrated", before=before, after=after)
        else:
            await schema.require_current(engine)
        database = SqlDatabase(engine)
        stack.push_async_callback(database.close)
        store = await LocalStore.open(directory.path)
        stack.push_async_callback(store.close)
        yield Registry(
            database,
            store,
            sender=HttpsSender(settings.reachable),
            secrets=await Secrets.of(database),
            limits=limits,
            metrics=metrics,
            reflect=settings.reflection,
        )


async def _sweep_for_ever(maintenance: Maintenance) -> None:
    while True:
        try:
            if expired := await maintenance.sweep():
                _log.info("expired", uploads=expired)
        except RegistryError as error:  # the disk or the database is down: the next round tries again
            _log.warning("sweep failed", reason=error.reason)
        await asyncio.sleep(_SWEEP_SECONDS)


def _serve_metrics(address: str, metrics: Metrics) -> str:
    host, _, port = address.rpartition(":")
    try:
        server, _thread = start_http_server(int(port), host.strip("[]"), registry=metrics.registry)
    except (OSError, socket.gaierror) as error:
        raise ListenError(
            f"can't serve metrics on {address}: {error.strerror}; give another --admin-listen, or an empty one for none"
        ) from error
    return f"{host}:{server.server_port}"


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then drains."""
    _arm_failpoints(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    directory = DataDirectory.open(settings.data_dir)
    try:
        metrics = Metrics()
        async with open_registry(settings, directory, metrics, Limits()) as registry:
            certificate = None
            if settings.tls_cert is not None and settings.tls_key is not None:
                certificate = CertificateFiles(settings.tls_cert, settings.tls_key)
            port = registry.server.listen(settings.listen, certificate)
            admin = _serve_metrics(settings.admin_listen, metrics) if settings.admin_listen else ""
            await registry.start()
            beside = [
                asyncio.create_task(work)
                for work in (_sweep_for_ever(registry.maintenance), registry.usage.flush_for_ever())
            ]
            address = settings.listen if settings.listen.startswith("unix") else _with_port(settings.listen, port)
            facts = {"tls": certificate is not None, "metrics": admin, "data_dir": str(directory.path)}
            _log.info("serving", address=address, **facts)
            await stop.wait()
            _log.info("draining", grace_seconds=settings.grace_seconds)
            for number in (signal.SIGTERM, signal.SIGINT):  # a second signal ends it at once
                loop.remove_signal_handler(number)
            for task in beside:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await registry.drain(settings.grace_seconds)
        _log.info("stopped")
    finally:
        directory.close()


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"


async def check(settings: Settings, *, read_data: bool, progress: Progress) -> Report:
    """Checks what a server with these settings keeps, whether one runs or not. Changes nothing, and makes nothing."""
    database = database_in(settings.data_dir)
    if settings.embedded and not database.is_file():
        raise DataDirectoryError(f"there is no registry in {settings.data_dir}: it has no {database.name}")
    if not LocalStore.is_in(settings.data_dir):
        raise DataDirectoryError(f"there are no blobs in {settings.data_dir}; give the --data-dir that the server has")
    url = sqlite_url(database) if settings.database_url is None else parse_url(settings.database_url.get_secret_value())
    engine = create_engine(url, read_only=True)
    store = LocalStore(settings.data_dir)
    try:
        if settings.embedded:
            await integrity.require_intact(engine, str(database))
        await schema.require_current(engine)
        return await ConsistencyCheck(SqlInventory(engine), store, now, progress).run(read_data=read_data)
    finally:
        await store.close()
        await engine.dispose()


async def migrate(settings: Settings) -> tuple[str | None, str]:
    """Brings the database's schema up to this release's; its version before and now."""
    _arm_failpoints(settings)
    directory = DataDirectory.open(settings.data_dir) if settings.embedded else None
    try:
        if directory is None:
            assert settings.database_url is not None
            engine = create_engine(parse_url(settings.database_url.get_secret_value()))
        else:
            engine = engine_for(settings, directory)
        try:
            return await (schema.upgrade(engine) if directory is None else _prepare(engine, directory))
        finally:
            await engine.dispose()
    finally:
        if directory is not None:
            directory.close()
