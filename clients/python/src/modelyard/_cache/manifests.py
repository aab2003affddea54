"""A registry is not believed: what it says a version holds is checked before a byte of it is written."""

from collections.abc import Sequence

from modelyard.core.limits import MAX_FILES
from modelyard.core.manifest import File, check_digest, check_distinct, check_file, manifest_digest
from modelyard.errors import VerificationError


def check_manifest(files: Sequence[File], digest: str) -> None:
    """Raises ``VerificationError`` if a file's path could lead anywhere but into the version's own folder, or if the
    files are not those that the manifest digest stands for.
    """
    try:
        check_digest(digest)
        if not 0 < len(files) <= MAX_FILES:
            raise ValueError(f"it has {len(files)} files; a version has 1 to {MAX_FILES}")
        for file in files:
            check_file(file)
        check_distinct(file.path for file in files)
        if len({file.digest for file in files}) != len({(file.digest, file.size) for file in files}):
            raise ValueError("files with the same digest have different sizes")
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
