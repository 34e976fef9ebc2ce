"""What was understood of each ticket, and what is kept of it to compare later ones with."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "understandings",
        sa.Column("ordinal", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("understanding", sa.Text, nullable=False),
        sa.Column("sketch", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_understandings"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="fk_understandings_task_id"),
        sa.UniqueConstraint("task_id", name="uq_understandings_task_id"),
    )
    op.create_index("ix_understandings_product_ordinal", "understandings", ["product", "ordinal"])
