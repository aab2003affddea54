"""Creates the blob store of a server."""

from pathlib import Path

from modelyard_server.blobs.local import LocalStore
from modelyard_server.blobs.store import BlobStore


async def open_store(path: Path) -> BlobStore:
    """Opens the store in a data folder. Creates it if it is missing."""
    return await LocalStore.open(path)


def existing_store(path: Path) -> BlobStore:
    """Opens the store in a data folder for reading. Creates nothing."""
    return LocalStore(path)


def is_in(path: Path) -> bool:
    """Whether a data folder has a store."""
    return LocalStore.is_in(path)


def has_blobs(path: Path) -> bool:
    """Whether the store in a data folder has blobs."""
    return LocalStore.has_blobs(path)
