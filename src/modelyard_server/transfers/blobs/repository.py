"""Rows of stored blobs, and of the namespaces that have them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, case, delete, select, tuple_, update

from modelyard_server.blobs.store import BlobKey
from modelyard_server.db.rows import batches, insert_for
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.transfers.blobs.tables import blobs, namespace_blobs

_BLOBS = blobs.c
_HELD = namespace_blobs.c
# In the same order everywhere, so that two commits can't deadlock.
_VISIBLE = (
    select(_HELD.digest, _HELD.size)
    .where(_HELD.namespace_key == bindparam("namespace_key"), _HELD.digest.in_(bindparam("digests", expanding=True)))
    .order_by(_HELD.digest)
)
_LOCK_VISIBLE = _VISIBLE.with_for_update(read=True)
_LIVE = select(_BLOBS.digest, _BLOBS.generation, _BLOBS.size).where(
    _BLOBS.digest.in_(bindparam("digests", expanding=True)), _BLOBS.state == "LIVE"
)


class BlobRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection
        self._insert = insert_for(transaction.connection)

    async def visible(self, namespace_key: int, digests: Collection[str], *, lock: bool = False) -> dict[str, int]:
        found: dict[str, int] = {}
        query = _LOCK_VISIBLE if lock else _VISIBLE
        for batch in batches(sorted(digests)):
            parameters = {"namespace_key": namespace_key, "digests": batch}
            found.update((digest, size) for digest, size in await self._connection.execute(query, parameters))
        return found

    async def known_sizes(self, namespace_key: int, sizes: Collection[int]) -> set[int]:
        known: set[int] = set()
        for batch in batches(sizes):
            query = select(_HELD.size).where(_HELD.namespace_key == namespace_key, _HELD.size.in_(batch)).distinct()
            known.update((await self._connection.execute(query)).scalars())
        return known

    async def lease(self, namespace_key: int, digests: Collection[str], until: datetime) -> None:
        for batch in batches(sorted(digests)):
            await self._connection.execute(
                update(namespace_blobs)
                .where(_HELD.namespace_key == namespace_key, _HELD.digest.in_(batch), _HELD.lease_expire_time < until)
                .values(lease_expire_time=until)
            )

    async def live(self, digests: Collection[str]) -> dict[str, BlobKey]:
        found: dict[str, BlobKey] = {}
        for batch in batches(sorted(digests)):
            for row in await self._connection.execute(_LIVE, {"digests": batch}):
                found[row.digest] = BlobKey(row.digest, row.generation, row.size)
        return found

    async def drop(self, keys: Collection[BlobKey]) -> None:
        """Removes publications, each only if it is still there."""
        for batch in batches(sorted(keys, key=lambda key: key.digest)):
            places = [(key.digest, key.generation) for key in batch]
            await self._connection.execute(delete(blobs).where(tuple_(_BLOBS.digest, _BLOBS.generation).in_(places)))

    async def add(self, keys: Sequence[BlobKey], at: datetime) -> None:
        rows = [
            {"digest": key.digest, "generation": key.generation, "size": key.size, "state": "LIVE", "create_time": at}
            for key in keys
        ]
        await self._connection.execute(self._insert(blobs).on_conflict_do_nothing(), rows)

    async def grant(self, namespace_key: int, keys: Sequence[BlobKey], *, at: datetime, until: datetime) -> None:
        inserted = self._insert(namespace_blobs)
        longer = case(
            (_HELD.lease_expire_time < until, inserted.excluded.lease_expire_time), else_=_HELD.lease_expire_time
        )
        granted = inserted.on_conflict_do_update(
            index_elements=[_HELD.namespace_key, _HELD.digest], set_={"lease_expire_time": longer}
        )
        rows = [
            {
                "namespace_key": namespace_key,
                "digest": key.digest,
                "size": key.size,
                "create_time": at,
                "lease_expire_time": until,
            }
            for key in keys
        ]
        await self._connection.execute(granted, rows)
