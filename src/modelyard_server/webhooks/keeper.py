"""Keeps the events of pending deliveries, so that the sweep does not remove them."""

from collections.abc import Collection

from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.webhooks.deliveries.repository import DeliveryRepository


class DeliveriesKeepEvents:
    """See :class:`~modelyard_server.log.sweeps.EventKeeper`."""

    async def awaited_events(
        self, transaction: Transaction, namespace_key: int, revisions: Collection[int]
    ) -> Collection[int]:
        return await DeliveryRepository(transaction).awaited(namespace_key, revisions)
