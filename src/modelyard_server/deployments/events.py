"""Encodes deployments for the log, without heartbeats and leases."""

from datetime import datetime
from typing import Any, Final

from modelyard.core.names import DeploymentName, VersionName
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.deployments.messages import deployment_message
from modelyard_server.deployments.values import Deployment
from modelyard_server.log.encoding import format_time
from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from
from modelyard_server.log.values import Json

_FIELDS_1: Final = COMMON | {
    *("service", "environment", "instance", "version", "manifest_digest", "observed_digest", "reference"),
    "created_by",
}


def encode(deployment: Deployment) -> Json:
    return {
        **common(deployment, deployment.name),
        "service": deployment.service,
        "environment": deployment.environment,
        "instance": deployment.instance,
        "version": str(deployment.version),
        "manifest_digest": deployment.manifest_digest,
        "observed_digest": deployment.observed_digest,
        "reference": deployment.reference,
        "created_by": deployment.created_by,
    }


def encode_lease(deployment: Deployment) -> dict[str, Any]:
    """The fields that a stored answer has and the log has not."""
    return {
        "heartbeat_time": format_time(deployment.heartbeat_time),
        "expire_time": format_time(deployment.expire_time),
        "lease": deployment.lease,
        "ttl": deployment.ttl,
    }


def _time(stored: Json, name: str) -> datetime:
    return datetime.fromisoformat(stored[name] if name in stored else stored["update_time"])


def decode(stored: Json) -> Deployment:
    """Decodes a deployment. The time of its last heartbeat is the time of the event."""
    return Deployment(
        **common_from(stored),
        name=DeploymentName.parse(stored["name"]),
        service=stored["service"],
        environment=stored.get("environment", ""),
        instance=stored.get("instance", ""),
        version=VersionName.parse(stored["version"]),
        manifest_digest=stored.get("manifest_digest", ""),
        observed_digest=stored.get("observed_digest", ""),
        reference=stored.get("reference", ""),
        created_by=stored.get("created_by", ""),
        heartbeat_time=_time(stored, "heartbeat_time"),
        expire_time=_time(stored, "expire_time"),
        lease=stored.get("lease", ""),
        ttl=stored.get("ttl", 0.0),
    )


def _render(deployment: Deployment) -> pb.Deployment:
    message = deployment_message(deployment)
    message.ClearField("heartbeat_time")
    message.ClearField("expire_time")
    return message


DEPLOYMENT: Final = Kind(
    name="deployment",
    verbs=("created", "moved", "mismatched", "deleted", "expired"),
    removals=("deleted", "expired"),
    schemas={0: _FIELDS_1, 1: _FIELDS_1},
    encode=encode,
    decode=decode,
    message_field="deployment",
    render=_render,
)
