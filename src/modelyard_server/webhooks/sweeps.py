"""Removes deliveries that ended long ago."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from modelyard_server.log.changes import Mutations
from modelyard_server.webhooks.deliveries.repository import DeliveryRepository

_BATCH: Final = 100


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
