"""What a change would score if one thing about it were better, and the least that would get it over a threshold.

Each answer is the score itself, computed again on evidence that is as good as it can be in one respect. Knows nothing
of whether that can be had.

>>> from karkhana.domain.evidence import Evidence, Finding
>>> untested = GateResult(gate="coverage", status=GateStatus.FAILED, summary="1 of 9", measures={"changed_lines": 9.0},
...     findings=tuple(Finding(rule="coverage:uncovered", message="", path="cart.py", line=n) for n in range(12, 20)))
>>> found = counterfactuals(Evidence(gates=(untested,)), score(Evidence(gates=(untested,))))
>>> found[0].with_
'tests for lines 12-19 of cart.py'
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from karkhana.domain.confidence import Confidence, TrackRecord
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus
from karkhana.quality.components import counting
from karkhana.quality.confidence import proven, score
from karkhana.quality.weights import Weights, load_weights

MOST_OUTCOMES = 400
"""More than so many good outcomes are not asked for."""

Situation = tuple[Evidence, TrackRecord]
Step = tuple[str, Callable[[Situation], Situation]]


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could be better."""

    with_: str = msgspec.field(name="with")
    """What, as it follows the word "with"."""
    score: float
    """What the change would score then, if nothing else changed."""
    gain: float


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The least that would reach a score, as far as taking things away one by one can tell."""

    reaches: float
    """The score to reach."""
    with_: tuple[str, ...] = msgspec.field(name="with")
    score: float


def counterfactuals(
    evidence: Evidence, confidence: Confidence, weights: Weights | None = None
) -> tuple[Counterfactual, ...]:
    """What would raise the score, the most first; those that alone gain nothing last."""
    weights = weights or load_weights()
    start = (evidence, confidence.track_record)
    before = _score(start, confidence, weights)
    found = []
    for words, better in _steps(start, weights):
        after = _score(better(start), confidence, weights)
        found.append(Counterfactual(with_=words, score=after, gain=round(max(0.0, after - before), 4)))
    return tuple(sorted(found, key=lambda each: -each.gain))


def ways(
    evidence: Evidence, confidence: Confidence, targets: Iterable[float], weights: Weights | None = None
) -> tuple[Way, ...]:
    """For each target above the score: the things that together reach it; none for one that cannot be reached."""
    weights = weights or load_weights()
    start = (evidence, confidence.track_record)
    steps = list(_steps(start, weights))
    found = [
        _least(start, steps, target, confidence, weights) for target in sorted(targets) if confidence.score < target
    ]
    return tuple(way for way in found if way is not None)


def _least(
    start: Situation, steps: Sequence[Step], target: float, confidence: Confidence, weights: Weights
) -> Way | None:
    needed = list(steps)
    if _score(_after(start, needed), confidence, weights) < target:
        return None
    # The slowest to get are given up first: outcomes stand last.
    for step in reversed(steps):
        fewer = [each for each in needed if each is not step]
        if _score(_after(start, fewer), confidence, weights) >= target:
            needed = fewer
    reached = _score(_after(start, needed), confidence, weights)
    return Way(reaches=target, with_=tuple(words for words, _ in needed), score=reached)


def _after(start: Situation, steps: Iterable[Step]) -> Situation:
    for _, better in steps:
        start = better(start)
    return start


def _score(situation: Situation, confidence: Confidence, weights: Weights) -> float:
    evidence, record = situation
    return score(evidence, record, weights, confidence.calibration).score


# Each thing that could be better, the quickest to get first.


def _steps(start: Situation, weights: Weights) -> Iterator[Step]:
    evidence, record = start
    yield from _gates(evidence, weights)
    for rule in dict.fromkeys(finding.rule for finding in counting(evidence)):
        count = sum(finding.rule == rule for finding in counting(evidence))
        yield f"no {rule} in the review" + (f" ({count} now)" if count > 1 else ""), _without_rule(rule)
    if evidence.disagreement:
        yield "no other passing candidate that behaves differently", _agreeing
    more = _outcomes_needed(record, weights)
    if more:
        yield f"{more} more good outcome{'s' if more > 1 else ''} of this kind", _with_outcomes(more, weights)


def _gates(evidence: Evidence, weights: Weights) -> Iterator[Step]:
    names = dict.fromkeys((*(gate.gate for gate in evidence.gates), "coverage", "static_analysis", *weights.gates))
    for name in dict.fromkeys((*names, "duration")):
        gate = evidence.gate(name) or GateResult(gate=name, status=GateStatus.UNKNOWN, summary="")
        best = _best(gate, weights)
        if best != gate:
            yield _words(gate, weights), _with_gate(best)


def _best(gate: GateResult, weights: Weights) -> GateResult:
    """The same gate, passed with nothing to complain about."""
    measures = dict(gate.measures)
    rule = weights.gates.get(gate.gate)
    if rule is not None and rule.graded:
        measures |= {graded.worse: 0.0 for graded in rule.graded}
        wanted = any(cap.when == "nothing_passed" and gate.gate in cap.gates for cap in weights.caps)
        # What passed without measuring had nothing to measure, which nobody can change.
        wanted |= gate.status is not GateStatus.PASSED and any(gate.gate in cap.unless for cap in weights.caps)
        if wanted and not rule.measured(measures):
            measures[rule.graded[0].of] = 1.0
    for cap in weights.caps:
        if cap.when == "measure" and gate.gate in cap.gates and measures.get(cap.measure, 0.0) >= cap.from_:
            measures[cap.measure] = 0.0
    if gate.gate == "coverage":
        measures |= {"covered_lines": measures.get("changed_lines", 0.0)}
        measures["coverage_delta"] = max(0.0, measures.get("coverage_delta", 0.0))
    if gate.gate == "static_analysis":
        measures |= {"new_warnings": 0.0, "new_security": 0.0}
    same = gate.status is GateStatus.PASSED and all(gate.measures.get(n, 0.0) == v for n, v in measures.items())
    return gate if same else msgspec.structs.replace(gate, status=GateStatus.PASSED, measures=measures)


def _words(gate: GateResult, weights: Weights) -> str:
    name, rule = gate.gate.replace("_", " "), weights.gates.get(gate.gate)
    if gate.status is GateStatus.UNKNOWN:
        return f"{name} measured and passed"
    where = _places(gate.findings)
    if gate.gate == "coverage":
        return f"tests for {where}" if where else "tests for the changed lines, and none taken away"
    if gate.gate == "static_analysis":
        return "no new warning" + (f" in {where}" if where else "")
    said = rule.raise_ if rule is not None and rule.raise_ else f"{name} passed"
    return f"{said} in {where}" if where and rule is not None and rule.raise_ else said


def _places(findings: Sequence[Finding]) -> str:
    """``lines 3, 12-19 of cart.py``; at most two files."""
    files: dict[str, list[int]] = {}
    for finding in findings:
        if finding.path and finding.line:
            files.setdefault(finding.path, []).append(finding.line)
    told = [f"{_lines(sorted(set(numbers)))} of {path}" for path, numbers in list(files.items())[:2]]
    more = len(files) - 2
    return " and ".join(told) + (f" and {more} more file{'s' if more > 1 else ''}" if more > 0 else "")


def _lines(numbers: Sequence[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    told = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:6]]
    rest = f" and {len(ranges) - 6} more" if len(ranges) > 6 else ""
    return ("line " if len(numbers) == 1 else "lines ") + ", ".join(told) + rest


def _with_gate(best: GateResult) -> Callable[[Situation], Situation]:
    def better(situation: Situation) -> Situation:
        evidence, record = situation
        others = tuple(gate for gate in evidence.gates if gate.gate != best.gate)
        return msgspec.structs.replace(evidence, gates=(*others, best)), record

    return better


def _without_rule(rule: str) -> Callable[[Situation], Situation]:
    def better(situation: Situation) -> Situation:
        evidence, record = situation
        kept = tuple(finding for finding in evidence.review if finding.rule != rule)
        return msgspec.structs.replace(evidence, review=kept), record

    return better


def _agreeing(situation: Situation) -> Situation:
    return msgspec.structs.replace(situation[0], disagreement=0.0), situation[1]


def _outcomes_needed(record: TrackRecord, weights: Weights) -> int:
    """Good outcomes that lift the cap on short track records; 0 when it is lifted, or far away."""
    rule = weights.track_record
    if proven((record.good, record.bad), rule.bad_rate, rule.error):
        return 0
    most = range(1, MOST_OUTCOMES)
    return next((n for n in most if proven((record.good + n, record.bad), rule.bad_rate, rule.error)), 0)


def _with_outcomes(more: int, weights: Weights) -> Callable[[Situation], Situation]:
    def better(situation: Situation) -> Situation:
        evidence, record = situation
        mean = record.mean
        if mean is not None:
            rule = weights.track_record
            weight = record.good + record.bad + rule.prior_successes + rule.prior_failures
            mean = (mean * weight + more) / (weight + more)
        return evidence, msgspec.structs.replace(record, good=record.good + more, mean=mean)

    return better
