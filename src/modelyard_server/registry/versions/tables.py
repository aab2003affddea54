"""Versions, their files and parents, and the texts and numbers of their search index."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from modelyard_server.db.metadata import Id, Key, Moment, metadata

versions: Final = Table(
    "versions",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("model_key", Key, ForeignKey("models.key"), nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("total_size", BigInteger, nullable=False),
    Column("manifest_digest", String, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("description", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("created_by", String, nullable=False),
    Column("deprecation_reason", Text, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("delete_time", Moment),
    Column("purge_time", Moment),
    Column("row_version", BigInteger, nullable=False),
    Column("quarantine_reason", Text),
    Column("released_state", String),
    UniqueConstraint("model_key", "number"),
    CheckConstraint("state IN ('READY', 'DEPRECATED', 'QUARANTINED')", name="state"),
    Index(None, "model_key", "manifest_digest", "number"),
    Index(None, "model_key", "create_time", "key"),
    Index(None, "namespace_key", "create_time", "key"),
)

version_texts: Final = Table(
    "version_texts",
    metadata,
    Column("version_key", Key, ForeignKey("versions.key"), primary_key=True, autoincrement=False),
    Column("field", Id, primary_key=True),
    Column("value", Id, primary_key=True),
    Column("namespace_key", Key, nullable=False),
    Column("create_time", Moment, nullable=False),
    # It ends with the sort key of lists, so that the newest matches are read from its end.
    Index("ix_version_texts_search", "namespace_key", "field", "value", "create_time", "version_key"),
    sqlite_with_rowid=False,
)

version_numbers: Final = Table(
    "version_numbers",
    metadata,
    Column("version_key", Key, ForeignKey("versions.key"), primary_key=True, autoincrement=False),
    Column("field", Id, primary_key=True),
    Column("value", Double, nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("model_key", Key, nullable=False),
    Index("ix_version_numbers_namespace", "namespace_key", "field", "value", "version_key"),
    Index("ix_version_numbers_model", "model_key", "field", "value", "version_key"),
    sqlite_with_rowid=False,
)

version_files: Final = Table(
    "version_files",
    metadata,
    Column("version_key", Key, ForeignKey("versions.key"), primary_key=True, autoincrement=False),
    Column("path", Id, primary_key=True),
    Column("digest", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    # NULL is the same as false: versions of earlier releases have it.
    Column("executable", Boolean),
    Index(None, "digest"),
)

version_parents: Final = Table(
    "version_parents",
    metadata,
    Column("version_key", Key, ForeignKey("versions.key"), primary_key=True, autoincrement=False),
    Column("parent_key", Key, ForeignKey("versions.key"), primary_key=True, autoincrement=False),
    Index(None, "parent_key", "version_key"),
    sqlite_with_rowid=False,
)
