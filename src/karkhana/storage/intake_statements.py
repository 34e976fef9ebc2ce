"""The statements of a delivery, made once: to make one anew for each delivery takes longer than to carry it out.

Knows the tables alone. All are given their values when they are executed.
"""

from typing import NamedTuple

import sqlalchemy as sa

from karkhana.storage.tables import (
    FILLED_SLOT,
    intake_allowances,
    intake_answers,
    intake_deliveries,
    intake_subjects,
    intake_tickets,
)
from karkhana.storage.upserting import upsert

TASK_OF = sa.select(intake_subjects.c.task_id).where(
    intake_subjects.c.door == sa.bindparam("door"), intake_subjects.c.subject == sa.bindparam("subject")
)
RECEIPT = (
    sa.select(intake_deliveries.c.receipt)
    .where(
        intake_deliveries.c.door == sa.bindparam("door"),
        (intake_deliveries.c.identity == sa.bindparam("identity"))
        | (intake_deliveries.c.digest == sa.bindparam("digest")),
    )
    .limit(1)
)
KEEP_RECEIPT = (
    sa.update(intake_deliveries)
    .where(
        intake_deliveries.c.door == sa.bindparam("of_door"),
        intake_deliveries.c.identity == sa.bindparam("of_identity"),
    )
    .values(receipt=sa.bindparam("came_of_it"))
)
CAME = sa.insert(intake_tickets)
ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtext(:door))")


class Statements(NamedTuple):
    """Those that every database says in its own words."""

    mark: sa.Executable
    """Keep a delivery; a row: it is the first of its kind."""
    take: sa.Executable
    """Count one against an allowance, ``step`` seconds at the time ``now``; when it is full again."""
    bind: sa.Executable
    answer: sa.Executable
    replace: sa.Executable
    """An answer that takes the place of what stands in its slot, if it says something else."""


def statements(connection: sa.Connection) -> Statements:
    """For the database at hand."""
    name = connection.dialect.name
    found = _KNOWN.get(name)
    if found is None:
        found = _KNOWN[name] = _made(connection)
    return found


_KNOWN: dict[str, Statements] = {}


def _made(connection: sa.Connection) -> Statements:
    full_at, now = intake_allowances.c.full_at, sa.bindparam("now", type_=sa.Double)
    later = sa.case((full_at > now, full_at), else_=now) + sa.bindparam("step", type_=sa.Double)
    answer = upsert(connection, intake_answers)
    new = answer.excluded
    replaced = {name: new[name] for name in ("text", "content", "reference", "due_at", "at", "attempts")}
    fresh = {"sent_at": None, "failed_at": None, "error": "", "version": intake_answers.c.version + 1}
    return Statements(
        mark=upsert(connection, intake_deliveries).on_conflict_do_nothing().returning(intake_deliveries.c.identity),
        take=upsert(connection, intake_allowances)
        .on_conflict_do_update(index_elements=["door", "sender"], set_={"full_at": later})
        .returning(full_at),
        bind=upsert(connection, intake_subjects).on_conflict_do_nothing(),
        answer=sa.insert(intake_answers),
        replace=answer.on_conflict_do_update(
            index_elements=["task_id", "slot"],
            index_where=FILLED_SLOT,
            set_=replaced | fresh,
            where=intake_answers.c.content != new["content"],
        ),
    )
