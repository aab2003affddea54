"""A very large file as parts that travel side by side, joined by the server."""

from contextlib import aclosing

from modelyard._connection import Connection
from modelyard._transfer.destination import Destination
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.reader import check_unchanged, hash_up_to, open_reader
from modelyard._transfer.retries import Backoff
from modelyard._transfer.silence import paced, too_slow
from modelyard._transfer.stream import send_blob
from modelyard._transfer.threads import for_each, in_thread
from modelyard.errors import ModelyardError, UnavailableError, VerificationError
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.resources_pb2 import Blob


async def send_in_parts(destination: Destination, file: LocalFile, digest: str = "") -> str:
    """Uploads a file in parts and has them joined; its digest.

    The journal keeps each part until all are joined: after a push that died, only what was not stored is sent.
    """
    size = _part_size(file.size, destination.limits)
    starts = range(0, file.size, size)
    parts = [Blob(size_bytes=min(size, file.size - start)) for start in starts]

    async def send_part(index: int) -> None:
        start, part = starts[index], parts[index]
        async with (
            destination.journal_entry(file, start, part.size_bytes) as entry,
            open_reader(file, start, part.size_bytes) as reader,
        ):
            part.digest = await send_blob(destination, reader, entry)

    async def forget_part(index: int) -> None:
        async with destination.journal_entry(file, starts[index], parts[index].size_bytes) as entry:
            await in_thread(entry.remove)

    async def send_parts() -> None:
        await for_each(range(len(parts)), send_part)

    async def hash_whole() -> None:
        nonlocal digest
        async with open_reader(file, digest=digest) as reader:
            await hash_up_to(reader, file.size)
            digest = reader.digest

    await for_each((hash_whole, send_parts), lambda job: job())
    await in_thread(check_unchanged, [file])
    whole = Blob(digest=digest, size_bytes=file.size)
    await join(destination.connection, pb.ComposeBlobRequest(parent=destination.parent, blob=whole, parts=parts))
    await for_each(range(len(parts)), forget_part)
    return digest


def _part_size(size: int, limits: pb.ArtifactLimits) -> int:
    """The server's, or larger where that would make too many parts."""
    return max(limits.part_bytes, -(-size // limits.max_part_count))


async def join(connection: Connection, request: pb.ComposeBlobRequest) -> None:
    """Has the registry join parts, and raises ``VerificationError`` if it says that it joined something else."""
    blob, composed = request.blob, await compose(connection, request)
    if composed != blob:
        raise VerificationError(
            f"the registry joined parts to {composed.digest[:80]!r} with {composed.size_bytes} bytes, but the file is"
            f" {blob.digest} with {blob.size_bytes}",
            reason="DIGEST_MISMATCH",
            metadata={"expected": blob.digest, "actual": composed.digest},
        )


async def compose(connection: Connection, request: pb.ComposeBlobRequest) -> Blob:
    """Has the registry join parts. A join that breaks begins anew, or is answered at once if it came to its end."""
    backoff = Backoff()
    while True:
        try:
            return await _composed(connection, request)
        except ModelyardError as error:
            await backoff.pause(error)


async def _composed(connection: Connection, request: pb.ComposeBlobRequest) -> Blob:
    joined = 0

    def progress(message: pb.ComposeBlobResponse) -> int:
        """Bytes since the last message. One without progress is no sign of life."""
        nonlocal joined
        before, joined = joined, max(joined, min(message.hashed_bytes, request.blob.size_bytes))
        return joined - before

    join = connection.stub(ArtifactsServiceStub).ComposeBlob
    try:
        async with connection.stream(join, request) as stream, aclosing(paced(stream, progress)) as messages:
            async for message in messages:
                if message.HasField("blob"):
                    return message.blob
    except TimeoutError:
        raise too_slow("joins nothing") from None
    raise UnavailableError("the registry ended a join without its blob", reason="STREAM_ENDED")
