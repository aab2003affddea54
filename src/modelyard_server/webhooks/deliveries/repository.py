"""Stores deliveries.

Deliveries of one webhook and one lane are sent one after the other: only the first pending one has a time for its next
attempt. Code that adds or ends a delivery must have locked the webhook's row, so that each lane has a first one.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, case, delete, func, insert, literal, literal_column, or_, select, update

from modelyard.core.names import DeliveryName, WebhookName
from modelyard_server.db.metadata import Moment
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.webhooks import repository as webhook_rows
from modelyard_server.webhooks.deliveries.tables import webhook_deliveries
from modelyard_server.webhooks.deliveries.values import Delivery, DeliveryState, DueDelivery
from modelyard_server.webhooks.tables import webhooks as webhook_table
from modelyard_server.webhooks.values import Webhook

_TABLE: Final = webhook_deliveries
_DELIVERIES = _TABLE.c
# As a parameter it would not match the condition of a partial index.
_PENDING_LITERALLY: Final = _DELIVERIES.state == literal_column(f"'{DeliveryState.PENDING.value}'")
_PENDING: Final = _DELIVERIES.state == DeliveryState.PENDING.value
_EVERY: Final[Select[Any]] = (
    select(_TABLE, webhook_table.c.id.label("webhook_id"), namespaces.c.id.label("namespace_id"))
    .join_from(_TABLE, webhook_table)
    .join(namespaces, namespaces.c.key == webhook_table.c.namespace_key)
    .where(webhook_table.c.delete_time.is_(None))
)
_FIND = _EVERY.where(
    namespaces.c.id == bindparam("namespace_id"),
    webhook_table.c.id == bindparam("webhook_id"),
    _DELIVERIES.uid == bindparam("delivery_id"),
)
_OF_WEBHOOK = _EVERY.where(_DELIVERIES.webhook_key == bindparam("of_webhook")).order_by(_DELIVERIES.key.desc())
_DUE = (
    select(_DELIVERIES.key, _DELIVERIES.webhook_key)
    .where(
        _PENDING,
        _DELIVERIES.next_attempt_time <= bindparam("now"),
        _DELIVERIES.webhook_key.not_in(webhook_rows.DELETED),
    )
    .order_by(_DELIVERIES.next_attempt_time)
)
# Their time was set before a clock was put back: first deliveries of their lanes are due at once, and a time after a
# failed or running attempt is later than the attempt by the pause or the claim.
_AHEAD = (
    select(_DELIVERIES.key)
    .where(
        _PENDING,
        _DELIVERIES.next_attempt_time > bindparam("latest"),
        or_(_DELIVERIES.attempt_time.is_(None), _DELIVERIES.attempt_time > bindparam("latest")),
    )
    .order_by(_DELIVERIES.next_attempt_time.desc())
    .with_for_update(skip_locked=True)
)
_ENDED: Final = _DELIVERIES.state.in_((DeliveryState.DELIVERED.value, DeliveryState.FAILED.value))


def _from_row(row: Row[Any]) -> Delivery:
    return Delivery(
        name=DeliveryName(WebhookName(row.namespace_id, row.webhook_id), row.uid),
        revision=row.revision,
        type=row.type,
        resource=row.resource,
        lane=row.lane,
        state=DeliveryState(row.state),
        create_time=row.create_time,
        attempt_count=row.attempt_count,
        status_code=row.status_code,
        error=row.error,
        latency=row.latency,
        attempt_time=row.attempt_time,
        next_attempt_time=row.next_attempt_time,
        key=row.key,
        webhook_key=row.webhook_key,
    )


class DeliveryRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, webhook: Webhook, deliveries: Sequence[Delivery]) -> None:
        values = [
            {
                "uid": delivery.name.delivery,
                "webhook_key": webhook.key,
                "namespace_key": webhook.namespace_key,
                "revision": delivery.revision,
                "type": delivery.type,
                "resource": delivery.resource,
                "lane": delivery.lane,
                "state": delivery.state.value,
                "attempt_count": 0,
                "status_code": 0,
                "error": "",
                "latency": 0.0,
                "create_time": delivery.create_time,
                "attempt_time": None,
                "next_attempt_time": None,
                "claim": "",
            }
            for delivery in deliveries
        ]
        await self._connection.execute(insert(_TABLE), values)
        for delivery in {delivery.lane: delivery for delivery in deliveries}.values():
            await self._schedule_first(webhook.key, delivery.lane, delivery.create_time)

    async def _schedule_first(self, webhook_key: int, lane: str, now: datetime) -> None:
        """Makes the first pending delivery of a lane due, if it has no time for its next attempt."""
        first = select(func.min(_DELIVERIES.key)).where(
            _PENDING, _DELIVERIES.webhook_key == webhook_key, _DELIVERIES.lane == lane
        )
        due = update(_TABLE).where(_DELIVERIES.key == first.scalar_subquery(), _DELIVERIES.next_attempt_time.is_(None))
        await self._connection.execute(due.values(next_attempt_time=now))

    async def find(self, name: DeliveryName) -> Delivery | None:
        parameters = {
            "namespace_id": name.webhook.namespace,
            "webhook_id": name.webhook.webhook,
            "delivery_id": name.delivery,
        }
        row = (await self._connection.execute(_FIND, parameters)).one_or_none()
        return None if row is None else _from_row(row)

    async def page(
        self, webhook_key: int, *, before: int | None, limit: int, state: DeliveryState | None
    ) -> list[Delivery]:
        query = _OF_WEBHOOK if before is None else _OF_WEBHOOK.where(_DELIVERIES.key < before)
        if state is not None:
            query = query.where(_DELIVERIES.state == state.value)
        return [
            _from_row(row) for row in await self._connection.execute(query.limit(limit), {"of_webhook": webhook_key})
        ]

    async def any_due(self, now: datetime) -> bool:
        return (await self._connection.execute(_DUE.limit(1), {"now": now})).first() is not None

    async def claim(
        self, now: datetime, until: datetime, claim: str, *, limit: int, each: int, under_way: Mapping[int, int]
    ) -> list[DueDelivery]:
        busy = [key for key, count in under_way.items() if count >= each]
        query = _DUE.where(_DELIVERIES.webhook_key.not_in(busy)) if busy else _DUE
        # Skip deliveries that another replica is claiming.
        found = await self._connection.execute(query.limit(4 * limit).with_for_update(skip_locked=True), {"now": now})
        taken: dict[int, list[int]] = {}
        for row in found:
            of_webhook = taken.setdefault(row.webhook_key, [])
            if len(of_webhook) + under_way.get(row.webhook_key, 0) < each:
                of_webhook.append(row.key)
        keys = [key for of_webhook in taken.values() for key in of_webhook][:limit]
        if not keys:
            return []
        values = {"claim": claim, "attempt_time": now, "next_attempt_time": until}
        claimed = update(_TABLE).where(_DELIVERIES.key.in_(keys))
        await self._connection.execute(claimed.values(attempt_count=_DELIVERIES.attempt_count + 1, **values))
        return await self._claimed(keys)

    async def _claimed(self, keys: Sequence[int]) -> list[DueDelivery]:
        found = await self._connection.execute(_EVERY.where(_DELIVERIES.key.in_(keys)).order_by(_DELIVERIES.key))
        deliveries = [_from_row(row) for row in found]
        of = webhook_rows.EVERY.add_columns(namespaces.c.uid.label("namespace_uid")).where(
            webhook_table.c.key.in_({delivery.webhook_key for delivery in deliveries})
        )
        to = {row.key: (webhook_rows.from_row(row), row.namespace_uid) for row in await self._connection.execute(of)}
        return [DueDelivery(delivery, *to[delivery.webhook_key]) for delivery in deliveries]

    async def end(self, delivery: Delivery, claim: str, *, paused: bool) -> bool:
        """Stores the outcome of an attempt, if the delivery still has this ``claim``."""
        ended = delivery.state is not DeliveryState.PENDING
        stored = (
            update(_TABLE)
            .where(_DELIVERIES.key == delivery.key, _DELIVERIES.claim == claim)
            .values(
                state=delivery.state.value,
                status_code=delivery.status_code,
                error=delivery.error,
                latency=delivery.latency,
                next_attempt_time=None if ended or paused else delivery.next_attempt_time,
                claim="",
            )
        )
        if not (await self._connection.execute(stored)).rowcount:
            return False
        if ended and not paused:
            assert delivery.next_attempt_time is not None
            await self._schedule_first(delivery.webhook_key, delivery.lane, delivery.next_attempt_time)
        return True

    async def count_pending(self) -> int:
        pending = select(func.count()).select_from(webhook_deliveries).where(_PENDING_LITERALLY)
        query = pending.where(_DELIVERIES.webhook_key.not_in(webhook_rows.DELETED))
        return int((await self._connection.execute(query)).scalar_one())

    async def release(self, claims: Collection[str], now: datetime) -> None:
        claimed = update(_TABLE).where(
            _PENDING, _DELIVERIES.claim.in_(claims), _DELIVERIES.next_attempt_time.is_not(None)
        )
        await self._connection.execute(claimed.values(next_attempt_time=now, claim=""))

    async def reschedule(self, latest: datetime, now: datetime, until: datetime, limit: int) -> int:
        """Makes deliveries due whose times are after ``latest``: ``now``, or at ``until`` if they are claimed.

        Returns their number.
        """
        keys = (await self._connection.execute(_AHEAD.limit(limit), {"latest": latest})).scalars().all()
        if keys:
            soon = update(_TABLE).where(_DELIVERIES.key.in_(keys))
            # A claimed one may be on its way.
            due = case((_DELIVERIES.claim == "", literal(now, Moment)), else_=literal(until, Moment))
            await self._connection.execute(soon.values(next_attempt_time=due))
        return len(keys)

    async def pause(self, webhook_key: int) -> None:
        firsts = update(_TABLE).where(
            _PENDING, _DELIVERIES.webhook_key == webhook_key, _DELIVERIES.next_attempt_time.is_not(None)
        )
        await self._connection.execute(firsts.values(next_attempt_time=None))

    async def resume(self, webhook_key: int, now: datetime) -> None:
        firsts = (
            select(func.min(_DELIVERIES.key))
            .where(_PENDING, _DELIVERIES.webhook_key == webhook_key)
            .group_by(_DELIVERIES.lane)
        )
        await self._connection.execute(update(_TABLE).where(_DELIVERIES.key.in_(firsts)).values(next_attempt_time=now))

    async def forget(self, before: datetime, limit: int) -> int:
        old = select(_DELIVERIES.key).where(_DELIVERIES.create_time < before, _ENDED).limit(limit)
        return (await self._connection.execute(delete(_TABLE).where(_DELIVERIES.key.in_(old)))).rowcount

    async def remove_of_deleted(self, limit: int) -> int:
        """Removes deliveries of deleted webhooks. Returns their number."""
        some = select(_DELIVERIES.key).where(_DELIVERIES.webhook_key.in_(webhook_rows.DELETED)).limit(limit)
        return (await self._connection.execute(delete(_TABLE).where(_DELIVERIES.key.in_(some)))).rowcount

    async def awaited(self, namespace_key: int, revisions: Collection[int]) -> set[int]:
        """The revisions with pending deliveries, or not queued yet by a webhook."""
        pending = select(_DELIVERIES.revision).where(
            _PENDING, _DELIVERIES.namespace_key == namespace_key, _DELIVERIES.revision.in_(list(revisions))
        )
        found = set((await self._connection.execute(pending)).scalars())
        queued = select(func.min(webhook_table.c.queued_revision)).where(
            webhook_table.c.namespace_key == namespace_key, webhook_table.c.disabled.is_(False)
        )
        furthest_behind = await self._connection.scalar(queued)
        if furthest_behind is not None:
            found |= {revision for revision in revisions if revision > furthest_behind}
        return found
