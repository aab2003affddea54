"""A pull: one question what a reference means, then by digest only, and every byte verified."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from modelyard import _convert
from modelyard._cache import Cache, Hold
from modelyard._caller import warn
from modelyard._client.deprecation import notice
from modelyard._client.resolving import resolve
from modelyard._connection import PATIENCE, Connection
from modelyard._transfer.selection import chosen
from modelyard.core.manifest import manifest_digest
from modelyard.core.references import Reference, Selector
from modelyard.errors import (
    DeadlineExceededError,
    DeprecatedVersionWarning,
    FailedPreconditionError,
    ModelyardError,
    StaleModelWarning,
    UnavailableError,
    VerificationError,
)
from modelyard.types import Progress, PulledModel, Version, VersionState
from modelyard.v1 import registry_pb2

_SILENCE: Final = 2.0
_LAST_CHANCE: Final = 3.0
"""Seconds without an answer, and then for a small one, after which a version that is at hand is used instead."""


class Place(Protocol):
    """A target of the user's own."""

    def check(self) -> None: ...
    def holds(self, digest: str) -> bool: ...
    async def bring(
        self,
        connection: Connection,
        version: Version,
        *,
        cache: Cache | None,
        progress: Callable[[Progress], None] | None,
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files of a version are wanted; all if nothing is said."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    paths: Sequence[str] = ()

    @property
    def is_partial(self) -> bool:
        return bool(self.include or self.exclude or self.paths)

    def of(self, version: Version) -> Version:
        """The version with the wanted files alone, under their own manifest digest: it is kept as any other."""
        if not self.is_partial:
            return version
        files = chosen(version.files, include=self.include, exclude=self.exclude, paths=self.paths)
        if len(files) == len(version.files):
            return version
        return replace(version, files=tuple(sorted(files)), digest=manifest_digest(files))


@dataclass(frozen=True, slots=True)
class _Found:
    """A version whose files are on this machine."""

    version: Version
    path: Path
    bytes_received: int = 0
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What comes from where."""

    connection: Connection
    cache: Cache | None
    """None if nothing is to be kept but what goes into the target."""
    reference: Reference
    target: Path | None
    place: Place | None = None
    """What ``target`` is to become."""
    choice: Choice = Choice()
    progress: Callable[[Progress], None] | None = None
    meant_by: Reference | None = None
    """What a watch was asked for, and came to mean ``reference``: it is remembered for it too."""
    hold: Hold = field(default_factory=Hold)
    """Keeps the version in the cache. The pull hands it to the model that it returns."""

    async def run(self) -> PulledModel:
        if self.place is not None:
            await asyncio.to_thread(self.place.check)  # before anything travels
        found = await self._find_pinned()
        if found is None:
            try:
                found = await self._fetch(patience=0)
            except (UnavailableError, DeadlineExceededError) as error:
                found = await self._last_known_good(error)
        return await self._finished(found)

    async def fall_back(self, error: ModelyardError) -> PulledModel | None:
        """The last version that the reference was known to mean, with a warning why; None if there is none."""
        found = await self._find_remembered()
        if found is None:
            return None
        self._warn_of_age(found, error)
        return await self._finished(found)

    async def _finished(self, found: _Found) -> PulledModel:
        if found.version.state is VersionState.DEPRECATED:
            warn(notice(found.version, self.reference), DeprecatedVersionWarning)
        return PulledModel(
            reference=str(self.reference),
            path=found.path,
            version=found.version,
            stale=found.stale,
            bytes_received=found.bytes_received,
            partial=self.choice.is_partial,
            _hold=self.hold if self.target is None else None,
        )

    async def _find_pinned(self) -> _Found | None:
        """What a digest names, if it is here: it can't have changed, so nobody needs to be asked."""
        if self.reference.selector is not Selector.DIGEST or self.cache is None:
            return None
        found = await self._find(await asyncio.to_thread(self.cache.recall_digest, self.reference.value))
        return found if found is not None and found.version.name.model == self.reference.model else None

    async def _fetch(self, *, patience: float) -> _Found:
        with self.connection.in_use():
            message = (await self._resolve(patience)).version
            version = _convert.version(message)
            await asyncio.to_thread(_check, version, self.reference)
            path, received = await self._bring(version)
        if self.cache is not None:
            serialized = message.SerializeToString()
            for reference in filter(None, (self.reference, self.meant_by)):
                await asyncio.to_thread(self.cache.remember, self.connection.server, str(reference), serialized)
        return _Found(version, path, received)

    async def _bring(self, version: Version) -> tuple[Path, int]:
        """Where the wanted files of a version are now, and the bytes that came over the network."""
        version = await asyncio.to_thread(self.choice.of, version)
        if self.place is not None and self.target is not None:
            received = await self.place.bring(self.connection, version, cache=self.cache, progress=self.progress)
            return self.target, received
        assert self.cache is not None, "a pull without a target needs a cache"
        path = await asyncio.to_thread(self.cache.lookup, version.digest, self.hold)
        if path is not None:
            return path, 0
        return await self.cache.fetch(self.connection, version, self.hold, progress=self.progress)

    async def _resolve(self, patience: float) -> registry_pb2.ResolveVersionResponse:
        """What the reference means, with its files: megabytes, which take long on a slow link.

        If there is something to fall back on, a registry that is silent is asked something small, and given up if it
        does not answer that either.
        """
        asking = asyncio.ensure_future(resolve(self.connection, self.reference, files=True, patience=patience))
        try:
            if await self._recall() is not None and not (await asyncio.wait((asking,), timeout=_SILENCE))[0]:
                await resolve(self.connection, self.reference, files=False, patience=0, timeout=_LAST_CHANCE)
            return await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _warn_of_age(self, found: _Found, error: ModelyardError) -> None:
        warn(
            f"Using version {found.version.number}, the last known for {self.reference}: {error.message}",
            StaleModelWarning,
        )

    async def _last_known_good(self, error: ModelyardError) -> _Found:
        found = await self._find_remembered()
        if found is None and isinstance(error, UnavailableError) and self.connection.answered:
            return await self._fetch(patience=PATIENCE)  # nothing to fall back to, so there is time
        if found is None:
            raise error
        self._warn_of_age(found, error)
        return found

    async def _recall(self) -> bytes | None:
        if self.cache is None:
            return None
        return await asyncio.to_thread(self.cache.recall, self.connection.server, str(self.reference))

    async def _find_remembered(self) -> _Found | None:
        found = await self._find(await self._recall())
        return None if found is None else replace(found, stale=True)

    async def _find(self, serialized: bytes | None) -> _Found | None:
        """A version that needs no registry, brought where it is wanted."""
        if serialized is None:
            return None
        try:
            version = _convert.version_from_bytes(serialized)
        except ValueError:  # damaged, or written by an SDK with other ideas
            return None
        if not await asyncio.to_thread(self._is_here, self.choice.of(version).digest):
            return None
        path, _ = await self._bring(version)
        return _Found(version, path)

    def _is_here(self, digest: str) -> bool:
        if self.place is not None and self.place.holds(digest):
            return True
        return self.cache is not None and self.cache.lookup(digest, self.hold) is not None


def _check(version: Version, reference: Reference) -> None:
    """Holds the registry to what was asked for, and to what a digest means."""
    if version.state is VersionState.QUARANTINED:
        raise FailedPreconditionError(
            f"{reference} is version {version.number}, which is quarantined. Its bytes must not be used.",
            reason="QUARANTINED",
            metadata={"resource": str(version.name)},
        )
    number = reference.selector is Selector.NUMBER
    digest = reference.selector is Selector.DIGEST
    if (
        manifest_digest(version.files) != version.digest
        or (digest and version.digest != reference.value)
        or (number and version.number != int(reference.value))
    ):
        raise VerificationError(
            f"The registry answered {version.name} with {version.digest} for {reference}, which does not match. Nothing"
            " was downloaded.",
            reason="DIGEST_MISMATCH",
            metadata={"resource": str(version.name), "actual": version.digest},
        )
