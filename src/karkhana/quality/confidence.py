"""Confidence: evidence and a track record become the probability that a change is good, with a reason for every part.

A good change is one that will not be reverted, fixed soon or rolled back. The weighted sum of the components becomes a
probability by what outcomes taught (``weights.toml``: priors until there are enough), which is calibrated for the
repository and type of task, and held down by caps. It is monotone: worse evidence never raises it, and what could not
be measured never counts as good.

Knows nothing of thresholds or of what is done with the number.

>>> from karkhana.domain.evidence import Evidence
>>> nothing_known = score(Evidence(gates=()), track_record=(0, 0))
>>> nothing_known.score < 0.70
True
"""

import math

from karkhana.domain.confidence import Calibration, Component, Confidence, TrackRecord
from karkhana.domain.evidence import Evidence, GateStatus
from karkhana.quality.components import components, counting, missing, status
from karkhana.quality.explanation import explain
from karkhana.quality.weights import COMPONENTS, Cap, Weights, load_weights


def score(
    evidence: Evidence,
    track_record: TrackRecord | tuple[int, int] = (0, 0),
    weights: Weights | None = None,
    calibration: Calibration | None = None,
) -> Confidence:
    """The composite of all evidence. A pair as ``track_record`` is (good, bad) outcomes, both at least 0."""
    weights = weights or load_weights()
    record = _record(track_record)
    parts = components(evidence, record, weights)
    told = tuple(
        Component(
            name=name,
            value=round(parts[name].value, 4),
            weight=weights.components[name].weight,
            because="; ".join(parts[name].reasons),
        )
        for name in COMPONENTS
    )
    index = min(1.0, sum(c.value * c.weight for c in told))
    raw = weights.link.of(index) if weights.link is not None else index
    calibration = calibration or Calibration()
    calibrated = calibration.apply(raw)
    applying = applying_caps(evidence, record, weights)
    ceilings = [cap.ceiling for cap in applying]
    sentences = [_sentence(cap, evidence, record) for cap in applying if cap.ceiling < calibrated]
    if evidence.probability is not None and (stated := min(1.0, max(0.0, evidence.probability))) < calibrated:
        ceilings.append(stated)
        sentences.append(f"at most {stated:.2f}: so probable does its engineer call the change")
    return Confidence(
        score=round(min([calibrated, *ceilings]), 4),
        components=told,
        weights_version=weights.version,
        calibration_size=calibration.outcomes,
        caps=tuple(sentences),
        raw=round(raw, 6),
        calibration=calibration,
        track_record=record,
        missing=missing(evidence, weights),
    )


def _record(given: TrackRecord | tuple[int, int]) -> TrackRecord:
    return given if isinstance(given, TrackRecord) else TrackRecord(good=given[0], bad=given[1])


# Caps. Each condition can only become true, never false, when evidence gets worse.


def applying_caps(evidence: Evidence, record: TrackRecord, weights: Weights) -> list[Cap]:
    """The caps whose condition holds, the lowest first."""
    return sorted((cap for cap in weights.caps if _applies(cap, evidence, record, weights)), key=_ceiling)


def _ceiling(cap: Cap) -> float:
    return cap.ceiling


def _applies(cap: Cap, evidence: Evidence, record: TrackRecord, weights: Weights) -> bool:
    if any(_passed(evidence, name, weights) for name in cap.unless):
        return False
    if cap.or_unknown and any(status(evidence, name) is GateStatus.UNKNOWN for name in cap.gates):
        return True
    if cap.when == "review_rule":
        return any(f.rule in cap.rules for f in counting(evidence))
    if cap.when == "gate_failed":
        return any(status(evidence, name) is GateStatus.FAILED for name in cap.gates)
    if cap.when == "measure":
        return any(g.measures.get(cap.measure, 0.0) >= cap.from_ for g in evidence.gates if g.gate in cap.gates)
    if cap.when == "nothing_passed":
        return not any(_passed(evidence, name, weights) for name in cap.gates)
    if cap.when == "disagreement":
        return evidence.disagreement >= cap.from_
    if cap.when == "short_track_record":
        return not proven((record.good, record.bad), weights.track_record.bad_rate, weights.track_record.error)
    return {
        "hard_gate_failed": bool(hard_failures(evidence)),
        "suite_unknown": status(evidence, "suite") is GateStatus.UNKNOWN,
        "nothing_covered": _nothing_covered(evidence),
        "no_target_test": status(evidence, "target_tests") is not GateStatus.PASSED,
        "nothing_measured": all(g.status is GateStatus.UNKNOWN for g in evidence.gates),
    }[cap.when]


def _passed(evidence: Evidence, name: str, weights: Weights) -> bool:
    """Whether a gate passed that had something to measure."""
    gate, rule = evidence.gate(name), weights.gates.get(name)
    if gate is None or gate.status is not GateStatus.PASSED:
        return False
    return rule is None or rule.measured(gate.measures)


def hard_failures(evidence: Evidence) -> tuple[str, ...]:
    """Names of the failed hard gates, as policy wants them."""
    return tuple(g.gate for g in evidence.gates if g.hard and g.status is GateStatus.FAILED)


def proven(track_record: tuple[int, int], bad_rate: float, error: float) -> bool:
    """Whether a rate of bad outcomes above ``bad_rate`` is ruled out with probability ``1 - error``.

    The exact binomial p-value of Learn-then-Test (Angelopoulos et al., 2021): P(X <= bad) for X ~ Bin(n, bad_rate).
    """
    good, bad = track_record
    count = good + bad
    chance = sum(math.comb(count, k) * bad_rate**k * (1 - bad_rate) ** (count - k) for k in range(bad + 1))
    return chance <= error


def _nothing_covered(evidence: Evidence) -> bool:
    gate = evidence.gate("coverage")
    if gate is None or gate.status is GateStatus.UNKNOWN:
        return True
    return gate.measures.get("changed_lines", 0) > 0 and gate.measures.get("covered_lines", 0) <= 0


def _sentence(cap: Cap, evidence: Evidence, record: TrackRecord) -> str:
    reason = cap.because.format(
        names=", ".join(hard_failures(evidence)),
        failed=", ".join(name for name in cap.gates if status(evidence, name) is GateStatus.FAILED),
        percent=f"{evidence.disagreement:.0%}",
        good=record.good,
        bad=record.bad,
    )
    return f"at most {cap.ceiling:.2f}: {reason}"


__all__ = ["explain", "hard_failures", "proven", "score"]
