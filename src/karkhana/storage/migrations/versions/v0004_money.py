"""Virtual keys, budgets and the ledger of what calls cost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
OPEN_ENTRY = sa.text("state = 'open'")


def upgrade() -> None:
    create_keys()
    create_budgets()
    create_ledger()


def create_keys() -> None:
    op.create_table(
        "virtual_keys",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger),
        sa.Column("tokens_per_minute", sa.BigInteger),
        sa.Column("expires_at", sa.Double),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_virtual_keys"),
        sa.UniqueConstraint("secret_sha256", name="uq_virtual_keys_secret_sha256"),
    )


def create_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("budget", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("soft", sa.BigInteger),
        sa.Column("hard", sa.BigInteger),
        sa.PrimaryKeyConstraint("budget", name="pk_budgets"),
        sa.UniqueConstraint("scope", "period", name="uq_budgets_scope_period"),
    )
    op.create_table(
        "budget_balances",
        sa.Column("budget", sa.BigInteger, nullable=False),
        sa.Column("start", sa.Text, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("budget", "start", name="pk_budget_balances"),
        sa.ForeignKeyConstraint(["budget"], ["budgets.budget"], name="fk_budget_balances_budget"),
        sa.CheckConstraint("reserved >= 0", name="ck_budget_balances_reserved"),
    )


def create_ledger() -> None:
    op.create_table(
        "ledger_writers",
        sa.Column("writer", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("writer", name="pk_ledger_writers"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("entry", ORDINAL, nullable=False, autoincrement=False),
        sa.Column("writer", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prices", sa.Text, nullable=False),
        sa.Column("reserved", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("cost", sa.BigInteger),
        sa.Column("settled_at", sa.Double),
        sa.Column("input", sa.BigInteger),
        sa.Column("cache_read", sa.BigInteger),
        sa.Column("cache_write", sa.BigInteger),
        sa.Column("cache_write_long", sa.BigInteger),
        sa.Column("output", sa.BigInteger),
        sa.Column("reasoning", sa.BigInteger),
        sa.PrimaryKeyConstraint("entry", name="pk_ledger_entries"),
    )
    op.create_index(
        "ix_ledger_entries_open", "ledger_entries", ["writer"], sqlite_where=OPEN_ENTRY, postgresql_where=OPEN_ENTRY
    )
