"""Which weights the score of a change was made with."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("outcome_changes", sa.Column("weights", sa.Text, nullable=False, server_default=""))
