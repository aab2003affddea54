"""The bytes: verified once, then known by their stamps."""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from modelyard._cache.layout import Layout
from modelyard._cache.locks import waited_for
from modelyard._connection import Connection
from modelyard._transfer import leases
from modelyard._transfer.copies import link_or_copy
from modelyard._transfer.download import download
from modelyard._transfer.fetching import TOGETHER
from modelyard._transfer.limits import batches, get_limits, is_small
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.progress import Meter
from modelyard._transfer.reader import hash_up_to, open_reader
from modelyard._transfer.small_files import read_files
from modelyard._transfer.stamps import Stamp
from modelyard._transfer.threads import for_each, in_thread
from modelyard.core.manifest import File
from modelyard.core.names import VersionName
from modelyard.errors import ConflictError

_QUICKLY_HASHED: Final = 1 << 20
"""Bytes; up to here it takes longer to make the file of a stamp than to hash."""


class BlobFetcher:
    """Gets the blobs of one version into a staging folder, from the cache or else from the registry."""

    def __init__(
        self, layout: Layout, connection: Connection, version_name: VersionName, content: Path, meter: Meter
    ) -> None:
        self._layout = layout
        self._connection = connection
        self._version_name = version_name
        self._content = content
        self._meter = meter
        self.bytes_received = 0
        self.verified: set[str] = set()
        """Digests of what was hashed just now, and not known by its stamp."""

    async def fetch(self, files: Collection[File]) -> None:
        """Puts the verified bytes of files, of which no two are alike, into the content folder, named by their digests.

        Of several processes that want the same bytes one downloads them, the others wait: eight workers that start on
        one machine together should not ask for 8 times 100 GB.
        """
        linked, absent = await in_thread(self._link, files)
        self._count(linked)
        left = [file for file in files if file not in linked]
        if len(absent) > 1:
            limits = await get_limits(self._connection)
            small = [file for file in absent if is_small(file.size, limits)]
            travelling = set(small)
            left = [file for file in left if file not in travelling]

            async def fetch_batch(batch: Sequence[File]) -> None:
                left.extend(await self._fetch_batch(batch))

            most_items, most_bytes = min(TOGETHER, limits.max_batch_count), limits.max_batch_bytes
            cut = batches(small, lambda file: file.size, most_items=most_items, most_bytes=most_bytes)
            await for_each(cut, fetch_batch)
        await for_each(left, self._fetch_one)

    def _count(self, files: Iterable[File]) -> None:
        for file in files:
            self._meter.add(file.path, file.size)

    def _link(self, files: Iterable[File]) -> tuple[set[File], list[File]]:
        """Takes the blobs that are known to be right; those files, and those of which the cache has nothing."""
        linked: set[File] = set()
        absent: list[File] = []
        for file in files:
            if self._link_known(file):
                linked.add(file)
            elif not self._layout.blob(file.digest).exists():
                absent.append(file)
        return linked, absent

    async def _fetch_batch(self, files: Sequence[File]) -> list[File]:
        """Fetches small files in one call; answers those that are left, of which something is here by now.

        One lock for all: a file for each would cost more than the bytes. Whoever wants the same version waits for it;
        another version that shares some of the files may fetch these twice.
        """
        async with waited_for(self._layout.blob_lock(files[0].digest)):
            linked, absent = await in_thread(self._link, files)
            if absent:
                contents = await read_files(self._connection, self._version_name, absent)
                await in_thread(self._keep, absent, contents)
        self.bytes_received += sum(file.size for file in absent)
        self.verified.update(file.digest for file in absent)
        done = {*linked, *absent}
        self._count(done)
        return [file for file in files if file not in done]

    def _keep(self, files: Sequence[File], contents: Sequence[bytes]) -> None:
        for file, data in zip(files, contents, strict=True):
            part = self._content / f"{file.digest}.part"
            part.write_bytes(data)
            self._publish(file, part)

    async def _fetch_one(self, file: File) -> None:
        arrived = 0

        def count(size: int) -> None:
            nonlocal arrived
            arrived += size
            self._meter.add(file.path, size)

        async with waited_for(self._layout.blob_lock(file.digest)) as lock:
            if not await self._reuse(file):
                await self._download(file, lock, count)
        self._meter.add(file.path, file.size - arrived)

    async def _reuse(self, file: File) -> bool:
        if await in_thread(self._link_known, file):
            return True
        blob = self._layout.blob(file.digest)
        try:
            status = await in_thread(blob.lstat)
        except FileNotFoundError:
            return False
        if await self._hashes_to(blob, status, file):
            await in_thread(self._write_stamp, file, Stamp.of(status))
            return await in_thread(self._link_known, file)
        await in_thread(remove_blob, blob)
        return False

    def _link_known(self, file: File) -> bool:
        """Takes a blob whose stamp is the one noted when it was verified, or that is quickly verified again."""
        blob, target = self._layout.blob(file.digest), self._content / file.digest
        try:
            noted = json.loads(self._layout.stamp(file.digest).read_bytes()) if _is_stamped(file) else None
            link_or_copy(blob, target)
        except (FileNotFoundError, ValueError):
            return False
        # Of what was linked: the name may lead elsewhere by now. A copy's stamp is another, and has to be hashed.
        status = target.lstat()
        if (
            stat.S_ISREG(status.st_mode)
            and status.st_size == file.size
            and (list(Stamp.of(status)) == noted if _is_stamped(file) else _digest_of(target) == file.digest)
        ):
            return True
        target.unlink()
        return False

    async def _hashes_to(self, blob: Path, status: os.stat_result, file: File) -> bool:
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        try:
            async with open_reader(LocalFile(file.path, blob, Stamp.of(status))) as reader:
                await hash_up_to(reader, file.size)
                return reader.digest == file.digest
        except ConflictError:  # replaced while it was read
            return False

    async def _download(self, file: File, lock: int | None, on_bytes: Callable[[int], None]) -> None:
        def arrived(size: int) -> None:
            self.bytes_received += size
            leases.touch(self._content.parent / "lease")
            if lock is not None:
                os.utime(lock)
            on_bytes(size)

        part = self._content / f"{file.digest}.part"
        await download(self._connection, self._version_name, file, part, on_bytes=arrived)
        self.verified.add(file.digest)
        await in_thread(self._publish, file, part)

    def _publish(self, file: File, part: Path) -> None:
        part.chmod(0o444)
        target = part.rename(self._content / file.digest)
        blob = self._layout.blob(file.digest)
        blob.parent.mkdir(mode=self._layout.mode, exist_ok=True)
        try:
            os.link(target, blob)
        except OSError:
            # Someone else was faster, or this file system has no hard links: then each version keeps its own files.
            return
        self._write_stamp(file, Stamp.of(target.lstat()))

    def _write_stamp(self, file: File, stamp: Stamp) -> None:
        if _is_stamped(file):
            new = self._content / f"{file.digest}.stamp"
            new.write_text(json.dumps(stamp))
            new.replace(self._layout.stamp(file.digest))


def _is_stamped(file: File) -> bool:
    return file.size > _QUICKLY_HASHED


def _digest_of(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def remove_blob(blob: Path) -> None:
    blob.unlink(missing_ok=True)
    blob.with_suffix(".stamp").unlink(missing_ok=True)
