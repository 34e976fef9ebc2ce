"""Outcomes of real runs teach the next run on the same repository."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homes import ready_home
from karkhana.domain import events as ev
from karkhana.domain.lessons import Credit, Lesson, Role, Verdict
from karkhana.domain.outcomes import Label
from karkhana.domain.tools import EditFile, PushChanges, ReadFile, ToolCall
from karkhana.engineers.scripted import ScriptedEngineer
from karkhana.factory.approvals import answer
from karkhana.factory.assembly import open_factory
from karkhana.factory.ordering import make_order
from karkhana.factory.outcomes import outcome_book
from karkhana.factory.stores import open_stores
from karkhana.ports import Assignment, Handover, Tools, Trail
from karkhana.storage.route_store import RouteStore

FIX = EditFile(path="area.py", old="width + height", new="width * height")
PUSH = PushChanges(title="Multiply the sides", summary="area() added the sides.")
CREDITS = (
    Credit(subject="template:a", circumstance="AssertionError", role=Role.USED),
    Credit(subject="template:b", circumstance="AssertionError", role=Role.IN_VAIN),
)


class LearningEngineer(ScriptedEngineer):
    """Carries out a script, claims credits for it, and remembers what it was given."""

    def __init__(self, calls: Sequence[ToolCall[Any]]) -> None:
        super().__init__(calls)
        self.given: list[Assignment] = []

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        self.given.append(assignment)
        return msgspec.structs.replace(super().work(assignment, tools, trail), credits=CREDITS)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(tmp_path / "home")))
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "area.py").write_text("SIDES = 4\n")
    test = "from area import area\n\n\ndef test_oblong():\n    assert area(2, 5) == 10\n"
    (folder / "test_area.py").write_text(test)
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(folder)]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)
    (folder / "area.py").write_text("SIDES = 4\n\n\ndef area(width, height):\n    return width + height\n")
    subprocess.run([*words, "commit", "--quiet", "--all", "--message", "area"], check=True, capture_output=True)
    return folder


def carry_out(folder: Path, *calls: ToolCall[Any], auto: bool = True) -> tuple[Assignment, list[ev.AnyEvent], str]:
    order, settings = make_order("area() is wrong", folder, auto=auto)
    engineer = LearningEngineer(calls)
    with open_factory(settings, engineers={"scripted": engineer}) as factory:
        _, claim = factory.stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        events = [entry.event for entry in factory.stores.events.entries(claim.run_id)]
    return engineer.given[0], events, claim.run_id


def learned(events: Sequence[ev.AnyEvent]) -> list[ev.LessonsLearned]:
    return [event for event in events if isinstance(event, ev.LessonsLearned)]


def lesson(subject: str, good: float = 0.0, bad: float = 0.0) -> Lesson:
    return Lesson(subject=f"template:{subject}", circumstance="AssertionError", good=good, bad=bad)


def test_a_delivered_change_teaches_the_next_run(repository: Path) -> None:
    assignment, events, _ = carry_out(repository, FIX, PUSH)
    assert assignment.lessons == ()
    assert [(e.verdict, e.lessons) for e in learned(events)] == [
        (Verdict.GOOD, (lesson("a", good=1.0), lesson("b", bad=1.0)))
    ]
    assignment, events, _ = carry_out(repository, ReadFile(path="area.py"))
    assert assignment.lessons == (lesson("a", good=1.0), lesson("b", bad=1.0))
    assert [(e.here, e.elsewhere) for e in events if isinstance(e, ev.LessonsRecalled)] == [(2, 0)]
    assert [e.verdict for e in learned(events)] == [Verdict.ABSTAINED]
    assert carry_out(repository, FIX, PUSH)[0].lessons == (lesson("a", good=1.0), lesson("b", bad=1.2))


@pytest.mark.usefixtures("every_gate")
def test_a_rejected_change_counts_against_its_origin(repository: Path) -> None:
    _, events, run_id = carry_out(repository, FIX, PUSH, auto=False)
    assert learned(events) == []
    answer(run_id, approved=False, comment="no", by="eve", observer=lambda _event: None)
    assert carry_out(repository, FIX, PUSH)[0].lessons == (lesson("a", bad=1.0),)
    _, settings = make_order("area() is wrong", repository)
    with open_stores(settings) as stores:
        labels = [outcome.label for outcome in outcome_book(stores).all()]
        scored = [e.event for e in stores.events.entries(stores.runs.list()[0].run_id)]
    assert labels == [Label.BAD, Label.PENDING]
    (score,) = [event.confidence for event in scored if isinstance(event, ev.ScoreComputed)]
    assert (score.track_record.good, score.track_record.bad) == (0, 1)


def told(folder: Path) -> list[tuple[str, str, bool]]:
    """What is known of engineers now."""
    _, settings = make_order("area() is wrong", folder)
    with open_stores(settings) as stores:
        return [(o.rung, o.task_type, o.passed) for _, o in RouteStore(stores.database).outcomes()]


def test_each_run_records_whether_its_engineer_was_worth_asking(repository: Path) -> None:
    carry_out(repository, FIX, PUSH)
    assert told(repository) == [("scripted", "bugfix", True)]
    carry_out(repository, ReadFile(path="area.py"))
    assert told(repository)[1:] == [("scripted", "bugfix", False)]
    _, _, run_id = carry_out(repository, FIX, PUSH, auto=False)
    # nobody has judged it yet
    assert len(told(repository)) == 2
    answer(run_id, approved=False, comment="no", by="eve", observer=lambda _event: None)
    assert told(repository)[2:] == [("scripted", "bugfix", False)]


def test_the_engineer_is_told_which_lines_are_new(repository: Path) -> None:
    assignment, _, _ = carry_out(repository, ReadFile(path="area.py"))
    assert assignment.recent == {"area.py": {2: 0, 3: 0, 4: 0, 5: 0}}
