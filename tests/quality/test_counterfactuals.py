"""What would raise a score, and what it takes to get it over a threshold."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.domain.confidence import Calibration, TrackRecord
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus, Severity
from karkhana.quality.confidence import score
from karkhana.quality.counterfactuals import counterfactuals, ways
from karkhana.quality.gates import GATES
from karkhana.quality.weights import load_weights

P, U, F = GateStatus.PASSED, GateStatus.UNKNOWN, GateStatus.FAILED
MEASURES = {
    "coverage": {"changed_lines": 8.0, "covered_lines": 8.0, "coverage_delta": 0.0},
    "static_analysis": {"new_warnings": 0.0, "new_security": 0.0},
    "mutation": {"mutants": 6.0, "killed": 6.0, "survived": 0.0},
    "differential": {"inputs": 40.0, "same": 40.0},
}


def gate(name: str, status: GateStatus = P, findings: tuple[Finding, ...] = (), **measures: float) -> GateResult:
    told = MEASURES.get(name, {}) | measures if status is not U else {}
    return GateResult(gate=name, status=status, summary=f"{name} said so", measures=told, findings=findings)


def evidence(*changed: GateResult, review: tuple[Finding, ...] = ()) -> Evidence:
    gates = {name: gate(name) for name in GATES} | {each.gate: each for each in changed}
    return Evidence(gates=tuple(gates.values()), review=review, risk=0.1)


def lines(rule: str, path: str, *numbers: int) -> tuple[Finding, ...]:
    return tuple(Finding(rule=rule, message="", path=path, line=number) for number in numbers)


UNCOVERED = gate("coverage", F, lines("coverage:uncovered", "cart.py", *range(12, 20)), covered_lines=0.0)


def test_it_names_the_lines_and_the_score_that_tests_for_them_would_bring() -> None:
    found = evidence(UNCOVERED)
    best = counterfactuals(found, score(found, (60, 0)))[0]
    assert best.with_ == "tests for lines 12-19 of cart.py"
    assert best.score == score(evidence(), (60, 0)).score > 0.90
    assert msgspec.to_builtins(best)["with"] == best.with_


def test_a_perfect_change_needs_nothing() -> None:
    perfect = evidence(*(gate(name) for name in load_weights().gates))
    confidence = score(perfect, (60, 0))
    assert counterfactuals(perfect, confidence) == ()
    assert ways(perfect, confidence, (0.70, 0.9001)) == ()


def test_what_holds_it_down_together_is_told_together() -> None:
    found = evidence(
        UNCOVERED,
        gate("mutation", U),
        review=(Finding(rule="debug-leftover", message="prints", severity=Severity.ERROR),),
    )
    confidence = score(found)
    assert confidence.score < 0.70
    canary, deployment = ways(found, confidence, (0.70, 0.9001))
    assert canary.with_ == ("tests for lines 12-19 of cart.py",)
    assert canary.score >= 0.70
    assert deployment.score >= 0.9001
    assert "22 more good outcomes of this kind" in deployment.with_
    assert any("mutation" in each for each in deployment.with_)


def test_a_stated_probability_cannot_be_raised_by_evidence() -> None:
    found = msgspec.structs.replace(evidence(UNCOVERED), probability=0.75)
    assert ways(found, score(found), (0.9001,)) == ()


def test_the_calibration_of_the_score_holds_for_what_it_could_be() -> None:
    found = evidence(UNCOVERED)
    low = score(found, (60, 0), calibration=Calibration(intercept=-2.0, outcomes=50))
    assert counterfactuals(found, low)[0].score < counterfactuals(found, score(found, (60, 0)))[0].score


def test_more_outcomes_also_raise_a_mean_that_is_known() -> None:
    found, record = evidence(), TrackRecord(good=0, bad=0, mean=0.5)
    best = next(each for each in counterfactuals(found, score(found, record)) if "outcomes" in each.with_)
    assert best.gain > 0


def test_files_and_lines_are_told_briefly() -> None:
    many = lines("coverage:uncovered", "a.py", 3, *range(5, 30, 2)) + lines("x", "b.py", 1) + lines("x", "c.py", 2)
    found = evidence(gate("coverage", F, many, covered_lines=0.0))
    said = counterfactuals(found, score(found))[0].with_
    assert said == "tests for lines 3, 5, 7, 9, 11, 13 and 8 more of a.py and line 1 of b.py and 1 more file"


statuses = st.dictionaries(st.sampled_from(sorted(GATES)), st.sampled_from([P, U, F]), max_size=4)


@settings(max_examples=25)
@given(statuses, st.integers(0, 3), st.integers(0, 60))
def test_nothing_that_is_better_ever_costs_anything(changed, leftovers: int, good: int) -> None:
    review = (Finding(rule="debug-leftover", message="", severity=Severity.ERROR),) * leftovers
    found = evidence(*(gate(name, status) for name, status in changed.items()), review=review)
    confidence = score(found, (good, 0))
    for each in counterfactuals(found, confidence):
        assert each.score >= confidence.score
    for way in ways(found, confidence, (0.70, 0.9001)):
        assert way.score >= way.reaches
