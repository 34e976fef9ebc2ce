"""What past runs teach an engineer, and what this run's outcome teaches the next ones.

The lessons are read when an engineer is given its task, and kept in the trail by their hash, so that it can be seen
later what it knew. Knows runs and outcomes; knows nothing of what the lessons are about.
"""

import time

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.events import LessonsLearned, LessonsRecalled, Noted
from karkhana.domain.json import canonical
from karkhana.domain.lessons import Lesson, Verdict, taught
from karkhana.domain.routes import RouteOutcome
from karkhana.domain.tasks import Status
from karkhana.factory.job import Job
from karkhana.factory.strategies import record_strategy
from karkhana.git import Repository
from karkhana.git.recency import recent_lines
from karkhana.ports import Handover

_VERDICTS = {
    Status.DELIVERED: Verdict.GOOD,
    Status.DEPLOYED: Verdict.GOOD,
    Status.REJECTED: Verdict.BAD,
    Status.ROLLED_BACK: Verdict.BAD,
}


def recall(job: Job) -> tuple[Lesson, ...]:
    """What the newest runs taught, of this repository and of all others."""
    lessons = job.rooms.lessons.recall(job.order.repository)
    if lessons:
        sha256 = job.trail.keep(canonical(lessons))
        here = sum(lesson.here for lesson in lessons)
        job.trail.record(LessonsRecalled(here=here, elsewhere=len(lessons) - here, sha256=sha256))
    return lessons


def recent(job: Job) -> dict[str, dict[int, int]]:
    """Lines that were changed lately; none (and a note) when the history cannot be read."""
    try:
        return recent_lines(Repository.open(job.order.repository), job.order.commit)
    except KarkhanaError as error:
        job.trail.record(Noted(text=f"the history was not looked at: {error.message}"))
        return {}


def learn(job: Job, handover: Handover, verdict: Verdict) -> None:
    """Keep what an outcome teaches, in the store and in the trail."""
    lessons = taught(handover.credits, verdict)
    if lessons and not job.order.trial:
        job.trail.record(LessonsLearned(verdict=verdict, lessons=lessons, credits=handover.credits))
        job.rooms.lessons.learn(job.run_id, job.order.repository, lessons)


def learn_from_ending(job: Job, handover: Handover, engineer: str, status: Status, attempt: int = 1) -> None:
    """As :func:`learn`, when the way a run ended says something about the work."""
    if status in _VERDICTS:
        learn(job, handover, _VERDICTS[status])
        record(job, engineer, _VERDICTS[status])
        record_strategy(job, engineer, attempt, _VERDICTS[status])


def record(job: Job, engineer: str, verdict: Verdict) -> None:
    """Keep whether an engineer was worth asking, for whoever chooses whom to ask first for this type of task.

    An abstention counts like a bad change: somebody else had to be asked. A trial says nothing.
    """
    if job.order.trial:
        return
    outcome = RouteOutcome(
        reference=f"run:{job.run_id}:{engineer}",
        at=time.time(),
        pool="",
        task_type=job.order.type.value,
        rung=engineer,
        passed=verdict is Verdict.GOOD,
    )
    job.rooms.outcomes.record(outcome)
