"""How the autonomy of repositories and types of task changed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "autonomy_changes",
        sa.Column("ordinal", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("task_type", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("because", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_autonomy_changes"),
    )
    op.create_index(
        "ix_autonomy_changes_repository_task_type", "autonomy_changes", ["repository", "task_type", "ordinal"]
    )
