"""How far the factory may decide alone, for a repository and type of task: outcomes, persons' words, the history.

The answer follows from the outcomes and from what persons said; what is kept is the history of the levels, so that
everybody can see when and why one changed. Everything can be done twice. Knows nothing of single runs.
"""

import time
from collections.abc import Callable, Iterable, Sequence
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
from karkhana.quality.guarantee.report import Judged, Report, Should, report, should
from karkhana.storage.autonomy_store import AutonomyStore
from karkhana.storage.event_log import EventLog


class Consulted(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one change."""

    standing: Standing
    protected: tuple[str, ...]
    audited: bool


Period = tuple[str, float, float]
"""Its name, and from when up to when, in seconds since the epoch."""
_DECIDING = ("run.started", "approval.requested", "approval.given", "autonomy.consulted")


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """What became known in a month, and what it says of the thresholds."""

    month: str
    """YYYY-MM, in UTC."""
    whole: Report
    by_type: dict[str, Report]
    """Type of task → the same of its outcomes alone."""
    by_then: dict[str, Should]
    """Type of task → what the thresholds should have been by all that was known at the end of the month."""


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

    def months(self, repository: str, task_type: str | None, periods: Sequence[Period]) -> tuple[Month, ...]:
        """Of the outcomes that became known in each of ``periods``."""
        settled = [
            o
            for o in self.outcomes.all(repository)
            if o.label is not Label.PENDING and task_type in (None, o.change.type)
        ]
        return tuple(self._month(settled, *period) for period in periods)

    def _month(self, settled: Sequence[Outcome], name: str, start: float, end: float) -> Month:
        inside = [(o.change.type, self._judged(o)) for o in settled if start <= o.known_at < end]
        by_then: dict[str, list[Judged]] = {}
        for o in settled:
            if o.known_at < end:
                judged = Judged(score=o.change.score, good=o.good, at=o.known_at, alone=False, audited=False)
                by_then.setdefault(o.change.type, []).append(judged)
        types = sorted({type_ for type_, _ in inside})
        return Month(
            month=name,
            whole=report([judged for _, judged in inside]),
            by_type={each: report([judged for type_, judged in inside if type_ == each]) for each in types},
            by_then={each: should(judged) for each, judged in sorted(by_then.items())},
        )

    def _judged(self, outcome: Outcome) -> Judged:
        ordered = asked = drawn = False
        for entry in self.events.entries(outcome.change.run_id, kinds=_DECIDING):
            match entry.event:
                case ev.RunStarted(order=order):
                    ordered = order.auto
                case ev.ApprovalRequested() | ev.ApprovalGiven():
                    asked = True
                case ev.AutonomyConsulted(audited=audited_):
                    drawn = audited_
        return Judged(
            score=outcome.change.score,
            good=outcome.good,
            at=outcome.known_at,
            alone=not asked,
            audited=drawn and asked,
            ordered=ordered,
        )


def autonomy_book(stores: Stores, outcomes: OutcomeBook | None = None) -> AutonomyBook:
    """Of a database."""
    return AutonomyBook(
        outcomes=outcomes or outcome_book(stores),
        events=stores.events,
    )
