"""Files keep their executable bit."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No default: the release that still runs inserts rows without it.
    op.add_column("version_files", sa.Column("executable", sa.Boolean(), nullable=True))
