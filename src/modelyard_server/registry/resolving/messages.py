"""Resolutions as messages."""

from modelyard import wire
from modelyard.v1 import registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.registry.aliases.messages import alias_message
from modelyard_server.registry.resolving.service import Resolution, Rule

_RULES = wire.EnumMapping(registry_pb2.ResolveVersionResponse.Rule, Rule)


def resolution_message(resolution: Resolution, version: pb.Version) -> registry_pb2.ResolveVersionResponse:
    return registry_pb2.ResolveVersionResponse(
        version=version,
        rule=_RULES.to_proto(resolution.rule),
        alias=alias_message(resolution.alias) if resolution.alias is not None else None,
        revision=resolution.revision,
        serve_time=wire.timestamp(resolution.serve_time),
    )
