"""Deployments as messages."""

from modelyard import wire
from modelyard.v1 import deployments_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.messages import common
from modelyard_server.deployments.usage.values import Usage
from modelyard_server.deployments.values import Deployment, Rollout
from modelyard_server.registry.aliases.messages import alias_message


def deployment_message(deployment: Deployment) -> pb.Deployment:
    return pb.Deployment(
        **common(deployment),
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


def rollout_message(rollout: Rollout) -> deployments_pb2.Rollout:
    return deployments_pb2.Rollout(
        alias=alias_message(rollout.alias),
        matching_count=rollout.matching_count,
        differing_count=rollout.differing_count,
        differing=map(deployment_message, rollout.differing),
    )


def usage_message(usage: Usage) -> deployments_pb2.Usage:
    message = deployments_pb2.Usage(version=str(usage.version), deployment_count=usage.deployment_count)
    if (use := usage.use) is not None:
        message.download_count = use.download_count
        message.use_time.CopyFrom(wire.timestamp(use.use_time))
        if use.download_time is not None:
            message.download_time.CopyFrom(wire.timestamp(use.download_time))
    return message
