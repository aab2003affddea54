"""Which calls may run now. Each class of calls has places of its own, and peers take turns."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import ResourceExhausted
from modelyard_server.calls.methods import CallClass
from modelyard_server.telemetry import Metrics

LARGE_BYTES: Final = 256 << 10
"""A small call with a longer request is a large one: its objects take ten times as much, and its answer too."""
_WAITING_BYTES: Final = 128 << 20
"""Most bytes of requests that wait, of all classes together. A request is in memory before its call begins."""


def peer_of(address: str) -> str:
    """The machine of gRPC's ``ipv4:1.2.3.4:5678``. All ports of one machine are one peer."""
    kind, _, place = address.partition(":")
    return place.rpartition(":")[0] if kind in {"ipv4", "ipv6"} else kind


class Gate:
    """Places for calls. A peer that has many calls waiting delays only itself: the next place goes to the next peer."""

    def __init__(self, *, limit: int, per_peer: int, most_waiting: int) -> None:
        """``limit`` calls run at once, ``per_peer`` of them of one peer, and ``most_waiting`` more wait."""
        self.limit = limit
        self.running = 0
        self.waiting = 0
        self._per_peer = per_peer
        self._most_waiting = most_waiting
        self._running_of: Counter[str] = Counter()
        # The peer whose turn is next is the first.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def enter(self, peer: str) -> None:
        """Waits for a place, which :meth:`leave` gives back. Raises ``OVERLOADED`` if too many calls wait."""
        if peer not in self._queues and self._has_room(peer):
            self._take(peer)
            return
        queue = self._queues.get(peer, ())
        # Some room is left to wait in for other peers.
        if self.waiting >= self._most_waiting or len(queue) >= max(1, self._most_waiting * 3 // 4):
            raise overloaded()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(peer, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(peer, turn)
            else:  # its turn came at the same moment
                self.leave(peer)
            raise

    def _has_room(self, peer: str) -> bool:
        return self.running < self.limit and self._running_of[peer] < self._per_peer

    def _take(self, peer: str) -> None:
        self.running += 1
        self._running_of[peer] += 1

    def leave(self, peer: str) -> None:
        """Gives a place back. The next peer that waits gets it."""
        self.running -= 1
        self._running_of[peer] -= 1
        if not self._running_of[peer]:
            del self._running_of[peer]
        self._admit()

    def _admit(self) -> None:
        while self.running < self.limit:
            peer = next((each for each in self._queues if self._has_room(each)), None)
            if peer is None:
                return
            turn = self._queues[peer][0]
            self._forget(peer, turn)
            if peer in self._queues:
                self._queues.move_to_end(peer)
            if not turn.done():  # else its call was cancelled just now
                self._take(peer)
                turn.set_result(None)

    def _forget(self, peer: str, turn: "asyncio.Future[None]") -> None:
        queue = self._queues.get(peer, deque())
        if turn in queue:
            queue.remove(turn)
            self.waiting -= 1
            if not queue:
                del self._queues[peer]


def overloaded() -> ResourceExhausted:
    return ResourceExhausted(
        "The registry has too many calls of this kind. Try again shortly.", reason="OVERLOADED", retry_after=1.0
    )


def _class_of(call: Call) -> CallClass:
    kind = call.method.call_class
    return CallClass.LARGE if kind is CallClass.SMALL and call.request_bytes > LARGE_BYTES else kind


def _number(gate: Gate, name: str) -> float:
    return float(getattr(gate, name))


class Admission:
    """Limits each class of calls separately, so that transfers never starve small calls, or those the health check.

    A stream holds a place as long as its client takes, so streams have many: they are bounded by the memory that each
    may hold, not by the work. The threads of the store do the work, a batch of each stream in turn.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._waiting_bytes = 0
        self._gates: Mapping[CallClass, Gate] = {
            CallClass.SMALL: Gate(limit=128, per_peer=128, most_waiting=1024),
            # Each may hold some tens of megabytes of objects.
            CallClass.LARGE: Gate(limit=8, per_peer=6, most_waiting=1024),
            CallClass.BATCH: Gate(limit=32, per_peer=24, most_waiting=512),
            CallClass.UPLOAD: Gate(limit=256, per_peer=192, most_waiting=256),
            CallClass.DOWNLOAD: Gate(limit=512, per_peer=384, most_waiting=512),
            # Watches run for days, and wait most of the time.
            CallClass.WATCH: Gate(limit=2048, per_peer=2048, most_waiting=0),
            # Each may wait ten seconds for the server of a webhook.
            CallClass.OUTBOUND: Gate(limit=8, per_peer=8, most_waiting=0),
        }
        for name, meaning in (
            ("running", "Calls that have a slot, by class."),
            ("waiting", "Calls that wait for a slot, by class."),
            ("limit", "Slots, by class: with as many calls running, others wait or are refused."),
        ):
            reads = {kind.name.lower(): partial(_number, gate, name) for kind, gate in self._gates.items()}
            metrics.gauges(f"modelyard_calls_{name}", meaning, "class", reads)

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        gate, peer = self._gates[_class_of(call)], peer_of(call.origin.get("peer", ""))
        if call.request_bytes and self._waiting_bytes + call.request_bytes > _WAITING_BYTES:
            raise overloaded()
        self._waiting_bytes += call.request_bytes
        try:
            await gate.enter(peer)
        finally:
            self._waiting_bytes -= call.request_bytes
        try:
            yield
        finally:
            gate.leave(peer)
