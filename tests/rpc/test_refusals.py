"""What a call gets that asks for what can't be: code, reason and details over a real channel, and nothing changed.

The rows are those of the error table that the API was designed by. Attacks have one of their own: ``tests/attacks``.
"""

from typing import Any

import pytest
from tests.support.calls import (
    VERSION,
    Call,
    another_model,
    create_files,
    create_model,
    create_version,
    get_model,
    list_models,
    read_file,
    resolve,
    set_alias,
    update_model,
)
from tests.support.refusals import Code, Row, check
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, NAMESPACE, digest_of, make_model, request_id, store, version_of

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

_ABSENT = "sha256:" + "a" * 64


async def _reused_request_id(yard: RunningRegistry) -> Call:
    same, name = request_id(), await another_model(yard)
    await yard.registry.CreateModel(
        rpc.CreateModelRequest(parent=NAMESPACE, model_id="x", request_id=same, validate_only=True)
    )
    await yard.registry.UpdateModel(rpc.UpdateModelRequest(model=pb.Model(name=name), request_id=same))
    request = rpc.UpdateModelRequest(model=pb.Model(name=name, owner="another payload"), request_id=same)
    return lambda yard: yard.registry.UpdateModel(request)


async def _delete_twice(yard: RunningRegistry) -> Call:
    request = rpc.DeleteVersionRequest(name=f"{await another_model(yard)}/versions/1")
    await yard.registry.DeleteVersion(request)
    return lambda yard: yard.registry.DeleteVersion(request)


async def _deprecate_twice(yard: RunningRegistry) -> Call:
    request = rpc.DeprecateVersionRequest(name=f"{await another_model(yard)}/versions/1")
    await yard.registry.DeprecateVersion(request)
    return lambda yard: yard.registry.DeprecateVersion(request)


async def _deleted_model(yard: RunningRegistry) -> str:
    name = await another_model(yard)
    await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=name, force=True))
    return name.rpartition("/")[2]


async def _in_deleted_model(yard: RunningRegistry) -> Call:
    return resolve(f"{await _deleted_model(yard)}@1")


async def _recreate_deleted(yard: RunningRegistry) -> Call:
    return create_model(await _deleted_model(yard))


def _parent(**fields: Any) -> Call:
    return create_version(parents=[pb.Parent(relation=pb.Parent.RELATION_ADAPTER_OF, **fields)])


def _missing(identity: str, call: Call, reason: str) -> Row:
    return Row(
        id=identity,
        call=call,
        code=Code.NOT_FOUND,
        reason=reason,
        detail="ResourceInfo",
        metadata=("resource",),
    )


def _bad(identity: str, call: Call, *fields: str, reason: str = "INVALID_FIELD") -> Row:
    return Row(id=identity, call=call, reason=reason, detail="BadRequest", fields=fields)


def _exists(identity: str, call: Call, reason: str) -> Row:
    return Row(id=identity, call=call, code=Code.ALREADY_EXISTS, reason=reason, detail="ResourceInfo")


_ROWS = [
    # Malformed
    _bad("name", get_model("models/fraud"), "name"),
    _bad("name missing", get_model(""), "name"),
    _bad("reference", resolve("a b@c"), "reference"),
    _bad("mask", update_model("nonsense"), "update_mask"),
    _bad("mask no map", update_model("owner.x"), "update_mask"),
    _bad(
        "all violations at once",
        lambda yard: yard.registry.CreateModel(
            rpc.CreateModelRequest(
                parent="x", model_id="A", model=pb.Model(labels={"": "v", "k": "x" * 5000}), request_id="1"
            )
        ),
        *("parent", "model_id", "model.labels", "model.labels['k']", "request_id"),
    ),
    _bad("no files", create_files(), "version.files"),
    _bad("no file named", read_file(path=None), "path"),
    _bad("contradiction", set_alias(etag='"x"', create_only=True), "create_only"),
    Row(
        id="request id reused",
        after=_reused_request_id,
        reason="REQUEST_ID_REUSED",
        detail="BadRequest",
        fields=("request_id",),
    ),
    # Missing
    _missing("namespace", list_models(parent="namespaces/no"), "NAMESPACE_NOT_FOUND"),
    _missing("model", get_model(f"{NAMESPACE}/models/no"), "MODEL_NOT_FOUND"),
    _missing("model's namespace", get_model("namespaces/no/models/no"), "NAMESPACE_NOT_FOUND"),
    _missing("version", resolve("fraud@9"), "VERSION_NOT_FOUND"),
    _missing("digest", resolve(f"fraud@{_ABSENT}"), "VERSION_NOT_FOUND"),
    _missing("alias", resolve("fraud@staging"), "ALIAS_NOT_FOUND"),
    _missing("file", read_file(path="no.bin"), "FILE_NOT_FOUND"),
    _missing("file with digest", read_file(path=None, digest=_ABSENT), "FILE_NOT_FOUND"),
    _missing("parent version", _parent(version=f"{MODEL}/versions/9"), "VERSION_NOT_FOUND"),
    Row(
        id="deleted version", after=_delete_twice, code=Code.NOT_FOUND, reason="VERSION_DELETED", detail="ResourceInfo"
    ),
    Row(
        id="deleted model", after=_in_deleted_model, code=Code.NOT_FOUND, reason="MODEL_DELETED", detail="ResourceInfo"
    ),
    # Present
    _exists("model exists", create_model("fraud"), "MODEL_EXISTS"),
    Row(
        id="deleted ones count",
        after=_recreate_deleted,
        code=Code.ALREADY_EXISTS,
        reason="MODEL_EXISTS",
        detail="ResourceInfo",
    ),
    _exists(
        "namespace exists",
        lambda yard: yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id="default")),
        "NAMESPACE_EXISTS",
    ),
    _exists(
        "model is live",
        lambda yard: yard.registry.UndeleteModel(rpc.UndeleteModelRequest(name=MODEL)),
        "NOT_DELETED",
    ),
    _exists(
        "version is live",
        lambda yard: yard.registry.UndeleteVersion(rpc.UndeleteVersionRequest(name=VERSION)),
        "NOT_DELETED",
    ),
    # Races
    Row(
        id="stale etag",
        call=update_model(etag='"stale"', owner="x"),
        code=Code.ABORTED,
        reason="ETAG_MISMATCH",
        metadata=("currentEtag",),
    ),
    Row(
        id="stale delete",
        call=lambda yard: yard.registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL, etag='"x"', force=True)),
        code=Code.ABORTED,
        reason="ETAG_MISMATCH",
        metadata=("currentEtag",),
    ),
    # State
    Row(
        id="not empty",
        call=lambda yard: yard.registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL)),
        code=Code.FAILED_PRECONDITION,
        reason="MODEL_NOT_EMPTY",
        detail="PreconditionFailure",
    ),
    Row(
        id="transition",
        after=_deprecate_twice,
        code=Code.FAILED_PRECONDITION,
        reason="ILLEGAL_TRANSITION",
        detail="PreconditionFailure",
    ),
    Row(
        id="digest changed",
        call=set_alias(expected_manifest_digest=_ABSENT),
        code=Code.FAILED_PRECONDITION,
        reason="DIGEST_CHANGED",
        detail="PreconditionFailure",
    ),
    Row(
        id="parent digest",
        call=_parent(version=VERSION, manifest_digest=_ABSENT),
        code=Code.FAILED_PRECONDITION,
        reason="DIGEST_CHANGED",
    ),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.id)
async def test_refusal(fraud_yard: RunningRegistry, row: Row) -> None:
    await check(fraud_yard, row)


async def test_missing_blobs_are_all_named(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"here")
    version = version_of({"a": b"one", "b": b"here", "c": b"three"})

    got = await refused(yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version)))

    assert (got.code, got.reason) == (Code.FAILED_PRECONDITION, "MISSING_BLOBS")
    subjects = {violation.subject for violation in got.details["PreconditionFailure"].violations}  # type: ignore[attr-defined]  # of that type
    assert subjects == {f"blobs/{digest_of(b'one')}/3", f"blobs/{digest_of(b'three')}/5"}
    assert got.info.metadata["missingCount"] == "2"


async def test_thousands_of_violations_still_fit_into_an_answer(yard: RunningRegistry) -> None:
    await make_model(yard)
    version = version_of({f"{n}/" + "x" * 200: b"%d" % n for n in range(5000)})

    got = await refused(yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version)))

    assert got.info.metadata["missingCount"] == "5000"


async def test_a_blob_of_another_size_is_no_match(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"four")
    version = pb.Version(files=[pb.File(path="x", blob=pb.Blob(digest=digest_of(b"four"), size_bytes=5))])

    got = await refused(yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version)))

    assert (got.code, got.reason) == (Code.INVALID_ARGUMENT, "SIZE_MISMATCH")
    assert got.fields == ["version.files[0].blob.size_bytes"]


async def test_a_bug_tells_its_id_and_nothing_else(yard: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: object, **_kwargs: object) -> None:
        raise ValueError("password=hunter2")

    monkeypatch.setattr("modelyard_server.registry.models.repository.ModelRepository.find", broken)
    got = await refused(yard.registry.GetModel(rpc.GetModelRequest(name=MODEL)))

    assert (got.code, got.reason) == (Code.INTERNAL, "INTERNAL")
    assert got.info.metadata["errorId"] in got.message
    assert "hunter2" not in got.message
