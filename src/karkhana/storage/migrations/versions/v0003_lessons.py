"""Lessons."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "lessons",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("circumstance", sa.Text, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("good", sa.Double, nullable=False),
        sa.Column("bad", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "subject", "circumstance", name="pk_lessons"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_lessons_run_id"),
    )
    op.create_index("ix_lessons_repository_run_id", "lessons", ["repository", "run_id"])
