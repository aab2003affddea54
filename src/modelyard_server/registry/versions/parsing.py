"""Parses requests about versions."""

from collections.abc import Iterable, Mapping
from typing import Final

from modelyard import wire
from modelyard.core.facts import Facts
from modelyard.core.names import ModelName, NamespaceName, check_alias
from modelyard.v1 import registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.registry.described import described
from modelyard_server.registry.versions import rules
from modelyard_server.registry.versions.values import NewVersion

_ALL_MODELS: Final = "/models/-"


def models_parent(value: str) -> ModelName | NamespaceName:
    """Parses the parent of a list: one model, or all models of a namespace with ``-`` as model id."""
    if value.endswith(_ALL_MODELS):
        return NamespaceName.parse(value.removesuffix(_ALL_MODELS))
    return ModelName.parse(value)


def check_view(value: int) -> Iterable[FieldViolation]:
    if value not in registry_pb2.VersionView.values():
        yield FieldViolation("view", f"{value} is not a view that this server knows")


def new_version(request: registry_pb2.CreateVersionRequest, limits: Limits, collector: Collector) -> NewVersion | None:
    """Parses the new version of CreateVersion; None after a violation."""
    message = request.version
    parent = collector.parse("parent", ModelName.parse, request.parent)
    files = wire.files_from_proto(message.files)
    facts = _facts(message, limits, collector)
    collector.add(rules.files("version.files", files))
    collector.add(described("version", message, limits))
    collector.add(_aliases(request.alias_ids, limits))
    if message.ByteSize() > limits.version_bytes:
        text = f"has {message.ByteSize()} bytes with its files and facts; at most {limits.version_bytes} are allowed"
        collector.add([FieldViolation("version", f"{text}. Use fewer files, or shorter paths and facts.")])
    if parent is None or facts is None:
        return None
    return NewVersion(
        parent=parent,
        files=files,
        facts=facts,
        description=message.description,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        alias_ids=tuple(dict.fromkeys(request.alias_ids)),
        if_changed=request.if_changed,
    )


def _aliases(alias_ids: Iterable[str], limits: Limits) -> Iterable[FieldViolation]:
    ids = list(alias_ids)
    yield from validation.at_most("alias_ids", len(ids), limits.aliases_per_commit)
    for index, alias_id in enumerate(ids):
        yield from validation.parsed(f"alias_ids[{index}]", check_alias, alias_id)


def _unset(message: pb.Version) -> Iterable[FieldViolation]:
    """Violations for values that the contract's types allow and the rules don't."""
    for name, value in message.params.items():
        if value.WhichOneof("kind") is None:
            yield FieldViolation(f"version.params[{name[:40]!a}]", "has no value")
    for index, dataset in enumerate(message.datasets):
        if dataset.role not in pb.Dataset.Role.values():
            yield FieldViolation(
                f"version.datasets[{index}].role", f"{dataset.role} is not a role that this server knows"
            )
        if dataset.fingerprint not in pb.Dataset.Fingerprint.values():
            text = f"{dataset.fingerprint} is not a kind of fingerprint that this server knows"
            yield FieldViolation(f"version.datasets[{index}].fingerprint", text)
    yield from unknown_directions("version.directions", message.directions)
    for index, parent in enumerate(message.parents):
        if parent.relation not in pb.Parent.Relation.values() or not parent.relation:
            yield FieldViolation(f"version.parents[{index}].relation", "must be one of the relations of the contract")


def unknown_directions(field: str, directions: Mapping[str, int]) -> Iterable[FieldViolation]:
    for metric, direction in directions.items():
        if direction not in pb.Evaluation.Direction.values():
            yield FieldViolation(f"{field}[{metric[:40]!a}]", f"{direction} is not a direction that this server knows")


def _facts(message: pb.Version, limits: Limits, collector: Collector) -> Facts | None:
    unset = list(_unset(message))
    collector.add(unset)
    if unset:
        return None
    facts = Facts(**wire.facts_from_proto(message))
    collector.add(rules.facts("version", facts, limits))
    return facts
