"""Identifiers of runs and tasks.

>>> len(new_run_id(0.0))
30
>>> new_run_id(1.0) < new_run_id(2.0)
True
"""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa

from karkhana.storage.tables import day_counters
from karkhana.storage.upserting import upsert

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, which sorts like the number."""


def new_run_id(now: float) -> str:
    """``run_`` and a ULID (github.com/ulid/spec) in lower case: 48 bits of milliseconds, 80 random bits."""
    number = (int(now * 1000) & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    return "run_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -5, -5))


def next_task_id(connection: sa.Connection, now: float) -> str:
    """``BUILD-YYYY-MM-DD-NNN`` with the next number of the day (UTC); unique across all processes."""
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    counted = _COUNTED.get(connection.dialect.name)
    if counted is None:
        # made once: to make it for each task takes longer than to carry it out
        counted = _COUNTED[connection.dialect.name] = (
            upsert(connection, day_counters)
            .on_conflict_do_update(index_elements=["day"], set_={"last": day_counters.c.last + 1})
            .returning(day_counters.c.last)
        )
    return f"BUILD-{day}-{connection.execute(counted, {'day': day, 'last': 1}).scalar_one():03d}"


_COUNTED: dict[str, sa.Executable] = {}
