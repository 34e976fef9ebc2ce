"""Messages to runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("ordinal", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_messages"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_messages_run_id"),
    )
    op.create_index("ix_messages_run_id_topic", "messages", ["run_id", "topic", "ordinal"])
