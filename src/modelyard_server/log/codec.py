"""Records as JSON and back: what event snapshots, stored outcomes and the facts column hold."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from modelyard.core.facts import (
    Dataset,
    DatasetRole,
    Direction,
    Environment,
    Facts,
    Fingerprint,
    Framework,
    Parent,
    Relation,
    Run,
    Signature,
    Slice,
    Source,
)
from modelyard.core.names import (
    AliasName,
    DeploymentName,
    EvaluationName,
    ModelName,
    NamespaceName,
    VersionName,
    WebhookName,
)
from modelyard_server.outbound.urls import told_url
from modelyard_server.registry.values import (
    Alias,
    AnyResource,
    Deployment,
    Evaluation,
    Model,
    Namespace,
    Version,
    VersionState,
    Webhook,
)

T = TypeVar("T")
Json = dict[str, Any]

# Of no meaning outside the database, or too large for a log.
_LEFT_OUT = frozenset({"key", "namespace_key", "model_key", "version_key", "files"})
_NAMES = (NamespaceName, ModelName, VersionName, AliasName, EvaluationName, DeploymentName, WebhookName)
# What has events of its own, what is no news, and what is a secret.
_NOT_LOGGED: dict[type[AnyResource], tuple[str, ...]] = {
    Model: ("aliases",),
    Evaluation: ("superseded_by",),
    Deployment: ("heartbeat_time", "expire_time", "lease", "ttl"),
    Webhook: ("queued_revision",),
}


def format_time(moment: datetime) -> str:
    """RFC 3339, UTC, microseconds: sorts as text as it does as time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _encode(value: Any) -> Any:
    if isinstance(value, _NAMES):
        return str(value)
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {f.name: _encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


def facts_to_json(facts: Facts) -> Json:
    """Only what is set, so that the many versions with few facts stay small."""
    return {
        f.name: encoded for f in fields(facts) if (encoded := _encode(getattr(facts, f.name))) not in (None, "", [], {})
    }


def _some(make: Callable[..., T], value: Json | None) -> T | None:
    return None if value is None else make(**value)


def _dataset(value: Json) -> Dataset:
    fingerprint = value["fingerprint"]
    return Dataset(
        **value
        | {
            "role": DatasetRole(value["role"]),
            "fingerprint": None if fingerprint is None else Fingerprint(fingerprint),
        }
    )


def facts_from_json(stored: Json) -> Facts:
    def source(**value: Any) -> Source:
        return Source(**value | {"arguments": tuple(value["arguments"])})

    return Facts(
        params=stored.get("params", {}),
        metrics=stored.get("metrics", {}),
        datasets=tuple(_dataset(value) for value in stored.get("datasets", ())),
        source=_some(source, stored.get("source")),
        environment=_some(Environment, stored.get("environment")),
        framework=_some(Framework, stored.get("framework")),
        format=stored.get("format", ""),
        signature=_some(Signature, stored.get("signature")),
        parents=tuple(Parent(**p | {"relation": Relation(p["relation"])}) for p in stored.get("parents", ())),
        run=_some(Run, stored.get("run")),
    )


def snapshot(resource: AnyResource) -> Json:
    """A resource as of now, for the log: without its list of files, and without what is not for the log to tell."""
    stored = recorded(resource)
    for other in _NOT_LOGGED.get(type(resource), ()):
        del stored[other]
    if isinstance(resource, Webhook):
        stored |= told_url(resource.url)
    return stored


def recorded(resource: AnyResource) -> Json:
    """A resource as it was answered, but for its list of files."""
    stored = {f.name: _encode(getattr(resource, f.name)) for f in fields(resource) if f.name not in _LEFT_OUT}
    if isinstance(resource, Version):
        stored["facts"] = facts_to_json(resource.facts)
    return stored


def _times(stored: Json) -> Json:
    return {
        name: datetime.fromisoformat(value) if value is not None and name.endswith("_time") else value
        for name, value in stored.items()
    }


def namespace_from_snapshot(stored: Json) -> Namespace:
    return Namespace(**_times(stored) | {"name": NamespaceName.parse(stored["name"])})


def model_from_snapshot(stored: Json) -> Model:
    return Model(**_times(stored) | {"name": ModelName.parse(stored["name"])})


def alias_from_snapshot(stored: Json) -> Alias:
    names = {"name": AliasName.parse(stored["name"]), "version": VersionName.parse(stored["version"])}
    return Alias(**_times(stored) | names)


def evaluation_from_snapshot(stored: Json) -> Evaluation:
    return Evaluation(**_times(stored) | {"name": EvaluationName.parse(stored["name"])} | evaluation_values(stored))


def evaluation_values(stored: Json) -> Json:
    """The fields of an evaluation that JSON holds otherwise."""
    return {
        "dataset": _dataset(stored["dataset"]),
        "directions": {name: Direction(value) for name, value in stored["directions"].items()},
        "slices": tuple(Slice(**each) for each in stored["slices"]),
    }


def version_from_snapshot(stored: Json) -> Version:
    """Without its files, which the snapshot leaves out."""
    parsed = {
        "name": VersionName.parse(stored["name"]),
        "live_state": VersionState(stored["live_state"]),
        "facts": facts_from_json(stored["facts"]),
        "aliases": tuple(stored["aliases"]),
        "files": None,
    }
    return Version(**_times(stored) | parsed)


def deployment_from_snapshot(stored: Json) -> Deployment:
    """Of an event, it was last heard of when it changed."""
    names = {"name": DeploymentName.parse(stored["name"]), "version": VersionName.parse(stored["version"])}
    unlogged = {"heartbeat_time": stored["update_time"], "expire_time": stored["update_time"]}
    return Deployment(**_times(unlogged | stored) | names)


def webhook_from_snapshot(stored: Json) -> Webhook:
    """Of an event, its URL is what the log tells of it."""
    known = {name: value for name, value in stored.items() if name != "url_digest"}
    return Webhook(**_times(known) | {"name": WebhookName.parse(stored["name"]), "types": tuple(stored["types"])})
