"""How far the factory may decide alone, for a repository and type of task: outcomes, persons' words, the history.

The answer follows from the outcomes and from what persons said; what is kept is the history of the levels, so that
everybody can see when and why one changed. Everything can be done twice. Knows nothing of single runs.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from karkhana.domain import events as ev
from karkhana.domain.autonomy import Cause, LevelChange, Standing, above
from karkhana.domain.errors import InvalidInput
from karkhana.domain.outcomes import Label, Outcome
from karkhana.domain.policy import Autonomy, Policy
from karkhana.factory.outcomes import OutcomeBook, outcome_book
from karkhana.factory.stores import Stores
from karkhana.quality.autonomy import protected_because
from karkhana.quality.guarantee.audit import audited
from karkhana.quality.guarantee.report import Judged, Report, report
from karkhana.storage.autonomy_store import AutonomyStore
from karkhana.storage.event_log import EventLog


class Consulted(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one change."""

    standing: Standing
    protected: tuple[str, ...]
    audited: bool


@dataclass(frozen=True)
class AutonomyBook:
    """The levels of all repositories and types of task."""

    outcomes: OutcomeBook
    events: EventLog
    clock: Callable[[], float] = time.time

    @property
    def store(self) -> AutonomyStore:
        """The history of the levels."""
        return self.outcomes.levels.store

    def standing(self, repository: str, task_type: str, policy: Policy) -> Standing:
        """What holds now; a level that has changed since the last look is written into the history."""
        return self.outcomes.levels.look(repository, task_type, self.outcomes.all(repository), policy)

    def consult(
        self, run_id: str, repository: str, task_type: str, policy: Policy, changed: Iterable[str]
    ) -> Consulted:
        """What holds for a change of some paths."""
        standing = self.standing(repository, task_type, policy)
        return Consulted(
            standing=standing,
            protected=protected_because(tuple(changed), policy),
            audited=standing.level is not Autonomy.IN_THE_LOOP
            and audited(run_id, policy.audit_salt, policy.audit_share),
        )

    def set(
        self, repository: str, task_type: str, level: Autonomy, policy: Policy, *, by: str, because: str
    ) -> Standing:
        """A person's word; a level above what was earned holds until the first bad outcome after it.

        Raises ``InvalidInput`` for one that the settings do not allow.
        """
        limit = policy.autonomy_limit if above(policy.autonomy_limit, policy.autonomy) else policy.autonomy
        if above(level, limit):
            raise InvalidInput(
                f"the settings allow no more than {limit.value}", "Raise policy.autonomy_limit in your config.toml."
            )
        before = self.standing(repository, task_type, policy)
        change = LevelChange(
            repository=repository,
            task_type=task_type,
            at=self.clock(),
            level=level,
            previous=before.level,
            cause=Cause.PERSON,
            by=by,
            because=because,
        )
        self.store.add(change)
        return self.standing(repository, task_type, policy)

    def report(self, repository: str, task_type: str | None, start: float, end: float) -> Report:
        """Of the outcomes that became known from ``start`` up to ``end``, seconds since the epoch."""
        found = [
            o
            for o in self.outcomes.all(repository)
            if o.label is not Label.PENDING
            and start <= o.known_at < end
            and (task_type is None or o.change.type == task_type)
        ]
        return report([self._judged(o) for o in found])

    def _judged(self, outcome: Outcome) -> Judged:
        asked = drawn = False
        for entry in self.events.entries(outcome.change.run_id):
            if isinstance(entry.event, ev.ApprovalRequested):
                asked = True
            elif isinstance(entry.event, ev.AutonomyConsulted):
                drawn = entry.event.audited
        return Judged(
            score=outcome.change.score, good=outcome.good, at=outcome.known_at, alone=not asked, audited=drawn and asked
        )


def autonomy_book(stores: Stores, outcomes: OutcomeBook | None = None) -> AutonomyBook:
    """Of a database."""
    return AutonomyBook(
        outcomes=outcomes or outcome_book(stores),
        events=stores.events,
    )
