"""A person's word to a run that waits: stored first, then carried out here when no worker is there to do it.

Importing this module is cheap: the factory (numpy, scikit-learn, the engine; over a second of CPU) is loaded when
there is something to carry out, which a dashboard or a door that only asks never has.
"""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput, KarkhanaError, LeftToWorker
from karkhana.domain.events import (
    AnyEvent,
    ApprovalRefused,
    ApprovalRequested,
    DeliveryAnnounced,
    WorkPaused,
    WorkResumed,
    WorkspaceOpened,
)
from karkhana.domain.json import canonical
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Order, Rewind, Status
from karkhana.factory.approvers import self_approval
from karkhana.factory.configuration import load_settings
from karkhana.factory.ordering import settings_for
from karkhana.factory.records import CLOCK, Allowance, Approval
from karkhana.factory.remembering import memory_of
from karkhana.factory.replies import carried_over
from karkhana.factory.results import RunResult, result_of
from karkhana.factory.stores import Stores, open_stores
from karkhana.git import Repository

_log = logging.getLogger("karkhana.approvals")


class Word(NamedTuple):
    """What a waiting run is to be told."""

    topic: str
    """That it listens on."""
    message: str
    heard: int
    """Messages on the topic that it has heard before and waits on all the same."""


def answer(
    run_id: str,
    *,
    approved: bool,
    comment: str,
    by: str,
    observer: Callable[[AnyEvent], None],
    account: str = "",
    seen: str = "",
    written: Callable[[sa.Connection], None] = lambda _connection: None,
) -> RunResult:
    """Approve or reject exactly the diff that the run waits with, and see it through; also one that is announced.

    ``seen`` is the hash of the change that was looked at; empty: the one that waits now. ``written`` is called in the
    transaction that leaves the answer for the run, to write down what belongs to it. Raises ``UnknownRun``, or
    ``InvalidInput`` when the run waits for nobody, for somebody else, or with another change than ``seen``, or when
    somebody answered before; ``LeftToWorker`` when the answer holds, but could not be carried out here.
    """
    settings = load_settings({})
    with open_stores(settings) as stores:
        word = answer_message(stores, run_id, approved=approved, comment=comment, by=by, account=account, seen=seen)
    return _told(settings, run_id, word, observer, written)


def answer_message(
    stores: Stores, run_id: str, *, approved: bool, comment: str, by: str, account: str = "", seen: str = ""
) -> Word:
    """A decision, once it is seen that the run may be told so; it is left for it with :func:`leave_within`.

    Raises ``UnknownRun`` or ``InvalidInput`` as :func:`answer`.
    """
    topic, digest, heard = _open(stores, run_id)
    if seen and seen != digest:
        raise InvalidInput(f"{run_id} waits with another change by now", "Look at it again before you decide.")
    if approved:
        _refuse_self_approval(stores, run_id, by, account)
    given = Approval(approved=approved, by=by, comment=comment, patch_sha256=digest, account=account)
    return Word(topic, canonical(given).decode(), heard)


def leave_within(stores: Stores, connection: sa.Connection, run_id: str, word: Word) -> None:
    """Leave a word for a run, inside of somebody else's writing transaction; of two words the first one counts.

    Raises ``UnknownRun``, or ``InvalidInput`` when somebody was faster.
    """
    # of two at the same time the second one waits here for the end of the first one's transaction
    stores.messages.hold_within(connection, run_id)
    first = stores.messages.read_within(connection, run_id, word.topic, word.heard)
    if first is not None:
        raise InvalidInput(
            f"{run_id} was {_told_before(word.topic, first)}",
            "A worker carries that out; where none runs: karkhana worker --drain",
        )
    stores.messages.post_within(connection, run_id, word.topic, word.message)


def _told_before(topic: str, message: str) -> str:
    if topic == "resume":
        return f"let go on already, by {msgspec.json.decode(message, type=Allowance).by}"
    given = msgspec.json.decode(message, type=Approval)
    return f"{'approved' if given.approved else 'rejected'} already, by {given.by}"


def resume(
    run_id: str,
    *,
    turns: int,
    usd: float,
    by: str,
    observer: Callable[[AnyEvent], None],
    written: Callable[[sa.Connection], None] = lambda _connection: None,
) -> RunResult:
    """Let a paused run go on where it was, with so much more than its order allows.

    Raises ``UnknownRun``, ``InvalidInput`` when the run is not paused or somebody was faster, or ``LeftToWorker``.
    ``written`` as for :func:`answer`.
    """
    settings = load_settings({})
    with open_stores(settings) as stores:
        word = resume_message(stores, run_id, turns=turns, usd=usd, by=by)
    return _told(settings, run_id, word, observer, written)


def resume_message(stores: Stores, run_id: str, *, turns: int, usd: float, by: str) -> Word:
    """What a paused run is told, for :func:`leave_within`. Raises as :func:`resume`."""
    if not _paused(stores, run_id):
        raise InvalidInput(f"{run_id} is not paused", f"See how it stands: karkhana runs show {run_id}")
    events = (entry.event for entry in stores.events.entries(run_id))
    heard = sum(isinstance(event, WorkResumed) and event.by != CLOCK for event in events)
    return Word("resume", canonical(Allowance(turns=turns, usd=usd, by=by)).decode(), heard)


def rewind(run_id: str, turn: int, observer: Callable[[AnyEvent], None]) -> RunResult:
    """Begin a new run of the same order where another one was after ``turn`` answers of the model.

    Raises ``UnknownRun``, or ``InvalidInput`` when there was no such answer.
    """
    settings = load_settings({})
    with open_stores(settings) as stores:
        again = rewound_order(stores, run_id, turn)
    # heavy, see above
    from karkhana.factory.foreground import work_in_foreground

    return work_in_foreground(again, settings, observer)


def rewound_order(stores: Stores, run_id: str, turn: int) -> Order:
    """What is to be done then. Raises as :func:`rewind`."""
    task_id = stores.runs.get(run_id).task_id
    order = carried_over(stores, task_id, stores.tasks.order(task_id))
    events: list[AnyEvent] = [entry.event for entry in stores.events.entries(run_id)]
    engineer = next((e.engineer for e in reversed(events) if isinstance(e, WorkspaceOpened)), "")
    answers = memory_of(events, engineer).turns
    if not 1 <= turn <= answers:
        raise InvalidInput(f"{run_id} has {answers} answers of a model", f"See them: karkhana runs trace {run_id}")
    return msgspec.structs.replace(order, engineer=engineer, rewind=Rewind(run_id=run_id, turn=turn))


def _told(
    settings: Settings,
    run_id: str,
    word: Word,
    observer: Callable[[AnyEvent], None],
    written: Callable[[sa.Connection], None],
) -> RunResult:
    # heavy, see above
    from karkhana.factory.assembly import open_factory

    with open_factory(settings, observer=observer) as factory:
        with factory.stores.database.writing() as connection:
            leave_within(factory.stores, connection, run_id, word)
            written(connection)
        try:
            claim = factory.stores.runs.take_over(run_id, factory.worker.name, settings.queue.lease_s)
            if claim is not None:
                factory.worker.carry_out(claim)
            return result_of(factory.stores, run_id)
        except Exception as error:  # what was said holds, also when the engine's library raises what only it knows
            if not isinstance(error, KarkhanaError):
                _log.exception("%s could not be carried out", run_id)
            raise LeftToWorker(
                f"{run_id} is told so, but that could not be carried out here: {error}",
                "A worker carries it out: karkhana worker",
            ) from error


class Ground(msgspec.Struct, frozen=True):
    """What a repository says about approvals of changes to one of its commits."""

    root: str
    remote: str
    """That changes are pushed to; empty: none."""
    four_eyes: bool


def ground_of(order: Order) -> Ground:
    """Read from the repository and the base commit. Raises what opening the repository raises."""
    repository = Repository.open(order.repository)
    return Ground(
        str(repository.root), remote_of(repository), settings_for(repository, order.commit, {}).policy.four_eyes
    )


def remote_of(repository: Repository) -> str:
    """Where changes are pushed to; empty: nowhere."""
    remotes = list(repository.remotes())
    return "origin" if "origin" in remotes else "".join(remotes[:1])


def effect(ground: Ground, task_id: str) -> str:
    """What an approval does, as it follows the word "Approve".

    >>> effect(Ground("/srv/shop", "origin", False), "BUILD-1")
    'makes the branch karkhana/BUILD-1 in /srv/shop and pushes it to origin'
    """
    made = f"makes the branch karkhana/{task_id} in {ground.root}"
    return f"{made} and pushes it to {ground.remote}" if ground.remote else made


def _refuse_self_approval(stores: Stores, run_id: str, by: str, account: str) -> None:
    order = stores.tasks.order(stores.runs.get(run_id).task_id)
    events = (entry.event for entry in stores.events.entries(run_id))
    made_by = {event.engineer for event in events if isinstance(event, WorkspaceOpened)}
    four_eyes = ground_of(order).four_eyes
    refused = self_approval(by, account, made_by=made_by, ordered_by=order.by, four_eyes=four_eyes)
    if refused:
        raise InvalidInput(f"{by} cannot approve {run_id}: {refused}", "Let somebody else decide, or reject it.")


def _paused(stores: Stores, run_id: str) -> bool:
    if stores.runs.get(run_id).status is not Status.WAITING_FOR_REVIEW:
        return False
    return isinstance(_asked(stores, run_id)[0], WorkPaused)


def _asked(stores: Stores, run_id: str) -> tuple[WorkPaused | ApprovalRequested | DeliveryAnnounced | None, int]:
    """What the run waits for, by the newest event that says so, and how many answers since then did not count."""
    asked, refused = None, 0
    for entry in stores.events.entries(run_id):
        if isinstance(entry.event, WorkPaused | ApprovalRequested | DeliveryAnnounced):
            asked, refused = entry.event, 0
        refused += isinstance(entry.event, ApprovalRefused)
    return asked, refused


def requested(stores: Stores, run_id: str) -> tuple[str, str]:
    """The topic that a waiting run listens on, and the hash of its change.

    Raises ``UnknownRun``, or ``InvalidInput`` when it waits for nobody.
    """
    return _open(stores, run_id)[:2]


def _open(stores: Stores, run_id: str) -> tuple[str, str, int]:
    run = stores.runs.get(run_id)
    if _paused(stores, run_id):
        raise InvalidInput(f"{run_id} is paused; there is nothing to approve", f"karkhana runs resume {run_id}")
    if run.status is not Status.WAITING_FOR_REVIEW:
        raise InvalidInput(
            f"{run_id} is {run.status.value.replace('_', ' ')} and waits for no approval",
            "See what waits: karkhana runs list --status waiting_for_review",
        )
    asked, refused = _asked(stores, run_id)
    match asked:
        case DeliveryAnnounced(patch_sha256=digest):
            return "veto", digest, refused
        case ApprovalRequested(until=float() as until) if until <= time.time():
            raise InvalidInput(f"nobody answered {run_id} in time, and it has expired", "Have its ticket tried again.")
        case ApprovalRequested(patch_sha256=digest):
            return "approval", digest, refused
    raise InvalidInput(f"{run_id} has not asked yet", f"See how it stands: karkhana runs show {run_id}")
