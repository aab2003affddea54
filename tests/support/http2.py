"""HTTP/2 by hand: what no well-behaved client sends."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import IntEnum, IntFlag
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CANCEL: Final = 8


class Frame(IntEnum):
    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    CONTINUATION = 9


class Flag(IntFlag):
    NONE = 0
    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4


def frame(kind: Frame, flags: Flag = Flag.NONE, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header_block(headers: Mapping[str, str]) -> bytes:
    """HPACK in its plainest form: literals that enter no table. Names and values are shorter than 127 bytes."""
    block = b""
    for name, value in headers.items():
        block += b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return block


def request_headers(path: str, authority: str) -> bytes:
    """Of a gRPC call."""
    return header_block(
        {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": authority,
            "content-type": "application/grpc",
            "te": "trailers",
        }
    )


def reset(stream: int) -> bytes:
    return frame(Frame.RST_STREAM, stream=stream, payload=struct.pack(">I", _CANCEL))


class Connection:
    """One connection after the preface. Reads all answers of the server, and keeps only the kinds of their frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received: set[int] = set()
        self.pings = 0
        """Answers to pings."""
        self.closed = False
        """Whether the server has closed it."""
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> bool:
        """Whether the connection still took it."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            return False
        return True

    async def read(self) -> None:
        """Reads until the server closes."""
        try:
            while True:
                head = await self._reader.readexactly(9)
                self.received.add(head[3])
                self.pings += (head[3], head[4]) == (Frame.PING, Flag.ACK)
                await self._reader.readexactly(int.from_bytes(head[:3], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed = True


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    """A connection that has said hello; what the server sends is read meanwhile."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    connection = Connection(reader, writer)
    reading = asyncio.create_task(connection.read())
    try:
        await connection.send(_PREFACE + frame(Frame.SETTINGS) + frame(Frame.SETTINGS, Flag.ACK))
        yield connection
    finally:
        reading.cancel()
        await asyncio.wait((reading,))
        writer.close()
