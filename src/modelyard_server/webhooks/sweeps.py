"""Removes deleted webhooks and old deliveries, and makes those due that a clock that was put back would delay."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from modelyard.core.times import CLOCK_SKEW
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.webhooks.deliveries.jobs import CLAIM_DURATION
from modelyard_server.webhooks.deliveries.repository import DeliveryRepository
from modelyard_server.webhooks.repository import WebhookRepository

_BATCH: Final = 100
_REMOVED_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class ForgetDeliveries:
    mutations: Mutations

    async def __call__(self) -> int:
        """Removes old deliveries, a hundred per transaction. Returns their number."""
        ended = self.mutations.clock() - timedelta(seconds=self.mutations.limits.delivery_ttl)
        forgotten = 0
        while count := await self.mutations.database.write(
            lambda transaction: DeliveryRepository(transaction).forget(ended, _BATCH)
        ):
            forgotten += count
        return forgotten


@dataclass(frozen=True, slots=True)
class RemoveDeletedWebhooks:
    """Removes what deleted webhooks have left in the database."""

    mutations: Mutations

    async def __call__(self) -> int:
        """Removes their deliveries, then their own rows, a thousand per transaction. Returns the number of rows."""
        removed = 0
        while count := await self.mutations.database.write(self._some):
            removed += count
        return removed

    @staticmethod
    async def _some(transaction: Transaction) -> int:
        deliveries = await DeliveryRepository(transaction).remove_of_deleted(_REMOVED_AT_ONCE)
        return deliveries or await WebhookRepository(transaction).remove_deleted(_REMOVED_AT_ONCE)


@dataclass(frozen=True, slots=True)
class RescheduleDeliveries:
    """Makes deliveries due whose times were stored before a clock was put back, so that no lane waits for them."""

    mutations: Mutations

    async def __call__(self) -> int:
        """Reschedules these deliveries, a hundred per transaction. Returns their number."""
        now = self.mutations.clock()
        rescheduled = 0
        while count := await self.mutations.database.write(
            lambda transaction: DeliveryRepository(transaction).reschedule(
                now + CLOCK_SKEW, now, now + CLAIM_DURATION, _BATCH
            )
        ):
            rescheduled += count
        return rescheduled
