"""A version's files and facts between Python and protobuf."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelyard.core.facts import (
    Dataset,
    DatasetRole,
    Direction,
    Environment,
    Facts,
    Fingerprint,
    Framework,
    LineageRelation,
    Param,
    Parent,
    Relation,
    Run,
    Signature,
    Source,
)
from modelyard.core.manifest import File
from modelyard.v1 import lineage_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.wire.enums import EnumMapping
from modelyard.wire.structs import struct_from_proto, struct_to_proto

ROLES = EnumMapping(pb.Dataset.Role, DatasetRole)
FINGERPRINTS = EnumMapping(pb.Dataset.Fingerprint, Fingerprint)
RELATIONS = EnumMapping(pb.Parent.Relation, Relation)
LINEAGE_RELATIONS = EnumMapping(lineage_pb2.LineageEdge.Relation, LineageRelation, unknown=LineageRelation.UNKNOWN)
DIRECTIONS = EnumMapping(pb.Evaluation.Direction, Direction)


def param_to_proto(value: Param) -> pb.ParamValue:
    if isinstance(value, bool):  # before int: a bool is one
        return pb.ParamValue(bool_value=value)
    if isinstance(value, int):
        return pb.ParamValue(int_value=value)
    if isinstance(value, float):
        return pb.ParamValue(double_value=value)
    return pb.ParamValue(string_value=value)


def param_from_proto(value: pb.ParamValue) -> Param:
    """Raises ``ValueError`` if no kind is set."""
    kind = value.WhichOneof("kind")
    if kind is None:
        raise ValueError("no value is set")
    param: Param = getattr(value, kind)
    return param


def directions_to_proto(directions: Mapping[str, Direction]) -> dict[str, pb.Evaluation.Direction.ValueType]:
    return {metric: DIRECTIONS.to_proto(direction) for metric, direction in directions.items()}


def directions_from_proto(directions: Mapping[str, pb.Evaluation.Direction.ValueType]) -> dict[str, Direction]:
    """The directions that are set. Raises ``ValueError`` for a direction that this release does not know."""
    return {
        metric: DIRECTIONS.from_proto(direction)
        for metric, direction in directions.items()
        if direction != pb.Evaluation.DIRECTION_UNSPECIFIED
    }


def files_to_proto(files: Sequence[File]) -> list[pb.File]:
    return [
        pb.File(path=f.path, blob=pb.Blob(digest=f.digest, size_bytes=f.size), executable=f.executable) for f in files
    ]


def files_from_proto(files: Sequence[pb.File]) -> tuple[File, ...]:
    return tuple(
        File(path=f.path, size=f.blob.size_bytes, digest=f.blob.digest, executable=f.executable) for f in files
    )


def dataset_to_proto(dataset: Dataset) -> pb.Dataset:
    return pb.Dataset(
        name=dataset.name,
        uri=dataset.uri,
        digest=dataset.digest,
        role=ROLES.to_proto(dataset.role),
        row_count=dataset.rows,
        fingerprint=FINGERPRINTS.to_proto(dataset.fingerprint),
    )


def dataset_from_proto(dataset: pb.Dataset) -> Dataset:
    unspecified = dataset.role == pb.Dataset.ROLE_UNSPECIFIED
    return Dataset(
        name=dataset.name,
        uri=dataset.uri,
        digest=dataset.digest,
        role=DatasetRole.OTHER if unspecified else ROLES.from_proto(dataset.role),
        rows=dataset.row_count if dataset.HasField("row_count") else None,
        fingerprint=FINGERPRINTS.from_proto(dataset.fingerprint) if dataset.fingerprint else None,
    )


def parent_to_proto(parent: Parent) -> pb.Parent:
    return pb.Parent(
        version=parent.version,
        relation=RELATIONS.to_proto(parent.relation),
        manifest_digest=parent.manifest_digest,
    )


def _parent_from_proto(parent: pb.Parent) -> Parent:
    return Parent(
        version=parent.version,
        relation=RELATIONS.from_proto(parent.relation),
        manifest_digest=parent.manifest_digest,
    )


def source_to_proto(source: Source) -> pb.Source:
    return pb.Source(
        repository=source.repository,
        commit=source.commit,
        branch=source.branch,
        dirty=source.dirty,
        diff_digest=source.diff_digest,
        entry_point=source.entry_point,
        arguments=source.arguments,
        not_collected=source.not_collected,
    )


def source_from_proto(source: pb.Source) -> Source:
    return Source(
        repository=source.repository,
        commit=source.commit,
        branch=source.branch,
        dirty=source.dirty,
        diff_digest=source.diff_digest,
        entry_point=source.entry_point,
        arguments=tuple(source.arguments),
        not_collected=dict(source.not_collected),
    )


def environment_to_proto(environment: Environment) -> pb.Environment:
    return pb.Environment(
        python=environment.python,
        os=environment.os,
        packages=environment.packages,
        hardware=environment.hardware,
        image=environment.image,
        job=environment.job,
        not_collected=environment.not_collected,
    )


def run_to_proto(run: Run) -> pb.Run:
    return pb.Run(tracker=run.tracker, id=run.id, url=run.url)


def run_from_proto(run: pb.Run) -> Run:
    return Run(tracker=run.tracker, id=run.id, url=run.url)


def facts_into_proto(facts: Facts, version: pb.Version) -> None:
    """Fills the frozen facts of a version's message."""
    for name, value in facts.params.items():
        version.params[name].CopyFrom(param_to_proto(value))
    version.metrics.update(facts.metrics)
    version.directions.update(directions_to_proto(facts.directions))
    version.datasets.extend(dataset_to_proto(dataset) for dataset in facts.datasets)
    if facts.source is not None:
        version.source.CopyFrom(source_to_proto(facts.source))
    if facts.environment is not None:
        version.environment.CopyFrom(environment_to_proto(facts.environment))
    if facts.framework is not None:
        version.framework.CopyFrom(pb.Framework(name=facts.framework.name, version=facts.framework.version))
    version.format = facts.format
    if facts.signature is not None:
        version.signature.SetInParent()
        if facts.signature.inputs is not None:
            version.signature.inputs.CopyFrom(struct_to_proto(facts.signature.inputs))
        if facts.signature.outputs is not None:
            version.signature.outputs.CopyFrom(struct_to_proto(facts.signature.outputs))
    version.parents.extend(map(parent_to_proto, facts.parents))
    if facts.run is not None:
        version.run.CopyFrom(run_to_proto(facts.run))


def facts_from_proto(version: pb.Version) -> dict[str, Any]:
    """The frozen facts of a version's message, as keyword arguments of :class:`modelyard.core.facts.Facts`.

    Raises ``ValueError`` for a parameter without a value and for an enum value that this release does not know.
    """
    return {
        "params": {name: param_from_proto(value) for name, value in version.params.items()},
        "metrics": dict(version.metrics),
        "directions": directions_from_proto(version.directions),
        "datasets": tuple(dataset_from_proto(dataset) for dataset in version.datasets),
        "source": source_from_proto(version.source) if version.HasField("source") else None,
        "environment": Environment(
            python=version.environment.python,
            os=version.environment.os,
            packages=dict(version.environment.packages),
            hardware=dict(version.environment.hardware),
            image=version.environment.image,
            job=dict(version.environment.job),
            not_collected=dict(version.environment.not_collected),
        )
        if version.HasField("environment")
        else None,
        "framework": Framework(name=version.framework.name, version=version.framework.version)
        if version.HasField("framework")
        else None,
        "format": version.format,
        "signature": Signature(
            inputs=struct_from_proto(version.signature.inputs) if version.signature.HasField("inputs") else None,
            outputs=struct_from_proto(version.signature.outputs) if version.signature.HasField("outputs") else None,
        )
        if version.HasField("signature")
        else None,
        "parents": tuple(_parent_from_proto(parent) for parent in version.parents),
        "run": run_from_proto(version.run) if version.HasField("run") else None,
    }
