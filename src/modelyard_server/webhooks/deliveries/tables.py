"""Deliveries to webhooks."""

from typing import Final

from sqlalchemy import (
    BigInteger,
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
    text,
)

from modelyard_server.db.metadata import Id, Key, Moment, metadata

_PENDING: Final = text("state = 'PENDING'")

webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("webhook_key", Key, ForeignKey("webhooks.key"), nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("type", String, nullable=False),
    Column("resource", Text, nullable=False),
    # Deliveries of one lane are sent one after the other, in the order of their keys.
    Column("lane", Id, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("latency", Double, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("attempt_time", Moment),
    # Only the first pending delivery of a lane has one.
    Column("next_attempt_time", Moment),
    # The worker that tries it now, and the time until which it may.
    Column("claim", String, nullable=False),
    UniqueConstraint("uid"),
    CheckConstraint("state IN ('PENDING', 'DELIVERED', 'FAILED')", name="state"),
    Index(None, "webhook_key", "key"),
    Index("ix_webhook_deliveries_state", "webhook_key", "state", "key"),
    Index(
        "ix_webhook_deliveries_lane",
        "webhook_key",
        "lane",
        "key",
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    ),
    Index("ix_webhook_deliveries_due", "next_attempt_time", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index("ix_webhook_deliveries_event", "namespace_key", "revision", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index(None, "create_time"),
)
