"""What became of changes after they were scored."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "outcome_changes",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("engineer", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("commit", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("raw", sa.Double),
        sa.Column("components", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("landed_at", sa.Double),
        sa.Column("landed_as", sa.Text, nullable=False),
        sa.Column("watched_at", sa.Double),
        sa.Column("spread", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_outcome_changes"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_outcome_changes_run_id"),
    )
    op.create_index("ix_outcome_changes_repository", "outcome_changes", ["repository"])
    op.create_table(
        "outcome_signs",
        sa.Column("sign_id", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sign_id", name="pk_outcome_signs"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_outcome_signs_run_id"),
    )
    op.create_index("ix_outcome_signs_run_id", "outcome_signs", ["run_id"])
