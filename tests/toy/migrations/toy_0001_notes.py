"""Notes."""

import sqlalchemy as sa
from alembic import op

revision = "toy_0001"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("namespace_key", KEY, sa.ForeignKey("namespaces.key"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
    )
