"""The files of a version, from where they are cheapest: the target that is to be replaced, the cache, the registry."""

from collections.abc import Collection, Sequence
from pathlib import Path

from modelyard._cache import Cache, Hold
from modelyard._cache.manifests import check_manifest
from modelyard._connection import Connection
from modelyard._target.staging import Staging
from modelyard._transfer import leases
from modelyard._transfer.copies import clone_or_copy, mode_of, take
from modelyard._transfer.fetching import fetch_files
from modelyard._transfer.progress import Meter, ProgressCallback
from modelyard._transfer.threads import for_each, in_thread
from modelyard.core.manifest import File
from modelyard.types import Version


async def fill(
    staging: Staging,
    connection: Connection,
    version: Version,
    *,
    cache: Cache | None,
    hold: Hold,
    former: Path | None,
    progress: ProgressCallback | None,
) -> int:
    """Makes all files of a version below ``staging.files``, verified; the bytes that came over the network.

    ``hold`` keeps the cached files until they are in the target.

    The bytes are on the disk once: the files share them with the cache, or the cache does not get them.
    """
    await in_thread(check_manifest, version.files, version.digest)
    fetched: Collection[str] = ()
    snapshot, received = None, 0
    if cache is not None:
        snapshot = await in_thread(cache.lookup, version.digest, hold)
        if snapshot is None and await in_thread(cache.shares_with, staging.path):
            snapshot, received, fetched = await cache.fetch_verified(connection, version, hold, progress=progress)
    missing: list[File] = []

    def place_local(file: File) -> bool:
        target = staging.files / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        # What was fetched was verified a moment ago; all else is read again.
        verified = file.digest in fetched
        if snapshot is not None:
            if take(file, snapshot / file.path, target, verified=verified):
                return True
            if cache is not None:
                cache.distrust(version.digest, file)
        elsewhere = [*([former / file.path] if former else []), *([cache.blob(file.digest)] if cache else [])]
        return any(take(file, source, target, verified=False) for source in elsewhere)

    async def place(file: File) -> None:
        if not await in_thread(place_local, file):
            missing.append(file)

    await for_each(version.files, place)
    if missing:
        received += await _download(staging, connection, version, missing, progress)
    return received


async def _download(
    staging: Staging,
    connection: Connection,
    version: Version,
    files: Sequence[File],
    progress: ProgressCallback | None,
) -> int:
    distinct = list({file.digest: file for file in files}.values())
    meter = Meter(progress, "download", sum(file.size for file in distinct))

    def arrived(path: str, size: int) -> None:
        leases.touch(staging.lease)
        meter.add(path, size)

    def place(file: File) -> Path:
        return staging.content / file.digest.removeprefix("sha256:")

    await fetch_files(connection, version.name, distinct, place, arrived)
    await in_thread(_spread, files, staging)
    meter.finish()
    return sum(file.size for file in distinct)


def _spread(files: Sequence[File], staging: Staging) -> None:
    """Gives downloaded files their names: the last of those that are alike takes the file, the others a clone."""
    left = {file.digest: file for file in files}
    for file in files:
        content = staging.content / file.digest.removeprefix("sha256:")
        target = staging.files / file.path
        if left[file.digest] is file:
            content.rename(target)
            target.chmod(mode_of(file) & ~_umask())
        else:
            clone_or_copy(content, target, mode_of(file) & ~_umask())


def _umask() -> int:
    # There is no way to read it in Linux but from here, or by changing it for all threads.
    try:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("Umask:")).split()[1], 8)
    except (OSError, StopIteration, ValueError):
        return 0o022
