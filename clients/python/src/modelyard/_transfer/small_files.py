"""Small files of a version, many in one message."""

import hashlib
from collections.abc import Sequence

from modelyard._connection import Connection
from modelyard._transfer.checksums import crc32c
from modelyard._transfer.download import wrong
from modelyard._transfer.limits import batch_timeout
from modelyard._transfer.retries import Backoff
from modelyard._transfer.threads import in_thread
from modelyard.core.manifest import File
from modelyard.core.names import VersionName
from modelyard.errors import ModelyardError, UnavailableError
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub


async def read_files(connection: Connection, version_name: VersionName, files: Sequence[File]) -> list[bytes]:
    """The bytes of files, verified, in the same order. What was damaged in flight is asked for again.

    Raises ``VerificationError`` if they are not what the manifest promised.
    """
    request = pb.BatchReadFilesRequest(version=str(version_name), paths=[file.path for file in files])
    timeout = batch_timeout(sum(file.size for file in files))
    backoff = Backoff()
    while True:
        try:
            # The pauses here are patience enough.
            response = await connection.call(
                connection.stub(ArtifactsServiceStub).BatchReadFiles, request, timeout=timeout, patience=0
            )
            return await in_thread(_verified, files, response)
        except ModelyardError as error:
            await backoff.pause(error)


def _verified(files: Sequence[File], response: pb.BatchReadFilesResponse) -> list[bytes]:
    if len(response.items) != len(files):
        raise wrong(files[0], f"the registry sent {len(response.items)} files where {len(files)} were asked for")
    return [_contents(file, item) for file, item in zip(files, response.items, strict=True)]


def _contents(file: File, item: pb.BatchReadFilesResponse.Item) -> bytes:
    data = item.data
    if crc32c and crc32c(data) != item.crc32c:
        raise UnavailableError(f"{file.path!r} was damaged on its way", reason="CHUNK_CORRUPT")
    if len(data) != file.size:
        raise wrong(file, f"the registry sent {len(data)} bytes; the manifest says {file.size}")
    actual = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if actual != file.digest:
        raise wrong(file, f"its bytes hash to {actual}, not to {file.digest}")
    return data
