"""Outcomes for a stock of :mod:`benchmarks.dashboard_stock`: every delivered or rejected run has one, 8 % of those
delivered a bad sign, and a person decided on half of the tasks. Made once, straight in the tables.
"""

import random

import sqlalchemy as sa

from karkhana.domain.outcomes import Sign, SignKind
from karkhana.storage.database import Database
from karkhana.storage.tables import outcome_changes, outcome_signs, runs, tasks

BAD = 0.08
DAY_S = 86_400.0
COMPONENTS = '{"coverage":0.9,"familiarity":0.9,"review":0.9,"risk":0.9,"static":0.9,"tests":0.9}'


def settle(database: Database) -> int:
    """How many outcomes there are; they are made unless there are some."""
    with database.writing() as connection:
        count = int(connection.execute(sa.select(sa.func.count()).select_from(outcome_changes)).scalar_one())
        if count:
            return count
        ended = sa.and_(runs.c.status.in_(("delivered", "rejected")), runs.c.finished_at.is_not(None))
        columns = runs.c.run_id, runs.c.product, runs.c.type, runs.c.status, runs.c.finished_at, runs.c.score
        rows = connection.execute(sa.select(*columns).where(ended).order_by(runs.c.run_id)).all()
        drawn, now = random.Random(5), max(row.finished_at for row in rows)
        changes, signs = [], []
        for row in rows:
            refused = row.status == "rejected"
            landed = None if refused else row.finished_at + 3600.0
            changes.append(
                {
                    "run_id": row.run_id,
                    "repository": f"/repositories/{row.product}",
                    "type": row.type,
                    "engineer": drawn.choice(("symbolic", "llm")),
                    "model": "",
                    "strategy": "",
                    "commit": "" if refused else "c" * 40,
                    "score": row.score if row.score is not None else round(drawn.uniform(0.4, 1.0), 3),
                    "raw": None,
                    "components": COMPONENTS,
                    "at": row.finished_at,
                    "landed_at": landed,
                    "landed_as": "" if refused else "d" * 40,
                    "watched_at": now,
                    "spread": "",
                    "weights": "",
                }
            )
            if refused or drawn.random() < BAD:
                kind = SignKind.REJECTED if refused else drawn.choice((SignKind.REVERTED, SignKind.HOT_FIXED))
                sign = Sign.make(row.run_id, kind, at=row.finished_at + 20 * DAY_S * drawn.random())
                signs.append({name: getattr(sign, name) for name in Sign.__struct_fields__} | {"kind": kind.value})
        connection.execute(sa.insert(outcome_changes), changes)
        connection.execute(sa.insert(outcome_signs), signs)
        connection.execute(sa.update(tasks).values(human_review=tasks.c.ordinal % 2 == 0))
        return len(changes)
