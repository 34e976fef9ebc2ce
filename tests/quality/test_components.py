"""Graded gates, risk, calibration, learned links and the caps of missing evidence."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.domain.confidence import Calibration, TrackRecord
from karkhana.domain.evidence import Evidence, GateResult, GateStatus
from karkhana.quality.confidence import score
from karkhana.quality.gates import GATES
from karkhana.quality.weights import Graded, Link, load_weights

P, U, F = GateStatus.PASSED, GateStatus.UNKNOWN, GateStatus.FAILED
VETERAN = (80, 0)


def gate(name: str, status: GateStatus = P, **measures: float) -> GateResult:
    return GateResult(gate=name, status=status, summary=f"{name} said so", measures=measures)


def evidence(*changed: GateResult, **more: object) -> Evidence:
    rules = load_weights().gates
    gates = {name: gate(name, **{g.of: 5.0 for g in rules[name].graded} if name in rules else {}) for name in GATES}
    gates["coverage"] = gate("coverage", changed_lines=2, covered_lines=2)
    gates |= {each.gate: each for each in changed}
    return msgspec.structs.replace(Evidence(gates=tuple(gates.values()), risk=0.1), **more)


BEHAVIOURAL = load_weights().caps[[cap.when for cap in load_weights().caps].index("nothing_passed")].gates


def test_without_behavioural_evidence_it_never_deploys() -> None:
    assert score(evidence(), VETERAN).score > 0.90
    unknown = evidence(*(gate(name, U) for name in BEHAVIOURAL))
    held = score(unknown, VETERAN)
    assert held.score <= 0.90
    assert set(BEHAVIOURAL) & set(GATES) <= set(held.missing)


def test_a_gate_that_had_nothing_to_measure_is_no_behavioural_evidence() -> None:
    assert score(evidence(*(gate(name, mutants=0, inputs=0) for name in BEHAVIOURAL)), VETERAN).score <= 0.90


def test_how_the_work_went_alone_never_gets_anywhere() -> None:
    silent = Evidence(gates=tuple(gate(name, U) for name in GATES), probability=0.99)
    assert score(silent, VETERAN).score <= 0.50
    assert score(Evidence(gates=(), probability=0.99), VETERAN).score <= 0.50


@settings(max_examples=40)
@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from([P, F]))
def test_another_fault_that_nobody_notices_never_raises_it(killed: int, survived: int, status: GateStatus) -> None:
    def value(killed: int, survived: int) -> float:
        measured = gate("mutation", status, mutants=killed + survived, killed=killed, survived=survived)
        return score(evidence(measured), VETERAN).score

    if survived:
        assert value(killed + 1, survived - 1) >= value(killed, survived)
    assert value(killed, survived + 1) <= value(killed, survived) + 1e-9 or killed + survived == 0


def test_one_of_two_is_not_read_as_half() -> None:
    rule = Graded(worse="survived", of="mutants", least=0.0, prior=2.0)
    assert rule.of_measures({"survived": 1.0, "mutants": 2.0}) == pytest.approx(0.75)
    assert rule.of_measures({"survived": 20.0, "mutants": 20.0}) == pytest.approx(2 / 22)
    assert rule.of_measures({}) == 1.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_riskier_change_never_scores_higher(one: float, other: float) -> None:
    less, more = (score(evidence(risk=risk), VETERAN).score for risk in sorted((one, other)))
    assert more <= less


def test_a_risk_that_is_not_known_is_said_and_counts() -> None:
    unknown = score(evidence(risk=None), VETERAN)
    assert unknown.score < score(evidence(risk=0.0), VETERAN).score
    assert "change_risk" in unknown.missing
    told = score(evidence(risk=0.25, risk_reasons=("touches a file that was often mended",)), VETERAN)
    because = next(c.because for c in told.components if c.name == "change_risk")
    assert "25%" in because
    assert "often mended" in because


calibrations = st.builds(Calibration, intercept=st.floats(-3, 3), slope=st.floats(0, 3), outcomes=st.integers(0, 500))


@given(calibrations, st.floats(0, 1), st.floats(0, 1))
def test_a_calibration_keeps_the_order_and_caps_come_after_it(calibration: Calibration, a: float, b: float) -> None:
    less, more = sorted((a, b))
    assert calibration.apply(less) <= calibration.apply(more)
    failed = score(evidence(gate("suite", U)), VETERAN, calibration=calibration)
    assert failed.score <= 0.60
    assert failed.calibration == calibration
    assert failed.raw == score(evidence(gate("suite", U)), VETERAN).raw


def test_without_outcomes_a_calibration_changes_nothing() -> None:
    plain = score(evidence(), VETERAN)
    assert score(evidence(), VETERAN, calibration=Calibration(intercept=-9.0)).score == plain.score
    assert score(evidence(), VETERAN, calibration=Calibration(intercept=-9.0, outcomes=9)).score < 0.1


@pytest.mark.parametrize("slope", [-0.1, float("nan"), float("inf")])
def test_a_calibration_that_turns_the_order_around_is_refused(slope: float) -> None:
    with pytest.raises(ValueError, match="slope"):
        Calibration(slope=slope)


def test_a_learned_link_makes_the_sum_a_probability() -> None:
    learned = msgspec.structs.replace(load_weights(), link=Link(intercept=-4.0, slope=6.0, outcomes=300, bad=40))
    good, poor = (score(e, VETERAN, learned) for e in (evidence(), evidence(gate("target_tests", F))))
    assert 0.5 < (good.raw or 0) < 0.9
    assert (poor.raw or 0) < (good.raw or 0)
    with pytest.raises(ValueError, match="rise"):
        msgspec.structs.replace(learned, link=Link(intercept=0.0, slope=-1.0, outcomes=1, bad=0))


def test_a_mean_from_related_work_takes_the_place_of_the_prior() -> None:
    known = TrackRecord(good=1, bad=0, mean=0.9, because="this engineer otherwise: 9 of 10")
    told = next(c for c in score(evidence(), known).components if c.name == "track_record")
    assert told.value == 0.9
    assert "this engineer otherwise" in told.because
