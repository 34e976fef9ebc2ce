"""Answers are sent: what each one says, where it stands by now, and who sends for a door."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

FILLED = sa.text("slot <> ''")


def upgrade() -> None:
    for name in ("slot", "marker", "content", "external", "error"):
        op.add_column("intake_answers", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("intake_answers", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("intake_answers", sa.Column("begun", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("intake_answers", sa.Column("failed_at", sa.Double))
    op.create_index(
        "ix_intake_answers_slot",
        "intake_answers",
        ["task_id", "slot"],
        unique=True,
        sqlite_where=FILLED,
        postgresql_where=FILLED,
    )
    op.create_table(
        "intake_senders",
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("rests_until", sa.Double, nullable=False),
        sa.Column("trouble", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("door", name="pk_intake_senders"),
    )
