"""A server as a platform engineer meets it: a process that starts, refuses, is killed, drains."""

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.support.children import run_server
from tests.support.postgres import Postgres, free_port
from tests.support.requests import NAMESPACE, digest_of
from tests.support.server import ServerProcess, clean_environment

from modelyard.v1 import artifacts_pb2, registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

DATA = Path(__file__).parents[1] / "data"
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _fails(*arguments: str) -> str:
    """Runs a server that must not start; what it says."""
    done = run_server(*arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def _probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_server("probe", *arguments)


def _records(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


async def _create(address: str, model_id: str, **metadata: str) -> pb.Model:
    async with grpc.aio.insecure_channel(address) as channel:
        request = registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id=model_id)
        return await RegistryServiceStub(channel).CreateModel(request, metadata=tuple(metadata.items()))


async def test_the_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path).start(fresh=True)
    try:
        await _create(server.address, "fraud")

        data = server.folder / "data"
        for path in (data, *data.iterdir()):
            if path.is_dir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
            else:
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert (data / "modelyard.db").exists()
    finally:
        server.close()


def test_a_second_server_on_the_same_folder_is_refused(server: ServerProcess) -> None:
    told = _fails("serve", "--data-dir", str(server.folder / "data"), "--listen", "127.0.0.1:0")

    assert f"Another server (process {server.pid}) uses" in told


def test_a_second_server_does_not_share_the_port(server: ServerProcess, tmp_path: Path) -> None:
    told = _fails("serve", "--data-dir", str(tmp_path / "other"), "--listen", server.address)

    assert f"Can't listen on {server.address}" in told
    assert "--listen" in told


def test_a_taken_metrics_port_is_told(server: ServerProcess, tmp_path: Path) -> None:
    flags = ("--data-dir", str(tmp_path / "other"), "--listen", "127.0.0.1:0", "--admin-listen", server.address)

    assert "Can't serve metrics on" in _fails("serve", *flags)


async def test_answered_changes_survive_kill_9(server: ServerProcess) -> None:
    made = await _create(server.address, "fraud")

    server.kill()
    server.start()

    async with grpc.aio.insecure_channel(server.address) as channel:
        request = registry_pb2.GetModelRequest(name=made.name)
        assert await RegistryServiceStub(channel).GetModel(request) == made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_the_server_cleanly(server: ServerProcess, number: int) -> None:
    assert server.stop(number) == 0
    assert [record["event"] for record in _records(server)][-2:] == ["draining", "stopped"]


async def test_an_upload_in_flight_survives_sigterm(server: ServerProcess) -> None:
    data = os.urandom(12 << 20)
    async with grpc.aio.insecure_channel(server.address) as channel:
        artifacts = ArtifactsServiceStub(channel)
        upload = await artifacts.StartUpload(
            artifacts_pb2.StartUploadRequest(parent=NAMESPACE, size_bytes=len(data), digest=digest_of(data))
        )
        go_on = asyncio.Event()

        async def stream() -> AsyncIterator[artifacts_pb2.WriteBlobRequest]:
            name = upload.name
            for offset in range(0, len(data), 1 << 20):
                if offset == 8 << 20:
                    await go_on.wait()
                chunk = data[offset : offset + (1 << 20)]
                yield artifacts_pb2.WriteBlobRequest(upload=name, write_offset=offset, data=chunk)

        call = artifacts.WriteBlob(stream())
        get = artifacts_pb2.GetUploadRequest(name=upload.name)
        while (await artifacts.GetUpload(get)).persisted_size < 4 << 20:
            await asyncio.sleep(0)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        while "draining" not in server.log.read_text():
            await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        assert await stopping == 0

    server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        artifacts = ArtifactsServiceStub(channel)
        offset = (await artifacts.GetUpload(get)).persisted_size
        assert offset >= 4 << 20

        async def rest() -> AsyncIterator[artifacts_pb2.WriteBlobRequest]:
            for at in range(offset, len(data), 1 << 20):
                chunk = data[at : at + (1 << 20)]
                yield artifacts_pb2.WriteBlobRequest(upload=upload.name, write_offset=at, data=chunk)
            yield artifacts_pb2.WriteBlobRequest(upload=upload.name, write_offset=len(data), finish_write=True)

        assert (await artifacts.WriteBlob(rest())).state == artifacts_pb2.Upload.STATE_COMMITTED


async def test_health_is_told_for_each_service_and_ends_with_the_drain(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "modelyard.v1.RegistryService", "modelyard.v1.ArtifactsService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING

        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        # A watcher that stays does not hold the server up.
        assert await stopping == 0


def test_probe_tells_by_its_exit_code(server: ServerProcess) -> None:
    assert _probe("--address", server.address).returncode == 0
    server.stop()
    gone = _probe("--address", server.address)
    assert gone.returncode == 1
    assert "does not answer" in gone.stderr


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[ServerProcess]:
    for name in ("crt", "key"):
        shutil.copy(DATA / f"first.{name}", tmp_path / f"tls.{name}")
    process = ServerProcess(tmp_path, "--tls-cert", str(tmp_path / "tls.crt"), "--tls-key", str(tmp_path / "tls.key"))
    yield process.start(wait=False)
    process.close()


def _trusts(address: str, certificate: Path) -> bool:
    return _probe("--address", address, "--tls-ca", str(certificate), "--authority", "localhost").returncode == 0


def test_tls_by_files_that_rotate_without_a_restart(tls_server: ServerProcess, tmp_path: Path) -> None:
    while not _trusts(tls_server.address, DATA / "first.crt"):
        assert tls_server.running
    assert not _trusts(tls_server.address, DATA / "second.crt")
    assert _probe("--address", tls_server.address).returncode == 1  # plaintext

    for name in ("crt", "key"):
        shutil.copy(DATA / f"second.{name}", tmp_path / f"tls.{name}")

    assert _trusts(tls_server.address, DATA / "second.crt")
    assert not _trusts(tls_server.address, DATA / "first.crt")


async def test_one_log_line_for_each_call(server: ServerProcess) -> None:
    await _create(server.address, "fraud", **{"x-request-id": "from-the-caller", "traceparent": _TRACE})
    server.stop()

    (record,) = [record for record in _records(server) if record["event"] == "rpc"]
    assert record["method"] == "CreateModel"
    assert record["resource"] == NAMESPACE
    assert record["code"] == "OK"
    assert record["x_request_id"] == "from-the-caller"
    assert record["peer"].startswith("ipv4:127.0.0.1:")
    assert record["user_agent"].startswith("grpc-python-asyncio/")
    assert record["traceparent"] == _TRACE
    assert len(record["call_id"]) == 32
    assert "request_id" not in record
    assert record["actor"] == "anonymous"
    assert record["duration_ms"] > 0
    assert record["bytes_in"] > 0
    assert record["bytes_out"] > 0


async def test_the_caller_is_told_the_id_under_which_its_call_is_logged(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        registry: Any = RegistryServiceStub(channel)
        good = registry.GetNamespace(registry_pb2.GetNamespaceRequest(name=NAMESPACE))
        assert await good.code() is grpc.StatusCode.OK
        bad = registry.GetNamespace(registry_pb2.GetNamespaceRequest(name="namespaces/nobody"))
        assert await bad.code() is grpc.StatusCode.NOT_FOUND
        told = [dict(await call.trailing_metadata())["x-call-id"] for call in (good, bad)]
    server.stop()

    assert [record["call_id"] for record in _records(server) if record["event"] == "rpc"] == told


async def test_names_can_not_break_or_fill_the_log(server: ServerProcess) -> None:
    """A107: every line is one JSON object, and a short one."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        for name in ("a\r\nINFO forged", "\x1b[31mred", 'x"}', "x" * 1_000_000):
            with pytest.raises(grpc.aio.AioRpcError):
                await RegistryServiceStub(channel).GetModel(registry_pb2.GetModelRequest(name=name))
    server.stop()

    calls = [record for record in _records(server) if record["event"] == "rpc"]
    assert len(calls) == 4
    assert max(map(len, server.log.read_text().splitlines())) < 2048


async def test_metrics_count_calls_and_name_no_models(tmp_path: Path) -> None:
    port = free_port()
    server = ServerProcess(tmp_path, "--admin-listen", f"127.0.0.1:{port}").start()
    try:
        await _create(server.address, "very-secret-name")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            text = response.read().decode()
    finally:
        server.close()

    assert 'modelyard_rpcs_total{code="OK",method="CreateModel"} 1.0' in text
    assert "modelyard_rpc_seconds_bucket" in text
    assert "very-secret-name" not in text


async def test_calls_succeed_when_the_log_cannot_be_written(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.log = Path("/dev/full")
    server.start()
    try:
        await _create(server.address, "fraud")
        assert server.stop() == 0
    finally:
        server.close()


@pytest.mark.parametrize("on", [True, False])
async def test_reflection_is_off_unless_asked_for(tmp_path: Path, on: bool) -> None:
    server = ServerProcess(tmp_path, *(["--reflection"] if on else [])).start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            call = stub.ServerReflectionInfo()
            if not on:
                # Nothing is sent first: a write to a stream that has ended hides why it ended.
                assert await call.code() == grpc.StatusCode.UNIMPLEMENTED
                return
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            listed = (await call.read()).list_services_response
            await call.done_writing()
    finally:
        server.close()
    assert "modelyard.v1.RegistryService" in {service.name for service in listed.service}


def test_postgresql_is_migrated_by_a_command_not_by_serving(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.create()
    server = ServerProcess(tmp_path, "--database-url", url)

    assert "Run 'modelyard-server migrate'" in _fails(*server.command()[1:])
    first, second = (run_server("migrate", "--database-url", url).stdout for _ in range(2))
    server.start()
    server.close()

    assert "schema none -> " in first
    assert "up to date" in second


def test_an_unreachable_database_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{free_port()}/yard"

    told = _fails("serve", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0", "--database-url", url)

    assert "database can't be reached" in told
    assert "hunter2" not in told


async def test_transport_limits_hold(server: ServerProcess) -> None:
    """A47: what is too large is refused before it is looked at; the server serves on."""
    too_large = registry_pb2.GetModelRequest(name="x" * (4 << 20))
    bomb = registry_pb2.GetModelRequest(name="x" * (64 << 20))
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = RegistryServiceStub(channel)
        calls = (
            stub.GetModel(too_large),
            stub.GetModel(bomb, compression=grpc.Compression.Gzip),
            stub.GetModel(registry_pb2.GetModelRequest(), metadata=(("x", "y" * (17 << 10)),)),
        )
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call
            assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    await _create(server.address, "fraud")


def test_junk_on_the_port_is_closed(server: ServerProcess) -> None:
    """A48"""
    host, _, port = server.address.partition(":")
    for junk in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4096), b""):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    assert _probe("--address", server.address).returncode == 0


@pytest.mark.parametrize(
    ("interrupted", "command", "told"),
    [
        ("modelyard_server.app", "from modelyard_server.__main__ import main; main()", "interrupted\n"),
        ("modelyard.cli.app", "import sys; from modelyard.cli import main; sys.exit(main())", "error: interrupted\n"),
    ],
)
def test_ctrl_c_while_a_command_is_imported_shows_no_traceback(interrupted: str, command: str, told: str) -> None:
    hook = f"""
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {interrupted!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
"""
    done = subprocess.run(
        [sys.executable, "-c", f"{hook}\n{command}", "-h"],
        check=False,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", told)


def test_an_unreachable_database_is_named_with_its_cause(tmp_path: Path) -> None:
    port = free_port()
    url = f"postgresql://registry:hunter2@127.0.0.1:{port}/registry"

    done = run_server("serve", "--data-dir", str(tmp_path), "--database-url", url)

    assert done.returncode == 1
    assert "The registry's database can't be reached. Try again. The cause: " in done.stderr
    assert str(port) in done.stderr
    assert "hunter2" not in done.stderr
