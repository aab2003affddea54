"""Reads the versions that were made from a version, a data set, a commit or a run."""

from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Select, bindparam, select

from modelyard.core.names import VersionName
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.query import pages
from modelyard_server.query.fitting import Fit
from modelyard_server.query.texts import indexed
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.rows import model_name
from modelyard_server.registry.versions import repository as version_rows
from modelyard_server.registry.versions.tables import version_parents, version_texts, versions
from modelyard_server.registry.versions.values import Version

_ROOM: Final = 2 << 20
"""Bytes of rows that are read at once."""
_WEIGHED: Final = 16
"""Rows that are weighed at once."""
_KEYS: Final[BindParameter[Any]] = bindparam("keys", expanding=True)
_PAIRS = version_parents.c
# In the order of an index, so that the first of a million children are found as soon as those of three.
_PARENTS_OF = (
    select(_PAIRS.parent_key.label("key"))
    .where(_PAIRS.version_key.in_(_KEYS))
    .order_by(_PAIRS.version_key, _PAIRS.parent_key)
)
_CHILDREN_OF = (
    select(_PAIRS.version_key.label("key"))
    .where(_PAIRS.parent_key.in_(_KEYS))
    .order_by(_PAIRS.parent_key, _PAIRS.version_key)
)
_TEXTS = version_texts.c
_MENTIONING = (
    select(_TEXTS.version_key.label("key"))
    .where(
        _TEXTS.namespace_key == bindparam("of_namespace"),
        _TEXTS.field == bindparam("of_field"),
        _TEXTS.value == bindparam("of_value"),
    )
    .order_by(_TEXTS.create_time, _TEXTS.version_key)
)
_ROWS: Final = pages.Rows.of(version_rows.EVERY, versions.c.key)
_LIVE_NAMES = (
    select(versions.c.number, models.c.id.label("model_id"), namespaces.c.id.label("namespace_id"))
    .join_from(versions, models)
    .join(namespaces)
    .where(versions.c.delete_time.is_(None), models.c.delete_time.is_(None))
)


class LineageRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def parents(self, keys: Collection[int], limit: int) -> list[int]:
        """Keys of the parents of versions, at most ``limit``."""
        return await self._related(_PARENTS_OF, keys, limit)

    async def children(self, keys: Collection[int], limit: int) -> list[int]:
        return await self._related(_CHILDREN_OF, keys, limit)

    async def _related(self, query: Select[Any], keys: Collection[int], limit: int) -> list[int]:
        found: dict[int, None] = {}
        for batch in rows.batches(keys):
            result = await self._connection.execute(query.limit(limit), {"keys": batch})
            found.update((row.key, None) for row in result)
        return sorted(found)[:limit]

    async def mentioning(self, namespace_key: int, fields: Collection[str], value: str, limit: int) -> list[int]:
        """Keys of the versions of a namespace with a value in one of the fields."""
        found: dict[int, None] = {}
        for field in fields:
            parameters = {"of_namespace": namespace_key, "of_field": field, "of_value": indexed(value)}
            result = await self._connection.execute(_MENTIONING.limit(limit), parameters)
            found.update((row.key, None) for row in result)
        return sorted(found)[:limit]

    async def read(self, keys: Sequence[int]) -> AsyncGenerator[Version, None]:
        """Versions in the order of ``keys``, a few at a time: each may have megabytes of facts."""
        for start in range(0, len(keys), _WEIGHED):
            batch = keys[start : start + _WEIGHED]
            weights = {row.key: row.weight for row in await self._connection.execute(_ROWS.weights, {"keys": batch})}
            while batch:
                fit = Fit(_ROOM)
                fit.add(weights[key] for key in batch)
                some, batch = batch[: fit.count], batch[fit.count :]
                found = {row.key: row for row in await self._connection.execute(_ROWS.rows, {"keys": some})}
                for key in some:
                    yield version_rows.from_row(found.pop(key))

    async def live_children(self, key: int, limit: int) -> list[VersionName]:
        """The names of live versions that were made from a version."""
        query = _LIVE_NAMES.join(version_parents, _PAIRS.version_key == versions.c.key).where(_PAIRS.parent_key == key)
        return await self._names(query.order_by(_PAIRS.version_key), limit)

    async def children_elsewhere(self, model_key: int, limit: int) -> list[VersionName]:
        """The names of live versions of other models that were made from live versions of a model."""
        parent = versions.alias()
        keys = (
            select(_PAIRS.version_key)
            .join(parent, parent.c.key == _PAIRS.parent_key)
            .where(parent.c.model_key == model_key, parent.c.delete_time.is_(None))
        )
        query = _LIVE_NAMES.where(versions.c.key.in_(keys), versions.c.model_key != model_key)
        return await self._names(query.order_by(versions.c.key), limit)

    async def _names(self, query: Select[Any], limit: int) -> list[VersionName]:
        found = await self._connection.execute(query.limit(limit))
        return [VersionName(model_name(row), row.number) for row in found]
