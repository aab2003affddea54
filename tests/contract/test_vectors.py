"""The published test vectors hold for the code of the SDK and of the server."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from protos import generate
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, blob_of, make_model, store

from modelyard.core.manifest import File, manifest_digest
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

_VECTORS = json.loads((generate.PROTOS / "vectors/manifests.json").read_text())
_MANIFESTS = {vector["name"]: vector for vector in _VECTORS["manifests"]}
_STORABLE = [name for name, vector in _MANIFESTS.items() if vector["files"] and "content" in vector["files"][0]]
_GENERATED = {vector["name"]: vector for vector in _VECTORS["generated"]}


def _file(entry: dict[str, Any]) -> File:
    return File(path=entry["path"], size=entry["size"], digest=f"sha256:{entry['sha256']}")


@pytest.mark.parametrize("name", _MANIFESTS)
def test_manifest_digests_are_the_published_ones(name: str) -> None:
    vector = _MANIFESTS[name]

    assert manifest_digest(map(_file, vector["files"])) == vector["digest"]
    assert manifest_digest(map(_file, reversed(vector["files"]))) == vector["digest"]
    assert vector["digest"] == f"sha256:{hashlib.sha256(vector['canonical'].encode()).hexdigest()}"


def _ten_thousand() -> Iterator[File]:
    """As the rule in the vector says."""
    for i in range(10_000):
        path = f"dir-{i % 100}/file-{i}.bin"
        yield File(path=path, size=i * 1_000_003, digest=f"sha256:{hashlib.sha256(path.encode()).hexdigest()}")


def test_the_digest_of_ten_thousand_files_is_the_published_one() -> None:
    assert manifest_digest(_ten_thousand()) == _GENERATED["ten thousand files"]["digest"]


@pytest.mark.parametrize("name", _STORABLE)
async def test_the_server_computes_the_published_digest(yard: RunningRegistry, name: str) -> None:
    contents = {entry["path"]: entry["content"].encode() for entry in _MANIFESTS[name]["files"]}
    await make_model(yard)
    await store(yard, *set(contents.values()))
    files = [pb.File(path=path, blob=blob_of(data)) for path, data in contents.items()]

    version = await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=pb.Version(files=files)))

    assert version.manifest_digest == _MANIFESTS[name]["digest"]
