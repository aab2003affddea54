"""Tables that belong to no capability: outcomes of requests, and secrets that replicas share."""

from typing import Final

from sqlalchemy import JSON, Column, Index, LargeBinary, String, Table

from modelyard_server.db.metadata import Key, Moment, metadata

requests: Final = Table(
    "requests",
    metadata,
    Column("actor", String, primary_key=True),
    Column("method", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("payload_hash", String, nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("resource_key", Key, nullable=False),
    Column("create_time", Moment, nullable=False),
    Index(None, "create_time"),
)

secrets: Final = Table(
    "secrets",
    metadata,
    Column("id", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
