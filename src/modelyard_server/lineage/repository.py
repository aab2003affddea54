"""Reads the versions that were made from a version, a data set, a commit or a run."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import BindParameter, Row, Select, bindparam, select

from modelyard.core.facts import Facts
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.query.texts import indexed
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.versions import repository as version_rows
from modelyard_server.registry.versions.tables import version_parents, version_texts, versions
from modelyard_server.registry.versions.values import Version

_KEYS: Final[BindParameter[Any]] = bindparam("keys", expanding=True)
_PARENTS_OF = version_rows.EVERY.where(
    versions.c.key.in_(select(version_parents.c.parent_key).where(version_parents.c.version_key.in_(_KEYS)))
).order_by(versions.c.key)
_CHILDREN_OF = version_rows.EVERY.where(
    versions.c.key.in_(select(version_parents.c.version_key).where(version_parents.c.parent_key.in_(_KEYS)))
).order_by(versions.c.key)
_LIVE_CHILDREN_OF = _CHILDREN_OF.where(versions.c.delete_time.is_(None), models.c.delete_time.is_(None))


def _origins_only(row: Row[Any]) -> Version:
    """A version with what a graph shows. All facts of a thousand versions would fill gigabytes."""
    version = version_rows.from_row(row)
    facts = version.facts
    origins = Facts(datasets=facts.datasets, source=facts.source, parents=facts.parents, run=facts.run)
    return replace(version, facts=origins, stored_facts={}, description="", labels={}, annotations={})


class LineageRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def parents(self, keys: Collection[int], limit: int) -> list[Version]:
        return await self._related(_PARENTS_OF, keys, limit)

    async def children(self, keys: Collection[int], limit: int, *, live: bool = False) -> list[Version]:
        return await self._related(_LIVE_CHILDREN_OF if live else _CHILDREN_OF, keys, limit)

    async def _related(self, query: Select[Any], keys: Collection[int], limit: int) -> list[Version]:
        found: dict[int, Version] = {}
        for batch in rows.batches(keys):
            result = await self._connection.execute(query.limit(limit), {"keys": batch})
            found.update((version.key, version) for version in map(_origins_only, result))
        return [found[key] for key in sorted(found)][:limit]

    async def children_elsewhere(self, model_key: int, limit: int) -> list[Version]:
        parent = versions.alias()
        keys = (
            select(version_parents.c.version_key)
            .join(parent, parent.c.key == version_parents.c.parent_key)
            .where(parent.c.model_key == model_key, parent.c.delete_time.is_(None))
        )
        query = version_rows.LIVING.where(
            versions.c.key.in_(keys), versions.c.model_key != model_key, versions.c.delete_time.is_(None)
        )
        return [
            version_rows.from_row(row)
            for row in await self._connection.execute(query.order_by(versions.c.key).limit(limit))
        ]

    async def mentioning(self, namespace_key: int, fields: Collection[str], value: str, limit: int) -> list[Version]:
        texts = version_texts.c
        keys = select(texts.version_key).where(
            texts.namespace_key == namespace_key, texts.field.in_(fields), texts.value == indexed(value)
        )
        query = version_rows.EVERY.where(versions.c.key.in_(keys)).order_by(versions.c.key).limit(limit)
        return [_origins_only(row) for row in await self._connection.execute(query)]
