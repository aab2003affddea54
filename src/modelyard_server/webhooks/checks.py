"""Checks webhooks against the log, and finds lost and stuck deliveries."""

from enum import StrEnum

from modelyard_server.checking.look import Look
from modelyard_server.log.checks import compare
from modelyard_server.webhooks import inventory


class Kind(StrEnum):
    """Kinds of faults of deliveries."""

    WEBHOOK_AHEAD = "WEBHOOK_AHEAD"
    DELIVERY_LOST = "DELIVERY_LOST"
    DELIVERY_STUCK = "DELIVERY_STUCK"


async def check(look: Look) -> None:
    async for webhook in look.each("webhooks", inventory.WEBHOOKS):
        compare(look, webhook.name, webhook.logged)
        if webhook.ahead:
            look.fault(Kind.WEBHOOK_AHEAD, webhook.name, "has queued events that its log does not have")
        if webhook.lost:
            text = f"pending deliveries whose events are not stored: {webhook.lost}"
            look.fault(Kind.DELIVERY_LOST, webhook.name, text)
        if webhook.stuck:
            text = f"models with pending deliveries of which none has a time for its next attempt: {webhook.stuck}"
            look.fault(Kind.DELIVERY_STUCK, webhook.name, text)
