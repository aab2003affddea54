"""Versions remember why they are quarantined and what they were before; namespaces can be deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("namespaces", sa.Column("delete_time", sa.BigInteger(), nullable=True))
    op.add_column("versions", sa.Column("quarantine_reason", sa.Text(), nullable=True))
    op.add_column("versions", sa.Column("released_state", sa.String(), nullable=True))
