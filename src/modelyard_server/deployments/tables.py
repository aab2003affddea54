"""Deployments."""

from typing import Final

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, String, Table, Text, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

deployments: Final = Table(
    "deployments",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("model_key", Key, ForeignKey("models.key"), nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("version_key", Key, ForeignKey("versions.key"), nullable=False),
    Column("service", Id, nullable=False),
    Column("environment", Id, nullable=False),
    Column("instance", Id, nullable=False),
    Column("reference", Text, nullable=False),
    Column("observed_digest", String, nullable=False),
    Column("lease", String, nullable=False),
    Column("ttl", Double, nullable=False),
    Column("created_by", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("heartbeat_time", Moment, nullable=False),
    Column("expire_time", Moment, nullable=False),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("model_key", "service", "environment", "instance"),
    UniqueConstraint("uid"),
    Index(None, "model_key", "key"),
    Index(None, "namespace_key", "key"),
    Index(None, "version_key", "expire_time"),
    Index(None, "expire_time"),
)
