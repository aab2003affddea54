"""Upload sessions."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, literal, select, tuple_, update

from modelyard.core.names import UploadName
from modelyard_server.db.metadata import Moment
from modelyard_server.db.rows import batches
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.transfers.uploads.tables import uploads
from modelyard_server.transfers.uploads.values import Upload, UploadState

_UPLOADS = uploads.c
_OPEN = UploadState.OPEN.value


def _select() -> Select[Any]:
    return select(uploads, namespaces.c.id.label("namespace_id")).join_from(uploads, namespaces)


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        name=UploadName(row.namespace_id, row.id),
        size=row.size,
        digest=row.digest,
        state=UploadState(row.state),
        generation=row.generation,
        epoch=row.epoch,
        create_time=row.create_time,
        expire_time=row.expire_time,
    )


class UploadRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, upload: Upload, namespace_key: int) -> None:
        await self._connection.execute(
            insert(uploads).values(
                id=upload.name.upload,
                namespace_key=namespace_key,
                size=upload.size,
                digest=upload.digest,
                state=upload.state.value,
                generation=upload.generation,
                epoch=upload.epoch,
                create_time=upload.create_time,
                expire_time=upload.expire_time,
            )
        )

    async def find(self, name: UploadName, *, lock: bool = False) -> Upload | None:
        query = _select().where(_UPLOADS.id == name.upload, namespaces.c.id == name.namespace)
        if lock:
            query = query.with_for_update(of=uploads)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _upload(row)

    async def count_open(self, namespace_key: int) -> int:
        query = select(func.count()).where(_UPLOADS.namespace_key == namespace_key, _UPLOADS.state == _OPEN)
        return int((await self._connection.execute(query)).scalar_one())

    async def unfinished(self, namespace_key: int, *, after: tuple[datetime, str] | None, limit: int) -> list[Upload]:
        """Those that take bytes, oldest first, behind a time and an id. A namespace has few: they are sorted."""
        query = _select().where(_UPLOADS.namespace_key == namespace_key, _UPLOADS.state == _OPEN)
        if after is not None:
            since, last = literal(after[0], Moment()), literal(after[1])
            query = query.where(tuple_(_UPLOADS.create_time, _UPLOADS.id) > tuple_(since, last))
        query = query.order_by(_UPLOADS.create_time, _UPLOADS.id).limit(limit)
        return [_upload(row) for row in await self._connection.execute(query)]

    async def claim(self, name: UploadName, expire_time: datetime) -> int | None:
        epoch = await self._connection.scalar(
            update(uploads)
            .where(_UPLOADS.id == name.upload, _UPLOADS.state == _OPEN)
            .values(epoch=_UPLOADS.epoch + 1, expire_time=expire_time)
            .returning(_UPLOADS.epoch)
        )
        return None if epoch is None else int(epoch)

    async def commit(self, name: UploadName, digest: str) -> None:
        await self._connection.execute(
            update(uploads).where(_UPLOADS.id == name.upload).values(state=UploadState.COMMITTED.value, digest=digest)
        )

    async def remove(self, name: UploadName) -> None:
        await self._connection.execute(delete(uploads).where(_UPLOADS.id == name.upload))

    async def expired(self, now: datetime, limit: int) -> list[Upload]:
        query = _select().where(_UPLOADS.expire_time < now).order_by(_UPLOADS.expire_time).limit(limit)
        return [_upload(row) for row in await self._connection.execute(query)]

    async def known(self, uploads: Collection[str]) -> set[str]:
        found: set[str] = set()
        for batch in batches(uploads):
            found.update((await self._connection.execute(select(_UPLOADS.id).where(_UPLOADS.id.in_(batch)))).scalars())
        return found
