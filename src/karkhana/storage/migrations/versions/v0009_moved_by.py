"""Which run's outcome moved a level of autonomy."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("autonomy_changes", sa.Column("run_id", sa.Text, nullable=False, server_default=""))
