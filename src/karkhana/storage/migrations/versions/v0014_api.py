"""Answers of the API that are remembered, webhooks and their messages, and leases of what one process does for all."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "api_answers",
        *texts("principal", "key", "request"),
        sa.Column("begun_at", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("answer", sa.LargeBinary),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_api_answers"),
    )
    op.create_index("ix_api_answers_until", "api_answers", ["until"])
    op.create_table(
        "webhooks",
        *texts("webhook_id", "url", "events", "products", "description", "secret"),
        sa.Column("created_at", sa.Double, nullable=False),
        *texts("created_by"),
        sa.Column("active", sa.Boolean, nullable=False),
        *texts("notice"),
        sa.Column("failing_since", sa.Double),
        sa.Column("arrived_at", sa.Double),
        sa.PrimaryKeyConstraint("webhook_id", name="pk_webhooks"),
    )
    op.create_table(
        "webhook_feed",
        sa.Column("ordinal", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        *texts("kind", "task_id", "run_id"),
        sa.Column("seq", sa.Integer, nullable=False),
        *texts("status"),
        sa.PrimaryKeyConstraint("ordinal", name="pk_webhook_feed"),
    )
    _messages()
    op.create_table(
        "leases",
        *texts("name", "owner"),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _messages() -> None:
    op.create_table(
        "webhook_messages",
        sa.Column("ordinal", ORDINAL, sa.Identity(), nullable=False),
        *texts("webhook_id", "message_id", "type", "subject", "body"),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        *texts("state"),
        sa.Column("answered", sa.Integer),
        *texts("note"),
        sa.Column("ended_at", sa.Double),
        sa.PrimaryKeyConstraint("ordinal", name="pk_webhook_messages"),
        sa.UniqueConstraint("webhook_id", "message_id", name="uq_webhook_messages_webhook_id_message_id"),
    )
    op.create_index("ix_webhook_messages_ended_at", "webhook_messages", ["ended_at"])
    op.create_index("ix_webhook_messages_state_due_at", "webhook_messages", ["state", "due_at"])
    op.create_index(
        "ix_webhook_messages_webhook_id_state_subject",
        "webhook_messages",
        ["webhook_id", "state", "subject", "ordinal"],
    )
