"""Which strategy a model works by in a run: the one that was named, else drawn by what became of earlier runs.

A discounted Thompson bandit over (type of task, model, strategy), on the same outcomes as the router's; whoever wants
to estimate what another choice would have brought finds the propensity in the trail. Knows nothing of what a strategy
says. Source: W. R. Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 25 (1933).

>>> draw({"a@1": Beta(90, 10), "b@1": Beta(10, 90)}, random.Random(1))
('a@1', 1.0)
"""

import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from karkhana.domain.events import StrategyChosen
from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.domain.lessons import Verdict
from karkhana.domain.routes import RouteOutcome
from karkhana.domain.strategies import Strategy, pool
from karkhana.domain.tasks import TaskType
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.job import Job
from karkhana.learning.shelf import Shelf
from karkhana.quality.gates import target_tests
from karkhana.routing.policy.posteriors import Beta, Posteriors, Subject
from karkhana.routing.policy.priors import Prior
from karkhana.storage.route_store import RouteStore

PRIOR = Prior(passes=0.6, weight=2.0)
"""What is believed of a strategy that nobody tried."""
DISCOUNT = 0.995
"""Weight of an outcome after each later one of its model and type."""
HALF_LIFE_S = 90 * 86_400.0
_DRAWS = 2_000
"""For the estimate of a propensity."""


def draw(beliefs: Mapping[str, Beta], chance: random.Random) -> tuple[str, float]:
    """The one whose drawn chance is highest, and how likely that choice was, above 0."""
    best = _highest(beliefs, chance)
    if len(beliefs) == 1:
        return best, 1.0
    other = random.Random(1)  # noqa: S311 - the same estimate whenever it is asked for
    wins = sum(_highest(beliefs, other) == best for _ in range(_DRAWS))
    return best, max(1, wins) / _DRAWS


def _highest(beliefs: Mapping[str, Beta], chance: random.Random) -> str:
    return max(beliefs, key=lambda key: beliefs[key].drawn(chance))


def beliefs(
    store: RouteStore, model: str, type: str, options: Sequence[Strategy], now: float | None = None
) -> dict[str, Beta]:
    """What the outcomes say of each strategy, by its key."""
    known = Posteriors(discount=DISCOUNT, half_life_s=HALF_LIFE_S)
    for _, outcome in store.outcomes(pool=pool(model)):
        known.learn(Subject(outcome.pool, outcome.task_type, outcome.rung), outcome.passed, outcome.at)
    now = time.time() if now is None else now
    return {each.key: known.posterior(Subject(pool(model), type, each.key), PRIOR, now) for each in options}


def choose_strategy(job: Job, engineer: str, attempt: int, model: str) -> Strategy:
    """For one attempt of an engineer; the same one again when the work goes on after a crash. In the trail.

    Raises ``InvalidInput`` for one that is not there.
    """
    shelf, before = Shelf(job.settings.home, shipped()), _chosen(job)
    again = before.get((engineer, attempt))
    if again is not None:
        return again.strategy
    options: tuple[str, ...]
    if job.order.trial:
        strategy, propensity = msgspec.json.decode(job.order.trial, type=Strategy), 1.0
        options = (strategy.key,)
    elif job.order.strategy:
        strategy, propensity = shelf.get(job.order.strategy).strategy, 1.0
        options = (strategy.key,)
    else:
        usable = shelf.usable(job.order.type)
        used = {event.strategy.key for (name, _), event in before.items() if name == engineer}
        # Another attempt is worth most where it is made in another way.
        free = tuple(each for each in usable if each.key not in used) or usable
        known = beliefs(job.rooms.outcomes, model, job.order.type.value, free)
        chance = random.Random(f"{job.run_id} {attempt}")  # noqa: S311 - to explore, not to hide
        key, propensity = draw(known, chance)
        strategy, options = next(each for each in free if each.key == key), tuple(known)
    job.trail.record(
        StrategyChosen(
            engineer=engineer,
            attempt=attempt,
            strategy=strategy,
            model=model,
            propensity=propensity,
            options=options,
        )
    )
    return strategy


def holds(type: TaskType, failing: Collection[str], gates: Iterable[GateResult]) -> bool:
    """Whether a change counts as good until a person says otherwise.

    No hard gate refuses it; and of a bug that tests show (``failing`` before) one of them passes now: what leaves all
    of them as they were is no worse than nothing, and no better.
    """
    known = list(gates)
    refused = any(gate.hard and gate.status is GateStatus.FAILED for gate in known)
    mended = any(gate.gate == target_tests.NAME and gate.status is GateStatus.PASSED for gate in known)
    return not refused and (mended or not failing or type is not TaskType.BUGFIX)


def record_strategy(job: Job, engineer: str, attempt: int, verdict: Verdict) -> None:
    """Keep what became of an attempt for its strategy; a later word on the same attempt takes its place."""
    event = _chosen(job).get((engineer, attempt))
    if event is None or job.order.trial:
        return
    job.rooms.outcomes.record(
        RouteOutcome(
            reference=f"strategy:{job.run_id}:{engineer}:{attempt}",
            at=time.time(),
            pool=pool(event.model),
            task_type=job.order.type.value,
            rung=event.strategy.key,
            passed=verdict is Verdict.GOOD,
        )
    )


def _chosen(job: Job) -> dict[tuple[str, int], StrategyChosen]:
    events = job.rooms.events(job.run_id)
    return {(e.engineer, e.attempt): e for e in events if isinstance(e, StrategyChosen)}
