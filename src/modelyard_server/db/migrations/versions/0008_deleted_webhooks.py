"""A deleted webhook stays hidden until its deliveries are removed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No default: the release that still runs inserts rows without it.
    op.add_column("webhooks", sa.Column("delete_time", sa.BigInteger(), nullable=True))
