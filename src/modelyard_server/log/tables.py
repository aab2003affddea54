"""The log of each namespace: its head, and its events."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, Text, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

log_heads: Final = Table(
    "log_heads",
    metadata,
    Column("namespace_key", Key, ForeignKey("namespaces.key"), primary_key=True, autoincrement=False),
    # Of the namespace: a log is found by it without a look at what is above the log.
    Column("namespace_id", Id, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
    # The last event that is not kept any more, and what the first that is is chained to.
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
    # Of the model that the resource is, or is in; else empty.
    Column("model_id", Id, nullable=False),
    Column("actor", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("time", Moment, nullable=False),
    # The whole event, as the hash covers it. The columns above are copies of its fields, to search by.
    Column("payload", LargeBinary, nullable=False),
    Column("hash", String, nullable=False),
    Index(None, "namespace_key", "resource", "revision"),
    Index(None, "namespace_key", "model_id", "revision"),
)
