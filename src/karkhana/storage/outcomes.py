"""Outcomes of past runs that a person judged: what a track record is made of. Knows nothing of scores."""

import sqlalchemy as sa

from karkhana.domain.tasks import Status, TaskType
from karkhana.storage.database import Database
from karkhana.storage.tables import runs, tasks


def judged_outcomes(database: Database, engineer: str, type: TaskType, *, limit: int) -> list[Status]:
    """How the newest ``limit`` runs of an engineer on a type of task ended, where a person had decided.

    Newest first.
    """
    query = (
        sa.select(runs.c.status)
        .join(tasks, tasks.c.task_id == runs.c.task_id)
        .where(runs.c.engineer == engineer, tasks.c.type == type.value, tasks.c.human_review.is_(True))
        .where(runs.c.finished_at.is_not(None))
        .order_by(runs.c.run_id.desc())
        .limit(limit)
    )
    with database.reading() as connection:
        return [Status(status) for status in connection.execute(query).scalars()]
