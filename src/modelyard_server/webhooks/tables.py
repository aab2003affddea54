"""Webhooks."""

from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("namespace_key", Key, ForeignKey("namespaces.key"), nullable=False),
    Column("id", Id, nullable=False),
    Column("url", Text, nullable=False),
    Column("types", JSON, nullable=False),
    Column("model_id", Id, nullable=False),
    Column("description", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("secret_generation", Integer, nullable=False),
    Column("overlap_end_time", Moment),
    # The last revision whose deliveries have been queued.
    Column("queued_revision", BigInteger, nullable=False),
    Column("created_by", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("row_version", BigInteger, nullable=False),
    # Set for a deleted webhook, which nothing shows. It waits until the sweep has removed its deliveries.
    Column("delete_time", Moment),
    UniqueConstraint("namespace_key", "id"),
)
