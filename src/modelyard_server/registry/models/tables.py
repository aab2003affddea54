"""Models, and the texts of their search index."""

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

models: Final = Table(
    "models",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("namespace_key", Key, ForeignKey("namespaces.key"), nullable=False),
    Column("id", Id, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("delete_time", Moment),
    Column("purge_time", Moment),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("namespace_key", "id"),
    Index(None, "namespace_key", "create_time", "key"),
    Index(None, "namespace_key", "update_time", "key"),
)

model_texts: Final = Table(
    "model_texts",
    metadata,
    Column("model_key", Key, ForeignKey("models.key"), primary_key=True, autoincrement=False),
    Column("field", Id, primary_key=True),
    Column("value", Id, primary_key=True),
    Column("namespace_key", Key, nullable=False),
    Column("create_time", Moment, nullable=False),
    Index("ix_model_texts_search", "namespace_key", "field", "value", "create_time", "model_key"),
    sqlite_with_rowid=False,
)
