"""Stored blobs, and the namespaces that have them."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Table, text

from modelyard_server.db.metadata import Key, Moment, metadata

blobs: Final = Table(
    "blobs",
    metadata,
    Column("digest", String, primary_key=True),
    Column("generation", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    CheckConstraint("state IN ('LIVE')", name="state"),
    # At most one publication of a digest is read.
    Index(
        "uq_blobs_live",
        "digest",
        unique=True,
        sqlite_where=text("state = 'LIVE'"),
        postgresql_where=text("state = 'LIVE'"),
    ),
)

namespace_blobs: Final = Table(
    "namespace_blobs",
    metadata,
    Column("namespace_key", Key, ForeignKey("namespaces.key"), primary_key=True, autoincrement=False),
    Column("digest", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("lease_expire_time", Moment, nullable=False),
    Index(None, "namespace_key", "size"),
)
