"""The tables, the same on SQLite and PostgreSQL. Knows nothing of what their rows mean.

Times are seconds since the epoch as floats, so that comparing and adding them is the same in every database. Amounts
of money are whole trillionths of a dollar.
"""

import sqlalchemy as sa

SCHEMA_VERSION = "0022"
"""The newest migration; kept here so that opening an up-to-date database needs no Alembic."""

GENESIS = "0" * 64
"""What stands for the previous hash of a run's first event."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ORDINAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# Both are conditions on PostgreSQL as well, as the migrations say; to say so here would load that dialect everywhere.
OPEN_RUN = sa.text("finished_at IS NULL")
HELD_RUN = sa.text("lease_owner IS NOT NULL")
OPEN_ENTRY = sa.text("state = 'open'")
FILLED_SLOT = sa.text("slot <> ''")

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("task_id", sa.Text, nullable=False, unique=True),
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
    sa.CheckConstraint("priority BETWEEN 1 AND 10", name="priority"),
    sa.CheckConstraint("waiting_for >= 0", name="waiting_for"),
)
sa.Index("ix_tasks_ready", tasks.c.status, tasks.c.waiting_for, tasks.c.priority.desc(), tasks.c.ordinal)
sa.Index("ix_tasks_status", tasks.c.status, tasks.c.ordinal)
sa.Index("ix_tasks_status_priority", tasks.c.status, tasks.c.priority.desc(), tasks.c.ordinal)

task_words = sa.Table(
    "task_words",
    metadata,
    # by bytes in every database, so that words with one beginning stand together
    sa.Column("word", sa.Text(collation="C").with_variant(sa.Text(), "sqlite"), primary_key=True),
    sa.Column("ordinal", sa.BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""The words of titles. No foreign key: pairs of tasks that are gone do no harm, and an index to find them would."""

task_dependencies = sa.Table(
    "task_dependencies",
    metadata,
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.task_id"), primary_key=True),
    sa.Column("depends_on", sa.Text, sa.ForeignKey("tasks.task_id"), primary_key=True, index=True),
    sa.CheckConstraint("task_id <> depends_on", name="not_itself"),
)

tag_sets = sa.Table("tag_sets", metadata, sa.Column("tags", sa.Text, primary_key=True))

day_counters = sa.Table(
    "day_counters",
    metadata,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.task_id"), nullable=False, index=True),
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
    sa.Column("product", sa.Text, nullable=False, server_default=""),
    sa.Column("type", sa.Text, nullable=False, server_default=""),
    sa.Column("score", sa.Double),
    sa.Column("pruned_at", sa.Double),
)
sa.Index("ix_runs_status_run_id", runs.c.status, runs.c.run_id)
sa.Index("ix_runs_status_product", runs.c.status, runs.c.product)
sa.Index("ix_runs_status_finished_at", runs.c.status, runs.c.finished_at, runs.c.product)
sa.Index("ix_runs_held", runs.c.run_id, sqlite_where=HELD_RUN)
sa.Index("ix_runs_product_run_id", runs.c.product, runs.c.run_id)
sa.Index("ix_runs_type_run_id", runs.c.type, runs.c.run_id)
sa.Index("ix_runs_finished_at", runs.c.finished_at)
sa.Index("ix_runs_lease", runs.c.lease_expires_at, runs.c.lease_owner, sqlite_where=OPEN_RUN)

events = sa.Table(
    "events",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.run_id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("redacted", sa.Boolean, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("pruned_at", sa.Double),
    # when it was last kept, within an hour; absent: before this was noted
    sa.Column("kept_at", sa.Double),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.run_id"), nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)
sa.Index("ix_messages_run_id_topic", messages.c.run_id, messages.c.topic, messages.c.ordinal)

lessons = sa.Table(
    "lessons",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.run_id"), primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("circumstance", sa.Text, primary_key=True),
    sa.Column("repository", sa.Text, nullable=False),
    sa.Column("good", sa.Double, nullable=False),
    sa.Column("bad", sa.Double, nullable=False),
)
sa.Index("ix_lessons_repository_run_id", lessons.c.repository, lessons.c.run_id)

virtual_keys = sa.Table(
    "virtual_keys",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("secret_sha256", sa.Text, nullable=False, unique=True),
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
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("budget", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("soft", sa.BigInteger),
    sa.Column("hard", sa.BigInteger),
    sa.UniqueConstraint("scope", "period"),
)

budget_balances = sa.Table(
    "budget_balances",
    metadata,
    sa.Column("budget", sa.BigInteger, sa.ForeignKey("budgets.budget"), primary_key=True),
    sa.Column("start", sa.Text, primary_key=True),
    sa.Column("spent", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.CheckConstraint("reserved >= 0", name="reserved"),
)

ledger_writers = sa.Table(
    "ledger_writers",
    metadata,
    sa.Column("writer", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("seen_at", sa.Double, nullable=False),
)

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("entry", _ORDINAL, primary_key=True, autoincrement=False),
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
    sa.Column("attempt", sa.Text, nullable=False, server_default=""),
)
sa.Index("ix_ledger_entries_open", ledger_entries.c.writer, sqlite_where=OPEN_ENTRY)

route_choices = sa.Table(
    "route_choices",
    metadata,
    sa.Column("call", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, nullable=False, index=True),
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
)

route_outcomes = sa.Table(
    "route_outcomes",
    metadata,
    sa.Column("outcome", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("reference", sa.Text, nullable=False, unique=True),
    sa.Column("at", sa.Double, nullable=False, index=True),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("task_type", sa.Text, nullable=False),
    sa.Column("rung", sa.Text, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
)

outcome_changes = sa.Table(
    "outcome_changes",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.run_id"), primary_key=True),
    sa.Column("repository", sa.Text, nullable=False, index=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("engineer", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("commit", sa.Text, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("raw", sa.Double),
    sa.Column("weights", sa.Text, nullable=False, server_default=""),
    sa.Column("components", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("landed_at", sa.Double),
    sa.Column("landed_as", sa.Text, nullable=False),
    sa.Column("watched_at", sa.Double),
    sa.Column("spread", sa.Text, nullable=False),
)

outcome_signs = sa.Table(
    "outcome_signs",
    metadata,
    sa.Column("sign_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.run_id"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
)

autonomy_changes = sa.Table(
    "autonomy_changes",
    metadata,
    sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("repository", sa.Text, nullable=False),
    sa.Column("task_type", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False, server_default=""),
)
sa.Index(
    "ix_autonomy_changes_repository_task_type",
    autonomy_changes.c.repository,
    autonomy_changes.c.task_type,
    autonomy_changes.c.ordinal,
)

intake_deliveries = sa.Table(
    "intake_deliveries",
    metadata,
    sa.Column("door", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False, index=True),
    sa.Column("receipt", sa.Text, nullable=False),
    sa.UniqueConstraint("door", "digest"),
)

intake_subjects = sa.Table(
    "intake_subjects",
    metadata,
    sa.Column("door", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.task_id"), nullable=False, index=True),
)

intake_tickets = sa.Table(
    "intake_tickets",
    metadata,
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.task_id"), primary_key=True),
    sa.Column("door", sa.Text, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("suspicions", sa.Text, nullable=False),
    sa.Column("told", sa.Text, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)
sa.Index("ix_intake_tickets_done", intake_tickets.c.done)

intake_answers = sa.Table(
    "intake_answers",
    metadata,
    sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("door", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("sent_at", sa.Double),
    sa.Column("slot", sa.Text, nullable=False, server_default=""),
    sa.Column("marker", sa.Text, nullable=False, server_default=""),
    sa.Column("content", sa.Text, nullable=False, server_default=""),
    sa.Column("external", sa.Text, nullable=False, server_default=""),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("begun", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("failed_at", sa.Double),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
)
sa.Index("ix_intake_answers_due", intake_answers.c.sent_at, intake_answers.c.due_at)
sa.Index(
    "ix_intake_answers_slot", intake_answers.c.task_id, intake_answers.c.slot, unique=True, sqlite_where=FILLED_SLOT
)

intake_senders = sa.Table(
    "intake_senders",
    metadata,
    sa.Column("door", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
    sa.Column("rests_until", sa.Double, nullable=False),
    sa.Column("trouble", sa.Text, nullable=False),
)

intake_allowances = sa.Table(
    "intake_allowances",
    metadata,
    sa.Column("door", sa.Text, primary_key=True),
    sa.Column("sender", sa.Text, primary_key=True),
    sa.Column("full_at", sa.Double, nullable=False),
)

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("via", sa.Text, nullable=False),
    sa.Column("token_id", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
for _column in (audit_entries.c.actor, audit_entries.c.action, audit_entries.c.target, audit_entries.c.product):
    sa.Index(f"ix_audit_entries_{_column.name}_seq", _column, audit_entries.c.seq)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("chain", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.CheckConstraint("chain = 1", name="chain"),
)
"""One row: the newest entry of the audit."""

api_answers = sa.Table(
    "api_answers",
    metadata,
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("begun_at", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False, index=True),
    sa.Column("answer", sa.LargeBinary),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("webhook_id", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("products", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("notice", sa.Text, nullable=False),
    sa.Column("failing_since", sa.Double),
    sa.Column("arrived_at", sa.Double),
)

webhook_feed = sa.Table(
    "webhook_feed",
    metadata,
    sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
)
"""What happened and is still to be made into messages; written together with what happened."""

webhook_messages = sa.Table(
    "webhook_messages",
    metadata,
    sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("webhook_id", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("answered", sa.Integer),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Double, index=True),
    sa.UniqueConstraint("webhook_id", "message_id"),
)
sa.Index("ix_webhook_messages_state_due_at", webhook_messages.c.state, webhook_messages.c.due_at)
sa.Index(
    "ix_webhook_messages_webhook_id_state_subject",
    webhook_messages.c.webhook_id,
    webhook_messages.c.state,
    webhook_messages.c.subject,
    webhook_messages.c.ordinal,
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
)
"""What one process at a time does for all."""

understandings = sa.Table(
    "understandings",
    metadata,
    sa.Column("ordinal", _ORDINAL, sa.Identity(), primary_key=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.task_id"), nullable=False, unique=True),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("understanding", sa.Text, nullable=False),
    sa.Column("sketch", sa.Text, nullable=False),
)
sa.Index("ix_understandings_product_ordinal", understandings.c.product, understandings.c.ordinal)

team_sessions = sa.Table(
    "team_sessions",
    metadata,
    sa.Column("session_sha256", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("groups", sa.Text, nullable=False),
    sa.Column("began_at", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False, index=True),
)

access_tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("token_id", sa.Text, primary_key=True),
    sa.Column("secret_sha256", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("revoked_at", sa.Double),
    sa.Column("used_at", sa.Double),
)

sealed_secrets = sa.Table(
    "sealed_secrets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("nonce", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("changed_at", sa.Double, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
)

breaker_reports = sa.Table(
    "breaker_reports",
    metadata,
    sa.Column("reporter", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("answered", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("opens_in_s", sa.Double, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)
