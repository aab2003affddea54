"""Aliases that would point at what can't be served, or that move under somebody's hands."""

from typing import Final

from tests.support.calls import VERSION, Call, another_model, quarantine, read_file, read_files, set_alias
from tests.support.refusals import Code, Row
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL

from modelyard.v1 import registry_pb2 as rpc


async def _to_a_deleted_version(yard: RunningRegistry) -> Call:
    model = await another_model(yard)
    await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=f"{model}/versions/1"))
    return set_alias(f"{model}/aliases/production", f"{model}/versions/1")


async def _quarantined(yard: RunningRegistry) -> str:
    version = f"{await another_model(yard)}/versions/1"
    await quarantine(yard, version)
    return version


async def _to_a_quarantined_version(yard: RunningRegistry) -> Call:
    version = await _quarantined(yard)
    return set_alias(version.replace("/versions/1", "/aliases/production"), version)


async def _read_a_quarantined_version(yard: RunningRegistry) -> Call:
    return read_file(version=await _quarantined(yard))


async def _read_some_of_a_quarantined_version(yard: RunningRegistry) -> Call:
    return read_files("model.bin", version=await _quarantined(yard))


def _delete_version(yard: RunningRegistry) -> object:
    return yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=VERSION))


ROWS: Final = [
    Row(
        id="A82 a stale etag",
        call=set_alias(etag='"stale"'),
        code=Code.ABORTED,
        reason="ETAG_MISMATCH",
        metadata=("currentEtag",),
    ),
    Row(
        id="A82 create what is set",
        call=set_alias(create_only=True),
        code=Code.ABORTED,
        reason="ETAG_MISMATCH",
        metadata=("currentEtag",),
    ),
    Row(
        id="A82 an etag that no trailer could carry back",
        call=set_alias(etag="\U0001f600" * 2000),
        code=Code.ABORTED,
        reason="ETAG_MISMATCH",
        metadata=("currentEtag",),
    ),
    Row(
        id="A83 point at a deleted version",
        after=_to_a_deleted_version,
        code=Code.NOT_FOUND,
        reason="VERSION_DELETED",
        detail="ResourceInfo",
    ),
    Row(
        id="A83 point at a quarantined version",
        after=_to_a_quarantined_version,
        code=Code.FAILED_PRECONDITION,
        reason="QUARANTINED",
        detail="PreconditionFailure",
    ),
    Row(
        id="A83 read a quarantined version",
        after=_read_a_quarantined_version,
        code=Code.FAILED_PRECONDITION,
        reason="QUARANTINED",
        detail="PreconditionFailure",
    ),
    Row(
        id="A83 read some files of a quarantined version",
        after=_read_some_of_a_quarantined_version,
        code=Code.FAILED_PRECONDITION,
        reason="QUARANTINED",
        detail="PreconditionFailure",
    ),
    Row(
        id="A83 point at another model's version",
        call=set_alias(version=f"{MODEL}x/versions/1"),
        detail="BadRequest",
        fields=("alias.version",),
    ),
    Row(
        id="A83 delete what an alias points at",
        call=_delete_version,
        code=Code.FAILED_PRECONDITION,
        reason="VERSION_IN_USE",
        detail="PreconditionFailure",
    ),
]
