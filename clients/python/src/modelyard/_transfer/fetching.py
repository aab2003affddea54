"""Files of a version straight from the registry, each in the way that fits its size."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from modelyard._connection import Connection
from modelyard._transfer.download import download
from modelyard._transfer.limits import batches, get_limits, is_small
from modelyard._transfer.small_files import read_files
from modelyard._transfer.threads import for_each, in_thread
from modelyard.core.manifest import File
from modelyard.core.names import VersionName

TOGETHER: Final = 100
"""Small files in one message at most, so that there are some to fetch side by side."""


async def fetch_files(
    connection: Connection,
    version_name: VersionName,
    files: Collection[File],
    place: Callable[[File], Path],
    on_bytes: Callable[[str, int], None],
) -> None:
    """Downloads files, of which no two are alike, each to the path that ``place`` says, where nothing must be yet.

    Every byte is verified. ``on_bytes`` is told the path and the size of what arrived, on the caller's loop. Raises
    ``VerificationError`` for bytes that are not what the manifest promised.
    """
    small: list[File] = []
    if len(files) > 1:
        limits = await get_limits(connection)
        small = [file for file in files if is_small(file.size, limits)]

        async def fetch_batch(batch: Sequence[File]) -> None:
            contents = await read_files(connection, version_name, batch)
            await in_thread(_write, batch, contents, place)
            for file in batch:
                on_bytes(file.path, file.size)

        most_items, most_bytes = min(TOGETHER, limits.max_batch_count), limits.max_batch_bytes
        cut = batches(small, lambda file: file.size, most_items=most_items, most_bytes=most_bytes)
        await for_each(cut, fetch_batch)

    async def fetch_one(file: File) -> None:
        await download(connection, version_name, file, place(file), on_bytes=lambda size: on_bytes(file.path, size))

    travelled = set(small)
    await for_each([file for file in files if file not in travelled], fetch_one)


def _write(files: Sequence[File], contents: Sequence[bytes], place: Callable[[File], Path]) -> None:
    for file, data in zip(files, contents, strict=True):
        with place(file).open("xb") as new:
            new.write(data)
