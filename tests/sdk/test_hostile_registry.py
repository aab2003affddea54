"""A registry that answers garbage: every call ends soon, and with an error of the SDK."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from tests.sdk.fake_artifacts import FakeArtifacts
from tests.sdk.fake_registry import Context, serve_registry
from tests.support.children import PATIENCE

import modelyard
from modelyard import AsyncClient, BadAnswerError, ModelyardError, Registration, _convert
from modelyard._connection.methods import services
from modelyard._connection.status import from_rpc_error
from modelyard._paging import AsyncPager
from modelyard.v1 import registry_pb2
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
"""What calls are given, by the names of their parameters."""
GROUPS = ("namespaces", "models", "versions", "aliases", "events", "lineage", "evaluations", "deployments", "webhooks")


def junk(kind: Descriptor, depth: int = 0) -> Message:
    """A message whose fields hold what no registry may send, as far as the wire can carry it."""
    message: Any = GetMessageClass(kind)()
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
    return message  # type: ignore[no-any-return]


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
async def answering(answer: Callable[[Descriptor], bytes]) -> AsyncIterator[AsyncClient]:
    """A client of a registry that gives the same answer to every call of each method."""
    server = grpc.aio.server()
    for service in services():
        handlers = {}
        for method in service.methods:
            data = answer(method.output_type)

            async def unary(_request: object, _context: Context, data: bytes = data) -> bytes:
                return data

            async def stream(_request: object, _context: Context, data: bytes = data) -> AsyncIterator[bytes]:
                yield data

            kind = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
            make = getattr(grpc, f"{kind[0]}_{kind[1]}_rpc_method_handler")
            handlers[method.name] = make(stream if method.server_streaming else unary)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with AsyncClient(f"grpc://127.0.0.1:{port}") as client:
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
