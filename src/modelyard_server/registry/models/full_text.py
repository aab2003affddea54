"""Full-text search of models, by the engine that each database has."""

from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Select, bindparam, column, delete, func, insert, select, table, text

from modelyard_server.db import tables
from modelyard_server.db.connection import Connection
from modelyard_server.query.words import words_of
from modelyard_server.registry.values import Model

# Not among the tables of the metadata: one is a virtual table, the other has a column that PostgreSQL computes.
_SQLITE: Final = table("model_words", *map(column, ("rowid", "id", "display_name", "description", "labels")))
_POSTGRESQL: Final = table(
    "model_words", *map(column, ("model_key", "id", "display_name", "description", "labels", "document"))
)
_MODELS = tables.models.c
_PLACE: Final = (_MODELS.namespace_key == bindparam("of_namespace"), _MODELS.delete_time.is_(None))
# A word of the id counts ten times as much as one of the description.
_SQLITE_FIND: Final = (
    select(_MODELS.key)
    .join(_SQLITE, _SQLITE.c.rowid == _MODELS.key)
    .where(text("model_words MATCH :query"), *_PLACE)
    .order_by(text("bm25(model_words, 10.0, 5.0, 1.0, 2.0)"), _MODELS.id)
)
_TSQUERY: Final = func.to_tsquery("simple", bindparam("query"))
_POSTGRESQL_FIND: Final = (
    select(_MODELS.key)
    .join(_POSTGRESQL, _POSTGRESQL.c.model_key == _MODELS.key)
    .where(_POSTGRESQL.c.document.op("@@")(_TSQUERY), *_PLACE)
    .order_by(func.ts_rank(_POSTGRESQL.c.document, _TSQUERY).desc(), _MODELS.id)
)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


async def write(connection: Connection, model: Model) -> None:
    """Makes a model be found by the words that it has now, and by no others."""
    target, key = (_SQLITE, "rowid") if _is_sqlite(connection) else (_POSTGRESQL, "model_key")
    await connection.execute(delete(target).where(target.c[key] == model.key))
    await connection.execute(insert(target), {key: model.key, **asdict(words_of(model))})


async def find(connection: Connection, namespace_key: int, words: list[str], limit: int) -> list[int]:
    """Keys of the models that have words which begin with these, the best first."""
    query: Select[Any]
    if _is_sqlite(connection):
        query, wanted = _SQLITE_FIND, " ".join(f'"{word}"*' for word in words)
    else:
        query, wanted = _POSTGRESQL_FIND, " & ".join(f"{word}:*" for word in words)
    parameters = {"of_namespace": namespace_key, "query": wanted}
    return list((await connection.execute(query.limit(limit), parameters)).scalars())
