"""A registry that answers garbage: every call ends soon, and with an error of the SDK."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import google_crc32c
import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from tests.sdk.fake_artifacts import FakeArtifacts, file_of
from tests.sdk.fake_registry import Context, serve_registry
from tests.support.children import PATIENCE
from tests.support.patience import set_patience

import modelyard
from modelyard import (
    AsyncClient,
    BadAnswerError,
    ModelyardError,
    Registration,
    UnavailableError,
    VerificationError,
    _convert,
)
from modelyard._connection.methods import services
from modelyard._connection.status import from_rpc_error
from modelyard._paging import AsyncPager
from modelyard._transfer import retries, silence
from modelyard._transfer.parts import join
from modelyard.core.manifest import manifest_digest
from modelyard.v1 import artifacts_pb2, events_pb2, registry_pb2
from modelyard.v1 import resources_pb2 as resources

ARGUMENTS: dict[str, Any] = {
    "model": "team/fraud",
    "reference": "team/fraud@7",
    "version": "team/fraud@7",
    "alias": "production",
    "base": "team/fraud@7",
    "other": "team/fraud@8",
    "namespace": "team",
    "name": "team",
    "query": "fraud",
    "dataset": "holdout",
    "metrics": {"auc": 0.9},
    "service": "api",
    "reason": "why",
    "lease": "1",
    "webhook": "team/hook",
    "webhook_id": "hook",
    "url": "https://hook.example/",
    "types": ["*"],
    "description": "words",
    "what": "team",
    "metric": "auc",
    "path": "weights",
    "registration": Registration(
        deployment=_convert.deployment(
            resources.Deployment(
                name="namespaces/team/models/fraud/deployments/00000000-0000-4000-8000-000000000000",
                version="namespaces/team/models/fraud/versions/7",
            )
        ),
        lease="1",
    ),
    "deployment": "namespaces/team/models/fraud/deployments/00000000-0000-4000-8000-000000000000",
    "delivery": "namespaces/team/webhooks/hook/deliveries/00000000-0000-4000-8000-000000000000",
    "evaluation": "namespaces/team/models/fraud/versions/7/evaluations/00000000-0000-4000-8000-000000000000",
}
"""Arguments of the calls, by the names of the parameters."""
GROUPS = ("namespaces", "models", "versions", "aliases", "events", "lineage", "evaluations", "deployments", "webhooks")


def junk(kind: Descriptor, depth: int = 0) -> Message:
    """A message whose fields hold values that no registry may send, and that the wire can carry."""
    message = GetMessageClass(kind)()
    for field in kind.fields:
        values = [_value(field, depth)] if depth < 4 or field.message_type is None else []
        for value in values:
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                continue
            if field.is_repeated:
                getattr(message, field.name).extend([value, value])
            elif field.message_type is not None:
                getattr(message, field.name).CopyFrom(value)
            else:
                setattr(message, field.name, value)
    return message


def _value(field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        return junk(field.message_type, depth + 1)
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return b"\xff" * 9 if field.type == FieldDescriptor.TYPE_BYTES else "\u202e../../etc/passwd"
        case FieldDescriptor.CPPTYPE_INT64:
            return -(2**62)
        case FieldDescriptor.CPPTYPE_INT32:
            return -(2**30)
        case FieldDescriptor.CPPTYPE_ENUM:
            return 99
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return float("nan")
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case _:
            return 2**31


def undecodable(_: Descriptor) -> bytes:
    return b"\xff\xff\xff\xff"


def garbage(kind: Descriptor) -> bytes:
    return junk(kind).SerializeToString()


@asynccontextmanager
async def answering(
    answer: Callable[[Descriptor], bytes | Iterable[bytes]], cache: Path | None = None
) -> AsyncIterator[AsyncClient]:
    """A client of a registry that answers each call with such a message, and each stream with one or more."""
    server = grpc.aio.server()
    for service in services():
        handlers = {}
        for method in service.methods:
            kind_of_answer = method.output_type

            async def unary(_request: object, _context: Context, kind: Descriptor = kind_of_answer) -> bytes:
                said = answer(kind)
                return said if isinstance(said, bytes) else b"".join(said)

            async def stream(
                _request: object, _context: Context, kind: Descriptor = kind_of_answer
            ) -> AsyncIterator[bytes]:
                said = answer(kind)
                for data in [said] if isinstance(said, bytes) else said:
                    yield data
                    await asyncio.sleep(0)

            ends = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
            make = getattr(grpc, f"{ends[0]}_{ends[1]}_rpc_method_handler")
            handlers[method.name] = make(stream if method.server_streaming else unary)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with AsyncClient(f"grpc://127.0.0.1:{port}", cache_dir=cache) as client:
            yield client
    finally:
        await server.stop(None)


def calls_of(client: AsyncClient, files: Path) -> dict[str, Callable[[], Any]]:
    """Every public call, with arguments that are all right."""
    found: dict[str, Callable[[], Any]] = {
        "push": lambda: client.push("team/fraud", files, capture=False),
        "pull": lambda: client.pull("team/fraud@production"),
        "resolve": lambda: client.resolve("team/fraud@production"),
        "promote": lambda: client.promote("team/fraud@7"),
        "watch": lambda: anext(client.watch("team/fraud@production")),
    }
    for group in GROUPS:
        for name, method in inspect.getmembers(getattr(client, group), inspect.ismethod):
            if name.startswith("_"):
                continue
            needed = [
                parameter.name
                for parameter in inspect.signature(method).parameters.values()
                if parameter.default is inspect.Parameter.empty and parameter.kind is not inspect.Parameter.VAR_KEYWORD
            ]
            if name == "update":
                needed.append("description")
            if name == "downstream":
                needed.append("version")
            arguments = {each: ARGUMENTS[each] for each in needed}
            found[f"{group}.{name}"] = partial(method, **arguments)
    return found


async def outcome(call: Callable[[], Any]) -> BaseException | None:
    """How a call ended: None if it returned."""
    try:
        async with asyncio.timeout(PATIENCE):
            result = call()
            if isinstance(result, AsyncPager):
                async for _ in result:
                    pass
            else:
                await result
    except Exception as error:  # noqa: BLE001 (any: it is looked at)
        return error
    return None


async def test_what_cannot_be_read_is_a_bad_answer_of_every_call(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    async with answering(undecodable) as client:
        ended = {name: await outcome(call) for name, call in calls_of(client, tmp_path / "weights").items()}

    assert len(ended) > 40
    assert {name: error for name, error in ended.items() if not isinstance(error, BadAnswerError)} == {}


@pytest.mark.filterwarnings("ignore::modelyard.UnknownFieldWarning")
async def test_values_that_cannot_be_right_never_raise_anything_untyped(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    async with answering(garbage) as client:
        ended = {name: await outcome(call) for name, call in calls_of(client, tmp_path / "weights").items()}

    assert {name: error for name, error in ended.items() if error and not isinstance(error, ModelyardError)} == {}
    assert {type(ended[name]) for name in ("push", "pull", "resolve", "watch", "models.get")} == {BadAnswerError}


@pytest.mark.parametrize("seconds", [10**6, 2**62, -1])
def test_a_registry_cannot_hold_its_clients_for_days(seconds: int) -> None:
    status = status_pb2.Status(code=14, message="later")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = seconds
    status.details.add().Pack(retry)
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))

    error = from_rpc_error(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), trailers))

    assert error.retry_after is not None
    assert 0 <= error.retry_after <= 3600


@pytest.mark.parametrize("circle", [1, 2, 3, 7])
async def test_a_list_that_goes_in_circles_ends(circle: int) -> None:
    asked = 0

    async def list_models(_: registry_pb2.ListModelsRequest, __: Context) -> registry_pb2.ListModelsResponse:
        nonlocal asked
        asked += 1
        model = resources.Model(name="namespaces/team/models/fraud")
        return registry_pb2.ListModelsResponse(models=[model], next_page_token=f"page {asked % circle}")

    async with serve_registry(FakeArtifacts(), ListModels=list_models) as url, AsyncClient(url) as yard:
        error = await outcome(lambda: yard.models.list("team"))

    assert isinstance(error, BadAnswerError)
    assert asked <= 4 * circle + 1


@pytest.mark.parametrize(
    "name", ["max_chunk_bytes", "max_batch_count", "max_batch_bytes", "max_part_count", "part_bytes"]
)
async def test_a_limit_that_nothing_fits_in_is_a_bad_answer(tmp_path: Path, name: str) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    artifacts = FakeArtifacts()
    setattr(artifacts.limits, name, 0)

    async with serve_registry(artifacts) as url, AsyncClient(url) as yard:
        with pytest.raises(modelyard.BadAnswerError, match=f"limit {name} is 0, less than 1"):
            await yard.push("team/fraud", tmp_path / "weights", capture=False)


# Each value by itself, in an answer that is right in all others.

_DATA = b"weights" * 50_000
_FILE = file_of("weights", _DATA)
_ID = "00000000-0000-4000-8000-000000000000"
_RIGHT: dict[str, Any] = {
    "Namespace.name": "namespaces/team",
    "Model.name": "namespaces/team/models/fraud",
    "Version.name": "namespaces/team/models/fraud/versions/7",
    "Alias.name": "namespaces/team/models/fraud/aliases/production",
    "Alias.version": "namespaces/team/models/fraud/versions/7",
    "Evaluation.name": ARGUMENTS["evaluation"],
    "Evaluation.supersedes": "",
    "Evaluation.superseded_by": "",
    "Deployment.name": ARGUMENTS["deployment"],
    "Deployment.version": "namespaces/team/models/fraud/versions/7",
    "Parent.version": "namespaces/team/models/fraud/versions/6",
    "Usage.version": "namespaces/team/models/fraud/versions/7",
    "Webhook.name": "namespaces/team/webhooks/hook",
    "Webhook.model": "",
    "Delivery.name": ARGUMENTS["delivery"],
    "Upload.name": f"namespaces/team/uploads/{_ID}",
    "Version.manifest_digest": manifest_digest([_FILE]),
    "File.path": _FILE.path,
    "File.executable": False,
    "Blob.digest": _FILE.digest,
    "Blob.size_bytes": _FILE.size,
    "ReadFileResponse.offset": 0,
    "ReadFileResponse.data": _DATA,
    "ReadFileResponse.crc32c": google_crc32c.value(_DATA),
    "Timestamp.seconds": 1_700_000_000,
    "Upload.state": 2,
    "Upload.persisted_size": _FILE.size,
    "Status.code": 0,
    "ArtifactLimits.max_blob_bytes": 1 << 40,
    "ArtifactLimits.max_file_count": 10_000,
    "ArtifactLimits.max_chunk_bytes": 1 << 20,
    "ArtifactLimits.max_batch_bytes": 1 << 20,  # so that one of the two files travels as a stream
    "ArtifactLimits.max_batch_count": 1000,
    "ArtifactLimits.part_bytes": 1 << 20,
    "ArtifactLimits.compose_threshold_bytes": 0,
}
"""What fields hold in a right answer, where a number or a word would not do."""
_EXTREMES: dict[int, list[Any]] = {
    FieldDescriptor.CPPTYPE_STRING: ["", "\u202e../../etc/passwd", "x" * 100_000],
    FieldDescriptor.CPPTYPE_INT64: [-(2**63), -1, 0, 2**63 - 1],
    FieldDescriptor.CPPTYPE_INT32: [-(2**31), -1, 0, 2**31 - 1],
    FieldDescriptor.CPPTYPE_ENUM: [-1, 0, 99],
    FieldDescriptor.CPPTYPE_DOUBLE: [float("nan"), float("inf"), -1e308],
    FieldDescriptor.CPPTYPE_BOOL: [],
    FieldDescriptor.CPPTYPE_UINT32: [0, 2**32 - 1],
}


def _plain(field: FieldDescriptor) -> Any:
    assert field.containing_type is not None
    key = f"{field.containing_type.name}.{field.name}"
    if key in _RIGHT:
        return _RIGHT[key]
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return _DATA
        if field.name == "next_page_token":
            return ""
        return _FILE.digest if "digest" in field.name else "word"
    return 1


def right(kind: Descriptor, wrong: tuple[str, Any] | None = None, path: str = "", depth: int = 0) -> Message:
    """A message whose fields hold what a registry may send; that at the path ``wrong[0]`` holds ``wrong[1]``."""
    message = GetMessageClass(kind)()
    for field in kind.fields:
        here = f"{path}.{field.name}"
        if field.message_type is not None:
            if depth >= 4 or field.message_type.file.name == "google/protobuf/struct.proto":
                continue
            if field.message_type.GetOptions().map_entry:
                continue
            inner = right(field.message_type, wrong, here, depth + 1)
            if field.is_repeated:
                getattr(message, field.name).append(inner)
            elif field.containing_oneof is None or message.WhichOneof(field.containing_oneof.name) is None:
                getattr(message, field.name).CopyFrom(inner)
            continue
        value: Any = wrong[1] if wrong is not None and wrong[0] == here else _plain(field)
        if isinstance(value, str) and field.type == FieldDescriptor.TYPE_BYTES:
            value = value.encode()
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    return message


def values_of(kind: Descriptor, path: str = "", depth: int = 0) -> Iterator[tuple[str, FieldDescriptor]]:
    """Each field of a kind of message, and of the messages in it, by its path."""
    for field in kind.fields:
        here = f"{path}.{field.name}"
        if field.message_type is None:
            yield here, field
        elif depth < 4 and not field.message_type.GetOptions().map_entry:
            yield from values_of(field.message_type, here, depth + 1)


def calls_by_answer() -> dict[str, list[str]]:
    """Public calls, by the kind of message that answers them."""
    return {
        "ResolveVersionResponse": ["resolve", "pull", "watch"],
        "Version": ["versions.get", "push"],
        "Alias": ["aliases.get", "promote"],
        "WatchEventsResponse": ["watch"],
        "ListEventsResponse": ["events.list"],
        "ArtifactLimits": ["push"],
        "FindMissingBlobsResponse": ["push"],
        "BatchWriteBlobsResponse": ["push"],
        "BatchReadFilesResponse": ["pull"],
        "Upload": ["push"],
        "ReadFileResponse": ["pull"],
        "ListModelsResponse": ["models.list"],
        "ListVersionsResponse": ["versions.list", "versions.best"],
        "CompareVersionsResponse": ["versions.compare"],
        "Rollout": ["deployments.rollout"],
        "RegisterDeploymentResponse": ["deployments.register"],
        "Usage": ["versions.usage"],
        "QueryLineageResponse": ["lineage.upstream"],
        "ListDeliveriesResponse": ["webhooks.deliveries"],
        "TestWebhookResponse": ["webhooks.test"],
    }


@pytest.mark.parametrize("answer", calls_by_answer())
@pytest.mark.filterwarnings("ignore::UserWarning")
async def test_no_value_by_itself_raises_anything_untyped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Every field of the answers that the SDK works with, one after the other, at the ends of what the wire carries."""
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(silence, "GRACE", 0.5)
    set_patience(monkeypatch, 0.1)
    files = tmp_path / "files"
    files.mkdir()
    (files / "weights").write_bytes(_DATA)
    (files / "config").write_bytes(b"small")
    sent: list[tuple[str, Any]] = []
    kinds = {method.output_type.name: method.output_type for service in services() for method in service.methods}

    def say(kind: Descriptor) -> bytes:
        wrong = sent[-1] if sent and kind.name == answer else None
        return right(kind, wrong).SerializeToString()

    failed = {}
    async with answering(say, tmp_path / "cache") as client:
        calls = calls_of(client, files)
        assert await outcome(calls[calls_by_answer()[answer][0]]) is None, "the right answer is one"
        for path, field in values_of(kinds[answer]):
            for value in _EXTREMES[field.cpp_type]:
                sent.append((path, value))
                for name in calls_by_answer()[answer]:
                    rmtree(tmp_path / "cache", ignore_errors=True)  # or a pull would be asked for nothing
                    error = await outcome(calls[name])
                    if error is not None and not isinstance(error, ModelyardError):
                        failed[name, path, str(value)[:20]] = error

    assert sent
    assert failed == {}


@pytest.mark.filterwarnings("ignore::modelyard.UnknownFieldWarning")
@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "C:/x", "", "a//b", "x\x00y", "~/x"])
async def test_no_version_of_the_sdk_has_a_path_that_leaves_its_folder(path: str) -> None:
    """Programs join these paths to folders of their own, so the SDK refuses them in the answer of each method."""

    def say(kind: Descriptor) -> bytes:
        return right(
            kind, (".files.path" if kind.name == "Version" else ".versions.files.path", path)
        ).SerializeToString()

    async with answering(say) as client:
        for call in (lambda: client.versions.get("team/fraud@7"), lambda: client.versions.list("team/fraud")):
            assert isinstance(await outcome(call), BadAnswerError)


@pytest.mark.filterwarnings("ignore::modelyard.UnknownFieldWarning")
@pytest.mark.parametrize(
    "paths",
    [("a", "a"), ("A", "a"), ("a", "a/b"), ("A/b/c", "a/B"), ("\u00df", "SS"), ("x/\u01c4", "x/\u01c6")],
    ids=ascii,
)
async def test_no_version_of_the_sdk_has_two_files_that_one_folder_cannot_hold(
    tmp_path: Path, paths: tuple[str, str]
) -> None:
    """By the rule by which a registry refuses a push."""
    files = [file_of(path, b"weights") for path in paths]

    def say(kind: Descriptor) -> bytes:
        message: Any = right(kind)
        version = {"Version": lambda: message, "ListVersionsResponse": lambda: message.versions[0]}.get(
            kind.name, lambda: message.version
        )()
        version.manifest_digest = manifest_digest(files)
        del version.files[:]
        for file in files:
            version.files.add(path=file.path, blob=resources.Blob(digest=file.digest, size_bytes=file.size))
        encoded: bytes = message.SerializeToString()
        return encoded

    async with answering(say, tmp_path / "cache") as client:
        ended = {
            name: await outcome(calls_of(client, tmp_path)[name])
            for name in ("versions.get", "versions.list", "resolve", "pull")
        }

    assert {name: type(error) for name, error in ended.items()} == dict.fromkeys(ended, BadAnswerError)
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").rglob("SS*"))


# A log that can't be one.


def _watch_of(*messages: events_pb2.WatchEventsResponse) -> Callable[[Descriptor], list[bytes]]:
    return lambda kind: (
        [message.SerializeToString() for message in messages]
        if kind.name == "WatchEventsResponse"
        else [right(kind).SerializeToString()]
    )


def _moved(revision: int, version: str = "namespaces/team/models/fraud/versions/8") -> events_pb2.WatchEventsResponse:
    alias = resources.Alias(name="namespaces/team/models/fraud/aliases/production", version=version)
    event = events_pb2.Event(revision=revision, type="alias.moved", resource=alias.name, alias=alias)
    return events_pb2.WatchEventsResponse(events=[event], revision=revision)


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([events_pb2.WatchEventsResponse(revision=0)], BadAnswerError),  # it began at 1
        ([events_pb2.WatchEventsResponse(revision=9), events_pb2.WatchEventsResponse(revision=8)], BadAnswerError),
        ([events_pb2.WatchEventsResponse(revision=2**63 - 1)], BadAnswerError),
        ([_moved(1)], BadAnswerError),  # again
        ([_moved(-1)], BadAnswerError),
        ([_moved(2, "namespaces/team/models/other/versions/8")], VerificationError),
        ([_moved(2, "namespaces/evil/models/fraud/versions/8")], VerificationError),
        ([_moved(2, "nonsense")], BadAnswerError),
    ],
    ids=["older", "backwards", "too far", "seen", "negative", "another model", "another namespace", "no version"],
)
async def test_a_watch_ends_at_a_log_that_cannot_be_one(
    tmp_path: Path, messages: list[events_pb2.WatchEventsResponse], error: type[ModelyardError]
) -> None:
    async with answering(_watch_of(*messages), tmp_path) as client:
        watch = client.watch("team/fraud@production")
        first = await anext(watch)
        assert first.version.number == 7

        assert isinstance(await outcome(lambda: anext(watch)), error)


# A join of parts.

_WHOLE = resources.Blob(digest=_FILE.digest, size_bytes=1 << 20)


def _joined(**fields: Any) -> artifacts_pb2.ComposeBlobResponse:
    return artifacts_pb2.ComposeBlobResponse(**fields)


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([_joined(blob=resources.Blob(digest=f"sha256:{'0' * 64}", size_bytes=1 << 20))], VerificationError),
        ([_joined(blob=resources.Blob(digest=_FILE.digest, size_bytes=1))], VerificationError),
        ([_joined(hashed_bytes=1 << 20)], UnavailableError),  # the end without the blob
        ([], UnavailableError),
        ([_joined(hashed_bytes=-(2**63)), _joined(hashed_bytes=2**63 - 1), _joined(blob=_WHOLE)], None),
    ],
    ids=["another digest", "another size", "no blob", "nothing", "strange progress"],
)
async def test_a_join_is_what_was_asked_for_or_an_error(
    monkeypatch: pytest.MonkeyPatch,
    messages: list[artifacts_pb2.ComposeBlobResponse],
    error: type[ModelyardError] | None,
) -> None:
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    async with answering(lambda _: [message.SerializeToString() for message in messages]) as client:
        request = artifacts_pb2.ComposeBlobRequest(parent="namespaces/team", blob=_WHOLE, parts=[_WHOLE])
        ended = await outcome(lambda: join(client._connection, request))

    assert (type(ended) if ended else None) is error


async def test_a_join_without_progress_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages alone are no sign of life."""
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(silence, "GRACE", 0.3)

    def for_ever(_: Descriptor) -> Iterator[bytes]:
        while True:
            yield _joined(hashed_bytes=5).SerializeToString()

    async with answering(for_ever) as client:
        request = artifacts_pb2.ComposeBlobRequest(parent="namespaces/team", blob=_WHOLE, parts=[_WHOLE])
        ended = await outcome(lambda: join(client._connection, request))

    assert isinstance(ended, UnavailableError)
    assert ended.reason == "STREAM_IDLE"
