"""Full-text search of models, with the engine of each database."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import (
    Float,
    Select,
    and_,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    table,
    text,
)

from modelyard_server.db.connection import Connection
from modelyard_server.query.listing import Position
from modelyard_server.query.words import words
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.models.values import Model

# Not in the metadata: SQLite has a virtual table, and PostgreSQL computes a column.
_SQLITE: Final = table("model_words", *map(column, ("rowid", "id", "display_name", "description", "labels")))
_POSTGRESQL: Final = table(
    "model_words", *map(column, ("model_key", "id", "display_name", "description", "labels", "document"))
)
_MODELS = models.c
_IN_NAMESPACE: Final = _MODELS.namespace_key == bindparam("of_namespace")
# A lower score is a better match. A word of the id counts ten times as much as a word of the description.
_SQLITE_MATCHES: Final = (
    select(_MODELS.key, literal_column("bm25(model_words, 10.0, 5.0, 1.0, 2.0)").label("score"))
    .join(_SQLITE, _SQLITE.c.rowid == _MODELS.key)
    .where(text("model_words MATCH :query"), _MODELS.delete_time.is_(None))
)
_TSQUERY: Final = func.to_tsquery("simple", bindparam("query"))
_POSTGRESQL_MATCHES: Final = (
    select(_MODELS.key, (-func.ts_rank(_POSTGRESQL.c.document, _TSQUERY)).label("score"))
    .join(_POSTGRESQL, _POSTGRESQL.c.model_key == _MODELS.key)
    .where(_POSTGRESQL.c.document.op("@@")(_TSQUERY), _MODELS.delete_time.is_(None))
)


def _page_of(matches: Select[Any], after: Position | None) -> Select[Any]:
    """Matches by score, after a position."""
    # SQLite computes bm25 only in the query with the MATCH, so the condition on the score is outside.
    found = matches.cte("found").prefix_with("MATERIALIZED")
    query = select(found.c.score, found.c.key).order_by(found.c.score, found.c.key)
    if after is None:
        return query
    score = bindparam("after_score", after.value, Float(53))
    return query.where(or_(found.c.score > score, and_(found.c.score == score, found.c.key > after.key)))


# The limit of one text in the index.
_MAX_TEXT_LENGTH: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of a model in the order of their weight. Each has words separated by spaces."""

    id: str
    display_name: str
    description: str
    labels: str


def _words_of(model: Model) -> Words:
    labels = " ".join(f"{key} {value}" for key, value in sorted(model.labels.items()))
    texts = (model.name.model, model.display_name, model.description, labels)
    return Words(*(" ".join(words(text[:_MAX_TEXT_LENGTH])) for text in texts))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


async def write(connection: Connection, model: Model) -> None:
    """Replaces the indexed words of a model."""
    target, key = (_SQLITE, "rowid") if _is_sqlite(connection) else (_POSTGRESQL, "model_key")
    await connection.execute(delete(target).where(target.c[key] == model.key))
    await connection.execute(insert(target), {key: model.key, **asdict(_words_of(model))})


async def find(
    connection: Connection, namespace_key: int | None, words: list[str], *, after: Position | None, limit: int
) -> list[Position]:
    """Finds models with words that begin with ``words``, best match first. Returns scores and keys.

    ``namespace_key`` is None for all namespaces.

    Scores depend on all stored models, so a model may be on both of two pages or on neither if models change.
    """
    matches: Select[Any]
    if _is_sqlite(connection):
        matches, wanted = _SQLITE_MATCHES, " ".join(f'"{word}"*' for word in words)
    else:
        matches, wanted = _POSTGRESQL_MATCHES, " & ".join(f"{word}:*" for word in words)
    parameters: dict[str, int | str] = {"query": wanted}
    if namespace_key is not None:
        matches, parameters["of_namespace"] = matches.where(_IN_NAMESPACE), namespace_key
    found = await connection.execute(_page_of(matches, after).limit(limit), parameters)
    return [Position(row.score, row.key) for row in found]
