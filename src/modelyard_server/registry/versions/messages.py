"""Versions as messages."""

from modelyard import wire
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.messages import common, optional_times
from modelyard_server.calls.offload import offload
from modelyard_server.registry.versions.values import Version, VersionState

_STATES = wire.EnumMapping(pb.Version.State, VersionState)


async def rendered(version: Version) -> pb.Version:
    """The message of a version, made beside the event loop if it is large."""
    return await offload(version.entries, version_message, version)


def version_message(version: Version) -> pb.Version:
    message = pb.Version(
        **common(version),
        **optional_times(delete_time=version.delete_time, purge_time=version.purge_time),
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
        quarantine_reason=version.quarantine_reason,
    )
    wire.facts_into_proto(version.facts, message)
    return message
