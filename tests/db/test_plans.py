"""How lists are read: from an index, and never by looking through all that there is."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from tests.support.registry import RunningRegistry, running_registry

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.db.connection import Connection
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.deployments.fields import FIELDS as DEPLOYMENT_FIELDS
from modelyard_server.deployments.repository import DeploymentRepository
from modelyard_server.deployments.values import DeploymentListing
from modelyard_server.lineage.repository import LineageRepository
from modelyard_server.log.repository import append
from modelyard_server.query import pages, terms
from modelyard_server.query.listing import Position
from modelyard_server.query.order import Order
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.namespaces.values import Namespace
from modelyard_server.registry.versions.fields import FIELDS as VERSION_FIELDS
from modelyard_server.registry.versions.repository import EVERY
from modelyard_server.registry.versions.subject import SUBJECT
from modelyard_server.registry.versions.tables import versions

_NOW = datetime(2026, 3, 8, tzinfo=UTC)
_COUNT = 20_000
_LOOKED_THROUGH = re.compile(r'SCAN (version|deploy)|"Seq Scan"[^{}]*"Relation Name": "(version|deploy)')
_MODELS = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def large(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningRegistry]:
    """20,000 versions of 20 models, and what they are searched by."""
    url = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres").migrated()
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
    pairs = [{"key": key} for key in range(2, _COUNT + 1)]
    connection.execute(text("INSERT INTO version_parents (version_key, parent_key) VALUES (:key, 1)"), pairs)
    consumers = [
        {
            "key": key,
            "uid": str(key),
            "instance": str(key),
            "model": key % _MODELS + 1,
            "namespace": namespace,
            "version": key,
            "time": key,
        }
        for key in range(1, _COUNT + 1)
    ]
    connection.execute(
        text(
            "INSERT INTO deployments (key, uid, model_key, namespace_key, version_key, service, environment, instance,"
            " reference, observed_digest, lease, ttl, created_by, create_time, update_time, heartbeat_time,"
            " expire_time, row_version) VALUES (:key, :uid, :model, :namespace, :version, 'api', '', :instance, '', '',"
            " '', 90, '', :time, :time, :time, :time, 1)"
        ),
        consumers,
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
        await self._explain(statement, parameters)
        return await self._connection.execute(statement, parameters)

    async def scalar(self, statement: Any, parameters: Any = None, /) -> Any:
        await self._explain(statement, parameters)
        return await self._connection.scalar(statement, parameters)

    @property
    def dialect(self) -> Any:
        return self._connection.dialect

    async def _explain(self, statement: Any, parameters: Any) -> None:
        if parameters:
            statement = statement.params(parameters)
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
        subject=SUBJECT,
        namespace_key=1,
        of_model=of_model,
        show_deleted=False,
        where=terms.parse(where, VERSION_FIELDS, _NOW),
        order=Order(field, descending=bool(direction)),
    )
    value = 0.4 if field.startswith("metrics") else 1000 + _COUNT // 2
    after = Position(value, _COUNT // 2) if deep else None

    await _is_read_off_indexes(large, lambda connection: pages.page(connection, query, after, 51))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("of_model", [None, 3], ids=["namespace", "model"])
async def test_what_nothing_has_is_found_missing_in_indexes(large: RunningRegistry, of_model: int | None) -> None:
    where = "labels.tier = gold AND metrics.acu > 0.5 AND params.optimizer:* AND labels.team = team-1"
    query = pages.Query(
        subject=SUBJECT,
        namespace_key=1,
        of_model=of_model,
        show_deleted=False,
        where=terms.parse(where, VERSION_FIELDS, _NOW),
        order=Order("metrics.auc"),
    )
    found: list[str] = []

    async def ask(connection: Connection) -> None:
        found.extend(await pages.unknown_fields(connection, query))

    await _is_read_off_indexes(large, ask)
    assert found == ["labels.tier", "metrics.acu", "params.optimizer"]


async def _is_read_off_indexes(large: RunningRegistry, ask: Callable[[Connection], Awaitable[object]]) -> list[str]:
    """The plans."""

    async def work(connection: Connection) -> list[str]:
        explained = _Explained(connection)
        if connection.dialect.name == "postgresql":
            # Of a table as small as this it would read all rather than an index; now it does so only if it has none.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        await ask(explained)
        return explained.plans

    plans = await large.engine.read(work)
    assert plans
    for plan in plans:
        assert not _LOOKED_THROUGH.search(plan), plan
    return plans


def _deployments(connection: Connection) -> DeploymentRepository:
    return DeploymentRepository(Transaction(connection, append))


_THEN = datetime(1970, 1, 1, tzinfo=UTC)
_PLACES: dict[str, Model | Namespace] = {
    "model": Model(key=7, uid="", create_time=_THEN, update_time=_THEN, name=ModelName("default", "m007")),
    "namespace": Namespace(key=1, uid="", create_time=_THEN, update_time=_THEN, name=NamespaceName("default")),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("where", ["", "version = 7", "version = 7 AND environment = production"])
@pytest.mark.parametrize("after", [None, 5000], ids=["first", "deep"])
async def test_who_runs_a_version_is_read_off_indexes(
    large: RunningRegistry, place: str, where: str, after: int | None
) -> None:
    listing = DeploymentListing(now=_THEN, where=terms.parse(where, DEPLOYMENT_FIELDS, _NOW), after=after, size=51)

    await _is_read_off_indexes(large, lambda c: _deployments(c).page(_PLACES[place], listing))


@pytest.mark.asyncio(loop_scope="module")
async def test_whether_a_version_is_served_is_read_off_its_index(large: RunningRegistry) -> None:
    for ask in (
        lambda c: _deployments(c).of_version(7, _THEN, 20),
        lambda c: _deployments(c).count(7, _THEN),
    ):
        (plan,) = await _is_read_off_indexes(large, ask)
        assert "ix_deployments_version_key_expire_time" in plan
    await _is_read_off_indexes(large, lambda c: _deployments(c).of_model(7, _THEN, 20))
    await _is_read_off_indexes(large, lambda c: _deployments(c).expired(_THEN, 100))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_first_of_many_relatives_are_read_off_indexes(large: RunningRegistry) -> None:
    """Twenty thousand children are neither looked through nor sorted."""
    found: list[int] = []

    async def ask(connection: Connection) -> None:
        lineage = LineageRepository(Transaction(connection, append))
        found.extend(await lineage.children([1], 20))
        await lineage.parents([2], 20)
        await lineage.mentioning(1, ["dataset"], "set-42", 20)
        await lineage.live_children(1, 20)

    plans = await _is_read_off_indexes(large, ask)
    assert found == list(range(2, 22))
    for plan in plans:
        assert not re.search(r'TEMP B-TREE|"Sort"', plan), plan


@pytest.mark.asyncio(loop_scope="module")
async def test_rows_are_weighed_by_their_keys(large: RunningRegistry) -> None:
    weighed = pages.Rows.of(EVERY, versions.c.key)

    async def ask(connection: Connection) -> None:
        await connection.execute(weighed.weights, {"keys": [7, 8]})

    await _is_read_off_indexes(large, ask)
