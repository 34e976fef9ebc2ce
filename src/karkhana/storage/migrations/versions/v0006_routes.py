"""Which model was chosen for a call, and whether its answer passed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "route_choices",
        sa.Column("call", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("task_type", sa.Text, nullable=False),
        sa.Column("chosen", sa.Text, nullable=False),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("answered", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("output", sa.BigInteger),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("call", name="pk_route_choices"),
    )
    op.create_index("ix_route_choices_at", "route_choices", ["at"])
    op.create_table(
        "route_outcomes",
        sa.Column("outcome", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("task_type", sa.Text, nullable=False),
        sa.Column("rung", sa.Text, nullable=False),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("outcome", name="pk_route_outcomes"),
        sa.UniqueConstraint("reference", name="uq_route_outcomes_reference"),
    )
    op.create_index("ix_route_outcomes_at", "route_outcomes", ["at"])
