"""SQL with which `fsck` reads webhooks and their deliveries."""

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, func, select

from modelyard.core.names import WebhookName
from modelyard_server.db.inspection import Every
from modelyard_server.log.inventory import Family, Logged, logged, with_last_event
from modelyard_server.log.tables import events, log_heads
from modelyard_server.registry.inventory import NAMESPACE_NAME
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.webhooks.deliveries.tables import webhook_deliveries
from modelyard_server.webhooks.deliveries.values import DeliveryState
from modelyard_server.webhooks.events import WEBHOOK
from modelyard_server.webhooks.repository import EVERY, from_row
from modelyard_server.webhooks.tables import webhooks

NAME: Final[ColumnElement[str]] = NAMESPACE_NAME + "/webhooks/" + webhooks.c.id
_DELIVERIES = webhook_deliveries.c


class WebhookRecord(NamedTuple):
    name: str
    logged: Logged
    ahead: bool
    """It has queued events that the namespace's log does not have."""
    lost: int
    """Number of pending deliveries whose events are no longer stored."""
    stuck: int
    """Number of lanes with pending deliveries of which none has a time for its next attempt."""


def _webhook(row: Row[Any]) -> WebhookRecord:
    webhook = from_row(row)
    return WebhookRecord(str(webhook.name), logged(row, WEBHOOK, webhook), bool(row.ahead), row.lost, row.stuck)


_PENDING_OF = select(_DELIVERIES.lane).where(
    _DELIVERIES.webhook_key == webhooks.c.key, _DELIVERIES.state == DeliveryState.PENDING.value
)
_EVENT_OF = select(events.c.revision).where(
    events.c.namespace_key == _DELIVERIES.namespace_key, events.c.revision == _DELIVERIES.revision
)
_LOST = _PENDING_OF.where(~_EVENT_OF.exists()).with_only_columns(func.count())
_FIRST = webhook_deliveries.alias()
_WITH_A_TIME = select(_FIRST.c.key).where(
    _FIRST.c.webhook_key == _DELIVERIES.webhook_key,
    _FIRST.c.lane == _DELIVERIES.lane,
    _FIRST.c.state == DeliveryState.PENDING.value,
    _FIRST.c.next_attempt_time.is_not(None),
)
_STUCK = _PENDING_OF.where(webhooks.c.disabled.is_(False), ~_WITH_A_TIME.exists()).with_only_columns(
    func.count(_DELIVERIES.lane.distinct())
)
_LAST_REVISION = select(log_heads.c.revision).where(log_heads.c.namespace_key == webhooks.c.namespace_key)
WEBHOOKS: Final = Every(
    with_last_event(EVERY, WEBHOOK, NAME, namespaces.c.key).add_columns(
        (webhooks.c.queued_revision > _LAST_REVISION.correlate(webhooks).scalar_subquery()).label("ahead"),
        _LOST.correlate(webhooks).scalar_subquery().label("lost"),
        _STUCK.correlate(webhooks).scalar_subquery().label("stuck"),
    ),
    webhooks.c.key,
    _webhook,
    webhooks.name,
)


def _ids(name: str) -> tuple[object, ...]:
    return (WebhookName.parse(name).webhook,)


FAMILY: Final = Family(
    WEBHOOK,
    _ids,
    (webhooks.c.id,),
    select(NAME).select_from(webhooks).join(namespaces).where(webhooks.c.delete_time.is_(None)),
    namespaces.c.key,
)
