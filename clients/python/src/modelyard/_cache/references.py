"""What references meant when the registry was last asked: what a pull falls back on while it can't be reached."""

import hashlib
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from modelyard._cache.layout import Layout, Staging
from modelyard._cache.manifests import check_manifest
from modelyard.core.manifest import check_digest
from modelyard.v1.resources_pb2 import Version
from modelyard.wire import files_from_proto

_YOUNG: Final = 24 * 3600
"""Seconds in which the version of a reference may still be on its way into the cache."""


class References:
    """Small files, replaced at once: a checksum, the manifest digest, then the version's message."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def remember(self, server: str, reference: str, version_bytes: bytes) -> None:
        """Notes the version by the reference and by its manifest digest.

        Raises ``VerificationError`` if the message's files don't make its digest: another server's word for what a
        digest holds must not replace the truth.
        """
        version = Version.FromString(version_bytes)
        check_manifest(files_from_proto(version.files), version.manifest_digest)
        body = version.manifest_digest.encode() + b"\n" + version_bytes
        entry = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
        with closing(Staging(self._layout)) as staging:
            for path in (self._by_reference(server, reference), self._by_digest(version.manifest_digest)):
                new = staging.path / path.name
                new.write_bytes(entry)
                new.replace(path)

    def recall(self, server: str, reference: str) -> bytes | None:
        """The version that was noted last for a reference, or None."""
        return _read(self._by_reference(server, reference))

    def recall_digest(self, manifest_digest: str) -> bytes | None:
        """The version that was noted last for a manifest digest, by whatever reference and from whatever server."""
        return _read(self._by_digest(check_digest(manifest_digest)))

    def names(self) -> dict[str, set[str]]:
        """The names of the versions that are noted, by their manifest digests."""
        found: dict[str, set[str]] = {}
        for path in self._layout.references.iterdir():
            if (noted := _read(path)) is not None:
                version = Version.FromString(noted)
                found.setdefault(version.manifest_digest, set()).add(version.name)
        return found

    def forget_evicted(self) -> None:
        """Removes what names versions that are not in the cache any more."""
        oldest = time.time() - _YOUNG
        for path in self._layout.references.iterdir():
            with path.open("rb") as entry:
                _, digest = entry.readline(), entry.readline()
            gone = not self._layout.snapshot(digest.decode(errors="replace").strip()).exists()
            if gone and path.lstat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def _by_reference(self, server: str, reference: str) -> Path:
        return self._layout.references / hashlib.sha256(f"{server}\0{reference}".encode()).hexdigest()

    def _by_digest(self, digest: str) -> Path:
        return self._layout.references / f"digest-{digest.removeprefix('sha256:')}"


def _read(path: Path) -> bytes | None:
    """The version, or None if there is none or a power cut tore it."""
    try:
        checksum, body = path.read_bytes().split(b"\n", 1)
        _, version = body.split(b"\n", 1)
    except (OSError, ValueError):
        return None
    return version if hashlib.sha256(body).hexdigest().encode() == checksum else None
