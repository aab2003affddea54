"""Aliases as messages."""

from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.messages import common
from modelyard_server.registry.aliases.values import Alias


def alias_message(alias: Alias) -> pb.Alias:
    return pb.Alias(
        **common(alias),
        name=str(alias.name),
        version=str(alias.version),
        manifest_digest=alias.manifest_digest,
        updated_by=alias.updated_by,
    )
