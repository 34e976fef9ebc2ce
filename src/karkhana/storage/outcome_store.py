"""Scored changes and what was seen of them later, each once. Knows nothing of what the signs add up to.

Everything here can be made again from the trails of the runs; only how far repositories were searched is not in those.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from karkhana.domain.outcomes import ScoredChange, Sign, SignKind
from karkhana.storage.database import Database
from karkhana.storage.tables import outcome_changes, outcome_signs, runs, tasks

_TABLE = outcome_changes.c
_TEXTS = ("reference", "detail", "by")
PLAIN = (
    "run_id",
    "repository",
    "type",
    "engineer",
    "model",
    "strategy",
    "score",
    "at",
    "landed_at",
    "watched_at",
)
"""What tells how a change turned out. Twenty thousand are read at once, and the other columns take most of the time."""


def _as_it_is(text: str) -> str:
    return text


class Placed(NamedTuple):
    """A change with its product, and whether a person decided on it."""

    change: ScoredChange
    product: str
    asked: bool


class OutcomeStore:
    """All outcomes of a database; with ``redact`` no secret in a text is stored."""

    def __init__(self, database: Database, redact: Callable[[str], str] = _as_it_is) -> None:
        self._database = database
        self._redact = redact

    def keep(self, change: ScoredChange) -> None:
        """Write a change down, in place of what was known of the same run; what was seen since then stays."""
        values = msgspec.structs.asdict(change)
        values["components"] = msgspec.json.encode(values["components"], order="sorted").decode()
        seen = {name: values.pop(name) for name in ("landed_at", "landed_as", "watched_at")}
        where = _TABLE.run_id == change.run_id
        with self._database.writing() as connection:
            if connection.execute(sa.update(outcome_changes).where(where).values(values)).rowcount == 0:
                connection.execute(sa.insert(outcome_changes).values(**values, **seen, spread=""))

    def add(self, sign: Sign) -> bool:
        """Write a sign down; whether it is new."""
        values = msgspec.structs.asdict(sign) | {"kind": sign.kind.value}
        values |= {name: self._redact(values[name]) for name in _TEXTS}
        with self._database.writing() as connection:
            known = sa.select(outcome_signs.c.sign_id).where(outcome_signs.c.sign_id == sign.sign_id)
            if connection.execute(known).first() is not None:
                return False
            connection.execute(sa.insert(outcome_signs).values(values))
            return True

    def land(self, run_id: str, commit: str, at: float) -> None:
        """The change came into the main line; the first word counts."""
        where = sa.and_(_TABLE.run_id == run_id, _TABLE.landed_at.is_(None))
        with self._database.writing() as connection:
            connection.execute(sa.update(outcome_changes).where(where).values(landed_at=at, landed_as=commit))

    def watched(self, repository: str, at: float) -> None:
        """Signs of all changes of a repository were searched for until ``at``, seconds since the epoch."""
        earlier = sa.or_(_TABLE.watched_at.is_(None), _TABLE.watched_at < at)
        where = sa.and_(_TABLE.repository == repository, earlier)
        with self._database.writing() as connection:
            connection.execute(sa.update(outcome_changes).where(where).values(watched_at=at))

    def mark_spread(self, run_id: str, word: str) -> None:
        """Note which word on a change was passed on last."""
        with self._database.writing() as connection:
            connection.execute(sa.update(outcome_changes).where(_TABLE.run_id == run_id).values(spread=word))

    def spread(self) -> dict[str, str]:
        """Run → the word that was passed on last, where there is one."""
        query = sa.select(_TABLE.run_id, _TABLE.spread).where(_TABLE.spread != "")
        with self._database.reading() as connection:
            return {row.run_id: row.spread for row in connection.execute(query)}

    def changes(self, *, repository: str | None = None, run_id: str | None = None) -> list[ScoredChange]:
        """The oldest first."""
        query = sa.select(*_CHANGE)
        if repository is not None:
            query = query.where(_TABLE.repository == repository)
        if run_id is not None:
            query = query.where(_TABLE.run_id == run_id)
        with self._database.reading() as connection:
            found = [_change(row) for row in connection.execute(query)]
        return sorted(found, key=lambda change: (change.at, change.run_id))

    def newest(self, limit: int) -> list["Placed"]:
        """The newest ones with where they belong, the oldest of them first; :data:`PLAIN` of each is filled in."""
        columns = [_TABLE[name] for name in PLAIN]
        newest = sa.select(*columns).order_by(_TABLE.at.desc(), _TABLE.run_id.desc()).limit(limit).subquery()
        query = (
            sa.select(*newest.c, runs.c.product, tasks.c.human_review)
            .join(runs, runs.c.run_id == newest.c.run_id)
            .join(tasks, tasks.c.task_id == runs.c.task_id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        found = [
            Placed(ScoredChange(**dict(zip(PLAIN, values, strict=True))), product, bool(asked))
            for *values, product, asked in rows
        ]
        # both databases would sort whole rows again
        return sorted(found, key=lambda each: (each.change.at, each.change.run_id))

    def signs(self, run_ids: Iterable[str] | None = None) -> dict[str, list[Sign]]:
        """Run → its signs, the oldest first; of all runs, or of those that are named."""
        query = sa.select(*_SIGN)
        wanted = None if run_ids is None else set(run_ids)
        if wanted is not None and len(wanted) == 1:
            query = query.where(outcome_signs.c.run_id == next(iter(wanted)))
        found: dict[str, list[Sign]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                if wanted is None or row.run_id in wanted:
                    found.setdefault(row.run_id, []).append(_sign(row))
        for signs in found.values():
            signs.sort(key=lambda sign: (sign.at, sign.sign_id))
        return found

    def clear(self) -> None:
        """Forget everything, to make it again from the trails."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(outcome_signs))
            connection.execute(sa.delete(outcome_changes))


_CHANGE = [_TABLE[name] for name in ScoredChange.__struct_fields__]
_SIGN = [outcome_signs.c[name] for name in Sign.__struct_fields__]
_components = msgspec.json.Decoder(dict[str, float])


def _sign(row: Sequence[Any]) -> Sign:
    values = dict(zip(Sign.__struct_fields__, row, strict=True))
    return Sign(**values | {"kind": SignKind(values["kind"])})


def _change(row: Sequence[Any]) -> ScoredChange:
    values = dict(zip(ScoredChange.__struct_fields__, row, strict=True))
    return ScoredChange(**values | {"components": _components.decode(values["components"])})
