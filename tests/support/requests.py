"""Requests that many tests make."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from uuid import uuid4

from modelyard._transfer.outcome import Outcome
from modelyard.v1 import artifacts_pb2 as artifacts
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from tests.support.registry import RunningRegistry

NAMESPACE = "namespaces/default"
MODEL = f"{NAMESPACE}/models/fraud"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob_of(data: bytes) -> pb.Blob:
    return pb.Blob(digest=digest_of(data), size_bytes=len(data))


def request_id() -> str:
    return str(uuid4())


async def make_model(yard: RunningRegistry, model_id: str = "fraud", parent: str = NAMESPACE) -> pb.Model:
    return await yard.registry.CreateModel(registry.CreateModelRequest(parent=parent, model_id=model_id))


async def store(yard: RunningRegistry, *contents: bytes, parent: str = NAMESPACE) -> None:
    items = [artifacts.BatchWriteBlobsRequest.Item(blob=blob_of(data), data=data) for data in contents]
    response = await yard.artifacts.BatchWriteBlobs(artifacts.BatchWriteBlobsRequest(parent=parent, items=items))
    assert [result.status.code for result in response.results] == [0] * len(contents)


def version_of(files: Mapping[str, bytes], **fields: object) -> pb.Version:
    listed = [pb.File(path=path, blob=blob_of(data)) for path, data in files.items()]
    return pb.Version(files=listed, **fields)  # type: ignore[arg-type]  # fields are for protobuf to check


async def commit(
    yard: RunningRegistry, content: bytes = b"weights", *, parent: str = MODEL, aliases: Iterable[str] = ()
) -> pb.Version:
    """Stores one file and commits it as a version."""
    return await commit_files(yard, {"model.bin": content}, parent=parent, aliases=aliases)


async def commit_files(
    yard: RunningRegistry, contents: Mapping[str, bytes], *, parent: str = MODEL, aliases: Iterable[str] = ()
) -> pb.Version:
    """Stores small files and commits them as a version."""
    await store(yard, *set(contents.values()), parent=parent.rpartition("/models/")[0])
    return await yard.registry.CreateVersion(
        registry.CreateVersionRequest(
            parent=parent, version=version_of(contents), alias_ids=aliases, request_id=request_id()
        )
    )


async def start(yard: RunningRegistry, data: bytes, *, declare: bool = True) -> artifacts.Upload:
    return await yard.artifacts.StartUpload(
        artifacts.StartUploadRequest(
            parent=NAMESPACE, size_bytes=len(data), digest=digest_of(data) if declare else "", request_id=request_id()
        )
    )


async def frames(
    upload: str, data: bytes, *, offset: int = 0, chunk: int = 64 << 10, finish: bool = True, digest: str = ""
) -> AsyncIterator[artifacts.WriteBlobRequest]:
    """The stream that writes ``data[offset:]``."""
    yield artifacts.WriteBlobRequest(upload=upload, write_offset=offset)
    for at in range(offset, len(data), chunk):
        yield artifacts.WriteBlobRequest(write_offset=at, data=data[at : at + chunk])
    if finish:
        yield artifacts.WriteBlobRequest(write_offset=len(data), finish_write=True, digest=digest)


async def write(yard: RunningRegistry, stream: AsyncIterator[artifacts.WriteBlobRequest]) -> artifacts.Upload:
    """WriteBlob, with the server's own words if it refuses while messages are on their way."""
    return await Outcome(yard.artifacts.WriteBlob(stream)).get()


async def compose(yard: RunningRegistry, request: artifacts.ComposeBlobRequest) -> pb.Blob:
    """The blob that the last message of ComposeBlob has."""
    messages = [message async for message in yard.artifacts.ComposeBlob(request)]
    assert [message.HasField("blob") for message in messages] == [False] * (len(messages) - 1) + [True]
    return messages[-1].blob


async def read(yard: RunningRegistry, version: str, path: str = "model.bin", **range_: int) -> bytes:
    request = artifacts.ReadFileRequest(version=version, path=path, **range_)  # type: ignore[arg-type]  # read_offset, read_limit
    return b"".join([message.data async for message in yard.artifacts.ReadFile(request)])
