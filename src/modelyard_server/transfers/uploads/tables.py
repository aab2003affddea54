"""Upload sessions."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Table

from modelyard_server.db.metadata import Key, Moment, metadata

uploads: Final = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("namespace_key", Key, ForeignKey("namespaces.key"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", String, nullable=False),
    Column("state", String, nullable=False),
    Column("generation", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("expire_time", Moment, nullable=False),
    CheckConstraint("state IN ('OPEN', 'COMMITTED')", name="state"),
    Index(None, "expire_time"),
    Index(None, "namespace_key", "state"),
)
