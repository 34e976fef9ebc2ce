"""Confidence: where typical changes land, and that worse evidence never raises the score."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus, Severity
from karkhana.quality.confidence import explain, hard_failures, proven, score
from karkhana.quality.explanation import rows
from karkhana.quality.gates import GATES
from karkhana.quality.weights import COMPONENTS, load_weights

P, U, F = GateStatus.PASSED, GateStatus.UNKNOWN, GateStatus.FAILED
HARD = {"suite", "target_tests", "secrets"}
RULES = [*sorted(set(load_weights().review) - {"other"}), "something-new"]
FRESH = (0, 0)
VETERAN = (60, 0)


def gate(name: str, status: GateStatus = P, **measures: float) -> GateResult:
    return GateResult(gate=name, status=status, hard=name in HARD, summary=f"{name} said so", measures=measures)


def clean(**changed: GateResult) -> Evidence:
    """A one-line fix, fully covered, nothing to complain about."""
    gates = {name: gate(name) for name in GATES}
    gates["coverage"] = gate("coverage", changed_lines=1, covered_lines=1, coverage_delta=0.0)
    gates["static_analysis"] = gate("static_analysis", new_warnings=0, new_security=0)
    gates["mutation"] = gate("mutation", mutants=4, killed=4, survived=0, score=1.0)
    gates["differential"] = gate("differential", inputs=40, same=40)
    gates |= changed
    return Evidence(gates=tuple(gates.values()))


def finding(rule: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(rule=rule, message="look here", severity=severity)


def reviewed(*rules: str) -> Evidence:
    return msgspec.structs.replace(clean(), review=tuple(finding(rule) for rule in rules))


def test_a_clean_fix_by_a_newcomer_is_for_the_canary() -> None:
    assert 0.80 <= score(clean(), FRESH).score <= 0.90


def test_only_a_track_record_gets_it_above() -> None:
    assert score(clean(), (21, 0)).score <= 0.90
    assert score(clean(), (22, 0)).score > 0.90
    assert score(clean(), (36, 1)).score <= 0.90
    assert score(clean(), (37, 1)).score > 0.90


def test_a_bad_record_lowers_it() -> None:
    assert score(clean(), (0, 20)).score < score(clean(), FRESH).score < score(clean(), (20, 0)).score


@pytest.mark.parametrize("rule", ["overfit", "weakened-test", "deleted-test", "tautology", "constant-condition"])
def test_overfit_or_weakened_tests_never_reach_the_canary(rule: str) -> None:
    assert score(reviewed(rule), VETERAN).score < 0.70


@pytest.mark.parametrize(
    "worse",
    [
        clean(coverage=gate("coverage", F, changed_lines=2, covered_lines=0, coverage_delta=0.0)),
        clean(coverage=gate("coverage", U)),
        clean(suite=gate("suite", F)),
        clean(suite=gate("suite", U)),
        clean(target_tests=gate("target_tests", F)),
        clean(secrets=gate("secrets", F)),
        msgspec.structs.replace(clean(), alternatives=3, disagreement=0.25),
        Evidence(gates=()),
    ],
)
def test_what_must_wait_for_a_person_even_from_a_veteran(worse: Evidence) -> None:
    assert score(worse, VETERAN).score < 0.70


def test_without_a_target_test_it_never_deploys() -> None:
    assert score(clean(target_tests=gate("target_tests", U)), VETERAN).score <= 0.90


def test_a_protected_place_never_deploys() -> None:
    assert score(reviewed("protected-path"), VETERAN).score <= 0.90


@pytest.mark.parametrize("rule", ["critique", "acceptance-unproven"])
def test_what_a_reviewer_objects_to_costs_more_than_an_unlisted_remark_and_never_deploys(rule: str) -> None:
    objected = score(reviewed(rule), VETERAN)
    assert 0.70 <= objected.score <= 0.90
    assert objected.score < score(reviewed("something-new"), VETERAN).score
    assert score(reviewed(rule), FRESH).score < score(reviewed("something-new"), FRESH).score
    scores = [score(reviewed(*[rule] * count), FRESH).score for count in range(5)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4
    (behaviour,) = [part for part in objected.components if part.name == "behaviour"]
    assert f"{rule}: look here" in behaviour.because


@pytest.mark.parametrize(
    "rule",
    [
        "guarded-path",
        "unproven-claim",
        "test-harness",
        "outside-link",
        "acceptance-failing",
        "acceptance-weakened",
        "acceptance-blind",
    ],
)
def test_what_needs_a_person_never_goes_ahead(rule: str) -> None:
    assert score(reviewed(rule), VETERAN).score < 0.70


def test_missing_evidence_is_said() -> None:
    told = score(clean(coverage=gate("coverage", U)), FRESH)
    assert "not measured" in next(c.because for c in told.components if c.name == "coverage")
    assert any("at most 0.69" in cap for cap in score(clean(coverage=gate("coverage", U)), VETERAN).caps)


def test_a_hard_failure_is_named() -> None:
    evidence = clean(suite=gate("suite", F))
    assert hard_failures(evidence) == ("suite",)
    assert any("suite" in cap for cap in score(evidence, VETERAN).caps)


def test_the_same_finding_counts_three_times_at_most() -> None:
    values = [score(reviewed(*["changed-expectation"] * count), FRESH).score for count in range(6)]
    assert values[0] > values[1] > values[2] > values[3] == values[4] == values[5]


def test_notes_do_not_count() -> None:
    noted = msgspec.structs.replace(clean(), review=(finding("overfit", Severity.INFO),))
    assert score(noted, FRESH).score == score(clean(), FRESH).score


def test_every_component_has_a_reason_and_the_sum_is_the_score() -> None:
    result = score(clean(), FRESH)
    assert tuple(c.name for c in result.components) == COMPONENTS
    assert all(c.because for c in result.components)
    assert result.score == pytest.approx(sum(c.value * c.weight for c in result.components), abs=1e-4)


def test_documents_need_no_coverage() -> None:
    nothing = gate("coverage", changed_lines=0, covered_lines=0, coverage_delta=0.0)
    assert score(clean(coverage=nothing), FRESH).score == score(clean(), FRESH).score


def test_proven_is_the_exact_binomial_bound() -> None:
    assert not proven((21, 0), 0.10, 0.10)
    assert proven((22, 0), 0.10, 0.10)
    assert not proven((44, 0), 0.05, 0.10)
    assert proven((45, 0), 0.05, 0.10)
    assert proven((299, 0), 0.01, 0.05)


def test_the_explanation_says_what_would_raise_it() -> None:
    poor = score(clean(coverage=gate("coverage", F, changed_lines=4, covered_lines=1, coverage_delta=-3.0)), FRESH)
    coverage = rows(poor)[0]
    assert coverage.component == "coverage"
    assert "add tests" in coverage.would_raise
    assert coverage.contribution + coverage.could_add == pytest.approx(coverage.weight, abs=1e-3)
    text = explain(poor)
    assert "add tests that execute the changed lines" in text
    assert f"Score {poor.score:.2f}" in text
    assert rows(score(clean(), FRESH))[0].would_raise == ""


# Monotonicity: evidence is made at random, made worse in one respect, and scored again.

statuses = st.sampled_from([P, U, F])
counts = st.integers(0, 6)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    gates = [gate(name, draw(statuses)) for name in GATES if name not in ("coverage", "static_analysis", "duration")]
    changed = draw(st.integers(0, 8))
    covered = draw(st.integers(0, changed))
    gates.append(
        gate(
            "coverage",
            P if covered == changed else F,
            changed_lines=changed,
            covered_lines=covered,
            coverage_delta=draw(st.floats(-30, 30)),
        )
    )
    warnings = draw(counts)
    gates.append(
        gate(
            "static_analysis", F if warnings else P, new_warnings=warnings, new_security=draw(st.integers(0, warnings))
        )
    )
    ratio = draw(st.floats(1.3, 4))
    gates.append(gate("duration", F, ratio=ratio) if draw(st.booleans()) else gate("duration", P, ratio=1.0))
    gates = [g for g in gates if draw(st.integers(0, 9))]
    return Evidence(
        gates=tuple(gates),
        review=tuple(finding(draw(st.sampled_from(RULES))) for _ in range(draw(st.integers(0, 3)))),
        alternatives=draw(st.integers(0, 3)),
        disagreement=draw(st.floats(0, 1)),
        probability=draw(st.none() | st.floats(0, 1)),
    )


records = st.tuples(st.integers(0, 80), st.integers(0, 20))


def value(evidence: Evidence, record: tuple[int, int]) -> float:
    result = score(evidence, record)
    assert 0 <= result.score <= 1
    assert all(0 <= c.value <= 1 for c in result.components)
    return result.score


def replaced(evidence: Evidence, result: GateResult) -> Evidence:
    others = tuple(g for g in evidence.gates if g.gate != result.gate)
    return msgspec.structs.replace(evidence, gates=(*others, result))


@given(evidences(), records, st.sampled_from(["suite", "target_tests", "secrets", "public_api", "dependencies"]))
def test_a_worse_status_never_raises_it(evidence: Evidence, record: tuple[int, int], name: str) -> None:
    values = [value(replaced(evidence, gate(name, status)), record) for status in (P, U, F)]
    assert values == sorted(values, reverse=True)


@given(evidences(), records, st.sampled_from(list(GATES)))
def test_a_gate_that_is_missing_is_worth_no_more_than_unknown(
    evidence: Evidence, record: tuple[int, int], name: str
) -> None:
    without = msgspec.structs.replace(evidence, gates=tuple(g for g in evidence.gates if g.gate != name))
    assert value(without, record) == value(replaced(evidence, gate(name, U)), record)


@given(evidences(), records, st.sampled_from(RULES))
def test_another_finding_never_raises_it(evidence: Evidence, record: tuple[int, int], rule: str) -> None:
    more = msgspec.structs.replace(evidence, review=(*evidence.review, finding(rule)))
    assert value(more, record) <= value(evidence, record)


@given(evidences(), records, st.floats(0, 1), st.floats(0, 1))
def test_more_disagreement_never_raises_it(
    evidence: Evidence, record: tuple[int, int], one: float, other: float
) -> None:
    less, more = (msgspec.structs.replace(evidence, disagreement=share) for share in sorted((one, other)))
    assert value(more, record) <= value(less, record)


@given(evidences(), records, st.floats(0, 1), st.floats(0, 1))
def test_it_never_exceeds_what_the_engineer_calls_probable(
    evidence: Evidence, record: tuple[int, int], one: float, other: float
) -> None:
    less, more = (msgspec.structs.replace(evidence, probability=p) for p in sorted((one, other)))
    silent = msgspec.structs.replace(evidence, probability=None)
    assert value(less, record) <= value(more, record) <= value(silent, record)
    assert value(less, record) <= round(min(one, other), 4)


def test_a_stated_probability_is_among_the_reasons() -> None:
    held = score(msgspec.structs.replace(clean(), probability=0.6), track_record=(80, 0))
    assert held.score == 0.6
    assert any("0.60" in sentence and "probable" in sentence for sentence in held.caps)
    assert score(msgspec.structs.replace(clean(), probability=1.0), track_record=(80, 0)).caps == ()


@given(evidences(), records)
def test_good_outcomes_never_lower_it_and_bad_ones_never_raise_it(evidence: Evidence, record: tuple[int, int]) -> None:
    good, bad = record
    assert value(evidence, (good + 1, bad)) >= value(evidence, record) >= value(evidence, (good, bad + 1))


@given(evidences(), records, st.integers(1, 8), st.floats(-40, 40))
def test_an_uncovered_line_or_lost_percent_never_raises_it(
    evidence: Evidence, record: tuple[int, int], changed: int, delta: float
) -> None:
    def with_coverage(covered: int, delta: float) -> Evidence:
        status = P if covered == changed else F
        return replaced(
            evidence,
            gate("coverage", status, changed_lines=changed, covered_lines=covered, coverage_delta=delta),
        )

    full = value(with_coverage(changed, delta), record)
    assert value(with_coverage(changed - 1, delta), record) <= full
    assert value(with_coverage(changed, delta - 1), record) <= full
    assert value(replaced(evidence, gate("coverage", U)), record) <= full


@given(evidences(), records, counts, counts)
def test_another_warning_never_raises_it(
    evidence: Evidence, record: tuple[int, int], warnings: int, security: int
) -> None:
    def with_warnings(warnings: int, security: int) -> float:
        total = warnings + security
        result = gate("static_analysis", F if total else P, new_warnings=total, new_security=security)
        return value(replaced(evidence, result), record)

    base = with_warnings(warnings, security)
    assert with_warnings(warnings + 1, security) <= base
    assert with_warnings(warnings, security + 1) <= base
    if warnings:
        assert with_warnings(warnings - 1, security + 1) <= base


@given(evidences(), records, st.floats(1.3, 4), st.floats(0, 3))
def test_a_slower_suite_never_raises_it(
    evidence: Evidence, record: tuple[int, int], ratio: float, slower: float
) -> None:
    fast = value(replaced(evidence, gate("duration", F, ratio=ratio)), record)
    assert value(replaced(evidence, gate("duration", F, ratio=ratio + slower)), record) <= fast
    assert fast <= value(replaced(evidence, gate("duration", P, ratio=1.0)), record)


def test_above_the_deployment_threshold_somebody_else_agrees_or_the_tests_notice_everything() -> None:
    whole = {"mutants": 8, "killed": 8, "survived": 0, "score": 1.0, "parts": 2, "idle_parts": 0}
    agrees = gate("second_opinion", P, asked=1, agrees=1, sure=0.8, against=0)
    differs = gate("second_opinion", F, asked=1, agrees=0, sure=0.8, against=0.8)
    unknown = gate("second_opinion", U)

    def scored(second: GateResult, **measures: float) -> float:
        return score(clean(mutation=gate("mutation", P, **(whole | measures)), second_opinion=second), VETERAN).score

    assert scored(agrees) >= scored(unknown) > 0.90 >= scored(differs)
    assert scored(agrees, survived=1, killed=7) > 0.90 >= scored(unknown, survived=1, killed=7)
    assert scored(agrees, idle_parts=1) < scored(agrees)
    assert scored(unknown, idle_parts=1) <= 0.90
    assert scored(agrees, untried_parts=1) > 0.90 >= scored(unknown, untried_parts=1)
    assert score(clean(mutation=gate("mutation", U), second_opinion=unknown), VETERAN).score <= 0.90
    # An engineer is not asked about its own change: then nobody else has come to it.
    assert scored(gate("second_opinion", P, asked=0), survived=1, killed=7) <= 0.90


def test_what_is_not_known_of_the_tests_holds_it_down_however_little_that_weighs() -> None:
    shipped = load_weights()
    light = {name: msgspec.structs.replace(shipped.gates[name], unknown=1.0) for name in ("mutation", "second_opinion")}
    weights = msgspec.structs.replace(shipped, gates=shipped.gates | light)
    agrees = gate("second_opinion", P, asked=1, agrees=1, sure=0.8, against=0)
    nobody = gate("second_opinion", U)
    unknown = gate("mutation", U)
    assert score(clean(mutation=unknown, second_opinion=agrees), VETERAN, weights).score > 0.90
    assert score(clean(mutation=unknown, second_opinion=nobody), VETERAN, weights).score == 0.90
