"""A registry is not believed: what it says a version holds is checked before a byte of it is written."""

from collections.abc import Sequence

from modelyard.core.manifest import File, check_digest, check_files, manifest_digest
from modelyard.errors import VerificationError


def check_manifest(files: Sequence[File], digest: str) -> None:
    """Raises ``VerificationError`` if a file's path could lead anywhere but into the version's own folder, or if the
    files are not those that the manifest digest stands for.
    """
    try:
        check_digest(digest)
        if not files:
            raise ValueError("it has no files")
        check_files(files)
    except ValueError as error:
        raise VerificationError(
            f"the registry sent a manifest that no version can have, and nothing of it was written: {error}",
            reason="MANIFEST_INVALID",
        ) from None
    actual = manifest_digest(files)
    if actual != digest:
        raise VerificationError(
            f"the registry's list of files hashes to {actual}, not to the version's {digest}; nothing was written",
            reason="DIGEST_MISMATCH",
            metadata={"expected": digest, "actual": actual},
        )
