"""Keeps namespaces that have webhooks."""

from collections.abc import Sequence

from modelyard_server.calls.errors import PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.webhooks.repository import WebhookRepository


class WebhooksKeepNamespaces:
    """See :class:`~modelyard_server.registry.guards.NamespaceContents`."""

    async def contents(
        self, transaction: Transaction, namespace_key: int, limit: int
    ) -> Sequence[PreconditionViolation]:
        found = await WebhookRepository(transaction).page(namespace_key, after="", limit=limit)
        return [PreconditionViolation("WEBHOOK", str(each.name), "belongs to the namespace") for each in found]
