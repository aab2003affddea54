"""Makes the store that a server keeps its bytes in."""

from pathlib import Path

from modelyard_server.blobs.local import LocalStore
from modelyard_server.blobs.store import BlobStore


async def open_store(path: Path) -> BlobStore:
    """The store in a data folder, made if there is none."""
    return await LocalStore.open(path)


def existing_store(path: Path) -> BlobStore:
    """The store in a data folder, to be read: nothing is made."""
    return LocalStore(path)


def is_in(path: Path) -> bool:
    """Whether there is a store in a data folder."""
    return LocalStore.is_in(path)


def has_blobs(path: Path) -> bool:
    """Whether there are bytes in it."""
    return LocalStore.has_blobs(path)
