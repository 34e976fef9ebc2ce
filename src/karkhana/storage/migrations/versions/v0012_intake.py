"""What came in at the doors, what was made of it, and what is to be answered."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "intake_deliveries",
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("door", "identity", name="pk_intake_deliveries"),
        sa.UniqueConstraint("door", "digest", name="uq_intake_deliveries_door_digest"),
    )
    op.create_index("ix_intake_deliveries_at", "intake_deliveries", ["at"])
    op.create_table(
        "intake_subjects",
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("door", "subject", name="pk_intake_subjects"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="fk_intake_subjects_task_id"),
    )
    op.create_index("ix_intake_subjects_task_id", "intake_subjects", ["task_id"])
    op.create_table(
        "intake_tickets",
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("suspicions", sa.Text, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_intake_tickets"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="fk_intake_tickets_task_id"),
    )
    op.create_index("ix_intake_tickets_done", "intake_tickets", ["done"])
    op.create_table(
        "intake_answers",
        sa.Column("ordinal", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("sent_at", sa.Double),
        sa.PrimaryKeyConstraint("ordinal", name="pk_intake_answers"),
    )
    op.create_index("ix_intake_answers_due", "intake_answers", ["sent_at", "due_at"])
    op.create_table(
        "intake_allowances",
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("full_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("door", "sender", name="pk_intake_allowances"),
    )
