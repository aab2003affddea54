"""The records that the SDK returns: frozen, and without protobuf."""

from modelyard.types.consumers import (
    Delivery,
    DeliveryState,
    Deployment,
    Registration,
    Rollout,
    Usage,
    Webhook,
    WebhookTest,
)
from modelyard.types.history import Evaluation, Event, Lineage, LineageEdge, LineageNode
from modelyard.types.registry import (
    Alias,
    Best,
    Comparison,
    Difference,
    Model,
    Namespace,
    NotCompared,
    Promotion,
    Resolution,
    Rule,
    Section,
    Version,
    VersionState,
)
from modelyard.types.status import Status
from modelyard.types.transfer import Progress, PulledModel

__all__ = [
    "Alias",
    "Best",
    "Comparison",
    "Delivery",
    "DeliveryState",
    "Deployment",
    "Difference",
    "Evaluation",
    "Event",
    "Lineage",
    "LineageEdge",
    "LineageNode",
    "Model",
    "Namespace",
    "NotCompared",
    "Progress",
    "Promotion",
    "PulledModel",
    "Registration",
    "Resolution",
    "Rollout",
    "Rule",
    "Section",
    "Status",
    "Usage",
    "Version",
    "VersionState",
    "Webhook",
    "WebhookTest",
]
