"""Adds deployments, uses of versions, and webhooks."""

import sqlalchemy as sa
from alembic import op

# Types are written out, not imported, because a migration must never change.
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.String().with_variant(sa.TEXT(collation="C"), "postgresql")
PENDING = sa.text("state = 'PENDING'")

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_deployments()
    op.create_table(
        "version_usage",
        sa.Column("version_key", KEY, autoincrement=False, nullable=False),
        sa.Column("download_count", sa.BigInteger(), nullable=False),
        sa.Column("download_time", sa.BigInteger(), nullable=True),
        sa.Column("use_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["version_key"], ["versions.key"], name="fk_version_usage_version_key"),
        sa.PrimaryKeyConstraint("version_key", name="pk_version_usage"),
    )
    _create_webhooks()
    _create_deliveries()


def _create_deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("model_key", KEY, nullable=False),
        sa.Column("namespace_key", KEY, nullable=False),
        sa.Column("version_key", KEY, nullable=False),
        sa.Column("service", ID, nullable=False),
        sa.Column("environment", ID, nullable=False),
        sa.Column("instance", ID, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("observed_digest", sa.String(), nullable=False),
        sa.Column("lease", sa.String(), nullable=False),
        sa.Column("ttl", sa.Double(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["models.key"], name="fk_deployments_model_key"),
        sa.ForeignKeyConstraint(["version_key"], ["versions.key"], name="fk_deployments_version_key"),
        sa.PrimaryKeyConstraint("key", name="pk_deployments"),
        sa.UniqueConstraint(
            "model_key",
            "service",
            "environment",
            "instance",
            name="uq_deployments_model_key_service_environment_instance",
        ),
        sa.UniqueConstraint("uid", name="uq_deployments_uid"),
    )
    for columns in (["model_key", "key"], ["namespace_key", "key"], ["version_key", "expire_time"], ["expire_time"]):
        op.create_index("_".join(("ix_deployments", *columns)), "deployments", columns)


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("namespace_key", KEY, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("secret_generation", sa.Integer(), nullable=False),
        sa.Column("overlap_end_time", sa.BigInteger(), nullable=True),
        sa.Column("queued_revision", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["namespace_key"], ["namespaces.key"], name="fk_webhooks_namespace_key"),
        sa.PrimaryKeyConstraint("key", name="pk_webhooks"),
        sa.UniqueConstraint("namespace_key", "id", name="uq_webhooks_namespace_key_id"),
    )


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("key", KEY, nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("webhook_key", KEY, nullable=False),
        sa.Column("namespace_key", KEY, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("lane", ID, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("latency", sa.Double(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("attempt_time", sa.BigInteger(), nullable=True),
        sa.Column("next_attempt_time", sa.BigInteger(), nullable=True),
        sa.Column("claim", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('PENDING', 'DELIVERED', 'FAILED')", name="ck_webhook_deliveries_state"),
        sa.ForeignKeyConstraint(["webhook_key"], ["webhooks.key"], name="fk_webhook_deliveries_webhook_key"),
        sa.PrimaryKeyConstraint("key", name="pk_webhook_deliveries"),
        sa.UniqueConstraint("uid", name="uq_webhook_deliveries_uid"),
    )
    op.create_index("ix_webhook_deliveries_webhook_key_key", "webhook_deliveries", ["webhook_key", "key"])
    op.create_index("ix_webhook_deliveries_state", "webhook_deliveries", ["webhook_key", "state", "key"])
    op.create_index("ix_webhook_deliveries_create_time", "webhook_deliveries", ["create_time"])
    for name, columns in (
        ("lane", ["webhook_key", "lane", "key"]),
        ("due", ["next_attempt_time"]),
        ("event", ["namespace_key", "revision"]),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}",
            "webhook_deliveries",
            columns,
            sqlite_where=PENDING,
            postgresql_where=PENDING,
        )
