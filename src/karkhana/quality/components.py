"""The components of the score: what each kind of evidence is worth, in [0,1], with its reasons.

A component multiplies factors in [0,1], so each factor can only take away, and what could not be measured never counts
as good. Knows nothing of how components are weighed against each other.
"""

import math
from collections import Counter

import msgspec

from karkhana.domain.confidence import TrackRecord
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus, Severity
from karkhana.quality.weights import GateFactors, Weights


class Part(msgspec.Struct, frozen=True):
    """The value of a component, in [0,1], and the reasons for it."""

    value: float
    reasons: tuple[str, ...]


def components(evidence: Evidence, record: TrackRecord, weights: Weights) -> dict[str, Part]:
    """Every component by its name."""
    return {
        "coverage": _coverage(evidence, weights),
        "static_analysis": _static_analysis(evidence, weights),
        "behaviour": _behaviour(evidence, weights),
        "performance": _performance(evidence, weights),
        "change_risk": _change_risk(evidence, weights),
        "track_record": _track_record(record, weights),
    }


def missing(evidence: Evidence, weights: Weights) -> tuple[str, ...]:
    """Names of what could not be measured, in the order of the weights."""
    names = dict.fromkeys(("coverage", "static_analysis", *weights.gates, "duration"))
    found = [name for name in names if status(evidence, name) is GateStatus.UNKNOWN]
    return (*found, "change_risk") if evidence.risk is None else tuple(found)


def status(evidence: Evidence, name: str) -> GateStatus:
    """How a gate ended; one that is missing measured nothing."""
    gate = evidence.gate(name)
    return gate.status if gate else GateStatus.UNKNOWN


def counting(evidence: Evidence) -> list[Finding]:
    """The findings of the review that count."""
    return [f for f in evidence.review if f.severity is not Severity.INFO]


def _coverage(evidence: Evidence, weights: Weights) -> Part:
    gate = evidence.gate("coverage")
    if gate is None or gate.status is GateStatus.UNKNOWN:
        return Part(0.0, (_not_measured(gate, "coverage of the changed lines"),))
    changed, covered = gate.measures.get("changed_lines", 0), gate.measures.get("covered_lines", 0)
    share = covered / changed if changed else 1.0
    fallen = max(0.0, -gate.measures.get("coverage_delta", 0.0))
    lost = min(weights.coverage.most_lost, fallen * weights.coverage.per_point_lost)
    reasons = [gate.summary]
    if gate.measures.get("unmeasured_files"):
        share /= 2
        reasons.append("files that are not Python were not measured, which halves it")
    return Part(max(0.0, share - lost), tuple(reasons))


def _static_analysis(evidence: Evidence, weights: Weights) -> Part:
    gate = evidence.gate("static_analysis")
    rule = weights.static_analysis
    if gate is None or gate.status is GateStatus.UNKNOWN:
        own = Part(rule.unknown, (_not_measured(gate, "new warnings"),))
    else:
        security = gate.measures.get("new_security", 0)
        others = max(0.0, gate.measures.get("new_warnings", 0) - security)
        value = 0.0 if gate.hard and gate.status is GateStatus.FAILED else 1.0
        own = Part(value * rule.per_warning**others * rule.per_security_warning**security, (gate.summary,))
    return _combine(own, _gates("static_analysis", evidence, weights), _review("static_analysis", evidence, weights))


def _behaviour(evidence: Evidence, weights: Weights) -> Part:
    gates = _gates("behaviour", evidence, weights)
    return _combine(gates, _disagreement(evidence, weights), _review("behaviour", evidence, weights))


def _disagreement(evidence: Evidence, weights: Weights) -> Part:
    share = min(1.0, max(0.0, evidence.disagreement))
    if not evidence.alternatives and not share:
        return Part(1.0, ())
    said = f"{evidence.alternatives} other candidates passed as well and differ on {share:.0%} of generated inputs"
    return Part((1 - share) ** weights.disagreement.power, (said,))


def _performance(evidence: Evidence, weights: Weights) -> Part:
    return _combine(_duration(evidence, weights), _gates("performance", evidence, weights))


def _duration(evidence: Evidence, weights: Weights) -> Part:
    gate = evidence.gate("duration")
    if gate is None or gate.status is GateStatus.UNKNOWN:
        return Part(weights.performance.unknown, (_not_measured(gate, "the duration of the suite"),))
    if gate.status is GateStatus.PASSED:
        return Part(1.0, (gate.summary,))
    return Part(min(1.0, max(0.0, 2 - gate.measures.get("ratio", 2.0))), (gate.summary,))


def _change_risk(evidence: Evidence, weights: Weights) -> Part:
    if evidence.risk is None:
        return Part(weights.change_risk.unknown, ("how risky changes like this one are is not known",))
    risk = min(1.0, max(0.0, evidence.risk))
    return Part(1 - risk, (f"{risk:.0%} of changes like this one needed a fix later", *evidence.risk_reasons[:3]))


def _track_record(record: TrackRecord, weights: Weights) -> Part:
    rule = weights.track_record
    mean = record.mean
    if mean is None:
        prior = rule.prior_successes + rule.prior_failures
        mean = (record.good + rule.prior_successes) / (record.good + record.bad + prior)
    mean = min(1.0, max(0.0, mean))
    count = record.good + record.bad
    if count == 0:
        said = f"no outcome of this kind is known yet; what is known elsewhere says {mean:.2f}"
    else:
        said = f"{record.good} of {count} changes of this kind turned out well, which with the prior is {mean:.2f}"
    return Part(mean, (said, record.because) if record.because else (said,))


def _gates(component: str, evidence: Evidence, weights: Weights) -> Part:
    value, reasons = 1.0, list[str]()
    for name, factors in weights.gates.items():
        if factors.component == component:
            gate = evidence.gate(name)
            value *= _factor(factors, gate)
            known = gate is not None and gate.status is not GateStatus.UNKNOWN
            reasons.append(gate.summary if gate and known else _not_measured(gate, name))
    return Part(value, tuple(reasons))


def _factor(factors: GateFactors, gate: GateResult | None) -> float:
    return factors.of(GateStatus.UNKNOWN) if gate is None else factors.of(gate.status, gate.measures)


def _review(component: str, evidence: Evidence, weights: Weights) -> Part:
    value, reasons = 1.0, list[str]()
    seen: Counter[str] = Counter()
    for finding in counting(evidence):
        rule = weights.review.get(finding.rule, weights.review["other"])
        seen[finding.rule] += 1
        if rule.component == component:
            value *= rule.factor if seen[finding.rule] <= weights.findings.most_counted else 1.0
            reasons.append(f"{finding.rule}: {finding.message}")
    shown = (*reasons[:3], f"{len(reasons) - 3} more findings of the review") if len(reasons) > 3 else tuple(reasons)
    return Part(value, shown)


def _combine(*parts: Part) -> Part:
    return Part(math.prod(p.value for p in parts), tuple(reason for p in parts for reason in p.reasons))


def _not_measured(gate: GateResult | None, what: str) -> str:
    return f"{what} not measured" + (f": {gate.summary}" if gate is not None else "")
