"""Namespaces, models, versions and aliases."""

from google.protobuf.message import DecodeError

from modelyard.core.facts import Param
from modelyard.core.manifest import File, check_files
from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard.types import (
    Alias,
    Comparison,
    Difference,
    Model,
    Namespace,
    NotCompared,
    Resolution,
    Rule,
    Section,
    Status,
    Version,
    VersionState,
)
from modelyard.v1 import registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.wire import (
    DIRECTIONS,
    RELATIONS,
    EnumMapping,
    facts_from_proto,
    files_from_proto,
    moment,
    optional_moment,
    param_from_proto,
)

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
        delete_time=optional_moment(message.delete_time, is_set=message.HasField("delete_time")),
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
        files=_files(message),
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
        quarantine_reason=message.quarantine_reason,
        etag=message.etag,
        **facts_from_proto(message),
    )


def _files(message: pb.Version) -> tuple[File, ...]:
    """The files, as a version can have them: none leads out of a folder that it is joined to, or onto another one."""
    return tuple(check_files(files_from_proto(message.files)))


def version_name(text: str) -> VersionName:
    return VersionName.parse(text)


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


def resolution(reference: str, message: registry_pb2.ResolveVersionResponse) -> Resolution:
    return Resolution(
        reference=reference,
        version=version(message.version),
        rule=_RULES.from_proto(message.rule),
        alias=alias(message.alias) if message.HasField("alias") else None,
        revision=message.revision,
        serve_time=moment(message.serve_time),
    )


def status(message: registry_pb2.Registry, url: str, latency: float) -> Status:
    return Status(
        url=url,
        server_version=message.version,
        caller=message.caller,
        serve_time=moment(message.serve_time),
        latency=latency,
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
        not_compared=tuple(
            NotCompared(
                section=_SECTIONS.from_proto(each.section), name=each.name, before=each.before, after=each.after
            )
            for each in message.not_compared
            if each.section in _SECTIONS
        ),
        shared_bytes=message.shared_bytes,
        removed_bytes=message.removed_bytes,
        added_bytes=message.added_bytes,
        truncated=message.truncated,
    )


def _param(value: pb.ParamValue) -> Param | None:
    return None if value.WhichOneof("kind") is None else param_from_proto(value)


def _known(message: pb.Version) -> pb.Version:
    """The version without facts of kinds that this SDK does not know."""
    strange_params = [name for name, value in message.params.items() if value.WhichOneof("kind") is None]
    strange_datasets = [
        index
        for index, dataset in enumerate(message.datasets)
        if dataset.role not in pb.Dataset.Role.values() or dataset.fingerprint not in pb.Dataset.Fingerprint.values()
    ]
    strange_parents = [index for index, parent in enumerate(message.parents) if parent.relation not in RELATIONS]
    strange_directions = [metric for metric, direction in message.directions.items() if direction not in DIRECTIONS]
    if not any((strange_params, strange_datasets, strange_parents, strange_directions)):
        return message
    known = pb.Version()
    known.CopyFrom(message)
    for name in strange_params:
        del known.params[name]
    for metric in strange_directions:
        del known.directions[metric]
    for index in strange_datasets:
        dataset = known.datasets[index]
        if dataset.role not in pb.Dataset.Role.values():
            dataset.role = pb.Dataset.ROLE_OTHER
        if dataset.fingerprint not in pb.Dataset.Fingerprint.values():
            dataset.fingerprint = pb.Dataset.FINGERPRINT_UNSPECIFIED
    for index in strange_parents:
        known.parents[index].relation = pb.Parent.RELATION_DERIVED_FROM
    return known
