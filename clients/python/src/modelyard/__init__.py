"""Modelyard: push models to a registry, pull the one in production, and know where each came from.

>>> import modelyard
>>> version = modelyard.push("team/fraud", "out/", metrics={"auc": 0.93}, alias="candidate")
>>> model = modelyard.pull("team/fraud@production")
>>> model.path, model.version.metrics

The registry's address and credentials come from the environment: ``MODELYARD_URL``, ``MODELYARD_TOKEN``,
``MODELYARD_CA_FILE`` for a registry whose certificate your organization signed.
"""

from importlib import import_module
from os import environ, register_at_fork
from threading import RLock
from typing import TYPE_CHECKING

# gRPC reads these once, when it is imported. Values that are set already are kept. For forks see
# modelyard._connection.fork. gRPC's own lines on standard error explain nothing that our errors do not.
environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
environ.setdefault("GRPC_VERBOSITY", "NONE")

if TYPE_CHECKING:
    __version__: str
    from modelyard._client import (
        AsyncAliases,
        AsyncClient,
        AsyncDeployments,
        AsyncEvaluations,
        AsyncEvents,
        AsyncLineageGraph,
        AsyncModels,
        AsyncNamespaces,
        AsyncServing,
        AsyncVersions,
        AsyncWebhooks,
    )
    from modelyard._default import check, diff, promote, pull, push, resolve, rollback, watch
    from modelyard._frames import to_dataframe
    from modelyard._paging import AsyncPager, Pager
    from modelyard._serving_sync import Serving
    from modelyard._sync import (
        Aliases,
        Client,
        Deployments,
        Evaluations,
        Events,
        LineageGraph,
        Models,
        Namespaces,
        Versions,
        Webhooks,
    )
    from modelyard._unset import UNSET, Unset
    from modelyard.core.facts import (
        Dataset,
        DatasetRole,
        Direction,
        Environment,
        Facts,
        Fingerprint,
        Framework,
        LineageRelation,
        Param,
        Parent,
        Relation,
        Run,
        Signature,
        Slice,
        Source,
    )
    from modelyard.core.manifest import File
    from modelyard.core.names import (
        AliasName,
        DeliveryName,
        DeploymentName,
        EvaluationName,
        ModelName,
        VersionName,
        WebhookName,
    )
    from modelyard.core.references import Reference, Selector
    from modelyard.errors import (
        AlreadyExistsError,
        BadAnswerError,
        CacheError,
        ConflictError,
        DeadlineExceededError,
        DeprecatedVersionWarning,
        FactsWarning,
        FailedPreconditionError,
        FieldViolation,
        FilesWarning,
        InvalidArgumentError,
        ModelyardError,
        NotFoundError,
        OutOfRangeError,
        PermissionDeniedError,
        PreconditionViolation,
        ResourceExhaustedError,
        ServerError,
        ServingWarning,
        SkippedVersionWarning,
        StaleModelWarning,
        UnauthenticatedError,
        UnavailableError,
        UnknownFieldWarning,
        VerificationError,
        WaitingWarning,
    )
    from modelyard.interceptors import Call, Interceptor
    from modelyard.types import (
        Alias,
        Best,
        Comparison,
        Delivery,
        DeliveryState,
        Deployment,
        Difference,
        Evaluation,
        Event,
        Lineage,
        LineageEdge,
        LineageNode,
        Model,
        Namespace,
        NotCompared,
        Progress,
        Promotion,
        PulledModel,
        Registration,
        Resolution,
        Rollout,
        Rule,
        Section,
        Status,
        Usage,
        Version,
        VersionState,
        Webhook,
        WebhookTest,
    )

__all__ = [
    "UNSET",
    "Alias",
    "AliasName",
    "Aliases",
    "AlreadyExistsError",
    "AsyncAliases",
    "AsyncClient",
    "AsyncDeployments",
    "AsyncEvaluations",
    "AsyncEvents",
    "AsyncLineageGraph",
    "AsyncModels",
    "AsyncNamespaces",
    "AsyncPager",
    "AsyncServing",
    "AsyncVersions",
    "AsyncWebhooks",
    "BadAnswerError",
    "Best",
    "CacheError",
    "Call",
    "Client",
    "Comparison",
    "ConflictError",
    "Dataset",
    "DatasetRole",
    "DeadlineExceededError",
    "Delivery",
    "DeliveryName",
    "DeliveryState",
    "Deployment",
    "DeploymentName",
    "Deployments",
    "DeprecatedVersionWarning",
    "Difference",
    "Direction",
    "Environment",
    "Evaluation",
    "EvaluationName",
    "Evaluations",
    "Event",
    "Events",
    "Facts",
    "FactsWarning",
    "FailedPreconditionError",
    "FieldViolation",
    "File",
    "FilesWarning",
    "Fingerprint",
    "Framework",
    "Interceptor",
    "InvalidArgumentError",
    "Lineage",
    "LineageEdge",
    "LineageGraph",
    "LineageNode",
    "LineageRelation",
    "Model",
    "ModelName",
    "Models",
    "ModelyardError",
    "Namespace",
    "Namespaces",
    "NotCompared",
    "NotFoundError",
    "OutOfRangeError",
    "Pager",
    "Param",
    "Parent",
    "PermissionDeniedError",
    "PreconditionViolation",
    "Progress",
    "Promotion",
    "PulledModel",
    "Reference",
    "Registration",
    "Relation",
    "Resolution",
    "ResourceExhaustedError",
    "Rollout",
    "Rule",
    "Run",
    "Section",
    "Selector",
    "ServerError",
    "Serving",
    "ServingWarning",
    "Signature",
    "SkippedVersionWarning",
    "Slice",
    "Source",
    "StaleModelWarning",
    "Status",
    "UnauthenticatedError",
    "UnavailableError",
    "UnknownFieldWarning",
    "Unset",
    "Usage",
    "VerificationError",
    "Version",
    "VersionName",
    "VersionState",
    "Versions",
    "WaitingWarning",
    "Webhook",
    "WebhookName",
    "WebhookTest",
    "Webhooks",
    "check",
    "diff",
    "promote",
    "pull",
    "push",
    "resolve",
    "rollback",
    "to_dataframe",
    "watch",
]

# Loaded when first used, in this order: gRPC takes most of the time, and who needs an error's name does not need it.
_MODULES = (
    "errors",
    "core.facts",
    "core.manifest",
    "core.names",
    "core.references",
    "types",
    "interceptors",
    "_frames",
    "_unset",
    "_paging",
    "_client",
    "_serving_sync",
    "_sync",
    "_default",
)


# A fork copies the lock of a module that another thread is importing, and the child could never import that module.
# So a fork waits until the import ends.
_loading = RLock()
register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - it takes longer than all that is imported here

        return version("modelyard")
    if name in __all__:
        with _loading:
            for module in _MODULES:
                value = getattr(import_module(f"{__name__}.{module}"), name, None)
                if value is not None:
                    globals()[name] = value
                    return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
