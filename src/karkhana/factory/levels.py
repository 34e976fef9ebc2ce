"""Levels of autonomy as outcomes move them: looked at whenever an outcome changes, not only when somebody asks.

A level follows from the outcomes and from what persons said. When it is another one than the history says, the history
gets a row (one, however many workers look), the trail of the run whose outcome moved it gets the event, and the log a
line; so it does when the drift alarm rings. Everything can be done twice. Knows nothing of how outcomes are found.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from karkhana.domain.autonomy import Cause, LevelChange, Standing, above
from karkhana.domain.events import AutonomyChanged
from karkhana.domain.outcomes import Label, Outcome
from karkhana.domain.policy import Autonomy, Policy
from karkhana.quality.autonomy import Known, Ladder, climb, level_in_force
from karkhana.storage.autonomy_store import AutonomyStore
from karkhana.storage.event_log import EventLog

_log = logging.getLogger("karkhana.autonomy")


@dataclass(frozen=True)
class Levels:
    """Of all repositories and types of task."""

    store: AutonomyStore
    events: EventLog
    policy: Callable[[str], Policy]
    """Of a repository, as it holds now."""
    clock: Callable[[], float] = time.time

    def look(
        self, repository: str, task_type: str, outcomes: Iterable[Outcome], policy: Policy, run_id: str = ""
    ) -> Standing:
        """What holds by all ``outcomes`` of a repository; ``run_id``: the run whose outcome is the reason to look."""
        known = [o for o in outcomes if o.change.type == task_type and o.label is not Label.PENDING]
        ladder = climb([_known(o) for o in known], policy.deploy_above)
        history = self.store.history(repository, task_type)
        level, because = level_in_force(ladder, policy, history)
        previous = history[-1].level if history else policy.autonomy
        # After a bad outcome nothing goes ahead alone anyway; that the alarm rings as well is told all the same.
        rang = ladder.alarmed_at
        alarmed = rang is not None and not any(c.cause is Cause.DRIFT and c.at >= rang for c in history)
        if level is not previous or alarmed:
            change = LevelChange(
                repository=repository,
                task_type=task_type,
                at=self.clock(),
                level=level,
                previous=previous,
                cause=Cause.DRIFT
                if alarmed and not above(level, previous)
                else _cause(ladder, level, previous, by_outcome=bool(run_id)),
                because=because,
                run_id=run_id,
            )
            if self.store.add(change):
                _tell(change)
        if run_id:
            self._into_trail(run_id, repository, task_type)
        return Standing(
            repository=repository,
            task_type=task_type,
            level=level,
            earned=ladder.earned,
            guarantee=ladder.guarantee,
            because=because,
        )

    def moved(self, outcomes: Iterable[Outcome], every: Callable[[str], Sequence[Outcome]]) -> None:
        """Some outcomes got another label: look at their levels. ``every`` gives all outcomes of a repository."""
        groups: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in outcomes:
            groups.setdefault((outcome.change.repository, outcome.change.type), []).append(outcome)
        for (repository, task_type), some in groups.items():
            newest = max(some, key=lambda outcome: (outcome.label is Label.BAD, outcome.known_at))
            self.look(repository, task_type, every(repository), self.policy(repository), newest.change.run_id)

    def _into_trail(self, run_id: str, repository: str, task_type: str) -> None:
        """The row that this run's outcome made, also when a worker died between writing the row and the event."""
        newest = next(reversed(self.store.history(repository, task_type)), None)
        if newest is None or newest.run_id != run_id:
            return
        told = (entry.event for entry in self.events.entries(run_id))
        if not any(isinstance(event, AutonomyChanged) and event.change.at == newest.at for event in told):
            self.events.trail(run_id).record(AutonomyChanged(change=newest))


def _known(outcome: Outcome) -> Known:
    change = outcome.change
    return Known(score=change.score, good=outcome.good, at=outcome.known_at, decided=change.at)


def _cause(ladder: Ladder, level: Autonomy, previous: Autonomy, *, by_outcome: bool) -> Cause:
    if above(level, previous):
        return Cause.SETTINGS if above(level, ladder.earned) else Cause.GUARANTEE
    if not above(previous, ladder.earned):
        # The outcomes would still allow what was there before.
        return Cause.SETTINGS
    if ladder.cause is not Cause.GUARANTEE:
        return ladder.cause
    return Cause.BAD_OUTCOME if by_outcome or ladder.last_bad_at is not None else Cause.SETTINGS


def _tell(change: LevelChange) -> None:
    fell = above(change.previous, change.level) or change.cause is Cause.DRIFT
    _log.log(
        logging.WARNING if fell else logging.INFO,
        "%s, %s: %s to %s (%s%s): %s",
        change.repository,
        change.task_type,
        change.previous.value,
        change.level.value,
        change.cause.value,
        f", {change.run_id}" if change.run_id else "",
        change.because,
    )
