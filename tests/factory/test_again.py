"""Work once more: what stands in the queue then, and what is refused."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from short_lines import git

from karkhana.domain import events as ev
from karkhana.domain.errors import InvalidInput, UnknownRun
from karkhana.domain.tasks import Order, Rewind, Status, Task, Ticket
from karkhana.domain.understanding import Question, Understanding
from karkhana.factory.again import Repetition, let_go_on, repeat, rewound
from karkhana.factory.approvals import answer, answer_message, rewound_order
from karkhana.factory.records import Allowance
from karkhana.factory.stores import Stores
from karkhana.factory.understanding import Understander, understood
from karkhana.storage.runs import Claim


def begun(stores: Stores, shop: Path, **more: Any) -> Claim:
    order = Order(
        ticket=Ticket(text="total() is wrong"), repository=str(shop), commit=git(shop, "rev-parse", "HEAD"), **more
    )
    task, claim = stores.tasks.add_and_claim(order, "worker", 600.0, product="till", priority=7, tags=("gpu",))
    record(stores, claim, ev.RunStarted(task_id=task.task_id, order=order, version="1"))
    record(stores, claim, ev.WorkspaceOpened(commit=order.commit, engineer="llm"))
    for turn in (1, 2):
        record(stores, claim, ev.ModelAnswered(turn=turn, purpose="work", model="m", answer={}))
    return claim


def record(stores: Stores, claim: Claim, event: ev.AnyEvent) -> None:
    stores.events.trail(claim.run_id, claim.epoch).record(event)


def ended(stores: Stores, shop: Path, **more: Any) -> str:
    claim = begun(stores, shop, **more)
    stores.runs.finish(claim.run_id, claim.epoch, Status.FAILED, b"{}")
    return claim.run_id


def queued(again: Repetition) -> Task:
    with again.stores.database.writing() as connection:
        task = again.queue_within(connection)
    again.tell(task)
    return task


def newest(stores: Stores, run_id: str) -> ev.AnyEvent:
    return list(stores.events.entries(run_id))[-1].event


def test_an_ended_run_is_tried_again_as_it_was_ordered(stores: Stores, shop: Path) -> None:
    run_id = ended(stores, shop, by="asha", suspicions=("asks for secrets",))
    before = stores.tasks.order(stores.runs.get(run_id).task_id)
    task = queued(repeat(stores, run_id, by="ravi"))
    again = stores.tasks.order(task.task_id)
    assert (task.status, task.product, task.priority, task.tags) == (Status.QUEUED, "till", 7, ("gpu",))
    assert (again.by, again.commit, again.suspicions) == ("ravi", before.commit, ("asks for secrets",))
    assert newest(stores, run_id) == ev.RunRepeated(task_id=task.task_id, by="ravi")
    assert stores.runs.get(run_id).status is Status.FAILED


def test_it_can_begin_from_the_newest_commit(stores: Stores, shop: Path) -> None:
    run_id = ended(stores, shop)
    git(shop, "commit", "--quiet", "--allow-empty", "--message", "more")
    task = queued(repeat(stores, run_id, by="ravi", newest=True))
    assert stores.tasks.order(task.task_id).commit == git(shop, "rev-parse", "HEAD")


def test_a_run_under_way_and_a_trial_are_not_tried_again(stores: Stores, shop: Path) -> None:
    with pytest.raises(InvalidInput, match="has not ended"):
        repeat(stores, begun(stores, shop).run_id, by="ravi")
    with pytest.raises(InvalidInput, match="a trial"):
        repeat(stores, ended(stores, shop, trial="{}"), by="ravi")
    with pytest.raises(UnknownRun):
        repeat(stores, "run_nothing", by="ravi")


def test_a_rewind_begins_where_a_run_was(stores: Stores, shop: Path) -> None:
    run_id = ended(stores, shop)
    task = queued(rewound(stores, run_id, 2, by="ravi"))
    again = stores.tasks.order(task.task_id)
    assert (again.rewind, again.engineer, again.by) == (Rewind(run_id=run_id, turn=2), "llm", "ravi")
    assert newest(stores, run_id) == ev.RunRepeated(task_id=task.task_id, by="ravi", turn=2)
    for turn in (0, 3):
        with pytest.raises(InvalidInput, match="2 answers"):
            rewound(stores, run_id, turn, by="ravi")


def test_a_rewind_has_what_people_said_and_asks_nothing_again(stores: Stores, shop: Path) -> None:
    run_id = ended(stores, shop, asks=True)
    task_id = stores.runs.get(run_id).task_id
    asked = Question(text="Which?", missing="example", asked_at=0.0, until=1.0, reply="The till's.", run_id=run_id)

    def answered(before: Understanding) -> Understanding:
        return msgspec.structs.replace(before, question=asked)

    Understander(stores).renew(task_id, "till", understood("total() is wrong"), answered)
    order = rewound_order(stores, run_id, 2)
    assert (order.ticket.text, order.asks) == ("total() is wrong\n\nThe till's.", False)
    task = queued(rewound(stores, run_id, 2, by="ravi"))
    assert stores.tasks.order(task.task_id).ticket.text == order.ticket.text


def test_a_paused_run_is_told_what_it_may_use(stores: Stores, shop: Path) -> None:
    claim = begun(stores, shop)
    with pytest.raises(InvalidInput, match="not paused"):
        let_go_on(stores, claim.run_id, turns=5, usd=1.0, by="ravi")
    record(stores, claim, ev.WorkPaused(reason="the budget is used up"))
    stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    stores.runs.park(claim.run_id, claim.epoch)
    for turns, usd in ((-1, 0.0), (0, float("nan")), (0, 1e9)):
        with pytest.raises(InvalidInput, match="at once"):
            let_go_on(stores, claim.run_id, turns=turns, usd=usd, by="ravi")
    with stores.database.writing() as connection:
        let_go_on(stores, claim.run_id, turns=5, usd=1.0, by="ravi")(connection)
    message = stores.messages.read(claim.run_id, "resume")
    assert message is not None
    assert Allowance(turns=5, usd=1.0, by="ravi") == msgspec.json.decode(message, type=Allowance)
    assert [lease.run_id for lease in stores.runs.expired()] == [claim.run_id]


@pytest.mark.parametrize(("late", "refused"), [(-1.0, True), (60.0, False)])
def test_an_answer_that_comes_too_late_is_refused(stores: Stores, shop: Path, late: float, refused: bool) -> None:
    claim = begun(stores, shop)
    record(stores, claim, ev.ApprovalRequested(patch_sha256="a" * 64, until=time.time() + late))
    stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    if refused:
        with pytest.raises(InvalidInput, match="expired"):
            answer_message(stores, claim.run_id, approved=True, comment="", by="ravi")
    else:
        assert answer_message(stores, claim.run_id, approved=True, comment="", by="ravi")[0] == "approval"


def test_an_answer_and_what_is_written_with_it_are_left_together_or_not_at_all(stores: Stores, shop: Path) -> None:
    claim = begun(stores, shop)
    record(stores, claim, ev.ApprovalRequested(patch_sha256="a" * 64))
    stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    left = []

    def die(connection: sa.Connection) -> None:
        left.append(stores.messages.read_within(connection, claim.run_id, "approval"))
        raise SystemExit

    with pytest.raises(SystemExit):
        answer(claim.run_id, approved=True, comment="", by="ravi", observer=lambda _event: None, written=die)
    assert left != [None]
    assert stores.messages.read(claim.run_id, "approval") is None
