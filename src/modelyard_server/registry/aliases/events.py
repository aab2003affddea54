"""Encodes aliases for the log."""

from typing import Final

from modelyard.core.names import AliasName, VersionName
from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from
from modelyard_server.log.values import Json
from modelyard_server.registry.aliases.messages import alias_message
from modelyard_server.registry.aliases.values import Alias

_FIELDS_1: Final = COMMON | {"version", "manifest_digest", "updated_by"}


def encode(alias: Alias) -> Json:
    return {
        **common(alias, alias.name),
        "version": str(alias.version),
        "manifest_digest": alias.manifest_digest,
        "updated_by": alias.updated_by,
    }


def decode(stored: Json) -> Alias:
    return Alias(
        **common_from(stored),
        name=AliasName.parse(stored["name"]),
        version=VersionName.parse(stored["version"]),
        manifest_digest=stored.get("manifest_digest", ""),
        updated_by=stored.get("updated_by", ""),
    )


ALIAS: Final = Kind(
    name="alias",
    verbs=("created", "moved", "rolled_back", "deleted"),
    removals=("deleted",),
    schemas={0: _FIELDS_1, 1: _FIELDS_1},
    encode=encode,
    decode=decode,
    message_field="alias",
    render=alias_message,
)
