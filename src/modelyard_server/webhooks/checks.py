"""Whether webhooks are as the log says, and no delivery is lost or stuck."""

from enum import StrEnum

from modelyard_server.checking.look import Look
from modelyard_server.log.checks import compare
from modelyard_server.webhooks import inventory


class Kind(StrEnum):
    """What can be wrong with deliveries."""

    WEBHOOK_AHEAD = "WEBHOOK_AHEAD"
    DELIVERY_LOST = "DELIVERY_LOST"
    DELIVERY_STUCK = "DELIVERY_STUCK"


async def check(look: Look) -> None:
    async for webhook in look.each("webhooks", inventory.WEBHOOKS):
        compare(look, webhook.name, webhook.logged)
        if webhook.ahead:
            look.fault(Kind.WEBHOOK_AHEAD, webhook.name, "is to be told of what its log does not have yet")
        if webhook.lost:
            text = f"deliveries that wait for events which are not stored: {webhook.lost}"
            look.fault(Kind.DELIVERY_LOST, webhook.name, text)
        if webhook.stuck:
            text = f"models whose deliveries wait, and none of them for a time: {webhook.stuck}"
            look.fault(Kind.DELIVERY_STUCK, webhook.name, text)
