"""Adds the search indexes of models and versions."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

# Types are written out, not imported, because a migration must never change.
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.String().with_variant(sa.TEXT(collation="C"), "postgresql")
PAGE = 500

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# What stands between the second and the third slash behind the namespace's name.
MODEL_ID = """
CASE WHEN instr(resource, '/models/') = 0 THEN ''
ELSE substr(
    substr(resource, instr(resource, '/models/') + 8), 1,
    instr(substr(resource, instr(resource, '/models/') + 8) || '/', '/') - 1)
END
"""


def upgrade() -> None:
    _extend_log()
    op.add_column("versions", sa.Column("namespace_key", KEY, nullable=False, server_default="0"))
    op.execute(
        "UPDATE versions SET namespace_key ="
        " (SELECT models.namespace_key FROM models WHERE models.key = versions.model_key)"
    )
    op.create_index("ix_versions_model_key_create_time_key", "versions", ["model_key", "create_time", "key"])
    op.create_index("ix_versions_namespace_key_create_time_key", "versions", ["namespace_key", "create_time", "key"])
    for column in ("create_time", "update_time"):
        op.create_index(f"ix_models_namespace_key_{column}_key", "models", ["namespace_key", column, "key"])
    op.create_index("ix_aliases_id_version_key", "aliases", ["id", "version_key"])

    _create_texts("model")
    _create_texts("version")
    op.create_table(
        "version_numbers",
        sa.Column("version_key", KEY, autoincrement=False, nullable=False),
        sa.Column("field", ID, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("namespace_key", KEY, nullable=False),
        sa.Column("model_key", KEY, nullable=False),
        sa.ForeignKeyConstraint(["version_key"], ["versions.key"], name="fk_version_numbers_version_key"),
        sa.PrimaryKeyConstraint("version_key", "field", name="pk_version_numbers"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "version_parents",
        sa.Column("version_key", KEY, autoincrement=False, nullable=False),
        sa.Column("parent_key", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["version_key"], ["versions.key"], name="fk_version_parents_version_key"),
        sa.ForeignKeyConstraint(["parent_key"], ["versions.key"], name="fk_version_parents_parent_key"),
        sa.PrimaryKeyConstraint("version_key", "parent_key", name="pk_version_parents"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_version_parents_parent_key_version_key", "version_parents", ["parent_key", "version_key"])
    _create_evaluations()
    _create_words()
    _fill()
    for owner in ("model", "version"):
        columns = ["namespace_key", "field", "value", "create_time", f"{owner}_key"]
        op.create_index(f"ix_{owner}_texts_search", f"{owner}_texts", columns)
    for place in ("namespace", "model"):
        columns = [f"{place}_key", "field", "value", "version_key"]
        op.create_index(f"ix_version_numbers_{place}", "version_numbers", columns)


def _extend_log() -> None:
    op.add_column("log_heads", sa.Column("floor", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("log_heads", sa.Column("floor_hash", sa.String(), nullable=False, server_default="0" * 64))
    op.add_column("events", sa.Column("model_id", ID, nullable=False, server_default=""))
    model_id = MODEL_ID if op.get_bind().dialect.name == "sqlite" else "split_part(resource, '/', 4)"
    op.execute(f"UPDATE events SET model_id = {model_id}")  # noqa: S608 (fixed text)
    op.create_index("ix_events_namespace_key_model_id_revision", "events", ["namespace_key", "model_id", "revision"])


def _create_texts(owner: str) -> None:
    op.create_table(
        f"{owner}_texts",
        sa.Column(f"{owner}_key", KEY, autoincrement=False, nullable=False),
        sa.Column("field", ID, nullable=False),
        sa.Column("value", ID, nullable=False),
        sa.Column("namespace_key", KEY, nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint([f"{owner}_key"], [f"{owner}s.key"], name=f"fk_{owner}_texts_{owner}_key"),
        sa.PrimaryKeyConstraint(f"{owner}_key", "field", "value", name=f"pk_{owner}_texts"),
        sqlite_with_rowid=False,
    )


def _create_evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("version_key", KEY, nullable=False),
        sa.Column("dataset_name", ID, nullable=False),
        sa.Column("dataset", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("directions", sa.JSON(), nullable=False),
        sa.Column("slices", sa.JSON(), nullable=False),
        sa.Column("harness", sa.Text(), nullable=False),
        sa.Column("supersedes", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["version_key"], ["versions.key"], name="fk_evaluations_version_key"),
        sa.PrimaryKeyConstraint("key", name="pk_evaluations"),
        sa.UniqueConstraint("uid", name="uq_evaluations_uid"),
    )
    for column in ("key", "supersedes"):
        op.create_index(f"ix_evaluations_version_key_{column}", "evaluations", ["version_key", column])


def _create_words() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE model_words USING fts5(id, display_name, description, labels,"
            " tokenize = 'unicode61', prefix = '2 3')"
        )
        return
    weighed = " || ".join(
        f"setweight(to_tsvector('simple', {column}), '{weight}')"
        for column, weight in (("id", "A"), ("display_name", "B"), ("labels", "C"), ("description", "D"))
    )
    op.execute(
        "CREATE TABLE model_words (model_key bigint PRIMARY KEY REFERENCES models (key), id text NOT NULL,"
        " display_name text NOT NULL, description text NOT NULL, labels text NOT NULL,"
        f" document tsvector NOT NULL GENERATED ALWAYS AS ({weighed}) STORED)"
    )
    op.execute("CREATE INDEX ix_model_words_document ON model_words USING gin (document)")


def _pages(query: str) -> Iterator[list[Any]]:
    """Rows in the order of their keys; the query takes the last key and a number of rows."""
    connection, last = op.get_bind(), 0
    while rows := connection.execute(sa.text(query), {"after": last, "size": PAGE}).all():
        yield list(rows)
        last = rows[-1].key


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _insert(table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        columns = list(rows[0])
        values = ", ".join(f":{column}" for column in columns)
        op.get_bind().execute(sa.text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"), rows)  # noqa: S608 (fixed names)


def _fill() -> None:
    words_key = "rowid" if op.get_bind().dialect.name == "sqlite" else "model_key"
    for page in _pages("SELECT * FROM models WHERE key > :after ORDER BY key LIMIT :size"):
        texts, words = [], []
        for row in page:
            labels = _loaded(row.labels)
            place = {"model_key": row.key, "namespace_key": row.namespace_key, "create_time": row.create_time}
            texts += _rows(place, {("owner", row.owner), *_labels(labels)})
            told = " ".join(f"{key} {value}" for key, value in sorted(labels.items()))
            found = {"id": row.id, "display_name": row.display_name, "description": row.description, "labels": told}
            words.append({words_key: row.key} | {name: _words(text) for name, text in found.items()})
        _insert("model_texts", texts)
        _insert("model_words", words)
    for page in _pages("SELECT * FROM versions WHERE key > :after ORDER BY key LIMIT :size"):
        texts, numbers = [], []
        for row in page:
            facts = _loaded(row.facts)
            place = {"version_key": row.key, "namespace_key": row.namespace_key}
            fixed = {("created_by", row.created_by), ("digest", row.manifest_digest), *_labels(_loaded(row.labels))}
            texts += _rows(place | {"create_time": row.create_time}, fixed | set(_texts(facts)))
            place["model_key"] = row.model_key
            numbers += [place | {"field": field, "value": float(value)} for field, value in _numbers(facts)]
            for parent in facts.get("parents", ()):
                _relate(row.key, parent["version"])
        _insert("version_texts", texts)
        _insert("version_numbers", numbers)


def _relate(version_key: int, parent: str) -> None:
    _, namespace, _, model, _, number = parent.split("/")
    names = {"version_key": version_key, "namespace": namespace, "model": model, "number": int(number)}
    op.get_bind().execute(
        sa.text(
            "INSERT INTO version_parents (version_key, parent_key) SELECT :version_key, versions.key FROM versions"
            " JOIN models ON models.key = versions.model_key JOIN namespaces ON namespaces.key = models.namespace_key"
            " WHERE namespaces.id = :namespace AND models.id = :model AND versions.number = :number"
            " ON CONFLICT DO NOTHING"
        ),
        names,
    )


def _rows(place: dict[str, Any], texts: set[tuple[str, str]]) -> list[dict[str, Any]]:
    return [place | {"field": field, "value": value} for field, value in {(f, _indexed(t)) for f, t in texts if t}]


def _indexed(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:160]}…{hashlib.sha256(text.encode()).hexdigest()}"


def _words(text: str) -> str:
    bare = (each for each in unicodedata.normalize("NFKD", text[: 32 << 10]) if not unicodedata.combining(each))
    return " ".join(re.findall(r"[^\W_]+", "".join(bare).casefold()))


def _labels(labels: dict[str, str]) -> set[tuple[str, str]]:
    return {(f"labels.{key}", value) for key, value in labels.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(facts: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in facts.get("params", {}).items():
        if _is_number(value):
            yield f"params.{key}", value
    for key, value in facts.get("metrics", {}).items():
        yield f"metrics.{key}", value


def _texts(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in facts.get("params", {}).items():
        if not _is_number(value):
            yield f"params.{key}", value if isinstance(value, str) else str(value).lower()
    for dataset in facts.get("datasets", ()):
        yield "dataset", dataset["name"]
        yield "dataset.uri", dataset["uri"]
        yield "dataset.digest", dataset["digest"]
    yield "format", facts.get("format", "")
    framework = facts.get("framework") or {"name": "", "version": ""}
    yield "framework", framework["name"]
    yield "framework.version", framework["version"]
    source = facts.get("source") or {}
    for name in ("repository", "commit", "branch"):
        yield f"source.{name}", source.get(name, "")
    for parent in facts.get("parents", ()):
        yield "parent", parent["version"]
        yield "parent.digest", parent["manifest_digest"]
    run = facts.get("run") or {"id": "", "tracker": ""}
    yield "run", run["id"]
    yield "run.tracker", run["tracker"]
