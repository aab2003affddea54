"""What bad input gets: code, reason and details over a real channel, and nothing changed by it.

The rows are those of the error table that the API was designed by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from sqlalchemy import text
from tests.support.paths import HOSTILE_PATHS
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import (
    MODEL,
    NAMESPACE,
    blob_of,
    commit,
    digest_of,
    frames,
    make_model,
    request_id,
    start,
    store,
    version_of,
    write,
)

from modelyard.v1 import artifacts_pb2 as artifacts
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

Code = grpc.StatusCode
Call = Callable[[RunningRegistry], Any]


@dataclass(frozen=True)
class Row:
    """One way to be refused. ``call`` gets a registry with the model `fraud` and one version, `production`."""

    id: str
    call: Call
    code: grpc.StatusCode
    reason: str
    detail: str = ""
    fields: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()


def _create(**fields: Any) -> Call:
    def call(yard: RunningRegistry) -> Any:
        version = version_of({"model.bin": b"weights"}, **fields)
        return yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))

    return call


def _files(*paths: str) -> Call:
    def call(yard: RunningRegistry) -> Any:
        files = [pb.File(path=path, blob=blob_of(b"weights")) for path in paths]
        return yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=pb.Version(files=files)))

    return call


def _get(name: str) -> Call:
    return lambda yard: yard.registry.GetModel(rpc.GetModelRequest(name=name))


def _alias(**fields: Any) -> Call:
    name = fields.pop("name", f"{MODEL}/aliases/production")
    etag = fields.pop("etag", "")
    version = fields.pop("version", f"{MODEL}/versions/1")
    alias = pb.Alias(name=name, version=version, etag=etag)
    return lambda yard: yard.registry.SetAlias(rpc.SetAliasRequest(alias=alias, **fields))


def _update_model(*paths: str, **fields: Any) -> Call:
    def call(yard: RunningRegistry) -> Any:
        request = rpc.UpdateModelRequest(model=pb.Model(name=MODEL, **fields))
        request.update_mask.paths.extend(paths)
        return yard.registry.UpdateModel(request)

    return call


def _update_version(*paths: str, **fields: Any) -> Call:
    def call(yard: RunningRegistry) -> Any:
        request = rpc.UpdateVersionRequest(version=pb.Version(name=f"{MODEL}/versions/1", **fields))
        request.update_mask.paths.extend(paths)
        return yard.registry.UpdateVersion(request)

    return call


def _list(**fields: Any) -> Call:
    return lambda yard: yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, **fields))


def _model(model_id: str) -> Call:
    return lambda yard: yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id=model_id))


def _find(digest: str) -> Call:
    request = artifacts.FindMissingBlobsRequest(parent=NAMESPACE, blobs=[pb.Blob(digest=digest, size_bytes=1)])
    return lambda yard: yard.artifacts.FindMissingBlobs(request)


def _read(**fields: Any) -> Call:
    given = {"version": f"{MODEL}/versions/1", "path": "model.bin"} | fields
    request = artifacts.ReadFileRequest(**{k: v for k, v in given.items() if v is not None})
    return lambda yard: yard.artifacts.ReadFile(request)


def _resolve(reference: str) -> Call:
    return lambda yard: yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference=reference))


async def _reused_request_id(yard: RunningRegistry) -> Any:
    same = request_id()
    await yard.registry.CreateModel(
        rpc.CreateModelRequest(parent=NAMESPACE, model_id="x", request_id=same, validate_only=True)
    )
    request = rpc.UpdateModelRequest(model=pb.Model(name=MODEL), request_id=same)
    await yard.registry.UpdateModel(request)
    request.model.owner = "another payload"
    return await yard.registry.UpdateModel(request)


async def _delete_twice(yard: RunningRegistry) -> Any:
    made = await commit(yard, b"2")
    await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=made.name))
    return await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=made.name))


async def _deprecate_twice(yard: RunningRegistry) -> Any:
    for _ in range(2):
        await yard.registry.DeprecateVersion(rpc.DeprecateVersionRequest(name=f"{MODEL}/versions/1"))


async def _in_deleted_model(yard: RunningRegistry) -> Any:
    await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL, force=True))
    return await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud@1"))


async def _recreate_deleted(yard: RunningRegistry) -> Any:
    await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL, force=True))
    return await make_model(yard)


async def _foreign_token(yard: RunningRegistry) -> Any:
    await make_model(yard, "other")
    page = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, page_size=1))
    assert page.next_page_token
    return await yard.registry.ListModels(
        rpc.ListModelsRequest(parent=NAMESPACE, page_token=page.next_page_token, show_deleted=True)
    )


async def _old_token(yard: RunningRegistry) -> Any:
    await make_model(yard, "other")
    page = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, page_size=1))
    yard.clock.advance(yard.limits.page_token_ttl + 1)
    return await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, page_token=page.next_page_token))


async def _quarantined(yard: RunningRegistry) -> Any:
    await yard.engine.migrate(lambda connection: connection.execute(text("UPDATE versions SET state = 'QUARANTINED'")))
    async for _ in _read()(yard):
        pass


_PATH_ROWS = [
    Row(
        f"{row} path {path[:20]!a}",
        _files(path),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.files[0].path",),
    )
    for row, paths in HOSTILE_PATHS.items()
    for path in paths
]
_NAME_ROWS = [
    Row(
        f"A12 model id {name[:12]!a}",
        _model(name),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("model_id",),
    )
    for name in ("..", "-rf", "\u0430dmin", "x" * 64, "Upper", "a b", "a/b", "")
] + [
    Row(
        f"A12 alias {alias!a}",
        _alias(name=f"{MODEL}/aliases/{alias}"),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("alias.name",),
    )
    for alias in ("latest", "main", "v3", "7", "Prod", "a.b")
]
_DIGEST_ROWS = [
    Row(
        f"A22 digest {digest[:12]}",
        _find(digest),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("blobs[0].digest",),
    )
    for digest in ("md5:" + "a" * 32, "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha257:" + "a" * 64, "")
]
_NAN = float("nan")
_BIG = "x" * 5000
_ROWS = [
    # Malformed
    Row("name", _get("models/fraud"), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("name",)),
    Row("name missing", _get(""), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("name",)),
    Row("reference", _resolve("a b@c"), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("reference",)),
    Row("A31 page size", _list(page_size=-1), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("page_size",)),
    Row("mask", _update_model("nonsense"), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("update_mask",)),
    Row("mask list index", _update_version("files.0"), Code.INVALID_ARGUMENT, "IMMUTABLE_FIELD", "BadRequest"),
    Row(
        "mask no map", _update_model("owner.x"), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("update_mask",)
    ),
    Row(
        "request id",
        lambda yard: yard.registry.CreateModel(
            rpc.CreateModelRequest(parent=NAMESPACE, model_id="x", request_id="once")
        ),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("request_id",),
    ),
    Row(
        "all violations at once",
        lambda yard: yard.registry.CreateModel(
            rpc.CreateModelRequest(
                parent="x", model_id="A", model=pb.Model(labels={"": "v", "k": _BIG}), request_id="1"
            )
        ),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("parent", "model_id", "model.labels", "model.labels['k']", "request_id"),
    ),
    Row(
        "A40 NaN",
        _create(metrics={"m": _NAN}),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.metrics['m']",),
    ),
    Row("A40 Inf", _create(metrics={"m": float("-inf")}), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest"),
    Row(
        "A40 NaN param", _create(params={"p": pb.ParamValue(double_value=_NAN)}), Code.INVALID_ARGUMENT, "INVALID_FIELD"
    ),
    Row(
        "A41 unset param",
        _create(params={"p": pb.ParamValue()}),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.params['p']",),
    ),
    Row(
        "A41 enum",
        _create(datasets=[pb.Dataset(name="d", role=99)]),  # type: ignore[arg-type]  # unknown on purpose
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.datasets[0].role",),
    ),
    Row(
        "A41 relation",
        _create(parents=[pb.Parent(version=f"{MODEL}/versions/1")]),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
    ),
    Row(
        "A44 labels",
        _create(labels={str(n): "" for n in range(101)}),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.labels",),
    ),
    Row("A44 key", _create(labels={"k" * 129: ""}), Code.INVALID_ARGUMENT, "INVALID_FIELD"),
    Row("A44 value", _create(labels={"k": _BIG}), Code.INVALID_ARGUMENT, "INVALID_FIELD"),
    Row(
        "A44 card",
        _create(description="x" * ((1 << 20) + 1)),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.description",),
    ),
    Row("A45 reserved", _create(labels={"sys/x": "1"}), Code.INVALID_ARGUMENT, "INVALID_FIELD"),
    Row("NUL", _create(description="a\x00b"), Code.INVALID_ARGUMENT, "INVALID_FIELD"),
    Row(
        "A08 case",
        _files("Model.bin", "model.bin"),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.files",),
    ),
    Row(
        "file and folder", _files("a", "a/b"), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("version.files",)
    ),
    Row("no files", _files(), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("version.files",)),
    Row(
        "A10 files",
        _files(*(f"{n}" for n in range(10_001))),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("version.files",),
    ),
    Row(
        "foreign version",
        _alias(version=f"{NAMESPACE}/models/other/versions/1"),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("alias.version",),
    ),
    Row(
        "contradiction",
        _alias(etag='"x"', create_only=True),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "BadRequest",
        ("create_only",),
    ),
    # Page tokens
    Row(
        "A32 forged token",
        _list(page_token="AAAA"),
        Code.INVALID_ARGUMENT,
        "PAGE_TOKEN_INVALID",
        "BadRequest",
        ("page_token",),
    ),
    Row(
        "A32 no base64",
        _list(page_token="\u20ac!"),
        Code.INVALID_ARGUMENT,
        "PAGE_TOKEN_INVALID",
        "BadRequest",
        ("page_token",),
    ),
    Row("A32 other query", _foreign_token, Code.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", "BadRequest", ("page_token",)),
    Row("expired token", _old_token, Code.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", "BadRequest", ("page_token",)),
    # Reuse and frozen fields
    Row(
        "request id reused",
        _reused_request_id,
        Code.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        "BadRequest",
        ("request_id",),
    ),
    Row(
        "frozen",
        _update_version("metrics", metrics={"auc": 1.0}),
        Code.INVALID_ARGUMENT,
        "IMMUTABLE_FIELD",
        "BadRequest",
        ("version.metrics",),
    ),
    Row(
        "frozen without mask",
        _update_version(format="onnx"),
        Code.INVALID_ARGUMENT,
        "IMMUTABLE_FIELD",
        "BadRequest",
        ("version.format",),
    ),
    Row(
        "A30 files",
        _update_version("files"),
        Code.INVALID_ARGUMENT,
        "IMMUTABLE_FIELD",
        "BadRequest",
        ("version.files",),
    ),
    # Missing
    Row(
        "namespace",
        lambda yard: make_model(yard, parent="namespaces/no"),
        Code.NOT_FOUND,
        "NAMESPACE_NOT_FOUND",
        "ResourceInfo",
    ),
    Row(
        "model",
        _get(f"{NAMESPACE}/models/no"),
        Code.NOT_FOUND,
        "MODEL_NOT_FOUND",
        "ResourceInfo",
        metadata=("resource",),
    ),
    Row("model's namespace", _get("namespaces/no/models/no"), Code.NOT_FOUND, "NAMESPACE_NOT_FOUND", "ResourceInfo"),
    Row("version", _resolve("fraud@9"), Code.NOT_FOUND, "VERSION_NOT_FOUND", "ResourceInfo"),
    Row("digest", _resolve("fraud@sha256:" + "a" * 64), Code.NOT_FOUND, "VERSION_NOT_FOUND", "ResourceInfo"),
    Row("alias", _resolve("fraud@staging"), Code.NOT_FOUND, "ALIAS_NOT_FOUND", "ResourceInfo"),
    Row("file", _read(path="no.bin"), Code.NOT_FOUND, "FILE_NOT_FOUND", "ResourceInfo"),
    Row(
        "A29 foreign digest",
        _read(path=None, digest="sha256:" + "a" * 64),
        Code.NOT_FOUND,
        "FILE_NOT_FOUND",
        "ResourceInfo",
    ),
    Row("deleted version", _delete_twice, Code.NOT_FOUND, "VERSION_DELETED", "ResourceInfo"),
    Row("deleted model", _in_deleted_model, Code.NOT_FOUND, "MODEL_DELETED", "ResourceInfo"),
    Row(
        "parent version",
        _create(parents=[pb.Parent(version=f"{MODEL}/versions/9", relation=pb.Parent.ADAPTER_OF)]),
        Code.NOT_FOUND,
        "VERSION_NOT_FOUND",
    ),
    # Present
    Row("model exists", make_model, Code.ALREADY_EXISTS, "MODEL_EXISTS", "ResourceInfo"),
    Row("deleted ones count", _recreate_deleted, Code.ALREADY_EXISTS, "MODEL_EXISTS", "ResourceInfo"),
    Row(
        "namespace exists",
        lambda yard: yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id="default")),
        Code.ALREADY_EXISTS,
        "NAMESPACE_EXISTS",
        "ResourceInfo",
    ),
    Row(
        "model is live",
        lambda yard: yard.registry.UndeleteModel(rpc.UndeleteModelRequest(name=MODEL)),
        Code.ALREADY_EXISTS,
        "NOT_DELETED",
        "ResourceInfo",
    ),
    Row(
        "version is live",
        lambda yard: yard.registry.UndeleteVersion(rpc.UndeleteVersionRequest(name=f"{MODEL}/versions/1")),
        Code.ALREADY_EXISTS,
        "NOT_DELETED",
        "ResourceInfo",
    ),
    # Races
    Row(
        "stale etag",
        _update_model(etag='"stale"', owner="x"),
        Code.ABORTED,
        "ETAG_MISMATCH",
        metadata=("current_etag",),
    ),
    Row("stale alias etag", _alias(etag='"stale"'), Code.ABORTED, "ETAG_MISMATCH", metadata=("current_etag",)),
    Row("alias exists", _alias(create_only=True), Code.ABORTED, "ETAG_MISMATCH", metadata=("current_etag",)),
    Row(
        "stale delete",
        lambda yard: yard.registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL, etag='"x"', force=True)),
        Code.ABORTED,
        "ETAG_MISMATCH",
    ),
    # State
    Row(
        "not empty",
        lambda yard: yard.registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL)),
        Code.FAILED_PRECONDITION,
        "MODEL_NOT_EMPTY",
        "PreconditionFailure",
    ),
    Row(
        "A83 in use",
        lambda yard: yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=f"{MODEL}/versions/1")),
        Code.FAILED_PRECONDITION,
        "VERSION_IN_USE",
        "PreconditionFailure",
    ),
    Row("transition", _deprecate_twice, Code.FAILED_PRECONDITION, "ILLEGAL_TRANSITION", "PreconditionFailure"),
    Row("quarantined", _quarantined, Code.FAILED_PRECONDITION, "QUARANTINED", "PreconditionFailure"),
    Row(
        "digest changed",
        _alias(expected_manifest_digest="sha256:" + "a" * 64),
        Code.FAILED_PRECONDITION,
        "DIGEST_CHANGED",
        "PreconditionFailure",
    ),
    Row(
        "parent digest",
        _create(
            parents=[
                pb.Parent(
                    version=f"{MODEL}/versions/1", relation=pb.Parent.ADAPTER_OF, manifest_digest="sha256:" + "a" * 64
                )
            ]
        ),
        Code.FAILED_PRECONDITION,
        "DIGEST_CHANGED",
    ),
    # Reads
    Row("past the end", _read(read_offset=8), Code.OUT_OF_RANGE, "READ_PAST_END", metadata=("size",)),
    Row(
        "negative offset", _read(read_offset=-1), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("read_offset",)
    ),
    Row("negative limit", _read(read_limit=-1), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("read_limit",)),
    Row("no file named", _read(path=None), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("path",)),
    Row("A01 read path", _read(path="../x"), Code.INVALID_ARGUMENT, "INVALID_FIELD", "BadRequest", ("path",)),
]


@pytest.mark.parametrize("row", [*_ROWS, *_PATH_ROWS, *_NAME_ROWS, *_DIGEST_ROWS], ids=lambda row: row.id)
async def test_refusal(yard: RunningRegistry, row: Row) -> None:
    await make_model(yard)
    await commit(yard, aliases=["production"])
    before = await yard.dump()

    async def call() -> Any:
        made = row.call(yard)
        if hasattr(made, "__aiter__"):
            return [message async for message in made]
        return await made

    got = await refused(call())

    assert (got.code, got.reason) == (row.code, row.reason), got.message
    assert row.detail in got.details or not row.detail
    if row.fields:
        assert tuple(got.fields) == row.fields
    for key in row.metadata:
        assert key in got.info.metadata
    for secret in ("Traceback", "sqlite", "SELECT", "INSERT", str(yard.root)):
        assert secret not in got.message
    if row.call in _STEADY:
        assert await yard.dump() == before


# Rows whose call is one request: it must have changed nothing. The others need steps before the one that is refused.
_STEADY = [
    row.call for row in (*_ROWS, *_PATH_ROWS, *_NAME_ROWS, *_DIGEST_ROWS) if not row.call.__name__.startswith("_")
]


async def test_missing_blobs_are_all_named(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"here")
    version = version_of({"a": b"one", "b": b"here", "c": b"three"})

    got = await refused(yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version)))

    assert (got.code, got.reason) == (Code.FAILED_PRECONDITION, "MISSING_BLOBS")
    subjects = {violation.subject for violation in got.details["PreconditionFailure"].violations}  # type: ignore[attr-defined]  # of that type
    assert subjects == {f"blobs/{digest_of(b'one')}/3", f"blobs/{digest_of(b'three')}/5"}
    assert got.info.metadata["missing_count"] == "2"


async def test_thousands_of_violations_still_fit_into_an_answer(yard: RunningRegistry) -> None:
    await make_model(yard)
    version = version_of({f"{n}/" + "x" * 200: b"%d" % n for n in range(5000)})

    got = await refused(yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version)))

    assert got.info.metadata["missing_count"] == "5000"


async def test_a_blob_of_another_size_is_no_match(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"four")
    version = pb.Version(files=[pb.File(path="x", blob=pb.Blob(digest=digest_of(b"four"), size_bytes=5))])

    got = await refused(yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version)))

    assert (got.code, got.reason) == (Code.INVALID_ARGUMENT, "SIZE_MISMATCH")
    assert got.fields == ["version.files[0].blob.size_bytes"]


@pytest.mark.parametrize("raw", [b"\xff\xff", b"\x0a\x02\xc3\x28", b"\x0a\xff"], ids=["junk", "utf-8", "truncated"])
async def test_raw_garbage_is_an_invalid_argument(yard: RunningRegistry, raw: bytes) -> None:
    """A42: it never reaches a handler, and its text never comes back."""
    call: Any = yard.channel.unary_unary("/modelyard.v1.RegistryService/GetModel")

    got = await refused(call(raw))

    assert (got.code, got.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_unknown_methods_are_unimplemented(yard: RunningRegistry) -> None:
    call: Any = yard.channel.unary_unary("/modelyard.v1.RegistryService/DropTables")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(b"")
    assert error.value.code() == Code.UNIMPLEMENTED


async def test_a_bug_tells_its_id_and_nothing_else(yard: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: object, **_kwargs: object) -> None:
        raise ValueError("password=hunter2")

    monkeypatch.setattr("modelyard_server.db.models.SqlModels.find", broken)
    got = await refused(yard.registry.GetModel(rpc.GetModelRequest(name=MODEL)))

    assert (got.code, got.reason) == (Code.INTERNAL, "INTERNAL")
    assert got.info.metadata["error_id"] in got.message
    assert "hunter2" not in got.message


@pytest.mark.parametrize(
    ("declared", "sent", "digest", "code", "reason"),
    [
        pytest.param(10, b"x" * 11, "", Code.INVALID_ARGUMENT, "SIZE_MISMATCH", id="A14 longer"),
        pytest.param(10, b"x" * 9, digest_of(b"x" * 9), Code.INVALID_ARGUMENT, "SIZE_MISMATCH", id="A15 shorter"),
        pytest.param(10, b"x" * 10, digest_of(b"y"), Code.INVALID_ARGUMENT, "DIGEST_MISMATCH", id="A13 other bytes"),
        pytest.param(10, b"x" * 10, "", Code.INVALID_ARGUMENT, "INVALID_FIELD", id="no digest"),
        pytest.param(10, b"x" * 10, "md5:1", Code.INVALID_ARGUMENT, "INVALID_FIELD", id="A22 bad digest"),
    ],
)
async def test_bytes_that_do_not_match_are_never_stored(
    yard: RunningRegistry, declared: int, sent: bytes, digest: str, code: Code, reason: str
) -> None:
    upload = await yard.artifacts.StartUpload(artifacts.StartUploadRequest(parent=NAMESPACE, size_bytes=declared))

    got = await refused(write(yard, frames(upload.name, sent, digest=digest)))

    assert (got.code, got.reason) == (code, reason)
    assert not await yard.sql("SELECT * FROM blobs")
    assert not [path for path in (yard.root / "blobs").rglob("*") if path.is_file()]


async def test_declared_digests_must_agree(yard: RunningRegistry) -> None:
    upload = await start(yard, b"abc")

    got = await refused(write(yard, frames(upload.name, b"abc", digest=digest_of(b"x"))))

    assert (got.code, got.reason, got.fields) == (Code.INVALID_ARGUMENT, "INVALID_FIELD", ["digest"])


@pytest.mark.parametrize("size", [-1, 2**63 - 1, 5 * 2**40 + 1])
async def test_impossible_sizes_are_refused_at_the_start(yard: RunningRegistry, size: int) -> None:
    """A18"""
    got = await refused(yard.artifacts.StartUpload(artifacts.StartUploadRequest(parent=NAMESPACE, size_bytes=size)))

    assert (got.code, got.fields) == (Code.INVALID_ARGUMENT, ["size_bytes"])
