"""The published test vectors hold for the code of the SDK and of the server."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from protos import generate
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE, blob_of, make_model, store

from modelyard.core.manifest import File, manifest_digest
from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.log.encoding import canonical, decode, encode

_VECTORS = json.loads((generate.PROTOS / "vectors/manifests.json").read_text())
_MANIFESTS = {vector["name"]: vector for vector in _VECTORS["manifests"]}
_STORABLE = [name for name, vector in _MANIFESTS.items() if vector["files"] and "content" in vector["files"][0]]
_EVENTS = json.loads((generate.PROTOS / "vectors/events.json").read_text())
_CHAINS = {chain["name"]: chain for chain in _EVENTS["chains"]}
_GENERATED = {vector["name"]: vector for vector in _VECTORS["generated"]}


def _file(entry: dict[str, Any]) -> File:
    digest, executable = f"sha256:{entry['sha256']}", entry.get("executable", False)
    return File(path=entry["path"], size=entry["size"], digest=digest, executable=executable)


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
    executable = {entry["path"] for entry in _MANIFESTS[name]["files"] if "executable" in entry}
    files = [pb.File(path=path, blob=blob_of(data), executable=path in executable) for path, data in contents.items()]

    version = await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=pb.Version(files=files)))

    assert version.manifest_digest == _MANIFESTS[name]["digest"]
    read = await yard.registry.GetVersion(rpc.GetVersionRequest(name=version.name))
    assert {file.path for file in read.files if file.executable} == executable


def _first_bad(previous: str, events: Iterable[tuple[bytes, str]]) -> int:
    """A verifier as a client may write it, from `docs/explanation/log.md` alone. The first bad event, or 0."""
    for place, (payload, hash_) in enumerate(events, 1):
        if hashlib.sha256(b"\0" + payload).hexdigest() != hash_ or json.loads(payload)["previous"] != previous:
            return place
        previous = hash_
    return 0


def _payloads(name: str) -> list[tuple[bytes, str]]:
    return [(event["payload"].encode(), event["hash"]) for event in _CHAINS[name]["events"]]


@pytest.mark.parametrize("name", _CHAINS)
def test_published_events_are_chained(name: str) -> None:
    events = _payloads(name)

    assert _first_bad(_CHAINS[name]["previous"], events) == 0
    for place, (payload, hash_) in enumerate(events, 1):
        damaged = [*events[: place - 1], (payload + b" ", hash_), *events[place:]]
        assert _first_bad(_CHAINS[name]["previous"], damaged) == place


@pytest.mark.parametrize("name", _CHAINS)
def test_published_events_are_read_and_written_as_the_server_does(name: str) -> None:
    for payload, hash_ in _payloads(name):
        event = decode(payload, namespace_key=1, stored_hash=hash_)

        assert event.change.type == json.loads(payload)["type"]
        if _CHAINS[name]["written_by_this_release"]:
            assert encode(event.previous_hash, event.revision, event.change) == payload


@pytest.mark.parametrize("number", _EVENTS["numbers"], ids=lambda number: number["canonical"])
def test_numbers_have_their_published_form(number: dict[str, Any]) -> None:
    assert canonical({"n": number["value"]}) == b'{"n":%b}' % number["canonical"].encode()


async def test_a_client_verifies_what_the_server_delivers(yard: RunningRegistry) -> None:
    await make_model(yard)

    listed = await yard.events.ListEvents(events_pb2.ListEventsRequest(parent=NAMESPACE, include_payload=True))

    assert _first_bad("0" * 64, [(event.payload, event.hash) for event in listed.events]) == 0
    assert [json.loads(event.payload)["type"] for event in listed.events] == [event.type for event in listed.events]
