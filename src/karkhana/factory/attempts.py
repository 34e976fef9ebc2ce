"""What sets the independent attempts of one run apart: the model, and the share of the budget.

Knows nothing of how an attempt is made, nor of how the attempts are compared.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from karkhana.domain.events import AnyEvent, ModelAnswered, ToolReturned, WorkResumed, WorkspaceOpened
from karkhana.domain.money import ZERO, Money, usd
from karkhana.domain.tasks import Budget
from karkhana.factory.job import Job


def model_name(job: Job, attempt: int) -> str:
    """The model of an attempt: the one that was named, else the next one of the file for each further attempt."""
    work = job.settings.models.work
    if job.order.model or job.rooms.models is None:
        return job.order.model or work
    names = job.rooms.models.names
    first = names.index(work) if work in names else 0
    return work if attempt == 1 else names[(first + attempt - 1) % len(names)]


class Used(NamedTuple):
    """By one attempt."""

    turns: int = 0
    """Tool calls."""
    usd: Money = ZERO


def share(job: Job, whole: Budget, attempt: int, to_come: int) -> Budget:
    """What an attempt may use: what it used before the run was let go on, and as much of what is left as each of the
    ``to_come`` attempts (this one included).

    What it used since then is not taken from it, so that a crash changes nothing.
    """
    if job.order.attempts <= 1:
        return whole
    before, now = used(job.rooms.events(job.run_id))
    own = before.get(attempt, Used())
    others = [count for number, count in now.items() if number != attempt]
    turns = whole.turns - own.turns - sum(count.turns for count in others)
    dollars = whole.usd - float(own.usd) - sum(float(count.usd) for count in others)
    return msgspec.structs.replace(
        whole,
        turns=own.turns + max(1, math.ceil(turns / to_come)),
        usd=float(own.usd) + max(0.0, dollars / to_come),
        seconds=whole.seconds / job.order.attempts,
    )


def used(events: Iterable[AnyEvent]) -> tuple[dict[int, Used], dict[int, Used]]:
    """By each attempt: until the run was last let go on, and in all. Calls that were repeated from the trail count
    once.
    """
    calls: dict[tuple[int, str], int] = {}
    spent: dict[int, Money] = {}
    place, count = (1, ""), 0
    before: dict[int, Used] = {}
    for event in events:
        match event:
            case WorkspaceOpened():
                place, count = (event.attempt, event.engineer), 0
            case ToolReturned():
                count += 1
                calls[place] = max(count, calls.get(place, 0))
            case ModelAnswered() if event.cost_usd and not event.recalled:
                spent[place[0]] = Money(spent.get(place[0], ZERO) + usd(event.cost_usd))
            case WorkResumed():
                before = _by_attempt(calls, spent)
    return before, _by_attempt(calls, spent)


def _by_attempt(calls: Mapping[tuple[int, str], int], spent: Mapping[int, Money]) -> dict[int, Used]:
    turns = Counter[int]()
    for (attempt, _), count in calls.items():
        turns[attempt] += count
    return {attempt: Used(turns[attempt], spent.get(attempt, ZERO)) for attempt in turns.keys() | spent.keys()}
