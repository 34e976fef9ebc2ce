"""The line with a scripted engineer: real sandbox, real stores, real engine; the decisions follow from the evidence."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from homes import ready_home
from karkhana.domain import events as ev
from karkhana.domain.tasks import Status
from karkhana.domain.tools import EditFile, PushChanges, ReadFile, RunCommand, ToolCall, WriteFile
from karkhana.engineers.scripted import ScriptedEngineer
from karkhana.factory.assembly import Factory, open_factory
from karkhana.factory.ordering import make_order
from karkhana.factory.results import RunResult, exit_code, result_of
from karkhana.storage.replay import replay

FILES = {
    "area.py": "def area(width, height):\n    return width + height\n",
    "test_area.py": (
        "from area import area\n\n\ndef test_square():\n    assert area(2, 2) == 4\n\n\n"
        "def test_oblong():\n    assert area(2, 5) == 10\n"
    ),
}
FIX = EditFile(path="area.py", old="width + height", new="width * height")
PUSH = PushChanges(title="Multiply the sides", summary="area() added the sides.")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(tmp_path / "home")))
    repository = tmp_path / "repository"
    repository.mkdir()
    for name, text in FILES.items():
        (repository / name).write_text(text)
    (repository / "latin.txt").write_bytes(b"caf\xe9 old\n")
    (repository / "old.txt").write_text("old\n")
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(repository)]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)
    return repository


def carry_out(
    folder: Path, *calls: ToolCall[Any], auto: bool = True, attempts: int = 1
) -> tuple[RunResult, list[ev.AnyEvent]]:
    order, settings = make_order("area() is wrong", folder, auto=auto, attempts=attempts)
    with open_factory(settings, engineers={"scripted": ScriptedEngineer(calls)}) as factory:
        _, claim = factory.stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        return finished(factory, claim.run_id)


def finished(factory: Factory, run_id: str) -> tuple[RunResult, list[ev.AnyEvent]]:
    stores = factory.stores
    assert stores.events.verify(run_id) == []
    result = result_of(stores, run_id)
    if result.diff:
        assert replay(stores.events, run_id) == result.diff
    return result, [entry.event for entry in stores.events.entries(run_id)]


def kinds(events: Sequence[ev.AnyEvent]) -> list[str]:
    return [str(type(event).__struct_config__.tag) for event in events]


def test_a_sound_fix_is_delivered(folder: Path) -> None:
    result, events = carry_out(folder, ReadFile(path="area.py"), FIX, PUSH)
    assert (result.status, result.decision, exit_code(result)) == ("delivered", "canary", 0)
    assert result.turns == 3
    assert result.coverage_delta is not None
    order = [
        k for k in kinds(events) if k not in ("tool.called", "tool.returned", "run.status", "gate.finished", "note")
    ]
    assert order == [
        *("run.started", "environment.prepared", "suite.measured", "ticket.understood"),
        *("environment.prepared", "workspace.opened"),
        *("change.handed_over", "review.finished", "risk.assessed", "environment.prepared", "environment.prepared"),
        *(
            "suite.measured",
            "score.computed",
            "autonomy.consulted",
            "decision.made",
            "change.delivered",
            "run.finished",
        ),
    ]


def test_a_weakened_test_waits_for_a_person_whatever_auto_says(folder: Path) -> None:
    weak = "def test_square():\n    assert True\n\n\ndef test_oblong():\n    assert True\n"
    result, _ = carry_out(folder, WriteFile(path="test_area.py", content=weak), PUSH)
    assert result.status == "waiting_for_review"
    assert result.decision == "review"
    assert result.confidence is not None
    assert result.confidence.score < 0.70
    assert any("test" in finding.rule for finding in result.self_review)


def test_a_change_that_breaks_another_test_waits_for_a_person(folder: Path) -> None:
    result, _ = carry_out(folder, EditFile(path="area.py", old="width + height", new="10"), PUSH)
    assert result.decision == "review"
    assert "hard gate failed" in result.decision_reason


def test_an_engineer_without_a_change_fails_the_run(folder: Path) -> None:
    result, events = carry_out(folder, ReadFile(path="area.py"), attempts=2)
    assert (result.status, exit_code(result)) == ("failed", 1)
    assert kinds(events).count("engineer.abstained") == 2
    assert kinds(events)[-1] == "run.finished"


def test_edits_of_an_attempt_that_came_to_nothing_are_not_replayed(folder: Path) -> None:
    order, settings = make_order("area() is wrong", folder, auto=True, attempts=2)
    abandoned = WriteFile(path="abandoned.py", content="x = 1\n")

    class SecondTry(ScriptedEngineer):
        """Comes to nothing the first time."""

        def work(self, assignment: Any, tools: Any, trail: Any) -> Any:
            calls, self._calls = self._calls, [FIX, PUSH]
            return ScriptedEngineer(calls).work(assignment, tools, trail)

    with open_factory(settings, engineers={"scripted": SecondTry([abandoned])}) as factory:
        _, claim = factory.stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        result, events = finished(factory, claim.run_id)
    assert result.status == "delivered"
    assert "abandoned" not in result.diff
    assert kinds(events).count("workspace.opened") == 2


def test_a_secret_in_the_change_is_refused_and_stored_nowhere(folder: Path, tmp_path: Path) -> None:
    key = "AKIA" + "Q4ZX7TRVB2MWJ5NK"
    result, _ = carry_out(folder, FIX, WriteFile(path="settings.py", content=f'KEY = "{key}"\n'), PUSH)
    assert result.status == "failed"
    assert "secret" in result.reason
    stored = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert key.encode() not in stored


def test_new_deleted_executable_and_linked_files_arrive(folder: Path) -> None:
    shell = "printf '#!/bin/sh\\n' > run.sh; chmod +x run.sh; ln -s area.py link; printf '\\377\\0' > blob; rm old.txt"
    result, _ = carry_out(folder, FIX, RunCommand(argv=("sh", "-c", shell)), PUSH, auto=False)
    assert "new file mode 100755" in result.diff
    assert "new file mode 120000" in result.diff
    assert "GIT binary patch" in result.diff
    assert "deleted file mode" in result.diff
    assert result.status == "waiting_for_review"


def test_text_that_is_not_utf8_survives_the_whole_line(folder: Path) -> None:
    edit = RunCommand(argv=("sed", "-i", "s/old/new/", "latin.txt"))
    result, _ = carry_out(folder, FIX, edit, PUSH)
    assert result.status == "delivered"
    assert "+caf\udce9 new" in result.diff
    shown = subprocess.run(
        ["git", "-C", folder, "show", f"{result.branch}:latin.txt"], capture_output=True, check=True
    ).stdout
    assert shown == b"caf\xe9 new\n"


def test_a_cancelled_task_ends_as_cancelled(folder: Path) -> None:
    order, settings = make_order("area() is wrong", folder)

    class Impatient(ScriptedEngineer):
        """Cancels its own task, as a person could at that moment."""

        def work(self, assignment: Any, tools: Any, trail: Any) -> Any:
            factory.stores.tasks.cancel(claim.task_id)
            return super().work(assignment, tools, trail)

    engineer = Impatient([RunCommand(argv=("sleep", "60")), PUSH])
    with open_factory(settings, engineers={"scripted": engineer}) as factory:
        task, claim = factory.stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        assert factory.stores.tasks.get(task.task_id).status is Status.CANCELLED
        result, events = finished(factory, claim.run_id)
    assert result.status == "cancelled"
    assert kinds(events)[-1] == "run.finished"
