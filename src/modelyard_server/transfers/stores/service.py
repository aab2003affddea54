"""A database and the store of its bytes belong together: each has the id of the store.

Two servers on one database must share their bytes. Otherwise one acknowledges pushes that the other cannot serve. The
same happens if a volume is not mounted: its empty mount point looks like a new store.
"""

from collections.abc import Sequence
from contextlib import aclosing
from uuid import uuid4

from modelyard_server.blobs.store import BlobKey, BlobStore, StoreError
from modelyard_server.calls.errors import RegistryError
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.transfers.stores.repository import StoreRepository


async def join(database: Database, store: BlobStore, place: str) -> None:
    """Raises :class:`StoreError` unless the store is the one that the database belongs with.

    A new database and a new store are joined for good. So are those of earlier releases, which have no id yet, if some
    of the blobs that the database names are in the store. ``place`` names the store in messages. The store gets its id
    first: if the server dies in between, the next start records it.
    """

    async def work(transaction: Transaction) -> tuple[str | None, Sequence[BlobKey]]:
        return await StoreRepository(transaction).identity(), await StoreRepository(transaction).sample()

    recorded, named = await database.read(work)
    present = await store.identity()
    if recorded is None:
        await _require_related(store, present, named, place)
        present = await store.identify(uuid4().hex)
        recorded = await _record(database, present)
    if present is None:
        raise StoreError(
            f"the database belongs with the store {recorded}, and {place} holds no store: its volume may not be"
            " mounted, or it is the wrong folder. Nothing was changed. Mount the volume, or give the --data-dir that"
            " belongs with this database. If the folder was restored without its file STORE_ID, write the id"
            " into that file"
        )
    if present != recorded:
        raise StoreError(
            f"the database belongs with the store {recorded}, and {place} is the store {present}: what one server takes"
            " in, another could not serve. Nothing was changed. Give the --data-dir that belongs with this database,"
            " or the database that belongs with this folder"
        )
    if named and await _is_empty(store):
        raise StoreError(
            f"the database names blobs, and {place} holds none: its volume may not be mounted, or its blobs were"
            " removed. Nothing was changed. Mount the volume, or restore the blobs from a backup"
        )


async def _record(database: Database, identity: str) -> str:
    """Records the store; another server may have recorded its own first."""

    async def work(transaction: Transaction) -> str:
        await StoreRepository(transaction).record(identity)
        return await StoreRepository(transaction).identity() or identity

    return await database.write(work)


async def _require_related(store: BlobStore, present: str | None, named: Sequence[BlobKey], place: str) -> None:
    """Raises :class:`StoreError` if a database that records no store has nothing to do with this one."""
    if named and not await _holds_any(store, named):
        raise StoreError(
            f"the database names blobs, and {place} holds none of them: its volume may not be mounted, or it is the"
            " wrong folder. Nothing was changed. Mount the volume, or give the --data-dir that belongs with this"
            " database"
        )
    if not named and present is not None and not await _is_empty(store):
        raise StoreError(
            f"{place} is the store {present} of another database, and holds its blobs; this database names none."
            " Nothing was changed. Give an empty --data-dir, or the database that belongs with this folder"
        )


async def _holds_any(store: BlobStore, named: Sequence[BlobKey]) -> bool:
    for key in named:
        try:
            if await store.size(key) == key.size:
                return True
        except (RegistryError, ValueError):  # it is damaged, or its row is: `fsck` tells
            continue
    return False


async def _is_empty(store: BlobStore) -> bool:
    async with aclosing(store.published()) as batches:
        return await anext(batches, None) is None
