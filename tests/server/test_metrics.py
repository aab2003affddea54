"""The metrics, and that docs/how-to/operations.md lists all of them."""

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.certificates import self_signed
from tests.support.postgres import free_port
from tests.support.requests import NAMESPACE
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard.v1 import events_pb2, registry_pb2
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

_DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "operations.md"
_ROW = re.compile(r"^\| `((?:modelyard|process)_\w+)`", re.MULTILINE)


class Scraped:
    """A server, and its metrics as they are now."""

    def __init__(self, server: ServerProcess, url: str) -> None:
        self.server = server
        self._url = url

    def text(self) -> str:
        with urllib.request.urlopen(self._url) as response:
            return str(response.read().decode())

    def value(self, sample: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families(self.text()):
            for found in family.samples:
                if found.name == sample and labels.items() <= found.labels.items():
                    return float(found.value)
        return None


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Scraped]:
    admin = f"127.0.0.1:{free_port()}"
    server = ServerProcess(tmp_path, "--admin-listen", admin).start()
    yield Scraped(server, f"http://{admin}/metrics")
    server.close()


def test_what_is_documented_is_what_is_exposed(scraped: Scraped) -> None:
    exposed = re.findall(r"^# TYPE (\S+) ", scraped.text(), re.MULTILINE)

    assert sorted(_ROW.findall(_DOCUMENT.read_text())) == sorted(exposed)


def test_a_server_without_load_tells_what_it_has(scraped: Scraped) -> None:
    assert scraped.value("modelyard_build_info") == 1
    assert (scraped.value("process_resident_memory_bytes") or 0) > 1 << 20
    assert scraped.value("modelyard_calls_limit", **{"class": "small"}) == 128
    assert scraped.value("modelyard_calls_waiting", **{"class": "upload"}) == 0
    assert (scraped.value("modelyard_database_connections_limit") or 0) > 1
    assert 0 < (scraped.value("modelyard_disk_free_bytes") or 0) < (scraped.value("modelyard_disk_size_bytes") or 0)
    assert scraped.value("modelyard_up", part="database") == scraped.value("modelyard_up", part="store") == 1
    assert scraped.value("modelyard_webhook_backlog") == 0


async def test_watches_are_counted_and_not_timed(scraped: Scraped) -> None:
    async with grpc.aio.insecure_channel(scraped.server.address) as channel:
        watch: Any = EventsServiceStub(channel).WatchEvents(events_pb2.WatchEventsRequest(parent=NAMESPACE))
        await watch.read()
        assert scraped.value("modelyard_watchers") == 1
        assert scraped.value("modelyard_calls_running", **{"class": "watch"}) == 1
        assert scraped.value("modelyard_rpcs_in_flight", method="WatchEvents") == 1
        watch.cancel()
        await until(lambda: scraped.value("modelyard_rpcs_in_flight", method="WatchEvents") == 0, 30)

    assert scraped.value("modelyard_watchers") == 0
    assert scraped.value("modelyard_rpcs_total", method="WatchEvents", code="CANCELLED") == 1
    assert scraped.value("modelyard_rpc_seconds_count", method="WatchEvents") is None


async def test_calls_that_grpc_refuses_are_counted(scraped: Scraped) -> None:
    async with grpc.aio.insecure_channel(scraped.server.address) as channel:
        unknown: Any = channel.unary_unary("/modelyard.v1.RegistryService/NoSuchMethod")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await unknown(b"")
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
        too_large = registry_pb2.GetModelRequest(name="x" * (4 << 20))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await RegistryServiceStub(channel).GetModel(too_large)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    assert scraped.value("modelyard_rpcs_total", method="unknown", code="UNIMPLEMENTED") == 1
    assert scraped.value("modelyard_rpcs_started_total", method="GetModel") == 1
    assert scraped.value("modelyard_rpcs_total", method="GetModel") is None


async def test_a_certificate_that_expires_soon_is_told(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, days=3)
    admin = f"127.0.0.1:{free_port()}"
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key), "--admin-listen", admin]
    server = ServerProcess(tmp_path, *flags).start(wait=False)
    try:
        await until(lambda: '"event": "serving"' in server.log.read_text())
        left = Scraped(server, f"http://{admin}/metrics").value("modelyard_certificate_remaining_seconds")
    finally:
        server.close()

    assert "the certificate expires soon" in server.log.read_text()
    assert 2 * 86_400 < (left or 0) <= 3 * 86_400
