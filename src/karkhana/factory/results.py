"""What came of a run, folded from its trail: the object that ``karkhana run --json`` prints.

The trail is the one source of truth; nothing here is stored a second time.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from karkhana.domain import events as ev
from karkhana.domain.confidence import Confidence
from karkhana.domain.errors import error_kind
from karkhana.domain.evidence import Finding, GateResult
from karkhana.domain.money import ZERO, usd
from karkhana.domain.risks import Risk
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Run, Task
from karkhana.factory.stores import Stores


class Tests(msgspec.Struct, frozen=True):
    """Counts by outcome, and the names of what fails."""

    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class RunResult(msgspec.Struct, kw_only=True):
    """The keys are the command line's contract."""

    run_id: str
    task: Task
    status: str
    reason: str = ""
    engineer: str | None = None
    decision: str | None = None
    decision_reason: str = ""
    confidence: Confidence | None = None
    branch: str | None = None
    commit: str | None = None
    remote: str | None = None
    diff: str = ""
    summary: str = ""
    probability: float | None = None
    """That the change is right, as its engineer calls it."""
    risk: Risk | None = None
    """How likely the change is to need a repair, the likeliest kinds of bugs, and what looks for them."""
    considered: list[ev.Candidate] = []
    """Changes that passed the selected tests, the likeliest first; the next person or engineer may take one up."""
    tests: Tests = Tests()
    coverage_delta: float | None = None
    """Percentage points on the changed files."""
    findings: list[Finding] = []
    self_review: list[Finding] = []
    turns: int = 0
    cost_usd: float = 0.0
    duration_s: float = 0.0
    events: int = 0
    next: str = ""
    """The step that helps, when the run failed."""
    goes_on: str = ""
    """When the announced delivery goes ahead unless somebody rejects it: UTC, RFC 3339."""
    error_exit: int = 1
    """Exit code of the error that ended the run."""


class ScoreResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates and the score say about a commit range."""

    repository: str
    base: str
    head: str
    decision: str
    decision_reason: str
    confidence: Confidence
    gates: tuple[GateResult, ...]
    self_review: tuple[Finding, ...]
    diff: str
    risk: Risk
    """How likely it is to need a repair, the likeliest kinds of bugs, and what looks for them."""


def summarise(run: Run, task: Task, entries: Iterable[ev.Entry]) -> RunResult:
    """Fold a run's events, in order."""
    result = RunResult(run_id=run.run_id, task=task, status=run.status.value, engineer=run.engineer)
    for entry in entries:
        result.events += 1
        fold = _FOLDS.get(type(entry.event))
        if fold is not None:
            fold(result, entry.event)
    if run.finished_at is not None:
        result.duration_s = round((run.finished_at - run.started_at).total_seconds(), 3)
    return result


def _opened(result: RunResult, event: ev.WorkspaceOpened) -> None:
    result.engineer = event.engineer


def _measured(result: RunResult, event: ev.SuiteMeasured) -> None:
    counts = _counts(event.report)
    result.tests = Tests(result.tests.before, counts) if event.after_change else Tests(counts, result.tests.after)


def _counts(report: TestReport) -> dict[str, Any]:
    return {**report.counts(), "failing": list(report.failing)}


def _returned(result: RunResult, event: ev.ToolReturned) -> None:
    result.turns = max(result.turns, event.turn)


def _compared(result: RunResult, event: ev.CandidatesCompared) -> None:
    result.considered, result.probability = list(event.candidates), event.probability


def _attempts(result: RunResult, event: ev.AttemptsCompared) -> None:
    result.engineer = event.engineer


def _handed_over(result: RunResult, event: ev.ChangeHandedOver) -> None:
    result.diff = event.change.patch
    result.summary = event.change.summary


def _reviewed(result: RunResult, event: ev.ReviewFinished) -> None:
    result.self_review = list(event.findings)


def _gate(result: RunResult, event: ev.GateFinished) -> None:
    result.findings += event.result.findings
    if "coverage_delta" in event.result.measures:
        result.coverage_delta = event.result.measures["coverage_delta"]


def _assessed(result: RunResult, event: ev.RiskAssessed) -> None:
    result.risk = event.risk


def _scored(result: RunResult, event: ev.ScoreComputed) -> None:
    result.confidence = event.confidence


def _decided(result: RunResult, event: ev.DecisionMade) -> None:
    result.decision = event.decision.verdict.value
    result.decision_reason = event.decision.reason


def _delivered(result: RunResult, event: ev.Delivered) -> None:
    result.branch, result.commit, result.remote = event.branch, event.commit, event.remote


def _announced(result: RunResult, event: ev.DeliveryAnnounced) -> None:
    result.goes_on = datetime.fromtimestamp(event.until, UTC).isoformat(timespec="seconds")


def _waits(result: RunResult, _event: ev.ApprovalRequested) -> None:
    result.goes_on = ""


def _finished(result: RunResult, event: ev.RunFinished) -> None:
    result.status = event.status.value
    result.reason, result.next, result.goes_on = event.reason, event.next, ""
    if event.code:
        result.error_exit = error_kind(event.code).exit_code


def spent(events: Iterable[ev.AnyEvent]) -> float:
    """Dollars that the models of a run did cost; a price that nobody knows is not in it.

    >>> spent([ev.ModelAnswered(turn=1, purpose="work", model="m", answer={}, cost_usd="0.0125")])
    0.0125
    """
    answers = (event for event in events if isinstance(event, ev.ModelAnswered) and not event.recalled)
    return float(sum((usd(answer.cost_usd) for answer in answers if answer.cost_usd), start=ZERO))


def _answered(result: RunResult, event: ev.ModelAnswered) -> None:
    if event.cost_usd and not event.recalled:
        result.cost_usd = float(usd(f"{result.cost_usd:.12f}") + usd(event.cost_usd))


def _paused(result: RunResult, event: ev.WorkPaused) -> None:
    result.reason, result.next = event.reason, event.next


def _resumed(result: RunResult, _event: ev.WorkResumed) -> None:
    result.reason = result.next = ""


_FOLDS: dict[type[Any], Callable[[RunResult, Any], None]] = {
    ev.WorkspaceOpened: _opened,
    ev.SuiteMeasured: _measured,
    ev.ToolReturned: _returned,
    ev.ModelAnswered: _answered,
    ev.WorkPaused: _paused,
    ev.WorkResumed: _resumed,
    ev.CandidatesCompared: _compared,
    ev.AttemptsCompared: _attempts,
    ev.ChangeHandedOver: _handed_over,
    ev.ReviewFinished: _reviewed,
    ev.GateFinished: _gate,
    ev.RiskAssessed: _assessed,
    ev.ScoreComputed: _scored,
    ev.DecisionMade: _decided,
    ev.DeliveryAnnounced: _announced,
    ev.ApprovalRequested: _waits,
    ev.Delivered: _delivered,
    ev.RunFinished: _finished,
}


def exit_code(result: RunResult) -> int:
    """The command line's promise: 0 delivered · 1 failed · 3 waiting · 5 rolled back; the error's own code else."""
    if result.status in _EXIT_CODES:
        return _EXIT_CODES[result.status]
    return result.error_exit


_EXIT_CODES = {
    "delivered": 0,
    "deployed": 0,
    "canary": 0,
    "waiting_for_review": 3,
    "rolled_back": 5,
    "rejected": 1,
    "cancelled": 1,
}


def result_of(stores: Stores, run_id: str) -> RunResult:
    """What came of a run. Raises ``UnknownRun``."""
    run = stores.runs.get(run_id)
    told = [str(kind.__struct_config__.tag) for kind in _FOLDS]
    result = summarise(run, stores.tasks.get(run.task_id), stores.events.entries(run_id, kinds=told))
    result.events, _ = stores.events.head(run_id)
    return result
