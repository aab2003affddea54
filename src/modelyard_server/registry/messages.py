"""Domain records as messages."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from modelyard import wire
from modelyard.core.names import ModelName
from modelyard.v1 import artifacts_pb2, deployments_pb2, registry_pb2, webhooks_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.wire import EnumMapping
from modelyard_server.comparison.values import Comparison, Section
from modelyard_server.deployments.usage.values import Rollout, Usage
from modelyard_server.registry.resolving.service import Resolution, Rule
from modelyard_server.registry.values import (
    Alias,
    Delivery,
    DeliveryState,
    Deployment,
    Evaluation,
    Model,
    Namespace,
    Resource,
    Upload,
    UploadState,
    Version,
    VersionState,
    Webhook,
)

_STATES = EnumMapping(pb.Version.State, VersionState)
_UPLOAD_STATES = EnumMapping(artifacts_pb2.Upload.State, UploadState)
_RULES = EnumMapping(registry_pb2.ResolveVersionResponse.Rule, Rule)
_SECTIONS = EnumMapping(registry_pb2.Difference.Section, Section)
DELIVERY_STATES = EnumMapping(webhooks_pb2.Delivery.State, DeliveryState)


def _common(resource: Resource) -> dict[str, Any]:
    return {
        "uid": resource.uid,
        "create_time": wire.timestamp(resource.create_time),
        "update_time": wire.timestamp(resource.update_time),
        "etag": resource.etag,
    }


def _optional_times(**moments: datetime | None) -> dict[str, Any]:
    return {name: wire.timestamp(moment) for name, moment in moments.items() if moment is not None}


def namespace(namespace: Namespace) -> pb.Namespace:
    return pb.Namespace(
        **_common(namespace),
        name=str(namespace.name),
        display_name=namespace.display_name,
        description=namespace.description,
        labels=namespace.labels,
        annotations=namespace.annotations,
    )


def model(model: Model) -> pb.Model:
    return pb.Model(
        **_common(model),
        **_optional_times(delete_time=model.delete_time, purge_time=model.purge_time),
        name=str(model.name),
        display_name=model.display_name,
        description=model.description,
        owner=model.owner,
        labels=model.labels,
        annotations=model.annotations,
        aliases=model.aliases,
    )


def version(version: Version) -> pb.Version:
    message = pb.Version(
        **_common(version),
        **_optional_times(delete_time=version.delete_time, purge_time=version.purge_time),
        name=str(version.name),
        number=version.name.number,
        state=_STATES.to_proto(version.state),
        files=wire.files_to_proto(version.files or ()),
        file_count=version.file_count,
        total_size_bytes=version.total_size,
        manifest_digest=version.manifest_digest,
        description=version.description,
        labels=version.labels,
        annotations=version.annotations,
        aliases=version.aliases,
        created_by=version.created_by,
        deprecation_reason=version.deprecation_reason,
    )
    wire.facts_into_proto(version.facts, message)
    return message


def comparison(comparison: Comparison, size: int) -> registry_pb2.CompareVersionsResponse:
    """With as many differences as about ``size`` bytes hold."""
    message = registry_pb2.CompareVersionsResponse(
        base=version(replace(comparison.base, files=None)),
        other=version(replace(comparison.other, files=None)),
        shared_bytes=comparison.shared_bytes,
        removed_bytes=comparison.removed_bytes,
        added_bytes=comparison.added_bytes,
    )
    for difference in comparison.differences:
        told = registry_pb2.Difference(
            section=_SECTIONS.to_proto(difference.section),
            name=difference.name,
            before=None if difference.before is None else wire.param_to_proto(difference.before),
            after=None if difference.after is None else wire.param_to_proto(difference.after),
        )
        size -= told.ByteSize()
        if size < 0:
            message.truncated = True
            break
        message.differences.append(told)
    return message


def alias(alias: Alias) -> pb.Alias:
    return pb.Alias(
        **_common(alias),
        name=str(alias.name),
        version=str(alias.version),
        manifest_digest=alias.manifest_digest,
        updated_by=alias.updated_by,
    )


def evaluation(evaluation: Evaluation) -> pb.Evaluation:
    return pb.Evaluation(
        name=str(evaluation.name),
        dataset=wire.dataset_to_proto(evaluation.dataset),
        metrics=evaluation.metrics,
        directions={metric: wire.DIRECTIONS.to_proto(direction) for metric, direction in evaluation.directions.items()},
        slices=[pb.Evaluation.Slice(name=each.name, metrics=each.metrics) for each in evaluation.slices],
        harness=evaluation.harness,
        supersedes=evaluation.supersedes,
        superseded_by=evaluation.superseded_by,
        created_by=evaluation.created_by,
        create_time=wire.timestamp(evaluation.create_time),
    )


def deployment(deployment: Deployment) -> pb.Deployment:
    return pb.Deployment(
        **_common(deployment),
        name=str(deployment.name),
        service=deployment.service,
        environment=deployment.environment,
        instance=deployment.instance,
        version=str(deployment.version),
        manifest_digest=deployment.manifest_digest,
        observed_digest=deployment.observed_digest,
        mismatched=deployment.mismatched,
        reference=deployment.reference,
        created_by=deployment.created_by,
        heartbeat_time=wire.timestamp(deployment.heartbeat_time),
        expire_time=wire.timestamp(deployment.expire_time),
    )


def rollout(rollout: Rollout) -> deployments_pb2.Rollout:
    return deployments_pb2.Rollout(
        alias=alias(rollout.alias),
        matching_count=rollout.matching_count,
        differing_count=rollout.differing_count,
        differing=map(deployment, rollout.differing),
    )


def usage(usage: Usage) -> deployments_pb2.Usage:
    message = deployments_pb2.Usage(version=str(usage.version), deployment_count=usage.deployment_count)
    if (use := usage.use) is not None:
        message.download_count = use.download_count
        message.use_time.CopyFrom(wire.timestamp(use.use_time))
        if use.download_time is not None:
            message.download_time.CopyFrom(wire.timestamp(use.download_time))
    return message


def webhook(webhook: Webhook, *, secret: str = "") -> pb.Webhook:
    return pb.Webhook(
        **_common(webhook),
        name=str(webhook.name),
        url=webhook.url,
        types=webhook.types,
        model=str(ModelName(webhook.name.namespace, webhook.model_id)) if webhook.model_id else "",
        description=webhook.description,
        disabled=webhook.disabled,
        secret=secret,
        created_by=webhook.created_by,
    )


def delivery(delivery: Delivery) -> webhooks_pb2.Delivery:
    times = {"attempt_time": delivery.attempt_time, "next_attempt_time": delivery.next_attempt_time}
    return webhooks_pb2.Delivery(
        **_optional_times(create_time=delivery.create_time, **times),
        name=str(delivery.name),
        revision=delivery.revision,
        type=delivery.type,
        resource=delivery.resource,
        state=DELIVERY_STATES.to_proto(delivery.state),
        attempt_count=delivery.attempt_count,
        status_code=delivery.status_code,
        error=delivery.error,
        latency=duration(delivery.latency) if delivery.attempt_time is not None else None,
    )


def duration(seconds: float) -> Duration:
    made = Duration()
    made.FromTimedelta(timedelta(seconds=seconds))
    return made


def resolution(resolution: Resolution) -> registry_pb2.ResolveVersionResponse:
    return registry_pb2.ResolveVersionResponse(
        version=version(resolution.version),
        rule=_RULES.to_proto(resolution.rule),
        alias=alias(resolution.alias) if resolution.alias is not None else None,
        revision=resolution.revision,
        serve_time=wire.timestamp(resolution.serve_time),
    )


def upload(upload: Upload) -> artifacts_pb2.Upload:
    return artifacts_pb2.Upload(
        name=str(upload.name),
        blob=pb.Blob(digest=upload.digest, size_bytes=upload.size),
        state=_UPLOAD_STATES.to_proto(upload.state),
        persisted_size=upload.persisted_size,
        expire_time=wire.timestamp(upload.expire_time),
    )
