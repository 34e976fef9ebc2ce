"""Work once more: a run's order from its start, or from a turn of its model; and a paused run that may go on.

Nothing is carried out here. A new task stands in the queue, a paused run is told, and any worker goes on from there,
so that whoever asks (a page, the API) has its answer at once. All is read first, then written in the transaction of
whoever asks, which has more to write: the audit. What was asked for stands in the trail of the run that it is about.
Knows nothing of who may ask.

>>> # again = repeat(stores, "run_01H...", by="asha")
>>> # with stores.database.writing() as connection: task = again.queue_within(connection)
>>> # again.tell(task)
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import RunRepeated
from karkhana.domain.tasks import Order, Task
from karkhana.factory.approvals import leave_within, resume_message, rewound_order
from karkhana.factory.replies import carried_over
from karkhana.factory.stores import Stores
from karkhana.git import Repository

MOST_TURNS = 10_000
"""More tool calls that a paused run may be given at once."""
MOST_USD = 1_000.0


@dataclass(frozen=True)
class Repetition:
    """An order that is to be put into the queue."""

    stores: Stores
    run_id: str
    """The run that it is about."""
    order: Order
    before: Task
    """Of that run."""
    turn: int = 0

    def queue_within(self, connection: sa.Connection) -> Task:
        """Put it there, inside of somebody else's writing transaction."""
        before = self.before
        return self.stores.tasks.add_within(
            connection,
            self.order,
            product=before.product,
            title=before.title,
            priority=before.priority,
            tags=before.tags,
        )

    def tell(self, task: Task) -> None:
        """Note it in the run's trail, once it stands in the queue: a trail has transactions of its own."""
        repeated = RunRepeated(task_id=task.task_id, by=self.order.by, turn=self.turn)
        self.stores.events.trail(self.run_id).record(repeated)


def repeat(stores: Stores, run_id: str, *, by: str, newest: bool = False) -> Repetition:
    """The order of an ended run once more; with ``newest`` for the commit that HEAD is at by now.

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
    return _again(stores, run_id, order, by=by)


def rewound(stores: Stores, run_id: str, turn: int, *, by: str) -> Repetition:
    """A run's order, to begin where that run was after ``turn`` answers of the model.

    Raises ``UnknownRun``, or ``InvalidInput`` when there was no such answer.
    """
    order = rewound_order(stores, run_id, turn)
    return _again(stores, run_id, order, by=by, turn=turn)


def let_go_on(stores: Stores, run_id: str, *, turns: int, usd: float, by: str) -> Callable[[sa.Connection], None]:
    """What tells a paused run, in a writing transaction, that it may use so much more than its order allows.

    Raises ``UnknownRun``, or ``InvalidInput`` when it is not paused, or for an amount that cannot be.
    """
    if not 0 <= turns <= MOST_TURNS or not 0 <= usd <= MOST_USD:
        raise InvalidInput(
            f"{turns} turns and ${usd:g} cannot be given at once",
            f"Give 0 to {MOST_TURNS} turns and 0 to {MOST_USD:.0f} dollars.",
        )
    word = resume_message(stores, run_id, turns=turns, usd=usd, by=by)
    return lambda connection: leave_within(stores, connection, run_id, word)


def _again(stores: Stores, run_id: str, order: Order, *, by: str, turn: int = 0) -> Repetition:
    if order.trial:
        raise InvalidInput(f"{run_id} was a trial of a strategy", "Try the strategy again: karkhana strategies.")
    before = stores.tasks.get(stores.runs.get(run_id).task_id)
    return Repetition(stores, run_id, msgspec.structs.replace(order, by=by), before, turn)
