"""What sets the independent attempts of one run apart: the model, and the share of the budget.

Knows nothing of how an attempt is made, nor of how the attempts are compared.
"""

import math

import msgspec

from karkhana.domain.events import ModelAnswered, ToolReturned, WorkspaceOpened
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


def share(job: Job, whole: Budget, attempt: int) -> Budget:
    """What an attempt may use: as much of what is left as each of those that are still to come."""
    if job.order.attempts <= 1:
        return whole
    turns, spent = _used(job, attempt)
    left = job.order.attempts - attempt + 1
    return msgspec.structs.replace(
        whole,
        turns=max(1, math.ceil((whole.turns - turns) / left)),
        usd=max(0.0, (whole.usd - float(spent)) / left),
        seconds=whole.seconds / job.order.attempts,
    )


def _used(job: Job, attempt: int) -> tuple[int, Money]:
    """Tool calls and US dollars of the other attempts."""
    turns, spent, other = 0, ZERO, False
    for event in job.rooms.events(job.run_id):
        match event:
            case WorkspaceOpened():
                other = event.attempt != attempt
            case ToolReturned() if other:
                turns += 1
            case ModelAnswered() if other and event.cost_usd and not event.recalled:
                spent = Money(spent + usd(event.cost_usd))
    return turns, spent
