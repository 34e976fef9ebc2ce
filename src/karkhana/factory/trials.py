"""Past tickets from the stores, and the real line on one of them under a strategy on trial: nothing is delivered.

Knows runs and their trails; knows nothing of what is decided by them.
"""

import functools
from collections.abc import Iterable

import msgspec

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.events import (
    AnyEvent,
    DecisionMade,
    EngineerAbstained,
    GateFinished,
    RunStarted,
    StrategyChosen,
    SuiteMeasured,
)
from karkhana.domain.evidence import GateResult
from karkhana.domain.outcomes import Label
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import Order, Status, TaskType
from karkhana.factory.assembly import Factory
from karkhana.factory.outcomes import outcome_book
from karkhana.factory.results import result_of
from karkhana.factory.stores import Stores
from karkhana.factory.strategies import holds
from karkhana.learning.proposing import Past, Trialled

NEWEST = 500
"""Runs that are looked at."""
_GOOD = (Status.DELIVERED, Status.DEPLOYED)
_BAD = (Status.FAILED, Status.REJECTED, Status.ROLLED_BACK)


def past_tickets(stores: Stores, type: TaskType, limit: int = NEWEST) -> list[Past]:
    """The newest tickets of a type that a model worked on and that ended, each ticket once."""
    found: dict[tuple[str, str, str], Past] = {}
    bad = {each.change.run_id for each in outcome_book(stores).all() if each.label is Label.BAD}
    for run in stores.runs.list(limit=limit):
        order = stores.tasks.order(run.task_id)
        key = order.repository, order.commit, order.ticket.text
        if order.type is not type or order.trial or key in found:
            continue
        events = functools.partial(_events, stores, run.run_id)
        # A delivered change that was reverted or mended later has not solved its ticket.
        solved = False if run.run_id in bad else _solved(run.status, events())
        chosen = [event for event in events() if isinstance(event, StrategyChosen)]
        if solved is not None and chosen:
            found[key] = Past(order=order, solved=solved, strategy=chosen[-1].strategy.key, events=events)
    return list(found.values())


def _events(stores: Stores, run_id: str) -> list[AnyEvent]:
    return [entry.event for entry in stores.events.entries(run_id)]


def _solved(status: Status, events: Iterable[AnyEvent]) -> bool | None:
    """Whether a run came to something; one that waits for a person counts by its hard gates."""
    if status in _GOOD or status in _BAD:
        return status in _GOOD
    return right(events) if status is Status.WAITING_FOR_REVIEW else None


def right(events: Iterable[AnyEvent]) -> bool | None:
    """Whether a change was handed over that holds (:func:`karkhana.factory.strategies.holds`); ``None`` if the run did
    not get so far by itself.
    """
    task_type, failing, gates = TaskType.BUGFIX, tuple[str, ...](), list[GateResult]()
    decided = abstained = False
    for event in events:
        match event:
            case RunStarted():
                task_type, failing, gates = event.order.type, (), []
                decided = abstained = False
            case SuiteMeasured(after_change=False):
                failing = event.report.failing
            case GateFinished():
                gates.append(event.result)
            case EngineerAbstained():
                abstained = True
            case DecisionMade():
                decided = True
    if decided:
        return holds(task_type, failing, gates)
    return False if abstained else None


def try_on(factory: Factory, lease_s: float, order: Order, strategy: Strategy) -> Trialled:
    """The line on a past ticket by a strategy, here and now. Its run and trail stay, marked as a trial."""
    trial = msgspec.structs.replace(
        order,
        trial=msgspec.json.encode(strategy).decode(),
        engineer="llm" if order.engineer == "auto" else order.engineer,
        auto=False,
        attempts=1,
        rewind=None,
    )
    stores = factory.stores
    try:
        task, claim = stores.tasks.add_and_claim(trial, factory.worker.name, lease_s, tags=("trial",))
        factory.worker.carry_out(claim)
    except KarkhanaError:
        # The repository or its commit may be gone: such a ticket says nothing.
        return Trialled(right=None)
    result = result_of(stores, claim.run_id)
    if result.status == Status.WAITING_FOR_REVIEW.value:
        # It paused; nobody is to be asked to let a trial go on.
        stores.tasks.cancel(task.task_id)
    return Trialled(right=right(_events(stores, claim.run_id)), cost_usd=result.cost_usd)
