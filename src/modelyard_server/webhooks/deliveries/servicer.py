"""WebhooksService: deliveries."""

from modelyard.core.names import DeliveryName, WebhookName
from modelyard.v1 import webhooks_pb2 as rpc
from modelyard_server.calls import parsing
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.messages import duration
from modelyard_server.calls.parsing import Collector
from modelyard_server.query.requests import Lists
from modelyard_server.webhooks.deliveries.messages import DELIVERY_STATES, delivery_message
from modelyard_server.webhooks.deliveries.service import Deliveries


class DeliveriesServicer:
    """Lists deliveries, sends them again, and tests webhooks."""

    def __init__(self, deliveries: Deliveries, lists: Lists) -> None:
        self._deliveries = deliveries
        self._lists = lists

    async def TestWebhook(self, request: rpc.TestWebhookRequest, call: Call) -> rpc.TestWebhookResponse:
        answer = await self._deliveries.test(call.caller, parsing.one("name", WebhookName.parse, request.name))
        return rpc.TestWebhookResponse(
            delivered=answer.delivered,
            status_code=answer.status_code,
            error=answer.error,
            latency=duration(answer.latency),
        )

    async def ListDeliveries(self, request: rpc.ListDeliveriesRequest, call: Call) -> rpc.ListDeliveriesResponse:
        collector = Collector()
        parent = collector.parse("parent", WebhookName.parse, request.parent)
        if request.state not in rpc.Delivery.State.values():
            collector.add([FieldViolation("state", f"{request.state} is not a state that this server knows")])
        query = self._lists.query(request, collector)
        assert parent is not None
        page = await self._deliveries.page(
            call.caller,
            parent,
            before=query.after_key,
            size=query.size,
            state=DELIVERY_STATES.from_proto(request.state) if request.state else None,
        )
        deliveries, token = await self._lists.answer(query, page, delivery_message)
        return rpc.ListDeliveriesResponse(deliveries=deliveries, next_page_token=token)

    async def RedeliverDelivery(self, request: rpc.RedeliverDeliveryRequest, call: Call) -> rpc.Delivery:
        name, attempt = parsing.change(call, request, "name", DeliveryName.parse, request.name)
        return delivery_message(await self._deliveries.redeliver(attempt, name))
