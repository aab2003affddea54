"""The tables. Times are microseconds since the epoch, in UTC: exact, sortable and alike on both dialects."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, stored as an integer."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 (the base's)
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (the base's)
        return None if value is None else _EPOCH + timedelta(microseconds=value)


# SQLite numbers rows by themselves only in an INTEGER primary key.
Key = BigInteger().with_variant(Integer, "sqlite")
# Ids sort by code point on both dialects, whatever the locale of the PostgreSQL database.
Id = String().with_variant(postgresql.TEXT(collation="C"), "postgresql")

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("id"),
)

log_heads: Final = Table(
    "log_heads",
    metadata,
    Column("namespace_key", Key, ForeignKey(namespaces.c.key), primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
    # The last event that is not kept any more, and what the first that is is chained to.
    Column("floor", BigInteger, nullable=False),
    Column("floor_hash", String, nullable=False),
)

events: Final = Table(
    "events",
    metadata,
    Column("namespace_key", Key, ForeignKey(namespaces.c.key), primary_key=True, autoincrement=False),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("type", String, nullable=False),
    Column("resource", Id, nullable=False),
    # Of the model that the resource is, or is in; else empty.
    Column("model_id", Id, nullable=False),
    Column("actor", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("time", Moment, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("previous_hash", String, nullable=False),
    Column("hash", String, nullable=False),
    Index(None, "namespace_key", "resource", "revision"),
    Index(None, "namespace_key", "model_id", "revision"),
)

models: Final = Table(
    "models",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("namespace_key", Key, ForeignKey(namespaces.c.key), nullable=False),
    Column("id", Id, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("delete_time", Moment),
    Column("purge_time", Moment),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("namespace_key", "id"),
    Index(None, "namespace_key", "create_time", "key"),
    Index(None, "namespace_key", "update_time", "key"),
)

# What models are searched by, beside their columns: `labels.team` and the like.
model_texts: Final = Table(
    "model_texts",
    metadata,
    Column("model_key", Key, ForeignKey(models.c.key), primary_key=True, autoincrement=False),
    Column("field", Id, primary_key=True),
    Column("value", Id, primary_key=True),
    Column("namespace_key", Key, nullable=False),
    Column("create_time", Moment, nullable=False),
    Index("ix_model_texts_search", "namespace_key", "field", "value", "create_time", "model_key"),
    sqlite_with_rowid=False,
)

versions: Final = Table(
    "versions",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("model_key", Key, ForeignKey(models.c.key), nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("total_size", BigInteger, nullable=False),
    Column("manifest_digest", String, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("description", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("created_by", String, nullable=False),
    Column("deprecation_reason", Text, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("delete_time", Moment),
    Column("purge_time", Moment),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("model_key", "number"),
    CheckConstraint("state IN ('READY', 'DEPRECATED', 'QUARANTINED')", name="state"),
    Index(None, "model_key", "manifest_digest", "number"),
    Index(None, "model_key", "create_time", "key"),
    Index(None, "namespace_key", "create_time", "key"),
)

# What versions are searched and sorted by, beside their columns. A map of facts has a row for each of its entries.
version_texts: Final = Table(
    "version_texts",
    metadata,
    Column("version_key", Key, ForeignKey(versions.c.key), primary_key=True, autoincrement=False),
    Column("field", Id, primary_key=True),
    Column("value", Id, primary_key=True),
    Column("namespace_key", Key, nullable=False),
    Column("create_time", Moment, nullable=False),
    # It ends as lists are sorted: the newest that match are read from its end, however many there are.
    Index("ix_version_texts_search", "namespace_key", "field", "value", "create_time", "version_key"),
    sqlite_with_rowid=False,
)

version_numbers: Final = Table(
    "version_numbers",
    metadata,
    Column("version_key", Key, ForeignKey(versions.c.key), primary_key=True, autoincrement=False),
    Column("field", Id, primary_key=True),
    Column("value", Double, nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("model_key", Key, nullable=False),
    Index("ix_version_numbers_namespace", "namespace_key", "field", "value", "version_key"),
    Index("ix_version_numbers_model", "model_key", "field", "value", "version_key"),
    sqlite_with_rowid=False,
)

version_files: Final = Table(
    "version_files",
    metadata,
    Column("version_key", Key, ForeignKey(versions.c.key), primary_key=True, autoincrement=False),
    Column("path", Id, primary_key=True),
    Column("digest", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index(None, "digest"),
)

# Which version was made from which. Nothing refers to a version that is not there yet, so there are no cycles.
version_parents: Final = Table(
    "version_parents",
    metadata,
    Column("version_key", Key, ForeignKey(versions.c.key), primary_key=True, autoincrement=False),
    Column("parent_key", Key, ForeignKey(versions.c.key), primary_key=True, autoincrement=False),
    Index(None, "parent_key", "version_key"),
    sqlite_with_rowid=False,
)

evaluations: Final = Table(
    "evaluations",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("version_key", Key, ForeignKey(versions.c.key), nullable=False),
    Column("dataset_name", Id, nullable=False),
    Column("dataset", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("directions", JSON, nullable=False),
    Column("slices", JSON, nullable=False),
    Column("harness", Text, nullable=False),
    # The uid of another one of the same version; empty if it corrects none.
    Column("supersedes", String, nullable=False),
    Column("created_by", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    UniqueConstraint("uid"),
    Index(None, "version_key", "key"),
    Index(None, "version_key", "supersedes"),
)

aliases: Final = Table(
    "aliases",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("model_key", Key, ForeignKey(models.c.key), nullable=False),
    Column("id", Id, nullable=False),
    Column("version_key", Key, ForeignKey(versions.c.key), nullable=False),
    Column("updated_by", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("model_key", "id"),
    Index(None, "version_key"),
    Index(None, "id", "version_key"),
)

# Leases: a row lives as long as it is heard of. The log tells when one began, changed and ended.
deployments: Final = Table(
    "deployments",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("model_key", Key, ForeignKey(models.c.key), nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("version_key", Key, ForeignKey(versions.c.key), nullable=False),
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

# Counters, and no facts: what is lost with a server that dies is missed by nobody.
version_usage: Final = Table(
    "version_usage",
    metadata,
    Column("version_key", Key, ForeignKey(versions.c.key), primary_key=True, autoincrement=False),
    Column("download_count", BigInteger, nullable=False),
    Column("download_time", Moment),
    Column("use_time", Moment, nullable=False),
)

webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("namespace_key", Key, ForeignKey(namespaces.c.key), nullable=False),
    Column("id", Id, nullable=False),
    Column("url", Text, nullable=False),
    Column("types", JSON, nullable=False),
    Column("model_id", Id, nullable=False),
    Column("description", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("secret_generation", Integer, nullable=False),
    Column("overlap_end_time", Moment),
    # The last revision whose deliveries have rows.
    Column("queued_revision", BigInteger, nullable=False),
    Column("created_by", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("update_time", Moment, nullable=False),
    Column("row_version", BigInteger, nullable=False),
    UniqueConstraint("namespace_key", "id"),
)

_PENDING: Final = text("state = 'PENDING'")
webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("webhook_key", Key, ForeignKey(webhooks.c.key), nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("type", String, nullable=False),
    Column("resource", Text, nullable=False),
    # Those of one lane go one after the other, in the order of their keys.
    Column("lane", Id, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("latency", Double, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("attempt_time", Moment),
    # Only the first of a lane has one.
    Column("next_attempt_time", Moment),
    # Of the worker that tries it now, and until when it may.
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

blobs: Final = Table(
    "blobs",
    metadata,
    Column("digest", String, primary_key=True),
    Column("generation", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("create_time", Moment, nullable=False),
    CheckConstraint("state IN ('LIVE')", name="state"),
    # At most one publication of a digest is the one to read.
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
    Column("namespace_key", Key, ForeignKey(namespaces.c.key), primary_key=True, autoincrement=False),
    Column("digest", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("lease_expire_time", Moment, nullable=False),
    Index(None, "namespace_key", "size"),
)

uploads: Final = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("namespace_key", Key, ForeignKey(namespaces.c.key), nullable=False),
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
