"""The asynchronous client, with one module for each resource. ``modelyard._sync`` is generated from it."""

from modelyard._client.aliases import AsyncAliases
from modelyard._client.client import AsyncClient
from modelyard._client.deployments import AsyncDeployments
from modelyard._client.evaluations import AsyncEvaluations
from modelyard._client.events import AsyncEvents
from modelyard._client.lineage import AsyncLineageGraph
from modelyard._client.models import AsyncModels
from modelyard._client.namespaces import AsyncNamespaces
from modelyard._client.serving import AsyncServing
from modelyard._client.versions import AsyncVersions
from modelyard._client.webhooks import AsyncWebhooks

__all__ = [
    "AsyncAliases",
    "AsyncClient",
    "AsyncDeployments",
    "AsyncEvaluations",
    "AsyncEvents",
    "AsyncLineageGraph",
    "AsyncModels",
    "AsyncNamespaces",
    "AsyncServing",
    "AsyncVersions",
    "AsyncWebhooks",
]
