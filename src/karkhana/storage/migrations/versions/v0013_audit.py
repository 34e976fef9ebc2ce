"""What people and programs asked of the factory."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

TEXTS = (
    "at",
    "actor",
    "via",
    "token_id",
    "action",
    "target",
    "product",
    "outcome",
    "details",
    "previous_hash",
    "hash",
)


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in TEXTS),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_entries"),
    )
    for name in ("actor", "action", "target", "product"):
        op.create_index(f"ix_audit_entries_{name}_seq", "audit_entries", [name, "seq"])
    head = op.create_table(
        "audit_head",
        sa.Column("chain", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_audit_head"),
        sa.CheckConstraint("chain = 1", name="chain"),
    )
    op.bulk_insert(head, [{"chain": 1, "seq": 0, "hash": "0" * 64}])
