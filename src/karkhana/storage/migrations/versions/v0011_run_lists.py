"""What lists of runs are filtered by stands in the run's own row, each filter with an index."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("runs", sa.Column("product", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("type", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("score", sa.Double))
    op.execute(
        "UPDATE runs SET product = (SELECT product FROM tasks WHERE tasks.task_id = runs.task_id),"
        " type = (SELECT type FROM tasks WHERE tasks.task_id = runs.task_id),"
        " score = (SELECT quality_score FROM tasks WHERE tasks.task_id = runs.task_id)"
    )
    op.create_index("ix_runs_status_run_id", "runs", ["status", "run_id"])
    op.create_index("ix_runs_product_run_id", "runs", ["product", "run_id"])
    op.create_index("ix_runs_type_run_id", "runs", ["type", "run_id"])
    op.create_index("ix_runs_finished_at", "runs", ["finished_at"])
