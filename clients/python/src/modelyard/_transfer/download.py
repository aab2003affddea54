"""One file of a version, verified while it arrives."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

from modelyard._connection import Connection
from modelyard._transfer.checksums import crc32c
from modelyard._transfer.retries import Backoff
from modelyard._transfer.silence import PROGRESS, paced, too_slow
from modelyard._transfer.threads import opened, settle, start
from modelyard.core.manifest import File
from modelyard.core.names import VersionName
from modelyard.errors import ModelyardError, UnavailableError, VerificationError
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub

_BATCH_BYTES: Final = 4 * 1024**2
"""What one thread hop verifies and writes."""


async def download(
    connection: Connection,
    version_name: VersionName,
    file: File,
    destination: Path,
    *,
    on_bytes: Callable[[int], None],
) -> None:
    """Writes a file of a version to ``destination``, which must not exist yet, readable by this user alone.

    A broken stream goes on from what was written. Raises ``VerificationError`` as soon as it is certain that the bytes
    are not those that the manifest promised, and leaves no file behind whatever it raises. ``on_bytes`` is told the
    size of each message, on the caller's loop.

    One stream a file, not ranges side by side: a file must be hashed in order, and the hash is the slowest step.
    Nothing is fsynced: whoever keeps the file must be able to tell that a power cut left it short.
    """
    counted = 0

    def count(position: int) -> None:
        nonlocal counted
        if position > counted:
            on_bytes(position - counted)
            counted = position

    async with opened(lambda: _Sink(file, destination), _Sink.close) as sink:
        backoff = Backoff(PROGRESS)
        while sink.size < file.size:
            try:
                await _Stream(connection, version_name, file, sink, count).run()
            except VerificationError:
                raise
            except ModelyardError as error:
                backoff.reached(sink.size)
                if sink.size < file.size:
                    await backoff.pause(error)
        sink.check_digest()


class _Sink:
    """The file being written. Methods but :meth:`check_digest` block."""

    def __init__(self, file: File, path: Path) -> None:
        self._file = file
        self._path = path
        self._hash = hashlib.sha256()
        self._verified = False
        self.size = 0
        """Bytes verified against their crc32c, hashed and written."""
        # Not even a link that someone put there is followed.
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, messages: list[tuple[bytes, int]]) -> None:
        for data, checksum in messages:
            if crc32c and crc32c(data) != checksum:
                raise UnavailableError(
                    f"a part of {self._file.path!r} was damaged on its way, at offset {self.size}",
                    reason="CHUNK_CORRUPT",
                )
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            self._hash.update(data)
            self.size += len(data)

    def check_digest(self) -> None:
        actual = f"sha256:{self._hash.hexdigest()}"
        if actual != self._file.digest:
            raise wrong(self._file, f"its bytes hash to {actual}, not to {self._file.digest}")
        self._verified = True

    def close(self) -> None:
        os.close(self._fd)
        if not self._verified:
            self._path.unlink(missing_ok=True)


class _Stream:
    """One stream, from where the sink is: the next batch is received while the last is hashed and written."""

    def __init__(
        self,
        connection: Connection,
        version_name: VersionName,
        file: File,
        sink: _Sink,
        count: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._file = file
        self._sink = sink
        self._count = count
        self._request = pb.ReadFileRequest(version=str(version_name), path=file.path, read_offset=sink.size)
        self._received = sink.size
        self._batch: list[tuple[bytes, int]] = []
        self._batch_size = 0
        self._writing: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Raises what ended the stream too early, once all that arrived before is written."""
        try:
            interruption = await self._receive()
            await self._flush()
            await self._written()
        finally:
            if self._writing is not None:
                await settle(self._writing)
        if interruption is not None:
            raise interruption
        if self._received < self._file.size:
            raise wrong(self._file, f"the registry sent {self._received} bytes; the manifest says {self._file.size}")

    async def _receive(self) -> ModelyardError | None:
        read = self._connection.stub(ArtifactsServiceStub).ReadFile
        try:
            async with (
                self._connection.stream(read, self._request) as stream,
                aclosing(paced(stream, pb.ReadFileResponse.ByteSize)) as messages,
            ):
                async for message in messages:
                    self._take(message.offset, message.data, message.crc32c)
                    if self._batch_size >= _BATCH_BYTES:
                        await self._flush()
        except TimeoutError:
            return too_slow("sends no data")
        except VerificationError:
            raise
        except ModelyardError as error:
            return error
        return None

    def _take(self, offset: int, data: bytes, checksum: int) -> None:
        if offset != self._received:
            raise wrong(self._file, f"the registry sent bytes from {offset} on where {self._received} was next")
        if not data:
            raise wrong(self._file, "the registry sent a message without bytes")
        self._received += len(data)
        if self._received > self._file.size:
            raise wrong(self._file, f"the registry sent more than the {self._file.size} bytes that the manifest says")
        self._batch.append((data, checksum))
        self._batch_size += len(data)
        self._count(self._received)

    async def _flush(self) -> None:
        await self._written()
        batch, self._batch, self._batch_size = self._batch, [], 0
        self._writing = start(self._sink.write, batch)

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)


def wrong(file: File, why: str) -> VerificationError:
    """What a pull ends with whose bytes are not those of the manifest."""
    return VerificationError(
        f"{file.path!r} is not what its version's manifest promises: {why}. Nothing of it was kept; tell the registry's"
        " operator",
        reason="DIGEST_MISMATCH",
        metadata={"path": file.path, "digest": file.digest},
    )
