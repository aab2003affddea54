"""What the registry sends as the SDK's types.

A newer registry may send what this SDK does not know yet. None of it makes a model unusable: it reads as the nearest
thing that is known, or is left out.
"""

from google.protobuf.message import DecodeError

from modelyard import _convert_consumers as _consumers
from modelyard.core.facts import Dataset, Param, Run, Slice, Source
from modelyard.core.names import (
    AliasName,
    EvaluationName,
    ModelName,
    NamespaceName,
    VersionName,
)
from modelyard.types import (
    Alias,
    Comparison,
    Deployment,
    Difference,
    Evaluation,
    Event,
    Lineage,
    LineageEdge,
    LineageNode,
    Model,
    Namespace,
    Resolution,
    Rollout,
    Rule,
    Section,
    Version,
    VersionState,
    Webhook,
)
from modelyard.v1 import deployments_pb2, events_pb2, lineage_pb2, registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.wire import (
    DIRECTIONS,
    LINEAGE_RELATIONS,
    RELATIONS,
    dataset_from_proto,
    facts_from_proto,
    files_from_proto,
    moment,
    optional_moment,
    param_from_proto,
    run_from_proto,
    source_from_proto,
    value_from_proto,
)
from modelyard.wire.enums import EnumMapping

_STATES = EnumMapping(pb.Version.State, VersionState, unknown=VersionState.UNKNOWN)
_RULES = EnumMapping(registry_pb2.ResolveVersionResponse.Rule, Rule, unknown=Rule.UNKNOWN)
_SECTIONS = EnumMapping(registry_pb2.Difference.Section, Section)


def namespace(message: pb.Namespace) -> Namespace:
    return Namespace(
        id=NamespaceName.parse(message.name).namespace,
        uid=message.uid,
        display_name=message.display_name,
        description=message.description,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        create_time=moment(message.create_time),
        update_time=moment(message.update_time),
        etag=message.etag,
    )


def model(message: pb.Model) -> Model:
    return Model(
        name=ModelName.parse(message.name),
        uid=message.uid,
        display_name=message.display_name,
        description=message.description,
        owner=message.owner,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        create_time=moment(message.create_time),
        update_time=moment(message.update_time),
        delete_time=optional_moment(message.delete_time, is_set=message.HasField("delete_time")),
        purge_time=optional_moment(message.purge_time, is_set=message.HasField("purge_time")),
        aliases=dict(message.aliases),
        etag=message.etag,
    )


def version(message: pb.Version) -> Version:
    message = _known(message)
    return Version(
        name=VersionName.parse(message.name),
        uid=message.uid,
        state=_STATES.from_proto(message.state),
        files=files_from_proto(message.files),
        file_count=message.file_count,
        total_size=message.total_size_bytes,
        digest=message.manifest_digest,
        description=message.description,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        aliases=tuple(message.aliases),
        created_by=message.created_by,
        create_time=moment(message.create_time),
        update_time=moment(message.update_time),
        delete_time=optional_moment(message.delete_time, is_set=message.HasField("delete_time")),
        purge_time=optional_moment(message.purge_time, is_set=message.HasField("purge_time")),
        deprecation_reason=message.deprecation_reason,
        etag=message.etag,
        **facts_from_proto(message),
    )


def version_from_bytes(serialized: bytes) -> Version:
    """A version as a cache keeps it: the bytes of its message. Raises ``ValueError`` if they are no longer that."""
    try:
        return version(pb.Version.FromString(serialized))
    except DecodeError as error:
        raise ValueError(str(error)) from None


def alias(message: pb.Alias) -> Alias:
    return Alias(
        name=AliasName.parse(message.name),
        uid=message.uid,
        version=VersionName.parse(message.version),
        digest=message.manifest_digest,
        create_time=moment(message.create_time),
        update_time=moment(message.update_time),
        updated_by=message.updated_by,
        etag=message.etag,
    )


def comparison(message: registry_pb2.CompareVersionsResponse) -> Comparison:
    return Comparison(
        base=version(message.base),
        other=version(message.other),
        differences=tuple(
            Difference(
                section=_SECTIONS.from_proto(each.section),
                name=each.name,
                before=_param(each.before) if each.HasField("before") else None,
                after=_param(each.after) if each.HasField("after") else None,
            )
            for each in message.differences
            if each.section in _SECTIONS
        ),
        shared_bytes=message.shared_bytes,
        removed_bytes=message.removed_bytes,
        added_bytes=message.added_bytes,
        truncated=message.truncated,
    )


def _param(value: pb.ParamValue) -> Param | None:
    return None if value.WhichOneof("kind") is None else param_from_proto(value)


def evaluation(message: pb.Evaluation) -> Evaluation:
    return Evaluation(
        name=EvaluationName.parse(message.name),
        dataset=dataset_from_proto(message.dataset),
        metrics=dict(message.metrics),
        directions={
            metric: DIRECTIONS.from_proto(direction)
            for metric, direction in message.directions.items()
            if direction in DIRECTIONS
        },
        slices=tuple(Slice(name=each.name, metrics=dict(each.metrics)) for each in message.slices),
        harness=message.harness,
        supersedes=EvaluationName.parse(message.supersedes) if message.supersedes else None,
        superseded_by=EvaluationName.parse(message.superseded_by) if message.superseded_by else None,
        created_by=message.created_by,
        create_time=moment(message.create_time),
    )


def rollout(message: deployments_pb2.Rollout) -> Rollout:
    return Rollout(
        alias=alias(message.alias),
        matching_count=message.matching_count,
        differing_count=message.differing_count,
        differing=tuple(map(_consumers.deployment, message.differing)),
    )


def lineage(message: lineage_pb2.QueryLineageResponse) -> Lineage:
    return Lineage(
        nodes=tuple(LineageNode(id=node.id, distance=node.distance, thing=_thing(node)) for node in message.nodes),
        edges=tuple(
            LineageEdge(
                source=edge.source,
                target=edge.target,
                relation=LINEAGE_RELATIONS.from_proto(edge.relation),
                digest=edge.manifest_digest,
            )
            for edge in message.edges
        ),
        truncated=message.truncated,
    )


def _thing(node: lineage_pb2.LineageNode) -> Version | Dataset | Source | Run | None:
    match node.WhichOneof("kind"):
        case "version":
            return version(node.version)
        case "dataset":
            return dataset_from_proto(node.dataset)
        case "source":
            return source_from_proto(node.source)
        case "run":
            return run_from_proto(node.run)
        case _:
            return None


def event(message: events_pb2.Event) -> Event:
    return Event(
        revision=message.revision,
        type=message.type,
        resource=message.resource,
        actor=message.actor,
        request_id=message.request_id,
        reason=message.reason,
        time=moment(message.time),
        changes={
            name: (value_from_proto(change.before), value_from_proto(change.after))
            for name, change in message.changes.items()
        },
        snapshot=_snapshot(message),
        hash=message.hash,
        previous_hash=message.previous_hash,
    )


def _snapshot(
    message: events_pb2.Event,
) -> Namespace | Model | Version | Alias | Evaluation | Deployment | Webhook | None:
    match message.WhichOneof("snapshot"):
        case "namespace":
            return namespace(message.namespace)
        case "model":
            return model(message.model)
        case "version":
            return version(message.version)
        case "alias":
            return alias(message.alias)
        case "evaluation":
            return evaluation(message.evaluation)
        case "webhook":
            return _consumers.webhook(message.webhook)
        case "deployment":
            return _consumers.deployment(message.deployment)
        case _:
            return None


def resolution(reference: str, message: registry_pb2.ResolveVersionResponse) -> Resolution:
    return Resolution(
        reference=reference,
        version=version(message.version),
        rule=_RULES.from_proto(message.rule),
        alias=alias(message.alias) if message.HasField("alias") else None,
        revision=message.revision,
        serve_time=moment(message.serve_time),
    )


def _known(message: pb.Version) -> pb.Version:
    """The version without facts of kinds that this SDK does not know."""
    strange_params = [name for name, value in message.params.items() if value.WhichOneof("kind") is None]
    strange_datasets = [
        index
        for index, dataset in enumerate(message.datasets)
        if dataset.role not in pb.Dataset.Role.values() or dataset.fingerprint not in pb.Dataset.Fingerprint.values()
    ]
    strange_parents = [index for index, parent in enumerate(message.parents) if parent.relation not in RELATIONS]
    if not strange_params and not strange_datasets and not strange_parents:
        return message
    known = pb.Version()
    known.CopyFrom(message)
    for name in strange_params:
        del known.params[name]
    for index in strange_datasets:
        dataset = known.datasets[index]
        if dataset.role not in pb.Dataset.Role.values():
            dataset.role = pb.Dataset.ROLE_OTHER
        if dataset.fingerprint not in pb.Dataset.Fingerprint.values():
            dataset.fingerprint = pb.Dataset.FINGERPRINT_UNSPECIFIED
    for index in strange_parents:
        known.parents[index].relation = pb.Parent.RELATION_DERIVED_FROM
    return known
