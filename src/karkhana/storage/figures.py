"""How the factory stands, in numbers, from the database alone: for whoever draws curves of it.

A few queries over narrow columns; at 100,000 runs they take a fraction of a second, so they are asked at most every
few seconds. Knows nothing of who reads the numbers.
"""

import msgspec
import sqlalchemy as sa

from karkhana.domain.tasks import Status
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import intake_answers, ledger_entries, runs, tasks, webhook_feed, webhook_messages

SCORES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Upper bounds of the histogram of scores."""


class Waiting(msgspec.Struct, frozen=True):
    """What waits to be sent."""

    count: int
    oldest_s: float
    """Age of the oldest; 0 when nothing waits."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, of one moment."""

    tasks: dict[str, int]
    """By status."""
    oldest_ready_s: float
    """Age of the oldest task that could be begun; 0: there is none."""
    oldest_review_s: float
    """Age of the oldest run that waits for a person."""
    started: dict[str, int]
    """Runs by type of task."""
    finished: dict[tuple[str, str, str], int]
    """Runs by status, type and engineer."""
    held: int
    """Unfinished runs whose lease holds."""
    overdue: int
    """Unfinished runs whose lease ran out, and that nobody has taken over."""
    parked: int
    """Unfinished runs that wait for a message."""
    scores: tuple[int, ...]
    """Runs by the upper bound of their score, not added up."""
    score_sum: float
    costs: dict[tuple[str, str], tuple[int, float]]
    """Calls, and US dollars as far as the price is known, by provider and model."""
    outboxes: dict[str, Waiting]


def figures(database: Database, clock: Clock = utc_now) -> Figures:
    """Count everything. Raises ``DatabaseUnavailable`` or ``InfrastructureFailure``."""
    now = clock().timestamp()
    with database.reading() as connection:
        scores, total = _scores(connection)
        held, overdue, parked = _leases(connection, now)
        return Figures(
            tasks=_by(connection, tasks.c.status),
            oldest_ready_s=_age(
                connection, tasks.c.created_at, now, tasks.c.status == Status.QUEUED.value, tasks.c.waiting_for == 0
            ),
            oldest_review_s=_age(connection, runs.c.started_at, now, runs.c.status == Status.WAITING_FOR_REVIEW.value),
            started=_by(connection, runs.c.type),
            finished=_finished(connection),
            held=held,
            overdue=overdue,
            parked=parked,
            scores=scores,
            score_sum=total,
            costs=_costs(connection),
            outboxes=_outboxes(connection, now),
        )


def _by(connection: sa.Connection, column: sa.Column[str]) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).group_by(column)
    return {row[0]: row[1] for row in connection.execute(query)}


def _age(
    connection: sa.Connection, column: sa.ColumnElement[float], now: float, *where: sa.ColumnElement[bool]
) -> float:
    oldest = connection.execute(sa.select(sa.func.min(column)).where(*where)).scalar()
    return 0.0 if oldest is None else max(0.0, now - oldest)


def _finished(connection: sa.Connection) -> dict[tuple[str, str, str], int]:
    names = (runs.c.status, runs.c.type, sa.func.coalesce(runs.c.engineer, ""))
    query = sa.select(*names, sa.func.count()).where(runs.c.finished_at.is_not(None)).group_by(*names)
    return {(status, kind, engineer): count for status, kind, engineer, count in connection.execute(query)}


def _leases(connection: sa.Connection, now: float) -> tuple[int, int, int]:
    late = runs.c.lease_expires_at <= now
    parked = sa.and_(runs.c.lease_owner.is_(None), sa.or_(runs.c.lease_expires_at.is_(None), sa.not_(late)))
    state = sa.case((parked, "parked"), (late, "overdue"), else_="held")
    query = sa.select(state, sa.func.count()).where(runs.c.finished_at.is_(None)).group_by(state)
    found = {row[0]: row[1] for row in connection.execute(query)}
    return found.get("held", 0), found.get("overdue", 0), found.get("parked", 0)


def _scores(connection: sa.Connection) -> tuple[tuple[int, ...], float]:
    bound = sa.case(*((runs.c.score <= limit, number) for number, limit in enumerate(SCORES)), else_=len(SCORES) - 1)
    query = sa.select(bound, sa.func.count(), sa.func.sum(runs.c.score)).where(runs.c.score.is_not(None))
    found = list(connection.execute(query.group_by(bound)))
    counts = [0] * len(SCORES)
    for number, count, _ in found:
        counts[number] = count
    return tuple(counts), float(sum(total for _, _, total in found))


def _costs(connection: sa.Connection) -> dict[tuple[str, str], tuple[int, float]]:
    names = (ledger_entries.c.provider, ledger_entries.c.model)
    # the sum of whole trillionths could leave 64 bits; a figure for a curve need not be exact
    spent = sa.func.coalesce(sa.func.sum(sa.cast(ledger_entries.c.cost, sa.Double)), 0.0)
    query = sa.select(*names, sa.func.count(), spent).group_by(*names)
    return {(provider, model): (count, cost / 1e12) for provider, model, count, cost in connection.execute(query)}


def _outboxes(connection: sa.Connection, now: float) -> dict[str, Waiting]:
    chosen = {
        "answers": (intake_answers, intake_answers.c.sent_at.is_(None)),
        "webhook_feed": (webhook_feed, sa.true()),
        "webhook_messages": (webhook_messages, webhook_messages.c.ended_at.is_(None)),
    }
    found = {}
    for name, (table, where) in chosen.items():
        count = connection.execute(sa.select(sa.func.count()).select_from(table).where(where)).scalar_one()
        found[name] = Waiting(count, _age(connection, table.c.at, now, where))
    return found
