"""The store of a database, and some of the blobs that must be in it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from modelyard_server.blobs.store import BlobKey
from modelyard_server.db.rows import insert_for
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.transfers.blobs.tables import blobs
from modelyard_server.transfers.stores.tables import stores

_THE_STORE: Final = "blobs"
_SAMPLE: Final = 20


class StoreRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection
        self._insert = insert_for(transaction.connection)

    async def identity(self) -> str | None:
        """The id of the store; None if none is recorded."""
        found: str | None = await self._connection.scalar(select(stores.c.identity).where(stores.c.name == _THE_STORE))
        return found

    async def record(self, identity: str) -> None:
        """Records the store, unless one is recorded."""
        fresh = self._insert(stores).values(name=_THE_STORE, identity=identity)
        await self._connection.execute(fresh.on_conflict_do_nothing())

    async def sample(self) -> Sequence[BlobKey]:
        """Some blobs that the database names; none only if it names none."""
        columns = (blobs.c.digest, blobs.c.generation, blobs.c.size)
        query = select(*columns).where(blobs.c.state == "LIVE").order_by(blobs.c.digest).limit(_SAMPLE)
        return [BlobKey(*row) for row in await self._connection.execute(query)]
