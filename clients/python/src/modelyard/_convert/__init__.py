"""What the registry sends, as the SDK's types.

A newer registry may send what this SDK does not know yet. None of it makes a model unusable: it reads as the nearest
thing that is known, or is left out.
"""

from modelyard._convert import consumers, evaluations, events, registry
from modelyard._convert import lineage as graph
from modelyard._convert.checking import checked
from modelyard._convert.consumers import DELIVERY_STATES
from modelyard._convert.registry import version_from_bytes

__all__ = [
    "DELIVERY_STATES",
    "alias",
    "comparison",
    "delivery",
    "deployment",
    "evaluation",
    "event",
    "lineage",
    "model",
    "namespace",
    "registration",
    "resolution",
    "rollout",
    "status",
    "usage",
    "version",
    "version_from_bytes",
    "version_name",
    "webhook",
    "webhook_test",
]

alias = checked(registry.alias)
comparison = checked(registry.comparison)
model = checked(registry.model)
namespace = checked(registry.namespace)
resolution = checked(registry.resolution)
status = checked(registry.status)
version = checked(registry.version)
version_name = checked(registry.version_name)
delivery = checked(consumers.delivery)
deployment = checked(consumers.deployment)
registration = checked(consumers.registration)
rollout = checked(consumers.rollout)
usage = checked(consumers.usage)
webhook = checked(consumers.webhook)
webhook_test = checked(consumers.webhook_test)
evaluation = checked(evaluations.evaluation)
event = checked(events.event)
lineage = checked(graph.lineage)
