"""The log of each namespace: its head, and its events."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, Text, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

log_heads: Final = Table(
    "log_heads",
    metadata,
    Column("namespace_key", Key, ForeignKey("namespaces.key"), primary_key=True, autoincrement=False),
    # The id of the namespace, so that a log is found without the tables of higher capabilities.
    Column("namespace_id", Id, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
    # The last compacted revision, and the hash that the first kept event is chained to.
    Column("floor", BigInteger, nullable=False),
    Column("floor_hash", String, nullable=False),
    UniqueConstraint("namespace_id"),
)

events: Final = Table(
    "events",
    metadata,
    Column("namespace_key", Key, ForeignKey("namespaces.key"), primary_key=True, autoincrement=False),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("type", String, nullable=False),
    Column("resource", Id, nullable=False),
    # The model of the resource; empty for others.
    Column("model_id", Id, nullable=False),
    Column("actor", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("time", Moment, nullable=False),
    # The event as the bytes that its hash covers. The columns above are copies of its fields, for searches.
    Column("payload", LargeBinary, nullable=False),
    Column("hash", String, nullable=False),
    Index(None, "namespace_key", "resource", "revision"),
    Index(None, "namespace_key", "model_id", "revision"),
)
