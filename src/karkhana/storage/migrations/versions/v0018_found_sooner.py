"""Tasks are found by words of their titles; the queue, counts by product and waiting scores have their place."""

import msgspec
import sqlalchemy as sa
from alembic import op

from karkhana.storage.title_words import words_of

revision = "0018"
down_revision = "0017"

_PAGE = 2000


def upgrade() -> None:
    words = op.create_table(
        "task_words",
        sa.Column("word", sa.Text(collation="C").with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("ordinal", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("word", "ordinal", name="pk_task_words"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tasks_status_priority", "tasks", ["status", sa.text("priority DESC"), "ordinal"])
    op.create_index("ix_runs_status_product", "runs", ["status", "product"])
    connection = op.get_bind()
    last = -1
    query = sa.text("SELECT ordinal, title FROM tasks WHERE ordinal > :last ORDER BY ordinal LIMIT :page")
    while page := connection.execute(query, {"last": last, "page": _PAGE}).all():
        rows = [{"word": word, "ordinal": row.ordinal} for row in page for word in words_of(row.title)]
        if rows:
            connection.execute(sa.insert(words), rows)
        last = page[-1].ordinal
    _score_what_waits(connection)


def _score_what_waits(connection: sa.Connection) -> None:
    """A run had no score in its row before it ended."""
    waiting = sa.text(
        "SELECT events.run_id, events.payload FROM runs JOIN events ON events.run_id = runs.run_id"
        " WHERE runs.status = 'waiting_for_review' AND runs.score IS NULL AND events.type = 'score.computed'"
        " ORDER BY events.run_id, events.seq"
    )
    scores = {}
    for row in connection.execute(waiting):
        try:
            scores[row.run_id] = float(msgspec.json.decode(row.payload)["confidence"]["score"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            # what was tampered with is shown by: karkhana runs verify
            continue
    if scores:
        update = sa.text("UPDATE runs SET score = :score WHERE run_id = :run_id")
        connection.execute(update, [{"run_id": run_id, "score": score} for run_id, score in scores.items()])
