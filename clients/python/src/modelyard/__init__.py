"""Modelyard: push models to a registry, pull the one in production, and know where each came from.

>>> import modelyard
>>> version = modelyard.push("team/fraud", "out/", metrics={"auc": 0.93}, alias="candidate")
>>> model = modelyard.pull("team/fraud@production")
>>> model.path, model.version.metrics

The registry's address and credentials come from the environment: ``MODELYARD_URL``, ``MODELYARD_TOKEN``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard._client import AsyncClient
    from modelyard._default import pull, push, resolve
    from modelyard._sync import Client
    from modelyard._unset import UNSET, Unset
    from modelyard.errors import (
        AlreadyExistsError,
        CacheError,
        ConflictError,
        DeadlineExceededError,
        DeprecatedVersionWarning,
        FailedPreconditionError,
        FieldViolation,
        InvalidArgumentError,
        ModelyardError,
        NotFoundError,
        OutOfRangeError,
        PermissionDeniedError,
        PreconditionViolation,
        ResourceExhaustedError,
        ServerError,
        StaleModelWarning,
        UnauthenticatedError,
        UnavailableError,
        VerificationError,
    )
    from modelyard.facts import (
        Dataset,
        DatasetRole,
        Environment,
        Facts,
        Fingerprint,
        Framework,
        Param,
        Parent,
        Relation,
        Run,
        Signature,
        Source,
    )
    from modelyard.manifest import File
    from modelyard.names import AliasName, ModelName, VersionName
    from modelyard.references import Reference, Selector
    from modelyard.types import (
        Alias,
        Model,
        Namespace,
        Progress,
        PulledModel,
        Resolution,
        Rule,
        Version,
        VersionState,
    )

# Loaded when first used: gRPC takes most of the time, and the server imports the modules that need none of it.
_HOMES = {
    "_client": ("AsyncClient",),
    "_default": ("pull", "push", "resolve"),
    "_sync": ("Client",),
    "_unset": ("UNSET", "Unset"),
    "errors": (
        "AlreadyExistsError",
        "CacheError",
        "ConflictError",
        "DeadlineExceededError",
        "DeprecatedVersionWarning",
        "FailedPreconditionError",
        "FieldViolation",
        "InvalidArgumentError",
        "ModelyardError",
        "NotFoundError",
        "OutOfRangeError",
        "PermissionDeniedError",
        "PreconditionViolation",
        "ResourceExhaustedError",
        "ServerError",
        "StaleModelWarning",
        "UnauthenticatedError",
        "UnavailableError",
        "VerificationError",
    ),
    "facts": (
        "Dataset",
        "DatasetRole",
        "Environment",
        "Facts",
        "Fingerprint",
        "Framework",
        "Param",
        "Parent",
        "Relation",
        "Run",
        "Signature",
        "Source",
    ),
    "manifest": ("File",),
    "names": ("AliasName", "ModelName", "VersionName"),
    "references": ("Reference", "Selector"),
    "types": (
        "Alias",
        "Model",
        "Namespace",
        "Progress",
        "PulledModel",
        "Resolution",
        "Rule",
        "Version",
        "VersionState",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "UNSET",
    "Alias",
]


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
