"""The composition root: the capabilities of a server, how they are assembled, and how it starts and drains."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import structlog
from prometheus_client import disable_created_metrics, start_http_server

from modelyard_server import (
    comparison,
    deployments,
    evaluations,
    failpoints,
    lineage,
    log,
    registry,
    transfers,
    upkeep,
    webhooks,
)
from modelyard_server.blobs import factory as stores
from modelyard_server.blobs.store import BlobStore
from modelyard_server.calls import methods
from modelyard_server.calls.caller import Clock
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.page_tokens import PageTokens
from modelyard_server.capability import Capability, Parts, Running
from modelyard_server.config import Settings
from modelyard_server.data_directory import DataDirectory, DataDirectoryError
from modelyard_server.db import integrity, schema
from modelyard_server.db.connection import Engine
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url
from modelyard_server.db.secrets import shared_secret
from modelyard_server.db.unit_of_work import Database
from modelyard_server.interrupts import ends_at_once
from modelyard_server.jobs import Job
from modelyard_server.log.repository import append
from modelyard_server.offers import Offers
from modelyard_server.outbound.https import HttpsSender
from modelyard_server.outbound.sender import Sender
from modelyard_server.query.requests import Lists
from modelyard_server.rpc.expiry import CertificateExpiry
from modelyard_server.rpc.server import CertificateFiles, ListenError, Server
from modelyard_server.telemetry import Metrics
from modelyard_server.transfers.stores.service import join
from modelyard_server.upkeep.sweeper import Sweeper

J = TypeVar("J", bound=Job)

_log: Final = structlog.get_logger("modelyard.server")
_SWITCH_SECONDS: Final = 0.0005
"""After this long a thread that computes gives way to the event loop. By default it is ten times as long, and several
threads of the database held up the loop for a tenth of a second, as it waits for each of them several times a call."""
_PAGE_TOKENS: Final = "page_tokens"

CAPABILITIES: Final[Sequence[Capability]] = (
    log.CAPABILITY,
    registry.CAPABILITY,
    transfers.CAPABILITY,
    evaluations.CAPABILITY,
    lineage.CAPABILITY,
    comparison.CAPABILITY,
    deployments.CAPABILITY,
    webhooks.CAPABILITY,
    upkeep.CAPABILITY,
)
"""In order from the lowest to the highest. Each may use only those before it in this list."""


SERVICES: Final = tuple(service for capability in CAPABILITIES for service in capability.services)
"""Descriptors of the contract's services."""


def now() -> datetime:
    return datetime.now(UTC)


def offers_of(capabilities: Sequence[Capability]) -> Offers:
    """The implementations that capabilities offer to capabilities below them, without a running server."""
    return Offers(each for capability in capabilities for each in capability.offers)


def folders_of(capabilities: Sequence[Capability]) -> list[Path]:
    """Where capabilities outside this package keep their Alembic revisions."""
    return [each.migrations for each in capabilities if each.migrations is not None]


async def secrets_of(engine: Engine, capabilities: Sequence[Capability]) -> dict[str, bytes]:
    """The secrets that capabilities declare, and that of page tokens. The first replica creates them."""
    names = [_PAGE_TOKENS, *(name for capability in capabilities for name in capability.secrets)]
    return {name: await shared_secret(engine, name) for name in names}


class Registry:
    """The capabilities on one database and one store, and their gRPC server."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        *,
        sender: Sender,
        secrets: Mapping[str, bytes],
        limits: Limits,
        metrics: Metrics,
        capabilities: Sequence[Capability] = CAPABILITIES,
        reflect: bool = False,
        clock: Clock = now,
    ) -> None:
        self._sender = sender
        self._draining = asyncio.Event()
        parts = Parts(
            database=database,
            store=store,
            sender=sender,
            limits=limits,
            lists=Lists(PageTokens(secrets[_PAGE_TOKENS], clock, limits.page_token_ttl), limits),
            metrics=metrics,
            clock=clock,
            draining=self._draining,
            offers=offers_of(capabilities),
            secrets=dict(secrets),
        )
        # From the highest down: a capability needs the implementations of those above it.
        running: list[Running] = [capability.build(parts) for capability in reversed(capabilities)][::-1]
        self.sweeper = Sweeper([sweep for each in running for sweep in each.sweeps], clock)
        self._jobs: Sequence[Job] = [*(job for each in running for job in each.jobs), self.sweeper]
        self.server = Server(
            methods.table(service for capability in capabilities for service in capability.services),
            [servicer for each in running for servicer in each.servicers],
            limits=limits,
            metrics=metrics,
            probes={"database": database.probe, "store": store.probe},
            reflect=reflect,
        )

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    def job(self, kind: type[J]) -> J:
        """The job of that class."""
        (found,) = [job for job in self._jobs if isinstance(job, kind)]
        return found

    async def start(self) -> None:
        for job in self._jobs:
            await job.start()
        await self.server.start()

    async def drain(self, grace: float, delay: float = 0.0) -> None:
        """Sets health to NOT_SERVING, answers all calls as before for ``delay`` seconds, and ends streams.

        Balancers and clients that watch health leave during the delay. Streams end with an error after which clients
        resume them. Running calls have ``grace`` seconds.
        """
        await self.server.health.end()
        await asyncio.sleep(delay)
        self._draining.set()
        for job in self._jobs:
            await job.stop()
        await self.server.stop(grace)
        await self._sender.close()
        for job in self._jobs:
            await job.finish()


def engine_for(settings: Settings, directory: DataDirectory) -> Engine:
    if settings.database_url is None:
        url = sqlite_url(directory.database)
    else:
        url = parse_url(settings.database_url.get_secret_value())
    return create_engine(url, pool_size=settings.database_pool_size)


async def prepare(
    engine: Engine, directory: DataDirectory, capabilities: Sequence[Capability] = CAPABILITIES
) -> tuple[str | None, str]:
    """Migrates the schema of the embedded database. Returns the versions before and after."""
    await integrity.require_intact(engine, str(directory.database))
    folders = folders_of(capabilities)
    if await schema.version(engine, folders) is None and stores.has_blobs(directory.path):
        raise DataDirectoryError(
            f"{directory.database} is missing or empty, but the data folder has blobs. A new registry would not know"
            " them. Restore the database, or give an empty --data-dir."
        )
    return await schema.upgrade(engine, folders)


async def join_store(database: Database, directory: DataDirectory) -> None:
    """Raises :class:`StoreError` unless the folder's store belongs with the database. Until then nothing is made."""
    store = stores.existing_store(directory.path)
    try:
        await join(database, store, str(directory.path))
    finally:
        await store.close()


def _expose(metrics: Metrics, engine: Engine, directory: DataDirectory) -> None:
    metrics.gauge(
        "modelyard_database_connections", "Connections to the database in use.", lambda: float(engine.pool.in_use)
    )
    metrics.gauge(
        "modelyard_database_connections_limit", "Most connections to the database.", lambda: float(engine.pool.size)
    )
    metrics.gauge(
        "modelyard_disk_free_bytes",
        "Free bytes of the disk of the data folder.",
        lambda: float(shutil.disk_usage(directory.path).free),
    )
    metrics.gauge(
        "modelyard_disk_size_bytes",
        "Size of the disk of the data folder.",
        lambda: float(shutil.disk_usage(directory.path).total),
    )


@asynccontextmanager
async def open_registry(
    settings: Settings,
    directory: DataDirectory,
    metrics: Metrics,
    limits: Limits,
    capabilities: Sequence[Capability] = CAPABILITIES,
) -> AsyncIterator[Registry]:
    """Opens a registry with its database and store, and closes them at the end."""
    async with AsyncExitStack() as stack:
        engine = engine_for(settings, directory)
        stack.push_async_callback(engine.dispose)
        if settings.embedded:
            before, after = await prepare(engine, directory, capabilities)
            if before != after:
                _log.info("migrated", before=before, after=after)
        else:
            await schema.require_current(engine, folders_of(capabilities))
        database = Database(engine, append)
        stack.push_async_callback(database.close)
        await join_store(database, directory)
        store = await stores.open_store(directory.path)
        stack.push_async_callback(store.close)
        _expose(metrics, engine, directory)
        yield Registry(
            database,
            store,
            sender=HttpsSender(settings.reachable),
            secrets=await secrets_of(engine, capabilities),
            limits=limits,
            metrics=metrics,
            capabilities=capabilities,
            reflect=settings.reflection,
        )


def _serve_metrics(address: str, metrics: Metrics) -> str:
    host, _, port = address.rpartition(":")
    try:
        server, _thread = start_http_server(int(port), host.strip("[]"), registry=metrics.registry)
    except (OSError, socket.gaierror) as error:
        raise ListenError(
            f"Can't serve metrics on {address}: {error.strerror}. Give another --admin-listen, or leave it empty."
        ) from error
    return f"{host}:{server.server_port}"


def arm_failpoints(settings: Settings) -> None:
    failpoints.arm(os.environ.get(failpoints.VARIABLE, ""), development=settings.development)


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Before it serves, they end the process at once."""
    arm_failpoints(settings)
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[float] = loop.create_future()
    sys.setswitchinterval(_SWITCH_SECONDS)
    # A second series for each counter, which no dashboard of ours uses.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for it
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        with ends_at_once():
            directory = DataDirectory.open(settings.data_dir)
            stack.callback(directory.close)
            registry_ = await stack.enter_async_context(open_registry(settings, directory, metrics, Limits()))
            files = certificate = None
            if settings.tls_cert is not None and settings.tls_key is not None:
                files = settings.tls_cert, settings.tls_key
                certificate = CertificateFiles(*files)
            expiry = CertificateExpiry(files, now, metrics)
            port = registry_.server.listen(settings.listen, certificate)
            admin = _serve_metrics(settings.admin_listen, metrics) if settings.admin_listen else ""
        # Ctrl-C comes from a person at a terminal. No balancer has to see it first.
        for number, delay in ((signal.SIGTERM, settings.drain_delay_seconds), (signal.SIGINT, 0.0)):
            loop.add_signal_handler(number, _settle, stop, delay)
        await expiry.start()
        await registry_.start()
        address = settings.listen if settings.listen.startswith("unix") else _with_port(settings.listen, port)
        facts = {"tls": certificate is not None, "metrics": admin, "data_dir": str(directory.path)}
        _log.info("serving", address=address, **facts)
        delay, grace = await stop, settings.grace_seconds
        _log.info("draining", delay_seconds=delay, grace_seconds=grace)
        for number in (signal.SIGTERM, signal.SIGINT):  # a second signal ends it at once
            loop.remove_signal_handler(number)
        await registry_.drain(grace, delay)
        await expiry.stop()
    _log.info("stopped")


def _settle(stop: "asyncio.Future[float]", delay: float) -> None:
    if not stop.done():
        stop.set_result(delay)


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"
