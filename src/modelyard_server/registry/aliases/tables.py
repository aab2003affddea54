"""Aliases."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

aliases: Final = Table(
    "aliases",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("model_key", Key, ForeignKey("models.key"), nullable=False),
    Column("id", Id, nullable=False),
    Column("version_key", Key, ForeignKey("versions.key"), nullable=False),
    Column("updated_by", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("model_key", "id"),
    Index(None, "version_key"),
    Index(None, "id", "version_key"),
)
