"""A target that is a link to a version in the cache, swapped at once."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard._cache import Cache, Hold
from modelyard._connection import Connection
from modelyard._target.exchange import exchange
from modelyard._target.folder import TargetFolder, is_pulled_link
from modelyard._transfer.progress import ProgressCallback
from modelyard._transfer.threads import in_thread
from modelyard.errors import InvalidArgumentError
from modelyard.types import Version


class TargetLink:
    """A symbolic link that is to lead to one version in the cache. The version stays there as long as it does."""

    def __init__(self, link: Path, *, force: bool) -> None:
        """``force`` also replaces other files at the target."""
        self.given: Final = link
        self._link = link.absolute()
        self._force = force

    def check(self) -> None:
        """Raises ``InvalidArgumentError`` if something is in the way that no earlier pull put there. Blocks."""
        if not os.path.lexists(self._link) or is_pulled_link(self._link) or self._force:
            return
        if self._link.is_symlink():
            raise InvalidArgumentError(
                [("target", f"{str(self.given)!r} is a link that no pull made. Remove it, or force the pull")],
                reason="TARGET_NOT_EMPTY",
            )
        TargetFolder(self._link, force=False).check()

    def holds(self, digest: str) -> bool:
        """Whether the link leads to a version with this manifest digest. Its files may be damaged. Blocks."""
        with suppress(OSError):
            return str(self._link.readlink()).endswith(f"/snapshots/{digest.removeprefix('sha256:')}/files")
        return False

    async def bring(
        self, connection: Connection, version: Version, *, cache: Cache | None, progress: ProgressCallback | None
    ) -> int:
        """Has the link lead to the files of a version; the bytes that came over the network."""
        if cache is None:
            raise InvalidArgumentError([("link", "leads into the cache, and this pull is to use none")])
        received = 0
        with Hold() as hold:
            snapshot = await in_thread(cache.lookup, version.digest, hold)
            if snapshot is None:
                snapshot, received = await cache.fetch(connection, version, hold, progress=progress)
            await in_thread(self._put, snapshot, cache)
        return received

    def _put(self, snapshot: Path, cache: Cache) -> None:
        try:
            self.check()
            self._link.parent.mkdir(parents=True, exist_ok=True)
            cache.pin(self._link, snapshot)
            new = self._link.with_name(f".{self._link.name}.modelyard-{secrets.token_hex(8)}")
            new.symlink_to(snapshot)
            if self._link.is_dir() and not self._link.is_symlink():
                exchange(new, self._link)
                shutil.rmtree(new)
            else:
                new.replace(self._link)
            self._link.with_name(f".{self._link.name}.modelyard").unlink(missing_ok=True)
        except OSError as error:
            raise InvalidArgumentError(
                [("target", f"{str(self.given)!r} can't be written: {error.strerror or error}")],
                reason="TARGET_UNUSABLE",
            ) from error
