"""When health changes: after two rounds that agree, and never for what is merely busy."""

from collections.abc import AsyncIterator

import pytest
from grpc_health.v1 import health_pb2

from modelyard_server.calls.errors import RegistryError, ResourceExhausted, storage_down, storage_full
from modelyard_server.rpc.health import Health
from modelyard_server.telemetry import Metrics

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Part:
    """Something that is probed."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def probe(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def health(part: Part, metrics: Metrics) -> AsyncIterator[Health]:
    health = Health(["a.Service"], {"part": part.probe}, metrics)
    await health.start()
    yield health
    await health.end()


async def _says(health: Health) -> set[int]:
    names = ("", "a.Service")
    requests = (health_pb2.HealthCheckRequest(service=name) for name in names)
    return {(await health._servicer.Check(request, None)).status for request in requests}


async def test_one_bad_round_changes_nothing_and_two_do(health: Health, part: Part, metrics: Metrics) -> None:
    assert await _says(health) == {SERVING}

    part.error = storage_down()
    await health.look()
    assert await _says(health) == {SERVING}
    await health.look()
    assert await _says(health) == {NOT_SERVING}
    assert metrics.registry.get_sample_value("modelyard_up", {"part": "part"}) == 0

    part.error = None
    await health.look()
    assert await _says(health) == {NOT_SERVING}
    await health.look()
    assert await _says(health) == {SERVING}
    assert metrics.registry.get_sample_value("modelyard_up", {"part": "part"}) == 1


async def test_rounds_that_differ_in_turn_change_nothing(health: Health, part: Part) -> None:
    for error in (storage_down(), None, storage_down(), None):
        part.error = error
        await health.look()

    assert await _says(health) == {SERVING}


@pytest.mark.parametrize("error", [storage_full(), ResourceExhausted("busy", reason="OVERLOADED")], ids=repr)
async def test_what_is_full_or_busy_is_not_down(health: Health, part: Part, error: RegistryError) -> None:
    part.error = error
    for _ in range(3):
        await health.look()

    assert await _says(health) == {SERVING}


async def test_a_bug_in_a_probe_takes_no_server_away(health: Health, part: Part) -> None:
    part.error = ZeroDivisionError()
    for _ in range(3):
        await health.look()

    assert await _says(health) == {SERVING}


async def test_after_its_end_nothing_brings_it_back(health: Health, part: Part) -> None:
    await health.end()
    await health.look()
    assert await _says(health) == {NOT_SERVING}
