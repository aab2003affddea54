"""Stores evaluations, and the index of their metrics for searches of versions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select

from modelyard.core.names import EvaluationName, VersionName
from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.db.weights import weight_of
from modelyard_server.evaluations.events import decode_measured, encode_measured
from modelyard_server.evaluations.tables import evaluations
from modelyard_server.evaluations.values import Evaluation
from modelyard_server.query.fitting import Weighed, read_page
from modelyard_server.query.listing import Page
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.rows import model_name
from modelyard_server.registry.versions.tables import version_numbers, versions
from modelyard_server.registry.versions.values import Version

_EVALUATIONS = evaluations.c
_LATER = evaluations.alias()
_SUPERSEDED_BY = (
    select(func.min(_LATER.c.uid))
    .where(_LATER.c.version_key == _EVALUATIONS.version_key, _LATER.c.supersedes == _EVALUATIONS.uid)
    .correlate(evaluations)
    .scalar_subquery()
    .label("superseded_by")
)
# Includes deleted versions and models.
EVERY: Final[Select[Any]] = (
    select(
        evaluations,
        namespaces.c.id.label("namespace_id"),
        models.c.id.label("model_id"),
        versions.c.number,
        _SUPERSEDED_BY,
    )
    .join_from(evaluations, versions)
    .join(models, models.c.key == versions.c.model_key)
    .join(namespaces, namespaces.c.key == models.c.namespace_key)
)
_FIND = EVERY.where(_EVALUATIONS.version_key == bindparam("of_version"), _EVALUATIONS.uid == bindparam("evaluation_id"))
_WEIGHTS: Final = (
    select(_EVALUATIONS.key, weight_of(evaluations.columns))
    .where(_EVALUATIONS.version_key == bindparam("of_version"))
    .order_by(_EVALUATIONS.key.desc())
)
_AT = EVERY.where(_EVALUATIONS.key.in_(bindparam("keys", expanding=True))).order_by(_EVALUATIONS.key.desc())
_CURRENT = EVERY.where(
    _EVALUATIONS.version_key == bindparam("of_version"),
    _EVALUATIONS.dataset_name == bindparam("dataset_name"),
    _SUPERSEDED_BY.is_(None),
).order_by(_EVALUATIONS.key)
_INSERT = insert(evaluations).returning(_EVALUATIONS.key)
_NUMBERS = version_numbers.c


def from_row(row: Row[Any]) -> Evaluation:
    version = VersionName(model_name(row), row.number)
    stored = {name: getattr(row, name) for name in ("dataset", "metrics", "directions", "slices")}
    return Evaluation(
        uid=row.uid,
        create_time=row.create_time,
        update_time=row.create_time,
        key=row.key,
        name=EvaluationName(version, row.uid),
        harness=row.harness,
        supersedes=str(EvaluationName(version, row.supersedes)) if row.supersedes else "",
        superseded_by=str(EvaluationName(version, row.superseded_by)) if row.superseded_by else "",
        created_by=row.created_by,
        version_key=row.version_key,
        **decode_measured(stored),
    )


class EvaluationRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, evaluation: Evaluation, version: Version) -> Evaluation:
        values = {
            "uid": evaluation.uid,
            "version_key": version.key,
            "dataset_name": evaluation.dataset.name,
            "harness": evaluation.harness,
            "supersedes": evaluation.supersedes.rpartition("/")[2],
            "created_by": evaluation.created_by,
            "create_time": evaluation.create_time,
            **encode_measured(evaluation),
        }
        added = replace(evaluation, key=await self._connection.scalar(_INSERT, values), version_key=version.key)
        await self._index(version, evaluation.dataset.name)
        return added

    async def _index(self, version: Version, dataset: str) -> None:
        """Indexes the version by the latest metrics on a data set. Superseded evaluations don't count."""
        prefix = f"evaluations.{dataset}."
        parameters = {"of_version": version.key, "dataset_name": dataset}
        latest: dict[str, float] = {}
        before: set[str] = set()
        for row in await self._connection.execute(_CURRENT, parameters):
            latest.update(row.metrics)
        every = EVERY.where(_EVALUATIONS.version_key == version.key, _EVALUATIONS.dataset_name == dataset)
        for row in await self._connection.execute(every):
            before.update(f"{prefix}{name}" for name in row.metrics)
        for fields in rows.batches(before):
            gone = _NUMBERS.version_key == version.key, _NUMBERS.field.in_(fields)
            await self._connection.execute(delete(version_numbers).where(*gone))
        place = {"version_key": version.key, "model_key": version.model_key, "namespace_key": version.namespace_key}
        numbers = [{**place, "field": f"{prefix}{name}", "value": value} for name, value in latest.items()]
        if numbers:
            await self._connection.execute(insert(version_numbers), numbers)

    async def count(self, version_key: int) -> int:
        found = select(func.count()).where(_EVALUATIONS.version_key == version_key)
        return int(await self._connection.scalar(found))

    async def find(self, version_key: int, evaluation_id: str) -> Evaluation | None:
        parameters = {"of_version": version_key, "evaluation_id": evaluation_id}
        row = (await self._connection.execute(_FIND, parameters)).one_or_none()
        return None if row is None else from_row(row)

    async def is_taken(self, evaluation_id: str) -> bool:
        """Whether any version has an evaluation of this id."""
        query = select(_EVALUATIONS.key).where(_EVALUATIONS.uid == evaluation_id)
        return await self._connection.scalar(query) is not None

    async def page(self, version_key: int, *, before: int | None, size: int, room: int) -> Page[Evaluation]:
        """The next evaluations of a version, newest first."""
        return await read_page(
            lambda after, limit: self._weigh(version_key, after, limit), self._at, after=before, size=size, room=room
        )

    async def _weigh(self, version_key: int, before: Cursor | None, limit: int) -> list[Weighed]:
        query = _WEIGHTS if before is None else _WEIGHTS.where(_EVALUATIONS.key < before)
        found = await self._connection.execute(query.limit(limit), {"of_version": version_key})
        return [Weighed(*row) for row in found]

    async def _at(self, keys: Sequence[Cursor]) -> list[Evaluation]:
        return [
            from_row(row)
            for batch in rows.batches(keys)
            for row in await self._connection.execute(_AT, {"keys": batch})
        ]
