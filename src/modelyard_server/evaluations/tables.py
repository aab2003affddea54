"""Evaluations."""

from typing import Final

from sqlalchemy import JSON, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from modelyard_server.db.metadata import Id, Key, Moment, metadata

evaluations: Final = Table(
    "evaluations",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("version_key", Key, ForeignKey("versions.key"), nullable=False),
    Column("dataset_name", Id, nullable=False),
    Column("dataset", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("directions", JSON, nullable=False),
    Column("slices", JSON, nullable=False),
    Column("harness", Text, nullable=False),
    # The uid of another evaluation of the same version; empty if this one corrects none.
    Column("supersedes", String, nullable=False),
    Column("created_by", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    UniqueConstraint("uid"),
    Index(None, "version_key", "key"),
    Index(None, "version_key", "supersedes"),
)
