"""Several attempts: how changes are grouped, and the real line with engineers that go different ways."""

from pathlib import Path
from typing import Any

import pytest
from benchmarks.common import small_repository

from homes import ready_home
from karkhana.behaviour.observation import Observations
from karkhana.domain import events as ev
from karkhana.domain.changes import Change
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tools import EditFile, PushChanges, ReadFile, ToolCall
from karkhana.engineers.scripted import ScriptedEngineer
from karkhana.factory.assembly import open_factory
from karkhana.factory.comparing import Seen, group
from karkhana.factory.ordering import make_order
from karkhana.factory.records import Built
from karkhana.factory.results import RunResult, result_of
from karkhana.ports import Handover
from karkhana.storage.replay import replay


def seen(patch: str, *outcomes: Outcome) -> Seen:
    change = Change(base=patch, files=(), patch=patch, summary="", engineer="e")
    report = TestReport(
        command=(),
        exit_code=0,
        results=tuple(TestResult(name=f"t{n}", outcome=each) for n, each in enumerate(outcomes)),
        duration_s=0.0,
    )
    built = Built(change=change, edits=(), handover=Handover(solved=True, reason=""), turns=1)
    return Seen(built=built, report=report, broken=(), whole=True)


def test_changes_with_the_same_answers_are_alike_if_the_suite_says_the_same() -> None:
    changes = [seen("a", Outcome.PASSED), seen("b", Outcome.PASSED), seen("c", Outcome.PASSED), seen("d")]
    found = Observations(
        inputs=(("passing", "f(1)"), ("near-passing", "f(2)")),
        original=("=0", "=0"),
        variants=(("=1", "=2"), ("=1", "=2"), ("=1", "=3"), ("=1", "=2")),
    )
    assert group(changes, found) == [1, 1, 2, 3]


def test_what_was_not_observed_is_alike_only_if_it_is_the_same_change() -> None:
    assert group([seen("a", Outcome.PASSED), seen("b", Outcome.PASSED), seen("a", Outcome.PASSED)], None) == [1, 2, 1]


FILES = {
    "clip.py": "def clip(x, low, high):\n    return min(x, high)\n",
    "test_clip.py": "from clip import clip\n\n\ndef test_low():\n    assert clip(-5, 0, 9) == 0\n\n\n"
    "def test_high():\n    assert clip(12, 0, 9) == 9\n",
}
OLD = "return min(x, high)"
RIGHT = EditFile(path="clip.py", old=OLD, new="return max(low, min(x, high))")
RIGHT_TOO = EditFile(path="clip.py", old=OLD, new="below = min(x, high)\n    return max(low, below)")
NARROW = EditFile(path="clip.py", old=OLD, new="return min(abs(x) - 5, high) if x < 0 else min(x, high)")
BREAKS = EditFile(path="clip.py", old=OLD, new="return low")
PUSH = PushChanges(title="Keep to the lower bound", summary="clip() ignored it.")


class Ways(ScriptedEngineer):
    """Another way in each attempt."""

    def __init__(self, *ways: tuple[ToolCall[Any], ...]) -> None:
        super().__init__(())
        self._ways = list(ways)

    def work(self, assignment: Any, tools: Any, trail: Any) -> Any:
        return ScriptedEngineer(self._ways.pop(0)).work(assignment, tools, trail)


def carried_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *ways: tuple[ToolCall[Any], ...]
) -> tuple[RunResult, list[ev.AnyEvent]]:
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(folder / "home")))
    repository = small_repository(folder / "repository", FILES)
    order, settings = make_order("clip() ignores low", repository, auto=True, attempts=len(ways))
    with open_factory(settings, engineers={"scripted": Ways(*ways)}) as factory:
        _, claim = factory.stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        result = result_of(factory.stores, claim.run_id)
        if result.diff:
            assert replay(factory.stores.events, claim.run_id) == result.diff
        return result, [entry.event for entry in factory.stores.events.entries(claim.run_id)]


@pytest.mark.slow
def test_two_that_behave_alike_outvote_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, events = carried_out(
        tmp_path, monkeypatch, (NARROW, PUSH), (RIGHT_TOO, PUSH), (BREAKS, PUSH), (RIGHT, PUSH)
    )
    compared = next(event for event in events if isinstance(event, ev.AttemptsCompared))
    assert compared.inputs > 0
    assert [each.whole for each in compared.attempts] == [True, True, False, True]
    assert compared.attempts[1].group == compared.attempts[3].group != compared.attempts[0].group
    assert compared.chosen == 4  # the smaller of the two
    assert compared.disagreement > 0
    assert "max(low" in result.diff
    assert result.confidence is not None


@pytest.mark.slow
def test_attempts_that_come_to_nothing_do_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, events = carried_out(tmp_path, monkeypatch, (ReadFile(path="clip.py"),), (RIGHT, PUSH))
    compared = next(event for event in events if isinstance(event, ev.AttemptsCompared))
    assert (compared.chosen, [each.group for each in compared.attempts]) == (2, [0, 1])
    assert compared.attempts[0].failure
    assert result.diff
