"""The cache's front."""

import os
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from modelyard._cache import pins
from modelyard._cache.blobs import BlobFetcher
from modelyard._cache.eviction import evict, usage
from modelyard._cache.holds import Hold, note_use
from modelyard._cache.layout import Layout, Staging, explained, sweep
from modelyard._cache.locks import waited_for
from modelyard._cache.manifests import check_manifest
from modelyard._cache.references import References
from modelyard._cache.snapshots import build, hashed, install, is_intact
from modelyard._connection import Connection
from modelyard._transfer.progress import Meter, ProgressCallback
from modelyard._transfer.records import Record, is_unchanged
from modelyard._transfer.threads import in_thread, opened
from modelyard.core.manifest import File, check_digest
from modelyard.errors import CacheError
from modelyard.types import Version


class Cache:
    """One folder of verified models, shared by all processes of a user.

    Everything raises ``CacheError`` if the folder can't be used, or if users other than this one and root could change
    what is in it. A folder that can only be read serves what it holds.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Touches nothing on disk yet. ``max_bytes`` bounds the models in it; those that are held may go beyond."""
        self.root: Final = root
        self.max_bytes: Final = max_bytes
        self._layout = Layout(root)
        self._references = References(self._layout)
        self._hashed: dict[str, Record] = {}

    def lookup(self, manifest_digest: str, hold: Hold | None = None) -> Path | None:
        """The folder with a version's files if they are all here, unchanged since they were verified; else None.

        Reads no file's bytes and asks no registry. The files stay at least until ``hold`` is closed; without one they
        may be evicted at any time.
        """
        check_digest(manifest_digest)
        with explained(self.root):
            if not self._layout.check():
                return None
            snapshot = self._layout.snapshot(manifest_digest)
            if not snapshot.is_dir() or not (note_use(snapshot) if hold is None else hold.add(snapshot)):
                return None
            if is_intact(snapshot, manifest_digest) or self._is_right(snapshot, manifest_digest):
                return snapshot / "files"
        return None

    def _is_right(self, snapshot: Path, manifest_digest: str) -> bool:
        """Whether a version that can't be made good here still has the right bytes.

        The layers of an image give files new inodes and times. A cache that can be written to hashes its blobs when it
        fetches the version; one that can only be read does it here, once in a process.
        """
        if all(_is_writable(folder) for folder in (snapshot, self._layout.staging)):
            return False
        record = self._hashed.get(manifest_digest)
        if record is None or not is_unchanged(snapshot / "files", record, manifest_digest):
            record = self._hashed[manifest_digest] = hashed(snapshot, manifest_digest)
        return bool(record)

    async def fetch(
        self,
        connection: Connection,
        version: Version,
        hold: Hold,
        *,
        progress: ProgressCallback | None = None,
    ) -> tuple[Path, int]:
        """The folder with a version's files, fetched where they are not here, and the bytes that came over the network.

        Damaged files are found and fetched anew. The files stay at least until ``hold`` is closed. ``progress`` is told
        of the phase ``download``, on the caller's loop.
        Raises ``VerificationError`` before a byte is written if the list of files is not what its digest says, and
        whenever bytes are not what the list says; and what the registry raises.
        """
        path, received, _ = await self.fetch_verified(connection, version, hold, progress=progress)
        return path, received

    async def fetch_verified(
        self,
        connection: Connection,
        version: Version,
        hold: Hold,
        *,
        progress: ProgressCallback | None = None,
    ) -> tuple[Path, int, Collection[str]]:
        """The same, and the digests of the files that were hashed meanwhile. The others are known by their stamps."""
        await in_thread(check_manifest, version.files, version.digest)
        meter = Meter(progress, "download", sum(file.size for file in _distinct(version.files)))
        with explained(self.root):
            path, fetcher = await self._fetch(connection, version, hold, meter)
        meter.finish()
        return path, fetcher.bytes_received, fetcher.verified

    async def _fetch(
        self, connection: Connection, version: Version, hold: Hold, meter: Meter
    ) -> tuple[Path, BlobFetcher]:
        snapshot = self._layout.snapshot(version.digest)
        await in_thread(self._layout.prepare)
        await in_thread(sweep, self._layout)
        async with opened(lambda: Staging(self._layout), Staging.close) as staging:
            content, staged = staging.path / "content", staging.path / "snapshot"
            await in_thread(content.mkdir)
            fetcher = BlobFetcher(self._layout, connection, version.name, content, meter)
            await fetcher.fetch(_distinct(version.files))
            await in_thread(build, staged, version.files, content, self._layout.mode)
            await in_thread(install, staged, snapshot, version.digest, hold)
            await self.evict()
            return snapshot / "files", fetcher

    def pin(self, link: Path, snapshot: Path) -> None:
        """Keeps what :meth:`lookup` or :meth:`fetch` found for as long as ``link``, which is made next, leads to it."""
        with explained(self.root):
            pins.pin(self._layout, link, snapshot.parent)

    def shares_with(self, folder: Path) -> bool:
        """Whether files can have names both here and in a folder, which exists."""
        try:
            with explained(self.root):
                self._layout.prepare()
                with closing(Staging(self._layout)) as staging:
                    return staging.path.stat().st_dev == folder.stat().st_dev
        except CacheError as error:
            if error.reason != "CACHE_READ_ONLY":
                raise
        return False

    def blob(self, digest: str) -> Path:
        """Where the bytes of a digest are if they are here. They are to be verified."""
        return self._layout.blob(digest)

    def distrust(self, manifest_digest: str, file: File) -> None:
        """Has the next fetch of a version read its files again, one of which is damaged."""
        with explained(self.root):
            (self._layout.snapshot(manifest_digest) / "record.json").unlink(missing_ok=True)
            self._layout.stamp(file.digest).unlink(missing_ok=True)

    def remember(self, server: str, reference: str, version_bytes: bytes) -> None:
        """Notes what a reference means now: a serialized ``Version`` message, with its files."""
        try:
            with explained(self.root):
                self._layout.prepare()
                self._references.remember(server, reference, version_bytes)
        except CacheError as error:
            if error.reason != "CACHE_READ_ONLY":  # it serves all the same
                raise

    def recall(self, server: str, reference: str) -> bytes | None:
        """The message that was noted last for a reference, or None."""
        with explained(self.root):
            return self._references.recall(server, reference) if self._layout.check() else None

    def recall_digest(self, manifest_digest: str) -> bytes | None:
        """The message that was noted last for a manifest digest, or None."""
        with explained(self.root):
            return self._references.recall_digest(manifest_digest) if self._layout.check() else None

    def size(self) -> int:
        """Bytes of all models in the cache."""
        with explained(self.root):
            return usage(self._layout) if self._layout.check() else 0

    async def evict(self) -> None:
        """Removes least recently used versions that no process uses, until the rest fits."""
        with explained(self.root):
            await in_thread(self._layout.prepare)
            async with waited_for(self._layout.eviction_lock) as lock:
                if lock is not None:
                    await in_thread(self._evict)

    def _evict(self) -> None:
        with closing(Staging(self._layout)) as staging:
            evict(self._layout, staging, self.max_bytes)
            self._references.forget_evicted()


def _distinct(files: Iterable[File]) -> Collection[File]:
    """One of each that are alike."""
    return {file.digest: file for file in files}.values()


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
