"""Streams of bytes that lie: of their size, their digest, their place, or whose they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from uuid import uuid4

from google.protobuf import struct_pb2
from tests.support.calls import (
    VERSION,
    Call,
    create_version,
    find_blobs,
    read_file,
    set_alias,
    start_upload,
    update_version,
)
from tests.support.refusals import Code, Row
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE, blob_of, compose, digest_of, frames, store, write

from modelyard.v1 import artifacts_pb2 as rpc
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb

_ABSENT: Final = "sha256:" + "a" * 64
_SESSION: Final = frozenset({"uploads", "staging/"})
"""What of an upload that is under way a refused stream may change: the session, never what is published."""

Prepare = Callable[[RunningRegistry], Awaitable[Call]]


async def _started(yard: RunningRegistry, size: int, digest: str = "") -> str:
    request = rpc.StartUploadRequest(parent=NAMESPACE, size_bytes=size, digest=digest)
    return (await yard.artifacts.StartUpload(request)).name


def _stream(declared: int, sent: bytes, *, digest: str = "", finish: bool = True) -> Prepare:
    """An upload of ``declared`` bytes, to which ``sent`` are written."""

    async def after(yard: RunningRegistry) -> Call:
        upload = await _started(yard, declared)
        return lambda yard: write(yard, frames(upload, sent, digest=digest, finish=finish))

    return after


def _one(size: int = 10, **fields: object) -> Prepare:
    """A stream of one message."""

    async def after(yard: RunningRegistry) -> Call:
        frame = rpc.WriteBlobRequest(**{"upload": await _started(yard, size), **fields})  # type: ignore[arg-type]  # fields of a frame

        async def stream() -> AsyncIterator[rpc.WriteBlobRequest]:
            yield frame

        return lambda yard: write(yard, stream())

    return after


async def _one_byte_too_many(yard: RunningRegistry) -> Call:
    """It must be told at once: this stream never ends."""
    upload = await _started(yard, 10)

    async def endless() -> AsyncIterator[rpc.WriteBlobRequest]:
        yield rpc.WriteBlobRequest(upload=upload, write_offset=0, data=b"x" * 10)
        yield rpc.WriteBlobRequest(write_offset=10, data=b"x")
        await asyncio.Event().wait()

    return lambda yard: write(yard, endless())


async def _another_digest(yard: RunningRegistry) -> Call:
    upload = await _started(yard, 3, digest_of(b"abc"))
    return lambda yard: write(yard, frames(upload, b"abc", digest=digest_of(b"x")))


async def _finished_as_another(yard: RunningRegistry) -> Call:
    data = uuid4().bytes
    upload = await _started(yard, len(data), digest_of(data))
    await write(yard, frames(upload, data))
    frame = rpc.WriteBlobRequest(upload=upload, write_offset=len(data), finish_write=True, digest=digest_of(b"x"))

    async def stream() -> AsyncIterator[rpc.WriteBlobRequest]:
        yield frame

    return lambda yard: write(yard, stream())


async def _two_uploads_in_one_stream(yard: RunningRegistry) -> Call:
    first, second = [await _started(yard, 10) for _ in range(2)]

    async def stream() -> AsyncIterator[rpc.WriteBlobRequest]:
        yield rpc.WriteBlobRequest(upload=first, data=b"x")
        yield rpc.WriteBlobRequest(upload=second, write_offset=1, data=b"x")

    return lambda yard: write(yard, stream())


def _foreign(call: Callable[[RunningRegistry, str], object]) -> Prepare:
    """An upload of this namespace, asked for in another."""

    async def after(yard: RunningRegistry) -> Call:
        upload = (await _started(yard, 10)).replace(NAMESPACE, await _other(yard))
        return lambda yard: call(yard, upload)

    return after


async def _other(yard: RunningRegistry) -> str:
    request = registry.CreateNamespaceRequest(namespace_id=f"t-{uuid4().hex}")
    return (await yard.registry.CreateNamespace(request)).name


async def _commit_what_another_holds(yard: RunningRegistry) -> Call:
    other = await _other(yard)
    model = await yard.registry.CreateModel(registry.CreateModelRequest(parent=other, model_id="fraud"))
    version = pb.Version(files=[pb.File(path="x", blob=blob_of(b"weights"))])
    request = registry.CreateVersionRequest(parent=model.name, version=version)
    return lambda yard: yard.registry.CreateVersion(request)


async def _compose_what_another_holds(yard: RunningRegistry) -> Call:
    other = await _other(yard)
    request = rpc.ComposeBlobRequest(parent=other, blob=blob_of(b"weights"), parts=[blob_of(b"weights")])
    return lambda yard: compose(yard, request)


async def _blob_of_another_version(yard: RunningRegistry) -> Call:
    await store(yard, b"not in fraud")
    return read_file(path=None, digest=digest_of(b"not in fraud"))


def _digest_everywhere(digest: str) -> list[Row]:
    """One bad digest, wherever a digest stands in a request."""
    blob = pb.Blob(digest=digest, size_bytes=1)
    version = pb.Version(files=[pb.File(path="x", blob=blob)])
    calls: dict[str, Call] = {
        "blobs[0].digest": find_blobs(blob),
        "digest": start_upload(size_bytes=1, digest=digest),
        "version.files[0].blob.digest": lambda yard: yard.registry.CreateVersion(
            registry.CreateVersionRequest(parent=MODEL, version=version)
        ),
        "expected_manifest_digest": set_alias(expected_manifest_digest=digest),
        "version.parents[0].manifest_digest": create_version(
            parents=[pb.Parent(version=VERSION, relation=pb.Parent.RELATION_ADAPTER_OF, manifest_digest=digest)]
        ),
    }
    return [
        Row(id=f"A22 {digest[:11]} in {field}", call=call, detail="BadRequest", fields=(field,))
        for field, call in calls.items()
    ]


def _sizes(size: int) -> list[Row]:
    """An impossible size or offset, wherever one stands in a request."""
    blob = pb.Blob(digest=_ABSENT, size_bytes=size)
    version = pb.Version(files=[pb.File(path="x", blob=blob)])
    calls: dict[str, Call] = {
        "size_bytes": start_upload(size_bytes=size),
        "blobs[0].size_bytes": find_blobs(blob),
        "sizes[0]": find_blobs(sizes=[size]),
        "version.files[0].blob.size_bytes": lambda yard: yard.registry.CreateVersion(
            registry.CreateVersionRequest(parent=MODEL, version=version)
        ),
    }
    return [
        *(Row(id=f"A18 {size} in {field}", call=call, fields=(field,)) for field, call in calls.items()),
        Row(id=f"A18 {size} in write_offset", after=_one(write_offset=size), fields=("write_offset",)),
    ]


def _not_there(identity: str, after: Prepare, reason: str = "UPLOAD_NOT_FOUND") -> Row:
    return Row(id=identity, after=after, code=Code.NOT_FOUND, reason=reason, detail="ResourceInfo")


_FROZEN: Final[dict[str, pb.Version]] = {
    "files": pb.Version(files=[pb.File(path="more.bin", blob=blob_of(b"weights"))]),
    "metrics": pb.Version(metrics={"auc": 1.0}),
    "directions": pb.Version(directions={"auc": pb.Evaluation.DIRECTION_LOWER_IS_BETTER}),
    "params": pb.Version(params={"epochs": pb.ParamValue(int_value=1)}),
    "datasets": pb.Version(datasets=[pb.Dataset(name="train")]),
    "source": pb.Version(source=pb.Source(commit="a")),
    "environment": pb.Version(environment=pb.Environment(python="3")),
    "framework": pb.Version(framework=pb.Framework(name="torch")),
    "format": pb.Version(format="onnx"),
    "signature": pb.Version(signature=pb.Signature(inputs=struct_pb2.Struct())),
    "parents": pb.Version(parents=[pb.Parent(version=VERSION, relation=pb.Parent.RELATION_ADAPTER_OF)]),
    "run": pb.Version(run=pb.Run(id="1")),
}

ROWS: Final = [
    Row(
        id="A13 other bytes than declared",
        after=_stream(10, b"x" * 10, digest=digest_of(b"y")),
        reason="DIGEST_MISMATCH",
        metadata=("expected", "actual"),
        changes=_SESSION,
    ),
    Row(id="A13 two declared digests", after=_another_digest, fields=("digest",), changes=_SESSION),
    Row(id="A13 no digest", after=_stream(10, b"x" * 10), fields=("digest",), changes=_SESSION),
    Row(id="A14 one byte too many", after=_one_byte_too_many, reason="SIZE_MISMATCH", changes=_SESSION),
    Row(
        id="A15 one byte too few",
        after=_stream(10, b"x" * 9, digest=digest_of(b"x" * 9)),
        reason="SIZE_MISMATCH",
        metadata=("expected", "actual"),
        changes=_SESSION,
    ),
    *(
        Row(
            id=f"A17 offset {offset} of an empty upload",
            after=_one(write_offset=offset, data=b"x"),
            code=Code.OUT_OF_RANGE,
            reason="OFFSET_MISMATCH",
            metadata=("persistedSize",),
            changes=_SESSION,
        )
        for offset in (1, 10, 2**40)
    ),
    *(row for size in (-1, 2**63 - 1, 5 * 2**40 + 1) for row in _sizes(size)),
    Row(id="A18 negative read_offset", call=read_file(read_offset=-1), fields=("read_offset",)),
    Row(id="A18 negative read_limit", call=read_file(read_limit=-1), fields=("read_limit",)),
    *(
        Row(
            id=f"A18 read at {offset} of 7",
            call=read_file(read_offset=offset, read_limit=2**63 - 1),
            code=Code.OUT_OF_RANGE,
            reason="READ_PAST_END",
            metadata=("sizeBytes",),
        )
        for offset in (8, 2**63 - 1)
    ),
    Row(
        id="A19 damaged in flight",
        after=_one(data=b"x" * 10, crc32c=1),
        code=Code.ABORTED,
        reason="CHUNK_CORRUPT",
        metadata=("persistedSize",),
        changes=_SESSION,
    ),
    *(
        row
        for digest in ("md5:" + "a" * 32, "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha257:" + "a" * 64)
        for row in _digest_everywhere(digest)
    ),
    Row(
        id="A22 md5 in a finish",
        after=_stream(10, b"x" * 10, digest="md5:1"),
        fields=("digest",),
        changes=_SESSION,
    ),
    _not_there(
        "A23 look at another's upload",
        _foreign(lambda yard, name: yard.artifacts.GetUpload(rpc.GetUploadRequest(name=name))),
    ),
    _not_there(
        "A23 cancel another's upload",
        _foreign(lambda yard, name: yard.artifacts.CancelUpload(rpc.CancelUploadRequest(name=name))),
    ),
    _not_there("A23 write to another's upload", _foreign(lambda yard, name: write(yard, frames(name, b"x" * 10)))),
    Row(id="A23 two uploads in one stream", after=_two_uploads_in_one_stream, fields=("upload",), changes=_SESSION),
    Row(
        id="A24 finish again as other bytes",
        after=_finished_as_another,
        code=Code.FAILED_PRECONDITION,
        reason="UPLOAD_COMMITTED",
    ),
    Row(
        id="A29 commit what another namespace holds",
        after=_commit_what_another_holds,
        code=Code.FAILED_PRECONDITION,
        reason="MISSING_BLOBS",
        detail="PreconditionFailure",
    ),
    Row(
        id="A29 compose what another namespace holds",
        after=_compose_what_another_holds,
        code=Code.FAILED_PRECONDITION,
        reason="MISSING_BLOBS",
    ),
    _not_there("A29 read what another version holds", _blob_of_another_version, "FILE_NOT_FOUND"),
    *(
        Row(
            id=f"A30 change {field} {'by a mask' if mask else 'without one'}",
            call=update_version(given, *mask),
            reason="IMMUTABLE_FIELD",
            detail="BadRequest",
            fields=(f"version.{field}",),
        )
        for field, given in _FROZEN.items()
        for mask in ((), (field,))
    ),
    Row(id="A30 change one file by a mask", call=update_version(pb.Version(), "files.0"), reason="IMMUTABLE_FIELD"),
]
