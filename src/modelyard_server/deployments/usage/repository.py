"""Stores how often versions are used. The database adds the counts, so that replicas need no coordination."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import case, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.deployments.usage.tables import version_usage
from modelyard_server.deployments.usage.values import VersionUse

_USAGE = version_usage.c


def _upsert(insert: Any) -> Any:
    fresh = insert(version_usage)
    added = fresh.excluded
    later = or_(_USAGE.download_time.is_(None), added.download_time > _USAGE.download_time)
    return fresh.on_conflict_do_update(
        index_elements=[_USAGE.version_key],
        set_={
            "download_count": _USAGE.download_count + added.download_count,
            "download_time": case((later, added.download_time), else_=_USAGE.download_time),
            "use_time": case((added.use_time > _USAGE.use_time, added.use_time), else_=_USAGE.use_time),
        },
    )


_ADD: Final[Mapping[str, Any]] = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}


class UsageRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, uses: Mapping[int, VersionUse]) -> None:
        # In the same order everywhere, so that two replicas can't deadlock.
        values = [
            {
                "version_key": key,
                "download_count": use.download_count,
                "download_time": use.download_time,
                "use_time": use.use_time,
            }
            for key, use in sorted(uses.items())
        ]
        await self._connection.execute(_ADD[self._connection.dialect.name], values)

    async def find(self, version_key: int) -> VersionUse | None:
        query = select(_USAGE.use_time, _USAGE.download_count, _USAGE.download_time)
        row = (await self._connection.execute(query.where(_USAGE.version_key == version_key))).one_or_none()
        return None if row is None else VersionUse(*row)
