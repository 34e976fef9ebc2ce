"""A question in the line: the run is parked, hears the answer, and its engineer works on the ticket with it."""

import subprocess
from pathlib import Path

import pytest

from homes import ready_home
from karkhana.domain import events as ev
from karkhana.domain.tasks import Status
from karkhana.factory.assembly import open_factory
from karkhana.factory.ordering import make_order
from karkhana.factory.replies import answer_within, waiting_question
from karkhana.factory.taking import take
from karkhana.ports import Assignment, Handover, Tools, Trail


class Listener:
    """An engineer that remembers the tickets that it was given, and does nothing."""

    name = "listener"

    def __init__(self) -> None:
        self.tickets: list[str] = []

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        self.tickets.append(assignment.ticket.text)
        return Handover(solved=False, reason="it only listens")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(tmp_path / "home")))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "cart.py").write_text("def total(prices):\n    return sum(prices) + 1\n")
    (folder / "test_cart.py").write_text("from cart import total\n\n\ndef test_total():\n    assert total([]) == 1\n")
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(folder)]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)
    return folder


def test_the_run_waits_on_no_worker_and_goes_on_elsewhere_with_the_answer(shop: Path) -> None:
    order, settings = make_order("The cart is broken", shop)
    with open_factory(settings, engineers={"listener": (deaf := Listener())}) as factory:
        task, _ = take(factory.stores, order)
        factory.worker.work(drain=True)
        asked = waiting_question(factory.stores, task.task_id)
        assert asked is not None
        assert factory.stores.tasks.get(task.task_id).status is Status.PLANNING
        assert not factory.engine.active()
        factory.worker.work(drain=True)
        assert deaf.tickets == []
    with open_factory(settings, engineers={"listener": (engineer := Listener())}) as factory:
        stores = factory.stores
        with stores.database.writing() as connection:
            told = "`total([1])` returns 2, it should return 1"
            answer_within(stores, connection, task.task_id, told, by="asha")
        factory.worker.work(drain=True)
        assert engineer.tickets == ["The cart is broken\n\n`total([1])` returns 2, it should return 1"]
        assert stores.tasks.get(task.task_id).status is Status.FAILED
        assert stores.events.verify(asked.run_id) == []
        kinds = [type(entry.event) for entry in stores.events.entries(asked.run_id)]
        assert kinds.count(ev.QuestionAsked) == kinds.count(ev.QuestionAnswered) == 1
        assert kinds.count(ev.SuiteMeasured) == 1
