"""Confidence: evidence and a track record become one number in [0,1], with a reason for every part.

The score is the weighted sum of five components, held down by caps (``weights.toml``). It is monotone: worse
evidence never raises it, and what could not be measured never counts as good. A component multiplies factors in
[0,1], so each factor can only take away.

Knows nothing of thresholds or of what is done with the number.

>>> from karkhana.domain.evidence import Evidence
>>> nothing_known = score(Evidence(gates=()), track_record=(0, 0))
>>> nothing_known.score < 0.70
True
"""

import math
from collections import Counter

import msgspec

from karkhana.domain.confidence import Component, Confidence
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus, Severity
from karkhana.quality.explanation import explain
from karkhana.quality.weights import COMPONENTS, Cap, Weights, load_weights

TrackRecord = tuple[int, int]
"""Good and bad outcomes of this engineer on similar tasks."""


class Part(msgspec.Struct, frozen=True):
    """The value of a component and the reasons for it."""

    value: float
    reasons: tuple[str, ...]


def score(evidence: Evidence, track_record: TrackRecord, weights: Weights | None = None) -> Confidence:
    """The composite of all evidence. ``track_record`` is ``(good, bad)`` outcomes, both at least 0."""
    weights = weights or load_weights()
    parts = {
        "coverage": _coverage(evidence, weights),
        "static_analysis": _static_analysis(evidence, weights),
        "behaviour": _behaviour(evidence, weights),
        "performance": _performance(evidence, weights),
        "track_record": _track_record(track_record, weights),
    }
    components = tuple(
        Component(
            name=name,
            value=round(parts[name].value, 4),
            weight=weights.components[name].weight,
            because="; ".join(parts[name].reasons),
        )
        for name in COMPONENTS
    )
    total = sum(c.value * c.weight for c in components)
    caps = sorted((cap for cap in weights.caps if _applies(cap, evidence, track_record, weights)), key=_ceiling)
    ceilings = [cap.ceiling for cap in caps]
    sentences = [_sentence(cap, evidence, track_record) for cap in caps if cap.ceiling < total]
    if evidence.probability is not None and (stated := min(1.0, max(0.0, evidence.probability))) < total:
        ceilings.append(stated)
        sentences.append(f"at most {stated:.2f}: so probable does its engineer call the change")
    held = min([total, *ceilings])
    return Confidence(
        score=round(held, 4),
        components=components,
        weights_version=weights.version,
        caps=tuple(sentences),
    )


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
    gate = evidence.gate("duration")
    if gate is None or gate.status is GateStatus.UNKNOWN:
        return Part(weights.performance.unknown, (_not_measured(gate, "the duration of the suite"),))
    if gate.status is GateStatus.PASSED:
        return Part(1.0, (gate.summary,))
    return Part(min(1.0, max(0.0, 2 - gate.measures.get("ratio", 2.0))), (gate.summary,))


def _track_record(track_record: TrackRecord, weights: Weights) -> Part:
    good, bad = track_record
    rule = weights.track_record
    mean = (good + rule.prior_successes) / (good + bad + rule.prior_successes + rule.prior_failures)
    if good + bad == 0:
        return Part(mean, (f"no outcome of this kind is known yet; the prior says {mean:.2f}",))
    return Part(
        mean, (f"{good} of {good + bad} changes of this kind turned out well, which with the prior is {mean:.2f}",)
    )


def _gates(component: str, evidence: Evidence, weights: Weights) -> Part:
    value, reasons = 1.0, list[str]()
    for name, factors in weights.gates.items():
        if factors.component == component:
            gate = evidence.gate(name)
            value *= factors.of(gate.status if gate else GateStatus.UNKNOWN)
            known = gate is not None and gate.status is not GateStatus.UNKNOWN
            reasons.append(gate.summary if gate and known else _not_measured(gate, name))
    return Part(value, tuple(reasons))


def _review(component: str, evidence: Evidence, weights: Weights) -> Part:
    value, reasons = 1.0, list[str]()
    seen: Counter[str] = Counter()
    for finding in _counting(evidence):
        rule = weights.review.get(finding.rule, weights.review["other"])
        seen[finding.rule] += 1
        if rule.component == component:
            value *= rule.factor if seen[finding.rule] <= weights.findings.most_counted else 1.0
            reasons.append(f"{finding.rule}: {finding.message}")
    shown = (*reasons[:3], f"{len(reasons) - 3} more findings of the review") if len(reasons) > 3 else tuple(reasons)
    return Part(value, shown)


def _counting(evidence: Evidence) -> list[Finding]:
    return [f for f in evidence.review if f.severity is not Severity.INFO]


def _combine(*parts: Part) -> Part:
    return Part(math.prod(p.value for p in parts), tuple(reason for p in parts for reason in p.reasons))


def _not_measured(gate: GateResult | None, what: str) -> str:
    return f"{what} not measured" + (f": {gate.summary}" if gate is not None else "")


# Caps. Each condition can only become true, never false, when evidence gets worse.


def _ceiling(cap: Cap) -> float:
    return cap.ceiling


def _applies(cap: Cap, evidence: Evidence, track_record: TrackRecord, weights: Weights) -> bool:
    if cap.when == "review_rule":
        return any(f.rule in cap.rules for f in _counting(evidence))
    if cap.when == "disagreement":
        return evidence.disagreement >= cap.from_
    if cap.when == "short_track_record":
        return not proven(track_record, weights.track_record.bad_rate, weights.track_record.error)
    return {
        "hard_gate_failed": bool(hard_failures(evidence)),
        "suite_unknown": _status(evidence, "suite") is GateStatus.UNKNOWN,
        "nothing_covered": _nothing_covered(evidence),
        "no_target_test": _status(evidence, "target_tests") is not GateStatus.PASSED,
    }[cap.when]


def hard_failures(evidence: Evidence) -> tuple[str, ...]:
    """Names of the failed hard gates, as policy wants them."""
    return tuple(g.gate for g in evidence.gates if g.hard and g.status is GateStatus.FAILED)


def proven(track_record: TrackRecord, bad_rate: float, error: float) -> bool:
    """Whether a rate of bad outcomes above ``bad_rate`` is ruled out with probability ``1 - error``.

    The exact binomial p-value of Learn-then-Test (Angelopoulos et al., 2021): P(X <= bad) for X ~ Bin(n, bad_rate).
    """
    good, bad = track_record
    count = good + bad
    chance = sum(math.comb(count, k) * bad_rate**k * (1 - bad_rate) ** (count - k) for k in range(bad + 1))
    return chance <= error


def _status(evidence: Evidence, name: str) -> GateStatus:
    gate = evidence.gate(name)
    return gate.status if gate else GateStatus.UNKNOWN


def _nothing_covered(evidence: Evidence) -> bool:
    gate = evidence.gate("coverage")
    if gate is None or gate.status is GateStatus.UNKNOWN:
        return True
    return gate.measures.get("changed_lines", 0) > 0 and gate.measures.get("covered_lines", 0) <= 0


def _sentence(cap: Cap, evidence: Evidence, track_record: TrackRecord) -> str:
    reason = cap.because.format(
        names=", ".join(hard_failures(evidence)),
        percent=f"{evidence.disagreement:.0%}",
        good=track_record[0],
        bad=track_record[1],
    )
    return f"at most {cap.ceiling:.2f}: {reason}"


__all__ = ["TrackRecord", "explain", "hard_failures", "proven", "score"]
