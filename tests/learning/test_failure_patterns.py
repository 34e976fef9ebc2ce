import pytest

from karkhana.domain import events as ev
from karkhana.domain.changes import Change, FileChange, FileState
from karkhana.domain.outcomes import Sign, SignKind
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.learning.failure_patterns import asked, features, patterns, recurring
from karkhana.learning.outcomes.taxonomy import taxonomy

OPENED = ev.WorkspaceOpened(commit="c", engineer="llm")
HANDED = ev.ChangeHandedOver(change=Change(base="c", files=(), patch="", summary="", engineer="llm"))


def call(tool: str, *, error: str | None = None, edits: bool = False) -> list[ev.AnyEvent]:
    state = FileState(sha256="0" * 64, mode=0o100644)
    changed = (FileChange("a.py", state, None),) if edits else ()
    return [ev.ToolCalled(turn=1, call={"tool": tool}), ev.ToolReturned(turn=1, error=error, changed=changed)]


def suite(after: bool, **outcomes: Outcome) -> ev.SuiteMeasured:
    results = tuple(TestResult(name=name, outcome=outcome) for name, outcome in outcomes.items())
    return ev.SuiteMeasured(
        after_change=after, report=TestReport(command=(), exit_code=0, results=results, duration_s=0.0)
    )


def answer(stop: str, *parts: dict[str, str]) -> ev.ModelAnswered:
    return ev.ModelAnswered(turn=1, purpose="work", model="m", answer={"stop": stop, "parts": list(parts)})


def caused(cause: str) -> list[ev.AnyEvent]:
    return [ev.OutcomeObserved(sign=Sign.make("run_1", SignKind.REVERTED, "5c1f", at=1.0, cause=cause))]


EDIT = call("edit_file", edits=True)
FAILED, PASSED = Outcome.FAILED, Outcome.PASSED
CASES: dict[str, list[ev.AnyEvent]] = {
    "untested-handover": [*call("run_tests"), *EDIT, HANDED],
    "repetition": [ev.ModelNudged(pattern="repeat", count=3)],
    "refused-edits": call("edit_file", error="not there") * 3,
    "wrong-file": [suite(False, a=PASSED, b=FAILED), suite(True, a=FAILED, b=PASSED)],
    "still-failing": [suite(False, a=FAILED), suite(True, a=FAILED)],
    "cut-answers": [answer("length", {"part": "tool_call"})] * 2,
    "silence": [answer("end", {"part": "text"})] * 2,
    "gave-up": [*call("read_file"), ev.EngineerAbstained(reason="no idea", tried=())],
    "budget": [ev.WorkPaused(reason="used up", next="")],
    "overfit": [ev.ApprovalGiven(approved=False, by="eve", comment="this is hard-coded")],
    "incomplete": caused("incomplete"),
    "regression": caused("regression"),
    "compatibility": caused("compatibility"),
    "slowness": caused("performance"),
    "scope": caused("scope"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pattern_is_seen_where_it_is_and_nowhere_else(name: str) -> None:
    found = recurring([[OPENED, *CASES[name]]] * 2)
    assert [(pattern.name, count) for pattern, count in found] == [(name, 2)]


def test_a_clean_run_shows_nothing() -> None:
    clean = [OPENED, suite(False, a=FAILED), *EDIT, *call("run_tests"), HANDED, suite(True, a=PASSED)]
    assert recurring([clean, clean]) == []


def test_one_run_is_no_pattern_and_the_most_frequent_comes_first() -> None:
    both = [OPENED, *CASES["repetition"], *CASES["refused-edits"]]
    found = recurring([both, [OPENED, *CASES["refused-edits"]], [OPENED, *CASES["silence"]]])
    assert [pattern.name for pattern, _ in found] == ["refused-edits"]


def test_only_the_last_attempt_counts() -> None:
    assert features([OPENED, *CASES["refused-edits"], OPENED])["refused_edits"] == 0


def test_every_pattern_has_a_remedy_that_fits_into_a_strategy() -> None:
    assert all(each.text.strip() and len(each.text) < 1000 for each in patterns())
    assert {*CASES, "claims"} == {each.name for each in patterns()}


def test_a_model_is_told_of_patterns_and_counts_only() -> None:
    told = asked("bugfix", [(patterns()[0], 7)])
    assert "7 times" in told
    assert patterns()[0].told in told


def test_every_cause_that_a_pattern_names_is_in_the_taxonomy() -> None:
    named = {each.feature.removeprefix("cause_") for each in patterns() if each.feature.startswith("cause_")}
    assert len(named) == 6
    assert named <= set(taxonomy().causes)
