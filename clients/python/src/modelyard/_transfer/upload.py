"""A push: hashes what may be there already, sends what is missing, and reads what is new only once."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Final, TypeVar

from modelyard._connection import Connection
from modelyard._transfer.batch import Unsent, send_batch
from modelyard._transfer.destination import Destination
from modelyard._transfer.journal import Journal
from modelyard._transfer.limits import batches, get_limits, is_small
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.parts import send_in_parts
from modelyard._transfer.progress import Meter, ProgressCallback
from modelyard._transfer.reader import BATCH_BYTES, Reader, check_unchanged, hash_up_to, open_reader
from modelyard._transfer.stream import send_blob
from modelyard._transfer.threads import for_each, in_thread
from modelyard.core.manifest import File
from modelyard.core.names import NamespaceName
from modelyard.errors import InvalidArgumentError
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.resources_pb2 import Blob

T = TypeVar("T")

_HASHERS: Final = 2
"""How many threads hash."""
_HASHED_TOGETHER: Final = 100


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What a push may commit now."""

    files: tuple[File, ...]
    """Sorted by path; the namespace holds all their bytes."""
    bytes_sent: int
    """Over the network; 0 if the namespace held everything before."""


async def upload(
    connection: Connection,
    namespace: str,
    files: Sequence[LocalFile],
    *,
    state_dir: Path | None,
    progress: ProgressCallback | None = None,
) -> Uploaded:
    """Brings the bytes of files into a namespace. Run again after any failure, it sends what is still missing.

    ``state_dir`` keeps what a later process needs to go on with a large file; None if there is no place for that.
    ``progress`` is told of the phases ``hash`` and ``upload``, on the caller's loop. Raises ``ConflictError``, reason
    ``FILE_CHANGED``, if a file was written to meanwhile, ``VerificationError`` if the registry got other bytes than
    were read, and what the registry raises.
    """
    limits = await get_limits(connection)
    _check_limits(files, limits)
    journal = Journal(state_dir)
    await in_thread(journal.prepare)
    meter = Meter(progress, "upload", sum(file.size for file in files))
    destination = Destination(connection, str(NamespaceName(namespace)), limits, journal, meter)

    digests = await _hash(await _find_doubtful(destination, files), progress)
    missing = await _find_missing(
        destination, {digests[file.path]: file.size for file in files if file.path in digests}
    )
    unsent = [Unsent(file, digests.get(file.path, "")) for file in files]
    await _send(destination, _without_present(unsent, missing, meter), digests)
    await in_thread(check_unchanged, files)
    meter.finish()
    found = (File(file.path, file.size, digests[file.path], file.executable) for file in files)
    return Uploaded(tuple(sorted(found)), destination.bytes_sent)


def _check_limits(files: Sequence[LocalFile], limits: pb.ArtifactLimits) -> None:
    violations = [
        (file.path, f"has {file.size} bytes; this registry takes files of at most {limits.max_blob_bytes}")
        for file in files
        if file.size > limits.max_blob_bytes
    ]
    if len(files) > limits.max_file_count:
        violations.append(
            ("files", f"{len(files)} files; this registry takes at most {limits.max_file_count} a version")
        )
    if violations:
        raise InvalidArgumentError(violations)


async def _find_doubtful(destination: Destination, files: Sequence[LocalFile]) -> list[LocalFile]:
    """The files that may be there already, or that may be alike; all others are certainly new."""
    sizes = Counter(file.size for file in files)
    known: set[int] = set()
    for some in _slices(sizes, destination.limits.max_batch_count):
        request = pb.FindMissingBlobsRequest(parent=destination.parent, sizes=some)
        connection = destination.connection
        known.update(
            (await connection.call(connection.stub(ArtifactsServiceStub).FindMissingBlobs, request)).known_sizes
        )
    return [file for file in files if file.size in known or sizes[file.size] > 1]


async def _hash(files: Sequence[LocalFile], progress: ProgressCallback | None) -> dict[str, str]:
    """The digests of files, by path."""
    digests: dict[str, str] = {}
    meter = Meter(progress if files else None, "hash", sum(file.size for file in files))

    async def hash_file(file: LocalFile) -> None:
        async with open_reader(file) as reader:
            await hash_up_to(reader, file.size, lambda size: meter.add(file.path, size))
            await in_thread(reader.check_unchanged)
            digests[file.path] = reader.digest

    async def hash_some(some: Sequence[LocalFile]) -> None:
        if len(some) == 1:
            await hash_file(some[0])
            return
        digests.update(await in_thread(_digests, some))
        for file in some:
            meter.add(file.path, file.size)

    # Small files share a thread's turn: each on its own takes longer to get one than to hash.
    cut = batches(files, lambda file: file.size, most_items=_HASHED_TOGETHER, most_bytes=BATCH_BYTES)
    await for_each(cut, hash_some, width=_HASHERS)
    meter.finish()
    return digests


def _digests(files: Iterable[LocalFile]) -> dict[str, str]:
    digests = {}
    for file in files:
        with closing(Reader(file)) as reader:
            while reader.hash_on(reader.size):
                pass
            reader.check_unchanged()
            digests[file.path] = reader.digest
    return digests


async def _find_missing(destination: Destination, blobs: Mapping[str, int]) -> set[str]:
    """The digests, of these with their sizes, that the namespace lacks."""
    missing: set[str] = set()
    for some in _slices(blobs.items(), destination.limits.max_batch_count):
        wanted = [Blob(digest=digest, size_bytes=size) for digest, size in some]
        request = pb.FindMissingBlobsRequest(parent=destination.parent, blobs=wanted)
        connection = destination.connection
        response = await connection.call(connection.stub(ArtifactsServiceStub).FindMissingBlobs, request)
        missing.update(blob.digest for blob in response.missing_blobs)
    return missing


def _without_present(files: Sequence[Unsent], missing: Collection[str], meter: Meter) -> Iterator[Unsent]:
    """Leaves out what need not travel: what is there, and all but the first of files that are alike."""
    left = set(missing)
    for unsent in files:
        if unsent.digest and unsent.digest not in left:
            meter.add(unsent.file.path, unsent.file.size)
        else:
            left.discard(unsent.digest)
            yield unsent


async def _send(destination: Destination, files: Iterable[Unsent], digests: dict[str, str]) -> None:
    """Sends files, each in the way that fits its size, and adds their digests."""
    limits = destination.limits
    small: list[Unsent] = []
    large: list[Unsent] = []
    huge: list[Unsent] = []
    for unsent in files:
        if is_small(unsent.file.size, limits):
            small.append(unsent)
        elif 0 < limits.compose_threshold_bytes <= unsent.file.size:
            huge.append(unsent)
        else:
            large.append(unsent)

    async def send_large(unsent: Unsent) -> None:
        digests[unsent.file.path] = await _send_whole(destination, unsent)

    async def send_small(batch: Sequence[Unsent]) -> None:
        sent = await send_batch(destination, batch)
        digests.update(zip((unsent.file.path for unsent in batch), sent, strict=True))

    for unsent in huge:  # one after the other: their parts fill the streams
        digests[unsent.file.path] = await send_in_parts(destination, unsent.file, unsent.digest)
    # The largest first, so that none is left to travel alone at the end.
    large.sort(key=lambda unsent: -unsent.file.size)
    jobs = chain(
        (partial(send_large, unsent) for unsent in large),
        (partial(send_small, batch) for batch in _small_batches(small, limits)),
    )
    await for_each(jobs, lambda job: job())


def _small_batches(files: Iterable[Unsent], limits: pb.ArtifactLimits) -> Iterator[list[Unsent]]:
    most_items, most_bytes = limits.max_batch_count, limits.max_batch_bytes
    return batches(files, lambda unsent: unsent.file.size, most_items=most_items, most_bytes=most_bytes)


async def _send_whole(destination: Destination, unsent: Unsent) -> str:
    async with (
        destination.journal_entry(unsent.file) as entry,
        open_reader(unsent.file, digest=unsent.digest) as reader,
    ):
        digest = await send_blob(destination, reader, entry)
        await in_thread(entry.remove)
        return digest


def _slices(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
