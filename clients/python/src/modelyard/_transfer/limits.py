"""How much one message takes, as the registry says it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from modelyard._connection import Connection
from modelyard.core.limits import MAX_BLOB_BYTES, MAX_FILES
from modelyard.errors import BadAnswerError
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub

T = TypeVar("T")

_SMALL: Final = 4
"""A file is small if a batch takes so many of its size: below that, a stream of its own costs more than it gives."""
_TIMEOUT: Final = 60.0
_SLOWEST: Final = 16 << 10
"""Bytes a second; a link of 1 Mbit/s that four batches and a push of other files share."""

_BOUNDS: Final = {
    "max_blob_bytes": (1, MAX_BLOB_BYTES),
    "max_chunk_bytes": (1, 1 << 20),
    "preferred_chunk_bytes": (0, 1 << 20),
    "max_batch_bytes": (1, 3 << 20),
    "max_batch_count": (1, 10_000),
    "max_file_count": (1, MAX_FILES),
    "max_part_count": (1, 100_000),
    "part_bytes": (1, MAX_BLOB_BYTES),
    "compose_threshold_bytes": (0, MAX_BLOB_BYTES),
}
"""The least of each limit, and the most that memory and messages of this SDK are made for."""

_limits: WeakKeyDictionary[Connection, pb.ArtifactLimits] = WeakKeyDictionary()


async def get_limits(connection: Connection) -> pb.ArtifactLimits:
    """Asked once of each connection."""
    limits = _limits.get(connection)
    if limits is None:
        limits = _bounded(
            await connection.call(
                connection.stub(ArtifactsServiceStub).GetArtifactLimits, pb.GetArtifactLimitsRequest()
            )
        )
        _limits[connection] = limits
    return limits


def _bounded(said: pb.ArtifactLimits) -> pb.ArtifactLimits:
    """The limits, none larger than this SDK works with. Raises ``BadAnswerError`` for one that nothing fits in."""
    limits = pb.ArtifactLimits()
    limits.CopyFrom(said)
    for name, (least, most) in _BOUNDS.items():
        value: int = getattr(said, name)
        if value < least:
            raise BadAnswerError(f"the registry's limit {name} is {value}, less than {least}", reason="BAD_ANSWER")
        setattr(limits, name, min(value, most))
    return limits


def is_small(size: int, limits: pb.ArtifactLimits) -> bool:
    """Whether a file of ``size`` bytes travels with others in one message."""
    return size * _SMALL <= limits.max_batch_bytes


def batches(items: Iterable[T], size_of: Callable[[T], int], *, most_items: int, most_bytes: int) -> Iterator[list[T]]:
    """Cuts items into what one message takes."""
    batch: list[T] = []
    size = 0
    for item in items:
        if batch and (len(batch) >= most_items or size + size_of(item) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += size_of(item)
    if batch:
        yield batch


def batch_timeout(size: int) -> float:
    """Seconds for a message of ``size`` bytes, whose progress can't be seen."""
    return _TIMEOUT + size / _SLOWEST
