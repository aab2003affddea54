"""Pushes and pulls against a registry that is slow, forgetful or evil."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import grpc
import pytest
from tests.sdk.fake_artifacts import FakeArtifacts, digest_of, file_of
from tests.sdk.fake_registry import Context, refuse, serve_registry

import modelyard
from modelyard import AsyncClient
from modelyard._capture import Captured
from modelyard.core.facts import Environment, Source
from modelyard.core.manifest import manifest_digest
from modelyard.v1 import registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.wire import files_to_proto

FILE = file_of("weights", b"weights")
DIGEST = manifest_digest([FILE])


def version() -> pb.Version:
    return pb.Version(
        name="namespaces/team/models/fraud/versions/7",
        number=7,
        state=pb.Version.STATE_READY,
        files=files_to_proto([FILE]),
        file_count=1,
        total_size_bytes=FILE.size,
        manifest_digest=DIGEST,
    )


@pytest.fixture
def artifacts() -> FakeArtifacts:
    artifacts = FakeArtifacts()
    artifacts.files = {"weights": b"weights"}
    return artifacts


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "weights").write_bytes(b"weights")
    return tmp_path / "weights"


@pytest.mark.parametrize(("lost", "succeeds"), [(1, True), (2, False)])
async def test_bytes_that_the_registry_no_longer_keeps_are_sent_once_more(
    artifacts: FakeArtifacts, files: Path, lost: int, succeeds: bool
) -> None:
    left = lost

    async def create_version(request: registry_pb2.CreateVersionRequest, context: Context) -> pb.Version:
        nonlocal left
        if left:
            left -= 1
            artifacts.blobs.clear()
            await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "MISSING_BLOBS")
        assert [file.blob.digest for file in request.version.files] == [digest_of(b"weights")]
        assert UUID(request.request_id).version == 4
        return version()

    async with serve_registry(artifacts, CreateVersion=create_version) as url, AsyncClient(url) as yard:
        if succeeds:
            assert (await yard.push("team/fraud", files, capture=False)).number == 7
        else:
            with pytest.raises(modelyard.FailedPreconditionError, match="MISSING_BLOBS"):
                await yard.push("team/fraud", files, capture=False)

    assert artifacts.calls["BatchWriteBlobs"] == 2


async def test_facts_that_were_not_collected_are_stored_so_and_told_once(
    artifacts: FakeArtifacts, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Captured(
        source=Source(commit="c" * 40, dirty=True, not_collected={"dirty": "no git"}),
        environment=Environment(python="3.11", not_collected={"packages": "late"}),
    )
    monkeypatch.setattr("modelyard._client.pushing.capture", lambda: found)

    async def create_version(request: registry_pb2.CreateVersionRequest, _: Context) -> pb.Version:
        assert dict(request.version.source.not_collected) == {"dirty": "no git"}
        assert dict(request.version.environment.not_collected) == {"packages": "late"}
        return version()

    async with serve_registry(artifacts, CreateVersion=create_version) as url, AsyncClient(url) as yard:
        with pytest.warns(modelyard.FactsWarning) as told:
            await yard.push("team/fraud", files)

    assert [str(each.message) for each in told] == [
        "These facts are stored as not collected: dirty: no git; packages: late"
    ]


async def test_a_model_that_somebody_else_misses_is_not_created(artifacts: FakeArtifacts, files: Path) -> None:
    async def create_version(_: registry_pb2.CreateVersionRequest, context: Context) -> None:
        resource = "namespaces/other/models/base"
        await refuse(context, grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", resource=resource)

    async with serve_registry(artifacts, CreateVersion=create_version) as url, AsyncClient(url) as yard:
        with pytest.raises(modelyard.NotFoundError):
            await yard.push("team/fraud", files, capture=False)


def other_files(message: pb.Version) -> None:
    message.files[0].blob.digest = digest_of(b"evil")


def other_digest(message: pb.Version) -> None:
    other = file_of("weights", b"evil")
    message.files[0].CopyFrom(files_to_proto([other])[0])
    message.manifest_digest = manifest_digest([other])


def other_number(message: pb.Version) -> None:
    message.name = "namespaces/team/models/fraud/versions/8"


def other_model(message: pb.Version) -> None:
    message.name = "namespaces/team/models/evil/versions/7"


@pytest.mark.parametrize(
    ("reference", "change"),
    [
        ("team/fraud@production", other_files),
        (f"team/fraud@{DIGEST}", other_digest),
        ("team/fraud@7", other_number),
        ("team/fraud", other_model),
    ],
)
async def test_a_registry_that_answers_another_version_is_not_believed(
    artifacts: FakeArtifacts, reference: str, change: Callable[[pb.Version], None]
) -> None:
    message = version()
    change(message)

    async def resolve(_: registry_pb2.ResolveVersionRequest, __: Context) -> registry_pb2.ResolveVersionResponse:
        return registry_pb2.ResolveVersionResponse(version=message)

    async with serve_registry(artifacts, ResolveVersion=resolve) as url, AsyncClient(url) as yard:
        with pytest.raises(modelyard.VerificationError, match=r"Nothing was (downloaded|done)"):
            await yard.pull(reference)

    assert not artifacts.calls["ReadFile"]


async def test_a_quarantined_version_is_refused_though_it_is_cached(artifacts: FakeArtifacts) -> None:
    message = version()

    async def resolve(_: registry_pb2.ResolveVersionRequest, __: Context) -> registry_pb2.ResolveVersionResponse:
        return registry_pb2.ResolveVersionResponse(version=message)

    async with serve_registry(artifacts, ResolveVersion=resolve) as url, AsyncClient(url) as yard:
        await yard.pull("team/fraud@production")
        message.state = pb.Version.STATE_QUARANTINED
        with pytest.raises(modelyard.FailedPreconditionError) as refused:
            await yard.pull("team/fraud@production")

    assert refused.value.reason == "QUARANTINED"


async def test_what_a_newer_registry_says_does_not_break_a_pull(artifacts: FakeArtifacts) -> None:
    message = version()
    message.state = 99  # type: ignore[assignment]  # a value that only a newer contract names
    message.params["shape"].SetInParent()
    message.params["lr"].double_value = 0.1
    message.datasets.add(name="d", role=99, fingerprint=99)
    message.parents.add(version="namespaces/team/models/base/versions/1", relation=99)

    async def resolve(_: registry_pb2.ResolveVersionRequest, __: Context) -> registry_pb2.ResolveVersionResponse:
        return registry_pb2.ResolveVersionResponse(version=message, rule=99)  # type: ignore[arg-type]  # as above

    async with serve_registry(artifacts, ResolveVersion=resolve) as url, AsyncClient(url) as yard:
        pulled = await yard.pull("team/fraud")
        assert (await yard.resolve("team/fraud")).rule is modelyard.Rule.UNKNOWN

    assert pulled.version.state is modelyard.VersionState.UNKNOWN
    assert pulled.version.params == {"lr": 0.1}
    assert pulled.version.datasets == (modelyard.Dataset(name="d"),)
    assert pulled.version.parents[0].relation is modelyard.Relation.DERIVED_FROM


async def test_a_digest_that_is_here_needs_no_registry_and_no_connection(artifacts: FakeArtifacts) -> None:
    async def resolve(_: registry_pb2.ResolveVersionRequest, __: Context) -> registry_pb2.ResolveVersionResponse:
        return registry_pb2.ResolveVersionResponse(version=version())

    async with serve_registry(artifacts, ResolveVersion=resolve) as url, AsyncClient(url) as yard:
        await yard.pull("team/fraud@production")

    async with AsyncClient("grpc://127.0.0.1:9") as yard:
        pulled = await yard.pull(f"team/fraud@{DIGEST}")
        assert yard._connection.loop is None
        assert (pulled.version.number, pulled.stale) == (7, False)
        # Bytes alike in another model are another version's: whether that exists, the registry must say.
        with pytest.raises(modelyard.UnavailableError):
            await yard.pull(f"team/other@{DIGEST}")
