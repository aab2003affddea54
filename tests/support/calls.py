"""Calls of the rows of a table. Each is built once the registry is there."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from modelyard.v1 import artifacts_pb2 as artifacts
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE, blob_of, commit, make_model, version_of

VERSION = f"{MODEL}/versions/1"

Call = Callable[[RunningRegistry], Any]
"""Makes one call: something to await, or a stream to read."""


async def fraud(yard: RunningRegistry) -> None:
    """What the calls are about: the model `fraud` with one version, which is `production`."""
    await make_model(yard)
    await commit(yard, aliases=["production"])


async def another_model(yard: RunningRegistry) -> str:
    """The name of a new model with one version, for calls that must not change `fraud`."""
    made = await make_model(yard, f"m-{uuid4().hex}")
    await commit(yard, parent=made.name)
    return made.name


async def quarantine(yard: RunningRegistry, version: str) -> None:
    await yard.registry.QuarantineVersion(rpc.QuarantineVersionRequest(name=version, reason="malware"))


def create_version(**fields: Any) -> Call:
    version = version_of({"model.bin": b"weights"}, **fields)
    return lambda yard: yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))


def create_files(*paths: str) -> Call:
    version = pb.Version(files=[pb.File(path=path, blob=blob_of(b"weights")) for path in paths])
    return lambda yard: yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))


def create_model(model_id: str, **fields: Any) -> Call:
    request = rpc.CreateModelRequest(parent=NAMESPACE, model_id=model_id, **fields)
    return lambda yard: yard.registry.CreateModel(request)


def get_model(name: str) -> Call:
    return lambda yard: yard.registry.GetModel(rpc.GetModelRequest(name=name))


def list_models(**fields: Any) -> Call:
    return lambda yard: yard.registry.ListModels(rpc.ListModelsRequest(**{"parent": NAMESPACE, **fields}))


def update_model(*paths: str, **fields: Any) -> Call:
    request = rpc.UpdateModelRequest(model=pb.Model(**{"name": MODEL, **fields}))
    request.update_mask.paths.extend(paths)
    return lambda yard: yard.registry.UpdateModel(request)


def update_version(given: pb.Version, *paths: str) -> Call:
    request = rpc.UpdateVersionRequest(version=given)
    request.version.name = VERSION
    request.update_mask.paths.extend(paths)
    return lambda yard: yard.registry.UpdateVersion(request)


def set_alias(name: str = f"{MODEL}/aliases/production", version: str = VERSION, etag: str = "", **fields: Any) -> Call:
    request = rpc.SetAliasRequest(alias=pb.Alias(name=name, version=version, etag=etag), **fields)
    return lambda yard: yard.registry.SetAlias(request)


def resolve(reference: str) -> Call:
    return lambda yard: yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference=reference))


def find_blobs(*blobs: pb.Blob, sizes: Any = ()) -> Call:
    request = artifacts.FindMissingBlobsRequest(parent=NAMESPACE, blobs=blobs, sizes=sizes)
    return lambda yard: yard.artifacts.FindMissingBlobs(request)


def start_upload(**fields: Any) -> Call:
    return lambda yard: yard.artifacts.StartUpload(artifacts.StartUploadRequest(**{"parent": NAMESPACE, **fields}))


def read_file(**fields: Any) -> Call:
    """``path=None`` names no file by its path."""
    given = {"version": VERSION, "path": "model.bin"} | fields
    request = artifacts.ReadFileRequest(**{name: value for name, value in given.items() if value is not None})
    return lambda yard: yard.artifacts.ReadFile(request)


def read_files(*paths: str, version: str = VERSION) -> Call:
    return lambda yard: yard.artifacts.BatchReadFiles(artifacts.BatchReadFilesRequest(version=version, paths=paths))


def raw(method: str, request: bytes) -> Call:
    """Any bytes to any path."""

    def call(yard: RunningRegistry) -> Any:
        made: Any = yard.channel.unary_unary(method)
        return made(request)

    return call
