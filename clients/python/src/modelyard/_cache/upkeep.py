"""What people look at in a cache and remove from it."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelyard._cache.blobs import remove_blob
from modelyard._cache.eviction import evict, last_use, remove_orphans, remove_unused, usage
from modelyard._cache.holds import holders
from modelyard._cache.layout import Layout, Staging, explained, sweep
from modelyard._cache.pins import pinned
from modelyard._cache.references import References
from modelyard._cache.snapshots import digest_of, hashed
from modelyard._transfer.leases import Holder
from modelyard.core.manifest import File
from modelyard.errors import CacheError


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedVersion:
    """A version in the cache."""

    digest: str
    """Manifest digest of its files. If only some files of a version were pulled, it is theirs."""
    names: tuple[str, ...]
    """Of the versions that are known to have these files."""
    size: int
    """In bytes. Versions may share them."""
    file_count: int
    last_used: datetime
    path: Path
    processes: tuple[Holder, ...] = ()
    """Processes that use the version. A process that can't write to the cache is not listed."""
    links: tuple[Path, ...] = ()
    """Links to the version that pulls made."""

    @property
    def in_use(self) -> bool:
        """Whether a known process or link keeps the version."""
        return bool(self.processes or self.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file that is not what it was when it was verified."""

    digest: str
    """Manifest digest of its version."""
    path: str


class Upkeep:
    """The cache in one folder. Every call blocks, and raises ``CacheError`` if the folder can't be used."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._layout = Layout(root)

    def versions(self) -> list[CachedVersion]:
        """All whole versions, the most recently used first."""
        with explained(self._root):
            if not self._layout.check():
                return []
            names, links = References(self._layout).names(), pinned(self._layout)
            found = (self._version(snapshot, names, links) for snapshot in self._layout.snapshots.iterdir())
            whole = [version for version in found if version is not None]
        return sorted(whole, key=lambda version: version.last_used, reverse=True)

    def _version(
        self, snapshot: Path, names: dict[str, set[str]], links: dict[str, list[Path]]
    ) -> CachedVersion | None:
        digest = f"sha256:{snapshot.name}"
        try:
            entries = json.loads((snapshot / "record.json").read_bytes())
            sizes = [int(entry[2]) for entry in entries]
        except (OSError, ValueError, TypeError, IndexError):
            return None
        return CachedVersion(
            digest=digest,
            names=tuple(sorted(names.get(digest, ()))),
            size=sum(sizes),
            file_count=len(sizes),
            last_used=datetime.fromtimestamp(last_use(snapshot) / 1e9, UTC),
            path=snapshot / "files",
            processes=tuple(holders(snapshot)),
            links=tuple(links.get(snapshot.name, ())),
        )

    def size(self) -> int:
        """Bytes of all models, those that versions share counted once."""
        with explained(self._root):
            return usage(self._layout) if self._layout.check() else 0

    def remove(self, digest: str) -> None:
        """Removes a version, and the bytes that no other version has.

        Raises ``CacheError``, reason ``CACHE_IN_USE``, if a process uses it or a link leads to it.
        """
        with explained(self._root), self._staging() as staging:
            snapshot = self._layout.snapshot(digest)
            if links := pinned(self._layout).get(snapshot.name):
                raise CacheError(
                    f"{digest} is not removed: the link {str(links[0])!r}, which a pull made, leads to it. Remove the"
                    " link first.",
                    reason="CACHE_IN_USE",
                )
            if snapshot.exists() and not remove_unused(snapshot, staging.path / snapshot.name):
                named = ", ".join(holder.describe() for holder in holders(snapshot))
                raise CacheError(
                    f"{digest} is not removed: a running process uses it{named and f': {named}'}. Stop that first.",
                    reason="CACHE_IN_USE",
                )
            remove_orphans(self._layout)

    def collect(self, max_bytes: int) -> int:
        """Removes what dead processes and failed pulls left, then least recently used versions until the rest fits.

        Returns the bytes that are left.
        """
        with explained(self._root), self._staging() as staging:
            sweep(self._layout)
            remove_orphans(self._layout)
            evict(self._layout, staging, max_bytes)
            References(self._layout).forget_evicted()
            return usage(self._layout)

    def verify(self) -> list[Damage]:
        """Reads all files, and has the next pull of a damaged one fetch it again. Returns what is damaged."""
        with explained(self._root):
            return list(self._damage()) if self._layout.check() else []

    def _damage(self) -> Iterator[Damage]:
        for snapshot in sorted(self._layout.snapshots.iterdir()):
            digest = f"sha256:{snapshot.name}"
            if hashed(snapshot, digest):
                continue
            for path, blob in _damaged(snapshot):
                if blob:
                    remove_blob(self._layout.blob(blob))
                yield Damage(digest=digest, path=path)
            (snapshot / "record.json").unlink(missing_ok=True)

    def _staging(self) -> "closing[Staging]":
        self._layout.prepare()
        return closing(Staging(self._layout))


def _damaged(snapshot: Path) -> Iterator[tuple[str, str]]:
    """The paths of files that are not as they were, and their digests; the record if that is what is damaged."""
    try:
        entries = json.loads((snapshot / "record.json").read_bytes())
        files = [File(path, size, sha256) for path, sha256, size, *_ in entries]
    except (OSError, ValueError, TypeError):
        yield "record.json", ""
        return
    for file in files:
        try:
            actual = digest_of(snapshot / "files" / file.path)
        except OSError:
            actual = ""
        if actual != file.digest:
            yield file.path, file.digest
