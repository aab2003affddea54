"""Deployments, rollouts, usage, webhooks and deliveries."""

from modelyard._convert.registry import alias
from modelyard.core.names import DeliveryName, DeploymentName, ModelName, VersionName, WebhookName
from modelyard.types import Delivery, DeliveryState, Deployment, Registration, Rollout, Usage, Webhook, WebhookTest
from modelyard.v1 import deployments_pb2, webhooks_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.wire import moment, optional_moment
from modelyard.wire.enums import EnumMapping

DELIVERY_STATES = EnumMapping(webhooks_pb2.Delivery.State, DeliveryState, unknown=DeliveryState.UNKNOWN)


def deployment(message: pb.Deployment) -> Deployment:
    return Deployment(
        name=DeploymentName.parse(message.name),
        uid=message.uid,
        service=message.service,
        environment=message.environment,
        instance=message.instance,
        version=VersionName.parse(message.version),
        digest=message.manifest_digest,
        observed_digest=message.observed_digest,
        mismatched=message.mismatched,
        reference=message.reference,
        created_by=message.created_by,
        create_time=moment(message.create_time),
        update_time=moment(message.update_time),
        heartbeat_time=optional_moment(message.heartbeat_time, is_set=message.HasField("heartbeat_time")),
        expire_time=optional_moment(message.expire_time, is_set=message.HasField("expire_time")),
        etag=message.etag,
    )


def registration(message: deployments_pb2.RegisterDeploymentResponse) -> Registration:
    return Registration(deployment=deployment(message.deployment), lease=message.lease)


def rollout(message: deployments_pb2.Rollout) -> Rollout:
    return Rollout(
        alias=alias(message.alias),
        matching_count=message.matching_count,
        differing_count=message.differing_count,
        differing=tuple(map(deployment, message.differing)),
    )


def usage(message: deployments_pb2.Usage) -> Usage:
    return Usage(
        version=VersionName.parse(message.version),
        download_count=message.download_count,
        download_time=optional_moment(message.download_time, is_set=message.HasField("download_time")),
        use_time=optional_moment(message.use_time, is_set=message.HasField("use_time")),
        deployment_count=message.deployment_count,
    )


def webhook(message: pb.Webhook) -> Webhook:
    return Webhook(
        name=WebhookName.parse(message.name),
        uid=message.uid,
        url=message.url,
        types=tuple(message.types),
        model=ModelName.parse(message.model) if message.model else None,
        description=message.description,
        disabled=message.disabled,
        secret=message.secret,
        created_by=message.created_by,
        create_time=moment(message.create_time),
        update_time=moment(message.update_time),
        etag=message.etag,
    )


def delivery(message: webhooks_pb2.Delivery) -> Delivery:
    return Delivery(
        name=DeliveryName.parse(message.name),
        revision=message.revision,
        type=message.type,
        resource=message.resource,
        state=DELIVERY_STATES.from_proto(message.state),
        attempt_count=message.attempt_count,
        status_code=message.status_code,
        error=message.error,
        latency=message.latency.ToTimedelta().total_seconds() if message.HasField("latency") else None,
        create_time=moment(message.create_time),
        attempt_time=optional_moment(message.attempt_time, is_set=message.HasField("attempt_time")),
        next_attempt_time=optional_moment(message.next_attempt_time, is_set=message.HasField("next_attempt_time")),
    )


def webhook_test(message: webhooks_pb2.TestWebhookResponse) -> WebhookTest:
    return WebhookTest(
        delivered=message.delivered,
        status_code=message.status_code,
        error=message.error,
        latency=message.latency.ToTimedelta().total_seconds(),
    )
