"""The bytes: verified once, then known by their stamps."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from modelyard._cache.layout import Layout
from modelyard._cache.locks import waited_for
from modelyard._cache.snapshots import link_or_copy
from modelyard._connection import Connection
from modelyard._transfer.download import download
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.reader import hash_up_to, open_reader
from modelyard._transfer.stamps import Stamp
from modelyard._transfer.threads import in_thread
from modelyard.errors import ConflictError
from modelyard.manifest import File
from modelyard.names import VersionName


class BlobFetcher:
    """Gets the blobs of one version into a staging folder, from the cache or else from the registry."""

    def __init__(self, layout: Layout, connection: Connection, version_name: VersionName, content: Path) -> None:
        self._layout = layout
        self._connection = connection
        self._version_name = version_name
        self._content = content
        self.bytes_received = 0

    async def fetch(self, file: File, on_bytes: Callable[[int], None]) -> None:
        """Puts the verified bytes of a file into the content folder, named by their digest.

        Of several processes that want the same bytes one downloads them, the others wait: eight workers that start on
        one machine together should not ask for 8 times 100 GB. ``on_bytes`` is told of bytes as they arrive.
        """
        async with waited_for(self._layout.blob_lock(file.digest)) as lock:
            if not await self._reuse(file):
                await self._download(file, lock, on_bytes)

    async def _reuse(self, file: File) -> bool:
        if await in_thread(self._link_known, file):
            return True
        blob = self._layout.blob(file.digest)
        try:
            status = await in_thread(blob.lstat)
        except FileNotFoundError:
            return False
        if await self._hashes_to(blob, status, file):
            await in_thread(self._write_stamp, file.digest, Stamp.of(status))
            return await in_thread(self._link_known, file)
        await in_thread(remove_blob, blob)
        return False

    def _link_known(self, file: File) -> bool:
        """Takes a blob whose stamp is the one that was noted when it was verified."""
        blob, target = self._layout.blob(file.digest), self._content / file.digest
        try:
            noted = json.loads(self._layout.stamp(file.digest).read_bytes())
            link_or_copy(blob, target)
        except (FileNotFoundError, ValueError):
            return False
        # Of what was linked: the name may lead elsewhere by now. A copy's stamp is another, and has to be hashed.
        status = target.lstat()
        if stat.S_ISREG(status.st_mode) and list(Stamp.of(status)) == noted and status.st_size == file.size:
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
            if lock is not None:
                os.utime(lock)
            on_bytes(size)

        part = self._content / f"{file.digest}.part"
        await download(self._connection, self._version_name, file, part, on_bytes=arrived)
        await in_thread(self._publish, file, part)

    def _publish(self, file: File, part: Path) -> None:
        part.chmod(0o444)
        target = part.rename(self._content / file.digest)
        blob = self._layout.blob(file.digest)
        blob.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            os.link(target, blob)
        except OSError:
            # Someone else was faster, or this file system has no hard links: then each version keeps its own files.
            return
        self._write_stamp(file.digest, Stamp.of(target.lstat()))

    def _write_stamp(self, digest: str, stamp: Stamp) -> None:
        new = self._content / f"{digest}.stamp"
        new.write_text(json.dumps(stamp))
        new.replace(self._layout.stamp(digest))


def remove_blob(blob: Path) -> None:
    blob.unlink(missing_ok=True)
    blob.with_suffix(".stamp").unlink(missing_ok=True)
