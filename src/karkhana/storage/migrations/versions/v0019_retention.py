"""When the large values of a run's trail were removed, and when each of them was."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("blobs", sa.Column("pruned_at", sa.Double))
    op.add_column("runs", sa.Column("pruned_at", sa.Double))
