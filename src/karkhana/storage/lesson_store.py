"""What runs taught, one row per run, subject and circumstance. Knows nothing of what the subjects are.

Only the newest runs count, so that a repository that changes is learned anew.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from karkhana.domain.lessons import Lesson
from karkhana.storage.database import Database
from karkhana.storage.tables import lessons

RUNS = 500
"""Newest runs that count, of this repository and of all others together."""


class LessonStore:
    """All lessons of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def learn(self, run_id: str, repository: str, taught: Iterable[Lesson]) -> None:
        """Keep what a run taught, in place of what it taught before: an outcome may be known better later."""
        rows = [
            {
                "run_id": run_id,
                "repository": repository,
                "subject": lesson.subject,
                "circumstance": lesson.circumstance,
                "good": lesson.good,
                "bad": lesson.bad,
            }
            for lesson in taught
        ]
        with self._database.writing() as connection:
            connection.execute(sa.delete(lessons).where(lessons.c.run_id == run_id))
            if rows:
                connection.execute(sa.insert(lessons), rows)

    def recall(self, repository: str, *, runs: int = RUNS) -> tuple[Lesson, ...]:
        """Sums over the newest ``runs`` of this repository and those of all others, sorted."""
        with self._database.reading() as connection:
            here = _sums(connection, lessons.c.repository == repository, runs, here=True)
            elsewhere = _sums(connection, lessons.c.repository != repository, runs, here=False)
        return (*here, *elsewhere)


def _sums(connection: sa.Connection, where: sa.ColumnElement[bool], runs: int, *, here: bool) -> list[Lesson]:
    # Run identifiers grow with time.
    newest = sa.select(lessons.c.run_id).where(where).distinct().order_by(lessons.c.run_id.desc()).limit(runs)
    query = (
        sa.select(
            lessons.c.subject,
            lessons.c.circumstance,
            sa.func.sum(lessons.c.good).label("good"),
            sa.func.sum(lessons.c.bad).label("bad"),
        )
        .where(lessons.c.run_id.in_(newest.scalar_subquery()))
        .group_by(lessons.c.subject, lessons.c.circumstance)
    )
    found = [
        Lesson(
            subject=row.subject,
            circumstance=row.circumstance,
            # Databases add in any order; the last digits must not depend on it.
            good=round(row.good, 6),
            bad=round(row.bad, 6),
            here=here,
        )
        for row in connection.execute(query)
    ]
    # Sorted here: databases differ in how they collate.
    return sorted(found, key=lambda lesson: (lesson.subject, lesson.circumstance))
