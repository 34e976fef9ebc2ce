"""Counts of what ended lately, and the runs that somebody works on, are read from indexes of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

HELD = sa.text("lease_owner IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_runs_status_finished_at", "runs", ["status", "finished_at", "product"])
    op.create_index("ix_runs_held", "runs", ["run_id"], sqlite_where=HELD, postgresql_where=HELD)
