"""How lists are read: from an index, and never by looking through all that there is."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from tests.support.registry import RunningRegistry, running_registry

from modelyard_server.db.engine import Connection
from modelyard_server.db.search import pages
from modelyard_server.db.search.subject import VERSIONS
from modelyard_server.domain.filters import terms
from modelyard_server.domain.filters.order import Order
from modelyard_server.services.listing import Position

_NOW = datetime(2026, 3, 8, tzinfo=UTC)
_COUNT = 20_000
_LOOKED_THROUGH = re.compile(r'SCAN version|"Seq Scan"[^{}]*"Relation Name": "version')
_MODELS = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def large(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningRegistry]:
    """20,000 versions of 20 models, and what they are searched by."""
    url = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres").create()
    async with running_registry(url, tmp_path_factory.mktemp("yard")) as yard:
        await yard.engine.migrate(_fill)
        yield yard


def _fill(connection: Any) -> None:
    namespace = connection.execute(text("SELECT key FROM namespaces")).scalar_one()
    models = [{"key": key, "namespace": namespace, "id": f"m{key:03}", "time": key} for key in range(1, _MODELS + 1)]
    connection.execute(
        text(
            "INSERT INTO models (key, uid, namespace_key, id, display_name, description, owner, labels, annotations,"
            " last_number, create_time, update_time, row_version)"
            " VALUES (:key, '', :namespace, :id, '', '', '', '{}', '{}', 0, :time, :time, 1)"
        ),
        models,
    )
    versions = [
        {"key": key, "model": key % _MODELS + 1, "namespace": namespace, "number": key, "time": 1000 + key}
        for key in range(1, _COUNT + 1)
    ]
    connection.execute(
        text(
            "INSERT INTO versions (key, uid, model_key, namespace_key, number, state, file_count, total_size,"
            " manifest_digest, facts, description, labels, annotations, created_by, deprecation_reason, create_time,"
            " update_time, row_version) VALUES (:key, '', :model, :namespace, :number, 'READY', 1, 1, '', '{}', '',"
            " '{}', '{}', '', '', :time, :time, 1)"
        ),
        versions,
    )
    texts = [
        {"key": each["key"], "namespace": namespace, "time": each["time"], "field": field, "value": value}
        for each in versions
        for field, value in (
            ("labels.team", f"team-{each['key'] % 3}"),
            ("created_by", f"user-{each['key'] % 100}"),
            ("dataset", f"set-{each['key'] % 7000}"),
        )
    ]
    connection.execute(
        text(
            "INSERT INTO version_texts (version_key, field, value, namespace_key, create_time)"
            " VALUES (:key, :field, :value, :namespace, :time)"
        ),
        texts,
    )
    numbers = [
        {
            "key": each["key"],
            "namespace": namespace,
            "model": each["model"],
            "field": field,
            "value": each["key"] * 7919 % _COUNT / _COUNT,
        }
        for each in versions
        for field in ("metrics.auc", "params.lr")
    ]
    connection.execute(
        text(
            "INSERT INTO version_numbers (version_key, field, value, namespace_key, model_key)"
            " VALUES (:key, :field, :value, :namespace, :model)"
        ),
        numbers,
    )
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE"))


class _Explained:
    """A connection that keeps the plans of what is asked of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.commit = connection.commit
        self.rollback = connection.rollback
        self.plans: list[str] = []

    async def execute(self, statement: Any, parameters: Any = None, /) -> Any:
        await self._explain(statement)
        return await self._connection.execute(statement, parameters)

    async def scalar(self, statement: Any, parameters: Any = None, /) -> Any:
        await self._explain(statement)
        return await self._connection.scalar(statement, parameters)

    @property
    def dialect(self) -> Any:
        return self._connection.dialect

    async def _explain(self, statement: Any) -> None:
        written = str(statement.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True}))
        escaped = written.replace(":", r"\:")
        if self.dialect.name == "sqlite":
            rows = await self._connection.execute(text(f"EXPLAIN QUERY PLAN {escaped}"))
            self.plans.append("\n".join(row.detail for row in rows))
        else:
            rows = await self._connection.execute(text(f"EXPLAIN (FORMAT JSON) {escaped}"))
            self.plans += [json.dumps(plan) for plan in rows.scalars()]


_CASES = [
    ("", "create_time desc"),
    ("", "metrics.auc desc"),
    ("", "metrics.auc"),
    ("labels.team = team-1", "create_time desc"),
    ("created_by = user-42", "create_time desc"),
    ("created_by = user-42", "metrics.auc desc"),
    ("dataset = set-42", "create_time desc"),
    ("dataset = 'set-42*'", "create_time desc"),
    ("metrics.auc > 0.99", "create_time desc"),
    ("metrics.auc > 0.5", "create_time desc"),
    ("params.lr = 0.5", "create_time desc"),
    ("labels.team = team-1 AND metrics.auc > 0.99", "metrics.auc desc"),
    ("alias:production", "create_time desc"),
    ("create_time > 1970-01-01T00:00:00.010Z", "create_time"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("deep", [False, True], ids=["first", "deep"])
@pytest.mark.parametrize("of_model", [None, 3], ids=["namespace", "model"])
@pytest.mark.parametrize(("where", "order_by"), _CASES)
async def test_a_page_is_read_off_indexes(
    large: RunningRegistry, where: str, order_by: str, of_model: int | None, deep: bool
) -> None:
    field, _, direction = order_by.partition(" ")
    query = pages.Query(
        subject=VERSIONS,
        namespace_key=1,
        of_model=of_model,
        show_deleted=False,
        where=terms.parse(where, terms.VERSION_FIELDS, _NOW),
        order=Order(field, descending=bool(direction)),
    )
    value = 0.4 if field.startswith("metrics") else 1000 + _COUNT // 2
    after = Position(value, _COUNT // 2) if deep else None

    async def work(connection: Connection) -> list[str]:
        explained = _Explained(connection)
        if connection.dialect.name == "postgresql":
            # Of a table as small as this it would read all rather than an index; now it does so only if it has none.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        await pages.page(explained, query, after, 51)
        return explained.plans

    for plan in await large.engine.read(work):
        assert not _LOOKED_THROUGH.search(plan), plan
