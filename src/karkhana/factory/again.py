"""Work once more: a run's order from its start, or from a turn of its model; and a paused run that may go on.

Nothing is carried out here. A new task stands in the queue, a paused run is told, and any worker goes on from there,
so that whoever asks (a page, the API) has its answer at once. What was asked for stands in the trail of the run that
it is about. Knows nothing of who may ask.

>>> # repeat(stores, "run_01H...", by="asha").task_id
"""

import msgspec

from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import RunRepeated
from karkhana.domain.tasks import Order, Task
from karkhana.factory.approvals import resume_message, rewound_order
from karkhana.factory.replies import carried_over
from karkhana.factory.stores import Stores
from karkhana.git import Repository

MOST_TURNS = 10_000
"""More tool calls that a paused run may be given at once."""
MOST_USD = 1_000.0


def repeat(stores: Stores, run_id: str, *, by: str, newest: bool = False) -> Task:
    """Put the order of an ended run into the queue again; with ``newest`` for the commit that HEAD is at by now.

    Raises ``UnknownRun``, ``InvalidInput`` while the run is under way, or what opening the repository raises.
    """
    run = stores.runs.get(run_id)
    if not run.status.finished:
        raise InvalidInput(
            f"{run_id} is {run.status.value.replace('_', ' ')}, and has not ended", "Cancel it first, or let it end."
        )
    order = carried_over(stores, run.task_id, stores.tasks.order(run.task_id))
    if newest:
        order = msgspec.structs.replace(order, commit=Repository.open(order.repository).head(), rewind=None)
    return _queued(stores, run_id, order, by=by)


def rewound(stores: Stores, run_id: str, turn: int, *, by: str) -> Task:
    """Put a run's order into the queue, to begin where that run was after ``turn`` answers of the model.

    Raises ``UnknownRun``, or ``InvalidInput`` when there was no such answer.
    """
    order = rewound_order(stores, run_id, turn)
    return _queued(stores, run_id, order, by=by, turn=turn)


def let_go_on(stores: Stores, run_id: str, *, turns: int, usd: float, by: str) -> None:
    """Tell a paused run that it may use so much more than its order allows.

    Raises ``UnknownRun``, or ``InvalidInput`` when it is not paused, or for an amount that cannot be.
    """
    if not 0 <= turns <= MOST_TURNS or not 0 <= usd <= MOST_USD:
        raise InvalidInput(
            f"{turns} turns and ${usd:g} cannot be given at once",
            f"Give 0 to {MOST_TURNS} turns and 0 to {MOST_USD:.0f} dollars.",
        )
    topic, message = resume_message(stores, run_id, turns=turns, usd=usd, by=by)
    stores.messages.post(run_id, topic, message)


def _queued(stores: Stores, run_id: str, order: Order, *, by: str, turn: int = 0) -> Task:
    if order.trial:
        raise InvalidInput(f"{run_id} was a trial of a strategy", "Try the strategy again: karkhana strategies.")
    before = stores.tasks.get(stores.runs.get(run_id).task_id)
    task = stores.tasks.add(
        msgspec.structs.replace(order, by=by),
        product=before.product,
        title=before.title,
        priority=before.priority,
        tags=before.tags,
    )
    stores.events.trail(run_id).record(RunRepeated(task_id=task.task_id, by=by, turn=turn))
    return task
