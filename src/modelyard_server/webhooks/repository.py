"""Webhooks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, delete, exists, func, insert, select, update

from modelyard.core.names import WebhookName
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.tables import log_heads
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.webhooks.deliveries.tables import webhook_deliveries
from modelyard_server.webhooks.tables import webhooks
from modelyard_server.webhooks.values import Webhook

_WEBHOOKS = webhooks.c
DELETED: Final[Select[tuple[int]]] = select(_WEBHOOKS.key).where(_WEBHOOKS.delete_time.is_not(None))
"""Keys of webhooks whose deliveries are still to be removed."""
EVERY: Final[Select[Any]] = (
    select(webhooks, namespaces.c.id.label("namespace_id"))
    .join_from(webhooks, namespaces)
    .where(_WEBHOOKS.delete_time.is_(None))
)
_FIND = EVERY.where(namespaces.c.id == bindparam("namespace_id"), _WEBHOOKS.id == bindparam("webhook_id"))
_KEY_OF = _FIND.with_only_columns(_WEBHOOKS.key)
# Lock first, then read.
_LOCK = select(_WEBHOOKS.key).where(_WEBHOOKS.key == bindparam("row_key")).with_for_update()
_BY_KEY = EVERY.where(_WEBHOOKS.key == bindparam("row_key"))
_FOLLOWED = select(_WEBHOOKS.namespace_key).where(_WEBHOOKS.disabled.is_(False)).distinct()
_BEHIND = (
    select(_WEBHOOKS.key)
    .join_from(webhooks, log_heads, log_heads.c.namespace_key == _WEBHOOKS.namespace_key)
    .where(_WEBHOOKS.disabled.is_(False), _WEBHOOKS.queued_revision < log_heads.c.revision)
    .order_by(_WEBHOOKS.key)
)
_UPDATE = update(webhooks).where(_WEBHOOKS.key == bindparam("row_key"))


def from_row(row: Row[Any]) -> Webhook:
    return Webhook(
        **rows.common(row),
        name=WebhookName(row.namespace_id, row.id),
        url=row.url,
        types=tuple(row.types),
        model_id=row.model_id,
        description=row.description,
        disabled=row.disabled,
        secret_generation=row.secret_generation,
        overlap_end_time=row.overlap_end_time,
        created_by=row.created_by,
        queued_revision=row.queued_revision,
        namespace_key=row.namespace_key,
    )


def _mutable(webhook: Webhook) -> dict[str, Any]:
    return {
        **rows.common_values(webhook),
        "url": webhook.url,
        "types": list(webhook.types),
        "model_id": webhook.model_id,
        "description": webhook.description,
        "disabled": webhook.disabled,
        "secret_generation": webhook.secret_generation,
        "overlap_end_time": webhook.overlap_end_time,
        "queued_revision": webhook.queued_revision,
    }


class WebhookRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, webhook: Webhook) -> Webhook:
        values = {
            "namespace_key": webhook.namespace_key,
            "id": webhook.name.webhook,
            "created_by": webhook.created_by,
            **_mutable(webhook),
        }
        key = await self._connection.scalar(insert(webhooks).returning(_WEBHOOKS.key), values)
        return replace(webhook, key=key)

    async def find(self, name: WebhookName, *, lock: bool = False) -> Webhook | None:
        parameters = {"namespace_id": name.namespace, "webhook_id": name.webhook}
        key = await self._connection.scalar(_KEY_OF, parameters)
        return None if key is None else await self.at(key, lock=lock)

    async def at(self, key: int, *, lock: bool = False) -> Webhook | None:
        if lock:
            await self._connection.execute(_LOCK, {"row_key": key})
        row = (await self._connection.execute(_BY_KEY, {"row_key": key})).one_or_none()
        return None if row is None else from_row(row)

    async def update(self, webhook: Webhook) -> None:
        await self._connection.execute(_UPDATE, {"row_key": webhook.key, **_mutable(webhook)})

    async def advance(self, key: int, queued_revision: int) -> None:
        await self._connection.execute(_UPDATE, {"row_key": key, "queued_revision": queued_revision})

    async def delete(self, webhook: Webhook, now: datetime) -> None:
        """Hides a webhook with its deliveries, however many, for good. Its id is free again."""
        # No id of a webhook has a slash.
        hidden = {"id": f"deleted/{webhook.uid}", "disabled": True, "delete_time": now}
        await self._connection.execute(_UPDATE, {"row_key": webhook.key, **hidden})

    async def remove_deleted(self, limit: int) -> int:
        """Removes rows of deleted webhooks that have no deliveries any more. Returns their number."""
        bare = DELETED.where(~exists().where(webhook_deliveries.c.webhook_key == _WEBHOOKS.key)).limit(limit)
        return (await self._connection.execute(delete(webhooks).where(_WEBHOOKS.key.in_(bare)))).rowcount

    async def count(self, namespace_key: int) -> int:
        query = select(func.count()).where(_WEBHOOKS.namespace_key == namespace_key, _WEBHOOKS.delete_time.is_(None))
        return int(await self._connection.scalar(query))

    async def page(self, namespace_key: int, *, after: str, limit: int) -> list[Webhook]:
        query = EVERY.where(_WEBHOOKS.namespace_key == namespace_key, _WEBHOOKS.id > after)
        return [from_row(row) for row in await self._connection.execute(query.order_by(_WEBHOOKS.id).limit(limit))]

    async def followed(self) -> set[int]:
        return set((await self._connection.execute(_FOLLOWED)).scalars())

    async def behind(self) -> Sequence[int]:
        return list((await self._connection.execute(_BEHIND)).scalars())
