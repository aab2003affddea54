"""Encodes versions for the log."""

from typing import Final

from modelyard.core.names import VersionName
from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from, optional_time, optional_time_from
from modelyard_server.log.values import Json
from modelyard_server.registry.versions.messages import version_message
from modelyard_server.registry.versions.recorded import Recorded
from modelyard_server.registry.versions.values import Version, VersionState

_FIELDS_0: Final = COMMON | {
    *("live_state", "file_count", "total_size", "manifest_digest", "facts", "created_by", "description", "labels"),
    *("annotations", "aliases", "delete_time", "purge_time", "deprecation_reason"),
}
_FIELDS_1: Final = _FIELDS_0 | {"quarantine_reason", "released_state"}


def encode(version: Version) -> Json:
    """Encodes a version without its files, which the manifest digest identifies."""
    return {
        **common(version, version.name),
        "live_state": version.live_state.value,
        "file_count": version.file_count,
        "total_size": version.total_size,
        "manifest_digest": version.manifest_digest,
        "facts": version.recorded.stored,
        "created_by": version.created_by,
        "description": version.description,
        "labels": dict(version.labels),
        "annotations": dict(version.annotations),
        "aliases": list(version.aliases),
        "delete_time": optional_time(version.delete_time),
        "purge_time": optional_time(version.purge_time),
        "deprecation_reason": version.deprecation_reason,
        "quarantine_reason": version.quarantine_reason,
        "released_state": None if version.released_state is None else version.released_state.value,
    }


def decode(stored: Json) -> Version:
    released = stored.get("released_state")
    return Version(
        **common_from(stored),
        name=VersionName.parse(stored["name"]),
        live_state=VersionState(stored["live_state"]),
        files=None,
        file_count=stored["file_count"],
        total_size=stored["total_size"],
        manifest_digest=stored["manifest_digest"],
        recorded=Recorded(stored.get("facts", {})),
        created_by=stored.get("created_by", ""),
        description=stored.get("description", ""),
        labels=stored.get("labels", {}),
        annotations=stored.get("annotations", {}),
        aliases=tuple(stored.get("aliases", ())),
        delete_time=optional_time_from(stored, "delete_time"),
        purge_time=optional_time_from(stored, "purge_time"),
        deprecation_reason=stored.get("deprecation_reason", ""),
        quarantine_reason=stored.get("quarantine_reason", ""),
        released_state=None if released is None else VersionState(released),
    )


VERSION: Final = Kind(
    name="version",
    verbs=("created", "updated", "deprecated", "quarantined", "released", "deleted", "restored"),
    schemas={0: _FIELDS_0, 1: _FIELDS_1},
    # A move of an alias does not change the versions.
    uncompared=frozenset({"aliases"}),
    encode=encode,
    decode=decode,
    message_field="version",
    render=version_message,
)
