"""The zip of `make contract` has all that another language needs, and its Envoy configuration works."""

import asyncio
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from protos import bundle, generate
from tests.support.postgres import free_port
from tests.support.server import BIN, ServerProcess

from modelyard._connection import service_config
from modelyard.v1 import events_pb2, registry_pb2
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub
from modelyard_server.app import SERVICES

if TYPE_CHECKING:  # this name exists in the stubs' types only
    from modelyard.v1.registry_pb2_grpc import RegistryServiceAsyncStub


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unzipped(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip's one folder, where nothing else is."""
    folder = tmp_path_factory.mktemp("unzipped")
    with zipfile.ZipFile(archive) as contents:
        contents.extractall(folder)
    (root,) = folder.iterdir()
    return root


def test_buf_builds_what_the_zip_holds(unzipped: Path) -> None:
    generate.buf("build", cwd=unzipped)
    generate.buf("lint", cwd=unzipped)


def test_protoc_compiles_what_the_zip_holds(unzipped: Path, tmp_path: Path) -> None:
    protos = sorted(path.relative_to(unzipped) for path in unzipped.rglob("*.proto"))

    outputs = (f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}")
    generate.python("-m", "grpc_tools.protoc", "-I", ".", *outputs, *protos, cwd=unzipped)

    assert (tmp_path / "modelyard/v1/registry_pb2_grpc.py").exists()
    assert (tmp_path / "google/rpc/error_details_pb2.py").exists()


def test_the_descriptor_set_is_whole(unzipped: Path) -> None:
    files = FileDescriptorSet.FromString((unzipped / "modelyard.binpb").read_bytes()).file

    known = {file.name for file in files}
    assert {service.file.name for service in SERVICES} <= known
    assert all(set(file.dependency) <= known for file in files)


def test_the_service_config_is_the_one_of_the_sdk(unzipped: Path) -> None:
    config = json.loads((unzipped / "service-config.json").read_text())

    assert config == json.loads(service_config())
    named = {f"{name['service']}/{name['method']}" for entry in config["methodConfig"] for name in entry["name"]}
    retried = [
        method
        for service in SERVICES
        for method in service.methods
        if method.GetOptions().idempotency_level and not method.client_streaming and not method.server_streaming
    ]
    assert named == {f"{method.containing_service.full_name}/{method.name}" for method in retried}


def test_two_builds_are_equal(archive: Path, tmp_path: Path) -> None:
    assert bundle.build(tmp_path).read_bytes() == archive.read_bytes()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path)
    yield process.start()
    process.close()


@pytest.fixture
def proxied(server: ServerProcess, unzipped: Path, tmp_path: Path) -> Iterator[str]:
    """The address of an Envoy before a server, with the zip's configuration but for addresses."""
    port = free_port()
    text = (unzipped / "envoy.yaml").read_text()
    for before, after in (
        ("address: 0.0.0.0, port_value: 8443", f"address: 127.0.0.1, port_value: {port}"),
        ("address: modelyard-1.example.org, port_value: 4850", f"address: 127.0.0.1, port_value: {server.port}"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    config = tmp_path / "envoy.yaml"
    config.write_text(text)
    command = [
        str(BIN / "envoy"),
        "-c",
        str(config),
        "--concurrency",
        "1",
        "--use-dynamic-base-id",
        "--log-level",
        "warning",
    ]
    with (tmp_path / "envoy.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as envoy:
        yield f"127.0.0.1:{port}"
        envoy.terminate()


async def test_calls_and_watches_pass_envoy(proxied: str) -> None:
    async with grpc.aio.insecure_channel(proxied) as channel:
        registry, events = RegistryServiceStub(channel), EventsServiceStub(channel)
        default = registry_pb2.GetNamespaceRequest(name="namespaces/default")
        # Until its first health check Envoy answers UNAVAILABLE, and so does nobody before it listens.
        async with asyncio.timeout(30):
            while not await _answers(registry, default):
                pass

        watch = events.WatchEvents(events_pb2.WatchEventsRequest(parent="namespaces/default"))
        first = await anext(aiter(watch))
        created = await registry.CreateModel(
            registry_pb2.CreateModelRequest(parent="namespaces/default", model_id="fraud")
        )
        second = await anext(aiter(watch))
        watch.cancel()

    assert not first.events
    assert [(event.type, event.resource) for event in second.events] == [("model.created", created.name)]


async def _answers(registry: "RegistryServiceAsyncStub", request: registry_pb2.GetNamespaceRequest) -> bool:
    try:
        await registry.GetNamespace(request, timeout=5, wait_for_ready=True)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True
