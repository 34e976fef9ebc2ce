"""Tasks, runs, and the trail."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
OPEN_RUN = sa.text("finished_at IS NULL")


def upgrade() -> None:
    create_queue()
    create_runs()
    create_trail()


def create_queue() -> None:
    op.create_table(
        "tasks",
        sa.Column("ordinal", ORDINAL, sa.Identity(), nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("generated_by", sa.Text, nullable=False),
        sa.Column("assigned_to", sa.Text),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("estimated_duration", sa.Double),
        sa.Column("actual_duration", sa.Double),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("human_review", sa.Boolean),
        sa.Column("quality_score", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("waiting_for", sa.Integer, nullable=False),
        sa.Column("order_json", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_tasks"),
        sa.UniqueConstraint("task_id", name="uq_tasks_task_id"),
        sa.CheckConstraint("priority BETWEEN 1 AND 10", name="ck_tasks_priority"),
        sa.CheckConstraint("waiting_for >= 0", name="ck_tasks_waiting_for"),
    )
    op.create_index("ix_tasks_ready", "tasks", ["status", "waiting_for", sa.text("priority DESC"), "ordinal"])
    op.create_index("ix_tasks_status", "tasks", ["status", "ordinal"])
    op.create_table(
        "task_dependencies",
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("depends_on", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "depends_on", name="pk_task_dependencies"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="fk_task_dependencies_task_id"),
        sa.ForeignKeyConstraint(["depends_on"], ["tasks.task_id"], name="fk_task_dependencies_depends_on"),
        sa.CheckConstraint("task_id <> depends_on", name="ck_task_dependencies_not_itself"),
    )
    op.create_index("ix_task_dependencies_depends_on", "task_dependencies", ["depends_on"])
    op.create_table(
        "tag_sets", sa.Column("tags", sa.Text, nullable=False), sa.PrimaryKeyConstraint("tags", name="pk_tag_sets")
    )
    op.create_table(
        "day_counters",
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_day_counters"),
    )


def create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("engineer", sa.Text),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double),
        sa.Column("cost_usd", sa.Double, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_epoch", sa.Integer, nullable=False),
        sa.Column("lease_expires_at", sa.Double),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("trail_seq", sa.Integer, nullable=False),
        sa.Column("trail_hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="fk_runs_task_id"),
    )
    op.create_index("ix_runs_task_id", "runs", ["task_id"])
    op.create_index(
        "ix_runs_lease", "runs", ["lease_expires_at", "lease_owner"], sqlite_where=OPEN_RUN, postgresql_where=OPEN_RUN
    )


def create_trail() -> None:
    op.create_table(
        "events",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_events"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_events_run_id"),
    )
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("redacted", sa.Boolean, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_blobs"),
    )
