"""What the registry sends, as the SDK's types.

A newer registry may send what this SDK does not know yet. None of it makes a model unusable: it reads as the nearest
thing that is known, or is left out.
"""

from modelyard._convert.consumers import (
    DELIVERY_STATES,
    delivery,
    deployment,
    registration,
    rollout,
    usage,
    webhook,
    webhook_test,
)
from modelyard._convert.evaluations import evaluation
from modelyard._convert.events import event
from modelyard._convert.lineage import lineage
from modelyard._convert.registry import (
    alias,
    comparison,
    model,
    namespace,
    resolution,
    status,
    version,
    version_from_bytes,
)

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
    "webhook",
    "webhook_test",
]
