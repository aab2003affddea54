"""Webhooks: post the events of a namespace over HTTPS, as signed CloudEvents.

Each webhook receives every event that it subscribes to at least once. Events of one model arrive in order. The log is
the outbox: the transaction of a change needs no further statement.
"""

from functools import partial
from typing import Final

from modelyard.v1 import webhooks_pb2
from modelyard_server.capability import Capability, Parts, Running, Sweep
from modelyard_server.log.changes import Mutations
from modelyard_server.log.kinds import Kind, Kinds
from modelyard_server.log.messages import EventMessages
from modelyard_server.log.types import EventTypes
from modelyard_server.webhooks import inventory
from modelyard_server.webhooks.checks import check
from modelyard_server.webhooks.cloud_events import CloudEvents, trial
from modelyard_server.webhooks.deliveries.jobs import Dispatcher
from modelyard_server.webhooks.deliveries.service import Deliveries
from modelyard_server.webhooks.deliveries.servicer import DeliveriesServicer
from modelyard_server.webhooks.deliveries.tables import webhook_deliveries
from modelyard_server.webhooks.events import WEBHOOK
from modelyard_server.webhooks.guard import WebhooksKeepNamespaces
from modelyard_server.webhooks.keeper import DeliveriesKeepEvents
from modelyard_server.webhooks.metrics import Backlog, attempts
from modelyard_server.webhooks.service import Webhooks
from modelyard_server.webhooks.servicer import WebhooksServicer
from modelyard_server.webhooks.sweeps import ForgetDeliveries, RemoveDeletedWebhooks, RescheduleDeliveries
from modelyard_server.webhooks.tables import webhooks

_SECRET: Final = "webhooks"  # noqa: S105 (its name)


def _build(parts: Parts) -> Running:
    mutations, master = Mutations(parts.database, parts.clock, parts.limits), parts.secrets[_SECRET]
    kinds = Kinds(parts.offers.of(Kind))
    tried = attempts(parts.metrics)
    dispatcher = Dispatcher(
        mutations,
        parts.sender,
        CloudEvents(EventMessages(kinds, parts.limits.resource_bytes)),
        master,
        observe=lambda outcome: tried.labels(outcome).inc(),
    )
    deliveries = Deliveries(mutations, parts.sender, master, partial(trial, clock=parts.clock), dispatcher.wake)
    service = Webhooks(mutations, master)
    return Running(
        servicers=[
            WebhooksServicer(service, EventTypes(kinds.types), parts.sender, parts.lists, parts.limits),
            DeliveriesServicer(deliveries, parts.lists),
        ],
        jobs=[dispatcher, Backlog(parts.database, parts.metrics)],
        sweeps=[
            Sweep("deleted_webhooks", RemoveDeletedWebhooks(mutations)),
            Sweep("deliveries", ForgetDeliveries(mutations)),
            Sweep("rescheduled_deliveries", RescheduleDeliveries(mutations)),
        ],
    )


CAPABILITY: Final = Capability(
    name="webhooks",
    tables=[webhooks, webhook_deliveries],
    services=[webhooks_pb2.DESCRIPTOR.services_by_name["WebhooksService"]],
    offers=[WEBHOOK, inventory.FAMILY, DeliveriesKeepEvents(), WebhooksKeepNamespaces()],
    checks=[check],
    secrets=[_SECRET],
    build=_build,
)
