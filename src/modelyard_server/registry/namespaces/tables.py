"""Namespaces."""

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, String, Table, Text, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

namespaces: Final = Table(
    "namespaces",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("id", Id, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("delete_time", Moment),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("id"),
)
