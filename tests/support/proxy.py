"""A TCP proxy on loopback that does to connections what networks do: it delays, throttles, loses, cuts and resets."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from tests.support.children import PATIENCE

_READ_BYTES: Final = 64 << 10
# What waits in the kernel is neither counted nor held back: little of it makes the counters mean what they say.
_SOCKET_BUFFER: Final = 128 << 10
_BACKLOG: Final = 1024
_TICKS: Final = 20
"""So often in a second a throttled connection moves something."""
_RESET: Final = struct.pack("ii", 1, 0)


class Mode(Enum):
    """What becomes of the bytes; to be switched at any time."""

    PASS = auto()
    HOLD = auto()
    """Nothing moves until it passes again; the kernels' windows fill up, as behind a reader that stopped."""
    DROP = auto()
    """Drops all data without an error. Current and new connections stay half-open forever."""
    MUTE = auto()
    """Who connects meanwhile is taken in and never answered; older connections go on."""


@dataclass
class Way:
    """One direction."""

    forwarded: int = 0
    """Bytes, over all connections."""
    dropped: int = 0
    _cut: int | None = None
    _marks: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def cut_after(self, count: int) -> None:
        """Lets ``count`` more bytes through, then resets the connection that carried the last of them; once."""
        self._cut = self.forwarded + count

    async def reached(self, total: int) -> None:
        """Waits until ``total`` bytes were forwarded."""
        mark = asyncio.Event()
        self._marks.append((total, mark))
        self._notify()
        async with asyncio.timeout(PATIENCE):
            await mark.wait()

    def room(self, count: int) -> int:
        """How many of ``count`` bytes may pass before the cut."""
        return count if self._cut is None else min(count, self._cut - self.forwarded)

    def count(self, passed: int) -> bool:
        """Adds passed bytes. True if this reached the place of the cut."""
        self.forwarded += passed
        self._notify()
        if self._cut is None or self.forwarded < self._cut:
            return False
        self._cut = None
        return True

    def _notify(self) -> None:
        for total, mark in self._marks:
            if self.forwarded >= total:
                mark.set()
        self._marks = [entry for entry in self._marks if not entry[1].is_set()]


class ChaosProxy:
    """Stands before one address. Its settings hold for all connections, those that are open included."""

    def __init__(self, host: str, port: int) -> None:
        self.up = Way()
        """From clients to the server."""
        self.down = Way()
        self.latency = 0.0
        """Seconds that each piece of up to 64 KiB waits."""
        self.rate: float | None = None
        """Bytes a second, of each connection in each direction."""
        self.accepted = 0
        """How many connections there have been."""
        self._upstream = (host, port)
        self._mode = Mode.PASS
        self._moving = asyncio.Event()
        self._moving.set()
        self._listener = _socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(_BACKLOG)
        self._connections: dict[asyncio.Task[None], _Connection] = {}

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """As the SDK wants it."""
        return f"grpc://{self.address}"

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.DROP:
            for connection in self._connections.values():
                connection.lost = True
        if mode is Mode.HOLD:
            self._moving.clear()
        else:
            self._moving.set()

    def lead_to(self, port: int) -> None:
        """New connections go to another port."""
        self._upstream = ("127.0.0.1", port)

    def reset(self) -> None:
        """Ends every open connection with RST, on both sides; new ones are welcome."""
        for connection in self._connections:
            connection.cancel()

    async def moving(self) -> None:
        """Waits while everything is held."""
        await self._moving.wait()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            client.setblocking(False)
            self.accepted += 1
            connection = _Connection(self, client)
            task = asyncio.create_task(connection.run(self._upstream))
            self._connections[task] = connection
            task.add_done_callback(self._connections.pop)

    async def close(self) -> None:
        self._listener.close()
        self.reset()
        await asyncio.gather(*self._connections, return_exceptions=True)


class _Connection:
    def __init__(self, proxy: ChaosProxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = _socket()
        self.lost = proxy.mode in {Mode.DROP, Mode.MUTE}

    async def run(self, upstream: tuple[str, int]) -> None:
        try:
            with suppress(OSError):
                if not self.lost:
                    await asyncio.get_running_loop().sock_connect(self._server, upstream)
                await self._pump_both()
                return
            self._reset()
        except asyncio.CancelledError:
            self._reset()
            raise
        finally:
            self._client.close()
            self._server.close()

    async def _pump_both(self) -> None:
        up = asyncio.create_task(self._pump(self._client, self._server, self._proxy.up))
        down = asyncio.create_task(self._pump(self._server, self._client, self._proxy.down))
        try:
            # An end on one side is passed on, and the other may still have something to say; an error ends both.
            await asyncio.gather(up, down)
        finally:
            up.cancel()
            down.cancel()
            await asyncio.wait((up, down))

    async def _pump(self, source: socket.socket, target: socket.socket, way: Way) -> None:
        loop = asyncio.get_running_loop()
        if self.lost and source is self._server:
            return  # it was never connected
        while True:
            rate = self._proxy.rate
            data = await loop.sock_recv(source, min(_READ_BYTES, int(rate / _TICKS) + 1) if rate else _READ_BYTES)
            await self._proxy.moving()
            if self.lost:
                way.dropped += len(data)
                if not data:
                    return
                continue
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            if pause := self._proxy.latency + (len(data) / rate if rate else 0):
                await asyncio.sleep(pause)
            data = data[: way.room(len(data))]
            await loop.sock_sendall(target, data)
            if way.count(len(data)):
                raise ConnectionResetError

    def _reset(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _socket() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    # An accepted socket has those of its listener.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


@asynccontextmanager
async def chaos_proxy(port: int, host: str = "127.0.0.1") -> AsyncIterator[ChaosProxy]:
    """A proxy before ``host:port``; open connections are reset at the end."""
    proxy = ChaosProxy(host, port)
    serving = asyncio.create_task(proxy.serve())
    try:
        yield proxy
    finally:
        serving.cancel()
        await asyncio.wait((serving,))
        await proxy.close()
