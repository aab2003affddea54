"""Lists, batches and look-ups that ask for too much, or go on where nobody let them."""

import base64
from collections.abc import Callable
from typing import Final

from tests.support.calls import (
    Call,
    another_model,
    create_model,
    find_blobs,
    get_model,
    list_models,
    read_files,
    resolve,
)
from tests.support.refusals import Code, Row
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE, blob_of

from modelyard.v1 import artifacts_pb2 as artifacts
from modelyard.v1 import deployments_pb2 as deployments
from modelyard.v1 import registry_pb2 as rpc

_LISTS: Final[dict[str, Callable[[int, str], Call]]] = {
    "ListNamespaces": lambda size, token: (
        lambda yard: yard.registry.ListNamespaces(rpc.ListNamespacesRequest(page_size=size, page_token=token))
    ),
    "ListModels": lambda size, token: list_models(page_size=size, page_token=token),
    "ListVersions": lambda size, token: (
        lambda yard: yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL, page_size=size, page_token=token))
    ),
    "ListDeployments": lambda size, token: (
        lambda yard: yard.deployments.ListDeployments(
            deployments.ListDeploymentsRequest(parent=MODEL, page_size=size, page_token=token)
        )
    ),
    "ListAliases": lambda size, token: (
        lambda yard: yard.registry.ListAliases(rpc.ListAliasesRequest(parent=MODEL, page_size=size, page_token=token))
    ),
}
_SQL: Final = ("x' OR 1=1 --", "'; DROP TABLE versions;--", 'x" OR ""="', "x%", "a_b\\", "fraud\x00")


def _token(identity: str, call: Callable[[str], Call]) -> Row:
    """A good token of ListModels, and what is done with it."""

    async def after(yard: RunningRegistry) -> Call:
        await another_model(yard)
        page = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, page_size=1))
        assert page.next_page_token
        return call(page.next_page_token)

    return Row(id=identity, after=after, reason="PAGE_TOKEN_INVALID", detail="BadRequest", fields=("page_token",))


def _edited(token: str, at: int) -> str:
    """One bit of the sealed bytes is another."""
    sealed = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    sealed[at] ^= 1
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


async def _old_token(yard: RunningRegistry) -> Call:
    await another_model(yard)
    page = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, page_size=1))
    yard.clock.advance(yard.limits.page_token_ttl + 1)
    return list_models(page_token=page.next_page_token)


def _resume(**fields: object) -> Callable[[str], Call]:
    return lambda token: list_models(page_token=token, **fields)


def _changed(change: Callable[[str], str]) -> Callable[[str], Call]:
    return lambda token: list_models(page_token=change(token))


def _batch(count: int) -> Call:
    items = [artifacts.BatchWriteBlobsRequest.Item(blob=blob_of(b"weights"), data=b"weights")] * count
    return lambda yard: yard.artifacts.BatchWriteBlobs(artifacts.BatchWriteBlobsRequest(parent=NAMESPACE, items=items))


ROWS: Final = [
    Row(id="A39 1001 files to read", call=read_files(*map(str, range(1001))), fields=("paths",)),
    Row(id="A39 no file to read", call=read_files(), fields=("paths",)),
    Row(id="A39 a file to read twice", call=read_files("model.bin", "model.bin"), fields=("paths",)),
    Row(
        id="A39 one file to read that is not there",
        call=read_files("model.bin", "other.bin"),
        code=Code.NOT_FOUND,
        reason="FILE_NOT_FOUND",
    ),
    *(
        Row(id=f"A31 {name} of {size}", call=make(size, ""), detail="BadRequest", fields=("page_size",))
        for name, make in _LISTS.items()
        for size in (-1, -(2**31))
    ),
    *(
        Row(
            id=f"A32 {name} from {token!a}",
            call=make(0, token),
            reason="PAGE_TOKEN_INVALID",
            detail="BadRequest",
            fields=("page_token",),
        )
        for name, make in _LISTS.items()
        for token in ("AAAA", "\u20ac!", "x" * 100_000, "A", "=")
    ),
    _token("A32 truncated", _changed(lambda token: token[:-2])),
    _token("A32 longer", _changed(lambda token: token + "AA")),
    _token("A32 padded", _changed(lambda token: token + "=")),
    _token("A32 with a line break", _changed(lambda token: f"{token}\n")),
    _token("A32 seal edited", _changed(lambda token: _edited(token, 0))),
    _token("A32 position edited", _changed(lambda token: _edited(token, -3))),
    _token("A32 of another namespace", _resume(parent="namespaces/other")),
    _token("A32 of another query", _resume(show_deleted=True)),
    *(
        _token(f"A32 of another method: {name}", lambda token, make=make: make(0, token))  # type: ignore[misc]  # bound now
        for name, make in _LISTS.items()
        if name != "ListModels"
    ),
    Row(
        id="A32 expired",
        after=_old_token,
        reason="PAGE_TOKEN_INVALID",
        detail="BadRequest",
        fields=("page_token",),
    ),
    *(Row(id=f"A33 model {text!a}", call=create_model(text), fields=("model_id",)) for text in _SQL),
    *(Row(id=f"A33 name {text!a}", call=get_model(f"{NAMESPACE}/models/{text}"), fields=("name",)) for text in _SQL),
    *(Row(id=f"A33 reference {text!a}", call=resolve(f"fraud@{text}"), fields=("reference",)) for text in _SQL),
    Row(id="A39 1,001 blobs to look for", call=find_blobs(*[blob_of(b"x")] * 1001), fields=("blobs",)),
    Row(id="A39 1,001 sizes to look for", call=find_blobs(sizes=range(1001)), fields=("sizes",)),
    Row(id="A39 1,001 blobs to write", call=_batch(1001), fields=("items",)),
    Row(id="A39 no blobs to write", call=_batch(0), fields=("items",)),
]
