"""Admission of calls: each class has its own places, peers take turns, and slow streams lose their place."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from modelyard.core.pace import MIN_BYTES_PER_SECOND, Pace
from modelyard_server import app
from modelyard_server.blobs.budget import Budget
from modelyard_server.calls import methods
from modelyard_server.calls.admission import Admission, Gate, peer_of
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import ResourceExhausted
from modelyard_server.telemetry import Metrics

_METHODS = methods.table(app.SERVICES)


async def _queue(gate: Gate, peers: str, order: list[str]) -> list[asyncio.Task[None]]:
    """Calls of peers, named by letters, that wait in this order. ``order`` gets the peer of each that enters."""

    async def enter(peer: str) -> None:
        await gate.enter(peer)
        order.append(peer)

    tasks = [asyncio.create_task(enter(peer)) for peer in peers]
    await asyncio.sleep(0)
    return tasks


async def _serve(gate: Gate, order: Sequence[str], count: int) -> str:
    """Ends so many calls, each after it got its place. The peers in the order of their turns."""
    for served in range(count):
        gate.leave(order[served])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return "".join(order)


async def test_peers_take_turns() -> None:
    gate, order = Gate(limit=1, per_peer=1, most_waiting=10), list[str]()
    await _queue(gate, "aaaabbc", order)

    assert await _serve(gate, order, 6) == "aabcaba"


async def test_a_peer_leaves_places_to_others() -> None:
    gate, order = Gate(limit=4, per_peer=3, most_waiting=10), list[str]()
    await _queue(gate, "aaaaab", order)

    assert "".join(order) == "aaab"
    assert (gate.running, gate.waiting) == (4, 2)


async def test_a_peer_leaves_room_to_wait_in() -> None:
    gate, order = Gate(limit=1, per_peer=1, most_waiting=4), list[str]()
    await _queue(gate, "aaaa", order)

    with pytest.raises(ResourceExhausted):
        await gate.enter("a")
    await _queue(gate, "b", order)
    with pytest.raises(ResourceExhausted):
        await gate.enter("c")
    assert await _serve(gate, order, 2) == "aab"


async def test_calls_that_give_up_leave_nothing_behind() -> None:
    gate, order = Gate(limit=1, per_peer=1, most_waiting=10), list[str]()
    _, second, third, _ = await _queue(gate, "aabb", order)
    second.cancel()
    third.cancel()
    await asyncio.wait([second, third])
    assert gate.waiting == 1

    assert await _serve(gate, order, 2) == "ab"
    assert (gate.running, gate.waiting) == (0, 0)


async def test_a_call_that_gives_up_as_its_turn_comes_passes_it_on() -> None:
    gate, order = Gate(limit=1, per_peer=1, most_waiting=10), list[str]()
    _, second, _ = await _queue(gate, "abc", order)
    gate.leave("a")
    second.cancel()
    await asyncio.wait([second])
    await asyncio.sleep(0)

    assert order == ["a", "c"]
    assert gate.running == 1


def _call(method: str, *, request_bytes: int = 0, peer: str = "ipv4:10.0.0.1:1") -> Call:
    door: Any = None
    path = f"/modelyard.v1.RegistryService/{method}"
    return Call(_METHODS[path], door, id="", origin={"peer": peer}, request_bytes=request_bytes)


async def test_few_large_calls_run_at_once_and_delay_no_small_ones() -> None:
    """Each may hold tens of megabytes of objects. Lists are large, and so are small calls with large requests."""
    admission, running = Admission(Metrics()), list[int]()

    async def large(number: int) -> None:
        method = "ListModels" if number % 2 else "CreateModel"
        async with admission(_call(method, request_bytes=1 << 20, peer=f"ipv4:10.0.0.{number}:1")):
            running.append(number)
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(large(number)) for number in range(20)]
    await asyncio.sleep(0)
    async with admission(_call("GetModel")):
        assert len(running) == 8
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize(
    ("address", "peer"),
    [("ipv4:10.0.0.1:5000", "10.0.0.1"), ("ipv6:%5B::1%5D:5000", "%5B::1%5D"), ("unix:", "unix"), ("", "")],
)
def test_all_ports_of_a_machine_are_one_peer(address: str, peer: str) -> None:
    assert peer_of(address) == peer


def test_a_trickle_runs_out_of_time_and_a_slow_link_does_not() -> None:
    trickle, link = Pace(60), Pace(60)
    for _ in range(3):
        trickle.waited(20, 1)
    for _ in range(1000):
        link.waited(10, 10 * MIN_BYTES_PER_SECOND)

    assert trickle.seconds < 0.01
    assert link.seconds == 60


def test_many_streams_share_their_memory() -> None:
    budget = Budget(1 << 20)
    granted = [budget.take(1 << 20, 10) for _ in range(1000)]

    assert granted[0] == 1 << 16
    assert sum(granted) <= (1 << 20) + 10 * 1000
    assert budget.spent
    for each in granted:
        budget.give(each)
    assert not budget.spent
