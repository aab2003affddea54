"""Deliveries as messages."""

from modelyard import wire
from modelyard.v1 import webhooks_pb2
from modelyard_server.calls.messages import duration, optional_times
from modelyard_server.webhooks.deliveries.values import Delivery, DeliveryState

DELIVERY_STATES = wire.EnumMapping(webhooks_pb2.Delivery.State, DeliveryState)


def delivery_message(delivery: Delivery) -> webhooks_pb2.Delivery:
    times = {"attempt_time": delivery.attempt_time, "next_attempt_time": delivery.next_attempt_time}
    return webhooks_pb2.Delivery(
        **optional_times(create_time=delivery.create_time, **times),
        name=str(delivery.name),
        revision=delivery.revision,
        type=delivery.type,
        resource=delivery.resource,
        state=DELIVERY_STATES.to_proto(delivery.state),
        attempt_count=delivery.attempt_count,
        status_code=delivery.status_code,
        error=delivery.error,
        latency=duration(delivery.latency) if delivery.attempt_time is not None else None,
    )
