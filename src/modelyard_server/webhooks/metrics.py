"""Prometheus metrics of webhooks."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from modelyard_server.calls.errors import RegistryError
from modelyard_server.db.unit_of_work import Database
from modelyard_server.jobs import Job
from modelyard_server.telemetry import Metrics
from modelyard_server.webhooks.deliveries.repository import DeliveryRepository

_SECONDS: Final = 10.0

_log: Final = structlog.get_logger("modelyard.webhooks")


def attempts(metrics: Metrics) -> Counter:
    """Counts attempts to deliver, by outcome: `delivered`, `failed` or `given_up`."""
    return Counter(
        "modelyard_webhook_attempts",
        "Attempts to deliver an event to a webhook, by outcome.",
        ("outcome",),
        registry=metrics.registry,
    )


class Backlog(Job):
    """Counts what is still to be delivered, every few seconds: too dear to be done whenever Prometheus asks."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._gauge = Gauge(
            "modelyard_webhook_backlog",
            "Deliveries of the whole registry that are still to be made. All its servers tell the same number.",
            registry=metrics.registry,
        )
        self._counting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._counting = asyncio.create_task(self._count_for_ever())

    async def stop(self) -> None:
        if self._counting is not None:
            self._counting.cancel()
            with suppress(asyncio.CancelledError):
                await self._counting

    async def count(self) -> None:
        pending = await self._database.read(lambda transaction: DeliveryRepository(transaction).count_pending())
        self._gauge.set(pending)

    async def _count_for_ever(self) -> None:
        while True:
            try:
                await self.count()
            except RegistryError as error:  # the database is down: the next round tries again
                _log.warning("can't count deliveries", reason=error.reason)
            await asyncio.sleep(_SECONDS)
