"""Initial schema."""

import sqlalchemy as sa
from alembic import op

# Types are written out, not imported, because a migration must never change.
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.String().with_variant(sa.TEXT(collation="C"), "postgresql")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("generation", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('LIVE')", name="ck_blobs_state"),
        sa.PrimaryKeyConstraint("digest", "generation", name="pk_blobs"),
    )
    op.create_index(
        "uq_blobs_live",
        "blobs",
        ["digest"],
        unique=True,
        sqlite_where=sa.text("state = 'LIVE'"),
        postgresql_where=sa.text("state = 'LIVE'"),
    )

    op.create_table(
        "namespaces",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_namespaces"),
        sa.UniqueConstraint("id", name="uq_namespaces_id"),
    )
    op.create_table(
        "requests",
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("payload_hash", sa.String(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("resource_key", KEY, nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("actor", "method", "request_id", name="pk_requests"),
    )
    op.create_index("ix_requests_create_time", "requests", ["create_time"], unique=False)

    op.create_table(
        "events",
        sa.Column("namespace_key", KEY, autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("resource", ID, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_key"], ["namespaces.key"], name="fk_events_namespace_key"),
        sa.PrimaryKeyConstraint("namespace_key", "revision", name="pk_events"),
    )
    op.create_index(
        "ix_events_namespace_key_resource_revision", "events", ["namespace_key", "resource", "revision"], unique=False
    )

    op.create_table(
        "log_heads",
        sa.Column("namespace_key", KEY, autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_key"], ["namespaces.key"], name="fk_log_heads_namespace_key"),
        sa.PrimaryKeyConstraint("namespace_key", name="pk_log_heads"),
    )
    op.create_table(
        "models",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("namespace_key", KEY, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("delete_time", sa.BigInteger(), nullable=True),
        sa.Column("purge_time", sa.BigInteger(), nullable=True),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_key"], ["namespaces.key"], name="fk_models_namespace_key"),
        sa.PrimaryKeyConstraint("key", name="pk_models"),
        sa.UniqueConstraint("namespace_key", "id", name="uq_models_namespace_key_id"),
    )
    op.create_table(
        "namespace_blobs",
        sa.Column("namespace_key", KEY, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("lease_expire_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_key"], ["namespaces.key"], name="fk_namespace_blobs_namespace_key"),
        sa.PrimaryKeyConstraint("namespace_key", "digest", name="pk_namespace_blobs"),
    )
    op.create_index("ix_namespace_blobs_namespace_key_size", "namespace_blobs", ["namespace_key", "size"], unique=False)

    op.create_table(
        "uploads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("namespace_key", KEY, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("generation", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('OPEN', 'COMMITTED')", name="ck_uploads_state"),
        sa.ForeignKeyConstraint(["namespace_key"], ["namespaces.key"], name="fk_uploads_namespace_key"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_expire_time", "uploads", ["expire_time"], unique=False)
    op.create_index("ix_uploads_namespace_key_state", "uploads", ["namespace_key", "state"], unique=False)

    op.create_table(
        "versions",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("model_key", KEY, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("total_size", sa.BigInteger(), nullable=False),
        sa.Column("manifest_digest", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("deprecation_reason", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("delete_time", sa.BigInteger(), nullable=True),
        sa.Column("purge_time", sa.BigInteger(), nullable=True),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('READY', 'DEPRECATED', 'QUARANTINED')", name="ck_versions_state"),
        sa.ForeignKeyConstraint(["model_key"], ["models.key"], name="fk_versions_model_key"),
        sa.PrimaryKeyConstraint("key", name="pk_versions"),
        sa.UniqueConstraint("model_key", "number", name="uq_versions_model_key_number"),
    )
    op.create_index(
        "ix_versions_model_key_manifest_digest_number",
        "versions",
        ["model_key", "manifest_digest", "number"],
        unique=False,
    )

    op.create_table(
        "aliases",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("model_key", KEY, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("version_key", KEY, nullable=False),
        sa.Column("updated_by", sa.String(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["models.key"], name="fk_aliases_model_key"),
        sa.ForeignKeyConstraint(["version_key"], ["versions.key"], name="fk_aliases_version_key"),
        sa.PrimaryKeyConstraint("key", name="pk_aliases"),
        sa.UniqueConstraint("model_key", "id", name="uq_aliases_model_key_id"),
    )
    op.create_index("ix_aliases_version_key", "aliases", ["version_key"], unique=False)

    op.create_table(
        "version_files",
        sa.Column("version_key", KEY, autoincrement=False, nullable=False),
        sa.Column("path", ID, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["version_key"], ["versions.key"], name="fk_version_files_version_key"),
        sa.PrimaryKeyConstraint("version_key", "path", name="pk_version_files"),
    )
    op.create_index("ix_version_files_digest", "version_files", ["digest"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_secrets"),
    )
