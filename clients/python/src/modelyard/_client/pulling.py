"""A pull: one question what a reference means, then by digest only, and every byte verified."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard import _convert
from modelyard._cache import Cache
from modelyard._caller import warn
from modelyard._client.resolving import resolve
from modelyard._connection import PATIENCE, Connection
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


@dataclass(frozen=True, slots=True)
class _Found:
    """A version whose files are in the cache."""

    version: Version
    snapshot: Path
    bytes_received: int = 0
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What comes from where."""

    connection: Connection
    cache: Cache
    reference: Reference
    target: Path | None
    progress: Callable[[Progress], None] | None
    meant_by: Reference | None = None
    """What a watch was asked for, and came to mean ``reference``: it is remembered for it too."""

    async def run(self) -> PulledModel:
        found = await asyncio.to_thread(self._find_pinned)
        if found is None:
            try:
                found = await self._fetch(patience=0)
            except (UnavailableError, DeadlineExceededError) as error:
                found = await self._last_known_good(error)
        if found.version.state is VersionState.DEPRECATED:
            reason = found.version.deprecation_reason
            warn(f"{self.reference} is deprecated{': ' if reason else ''}{reason}", DeprecatedVersionWarning)
        if self.target is not None:
            await self.cache.export(found.version, found.snapshot, self.target)
        return PulledModel(
            reference=str(self.reference),
            path=found.snapshot if self.target is None else self.target,
            version=found.version,
            stale=found.stale,
            bytes_received=found.bytes_received,
        )

    def _find_pinned(self) -> _Found | None:
        """What a digest names, if it is here: it can't have changed, so nobody needs to be asked."""
        if self.reference.selector is not Selector.DIGEST:
            return None
        found = self._find(self.cache.recall_digest(self.reference.value))
        return found if found is not None and found.version.name.model == self.reference.model else None

    async def _fetch(self, *, patience: float) -> _Found:
        with self.connection.in_use():
            message = (await resolve(self.connection, self.reference, files=True, patience=patience)).version
            version = _convert.version(message)
            await asyncio.to_thread(_check, version, self.reference)
            snapshot, received = await asyncio.to_thread(self.cache.lookup, version.digest), 0
            if snapshot is None:
                snapshot, received = await self.cache.fetch(self.connection, version, progress=self.progress)
        serialized = message.SerializeToString()
        for reference in filter(None, (self.reference, self.meant_by)):
            await asyncio.to_thread(self.cache.remember, self.connection.server, str(reference), serialized)
        return _Found(version, snapshot, received)

    async def _last_known_good(self, error: ModelyardError) -> _Found:
        found = await asyncio.to_thread(self._find_remembered)
        if found is None and isinstance(error, UnavailableError) and self.connection.answered:
            return await self._fetch(patience=PATIENCE)  # nothing to fall back to, so there is time
        if found is None:
            raise error
        warn(
            f"Using version {found.version.number}, the last known for {self.reference}: {error.message}",
            StaleModelWarning,
        )
        return found

    def _find_remembered(self) -> _Found | None:
        found = self._find(self.cache.recall(self.connection.server, str(self.reference)))
        return _Found(found.version, found.snapshot, stale=True) if found is not None else None

    def _find(self, serialized: bytes | None) -> _Found | None:
        if serialized is None:
            return None
        try:
            version = _convert.version_from_bytes(serialized)
        except ValueError:  # damaged, or written by an SDK with other ideas
            return None
        snapshot = self.cache.lookup(version.digest)
        return _Found(version, snapshot) if snapshot is not None else None


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
        or version.name.model != reference.model
    ):
        raise VerificationError(
            f"The registry answered {version.name} with {version.digest} for {reference}, which does not match. Nothing"
            " was downloaded.",
            reason="DIGEST_MISMATCH",
            metadata={"resource": str(version.name), "actual": version.digest},
        )
