"""A run's events as lines on stderr while it is under way.

>>> Progress.line(ev.Noted(text="the index is slow"))
('', 'note', 'the index is slow')
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from karkhana.cli.output import visible
from karkhana.domain import events as ev
from karkhana.domain.evidence import GateStatus
from karkhana.domain.risks import in_brief
from karkhana.domain.tasks import Status

STATIONS = {
    Status.PLANNING: "plan",
    Status.BUILDING: "build",
    Status.REVIEWING: "self-review",
    Status.VERIFYING: "verify",
    Status.WAITING_FOR_REVIEW: "approval",
}
_NAMED = 3
"""Subjects of lessons that a line names."""
_CLIPPED = 100
"""Characters of what a model says and calls."""
MARKS = {GateStatus.PASSED: "[green]✓[/]", GateStatus.FAILED: "[red]✗[/]", GateStatus.UNKNOWN: "[yellow]?[/]"}


class Progress:
    """Call it with each event; prints what a person wants to see go by."""

    def __init__(self, *, explain: bool = False, quiet: bool = False) -> None:
        """``explain`` shows every hypothesis that an engineer tries."""
        self._explain = explain
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)

    def __call__(self, event: ev.AnyEvent) -> None:
        line = self.line(event)
        if line is not None and (self._explain or not isinstance(event, ev.HypothesisTried)):
            mark, station, text = line
            label = f"[bold cyan]{station:<12}[/]" if station else " " * 12
            # One line: text that nobody vouches for must not look like a line of ours.
            shown = escape(visible(" ".join(text.splitlines())))
            self._console.print(f"{mark or ' '} {label} {shown}")

    @staticmethod
    def line(event: ev.AnyEvent) -> tuple[str, str, str] | None:
        """(mark, station, text), or ``None`` for an event that only the trail needs."""
        describe = _LINES.get(type(event))
        return describe(event) if describe else None


def _started(event: ev.RunStarted) -> tuple[str, str, str]:
    return "", "ticket", f"{event.task_id}: {event.order.ticket.title}"


def _status(event: ev.StatusChanged) -> tuple[str, str, str] | None:
    station = STATIONS.get(event.status)
    return ("[cyan]▸[/]", station, "") if station else None


def _environment(event: ev.EnvironmentPrepared) -> tuple[str, str, str] | None:
    if event.cached:
        return None
    notes = "; ".join(event.notes)
    return "", "", f"environment installed in {event.duration_s:.1f} s{': ' + notes if notes else ''}"


def _measured(event: ev.SuiteMeasured) -> tuple[str, str, str]:
    when = "after the change" if event.after_change else "before any change"
    failing = len(event.report.failing)
    return "", "", f"{len(event.report.passed)} tests pass, {failing} fail {when} ({event.report.duration_s:.1f} s)"


def _asked(event: ev.QuestionAsked) -> tuple[str, str, str]:
    return "[yellow]?[/]", "question", f"{event.question} (answer it: karkhana tickets answer TICKET TEXT)"


def _suspected(event: ev.FunctionsSuspected) -> tuple[str, str, str] | None:
    if not event.suspects:
        return None
    first, more = event.suspects[0], len(event.suspects) - 1
    others = f"; and {more} other functions" if more else ""
    return "", "", f"suspects {first.place} {first.function}: {first.because}{others}"


def _learned(event: ev.LessonsLearned) -> tuple[str, str, str]:
    good = [lesson.subject for lesson in event.lessons if lesson.good > lesson.bad]
    dearest = sorted(event.lessons, key=lambda lesson: (lesson.good - lesson.bad, lesson.subject))[:_NAMED]
    said = f"for {', '.join(good)}" if good else f"against {', '.join(lesson.subject for lesson in dearest)}"
    when = ", ".join(dict.fromkeys(lesson.circumstance for lesson in event.lessons))
    return "", "", f"the ending, {event.verdict.value}, speaks {said} ({when})"


def _tried(event: ev.HypothesisTried) -> tuple[str, str, str]:
    return "", "", f"{event.place}  {event.kind}: {event.tried} tried, {event.passing} pass  {event.note}".rstrip()


def _compared(event: ev.CandidatesCompared) -> tuple[str, str, str]:
    text = f"{event.passing} candidates pass, {event.classes} kinds of behaviour, disagreement {event.disagreement:.0%}"
    if event.probability is not None:
        text += f", the best is right with a probability of {event.probability:.0%}"
    return "", "", text


def _answered(event: ev.ModelAnswered) -> tuple[str, str, str] | None:
    if event.recalled:
        return None
    parts = event.answer.get("parts", ())
    said = " ".join(str(part["text"]) for part in parts if part.get("part") == "text")
    calls = [f"{part['name']} {part['arguments']}" for part in parts if part.get("part") == "tool_call"]
    text = "; ".join(clipped for each in (said, *calls) if (clipped := each.strip()[:_CLIPPED]))
    return "", "", f"{event.model}: {text or '(nothing)'}"


def _nudged(event: ev.ModelNudged) -> tuple[str, str, str]:
    return "[yellow]![/]", "", f"the model does not get on ({event.pattern}) and is told so"


def _strategy(event: ev.StrategyChosen) -> tuple[str, str, str] | None:
    return ("", "", f"strategy {event.strategy.key}") if len(event.options) > 1 else None


def _attempts(event: ev.AttemptsCompared) -> tuple[str, str, str]:
    made = sum(each.group > 0 for each in event.attempts)
    text = f"{made} of {len(event.attempts)} attempts gave a change; number {event.chosen} goes on"
    return "", "", f"{text}: {'; '.join(event.reasons)}"


def _paused(event: ev.WorkPaused) -> tuple[str, str, str]:
    return "[yellow]![/]", "paused", f"{event.reason}; {event.next}".rstrip("; ")


def _resumed(event: ev.WorkResumed) -> tuple[str, str, str]:
    return "[cyan]▸[/]", "resumed", f"by {event.by}"


def _handed_over(event: ev.ChangeHandedOver) -> tuple[str, str, str]:
    return "", "", f"{event.change.title or 'change'}  ({', '.join(event.change.paths)})"


def _abstained(event: ev.EngineerAbstained) -> tuple[str, str, str]:
    return "[yellow]?[/]", "", f"the engineer abstains: {event.reason}"


def _reviewed(event: ev.ReviewFinished) -> tuple[str, str, str]:
    if not event.findings:
        return "", "", "nothing to object to"
    return "", "", "; ".join(f"{finding.rule}: {finding.message}" for finding in event.findings)


def _assessed(event: ev.RiskAssessed) -> tuple[str, str, str]:
    return "[cyan]▸[/]", "risk", in_brief(event.risk)


def _gate(event: ev.GateFinished) -> tuple[str, str, str]:
    return MARKS[event.result.status], "", f"{event.result.gate}: {event.result.summary}"


def _scored(event: ev.ScoreComputed) -> tuple[str, str, str]:
    return "[cyan]▸[/]", "score", f"{event.confidence.score:.2f}"


def _decided(event: ev.DecisionMade) -> tuple[str, str, str]:
    return "[cyan]▸[/]", "decision", f"{event.decision.verdict.value}: {event.decision.reason}"


def _announced(event: ev.DeliveryAnnounced) -> tuple[str, str, str]:
    at = datetime.fromtimestamp(event.until, UTC)
    return "[yellow]![/]", "announced", f"it goes ahead at {at:%Y-%m-%d %H:%M:%S} UTC unless somebody rejects it"


def _refused(event: ev.ApprovalRefused) -> tuple[str, str, str]:
    return "[yellow]![/]", "", f"the answer of {event.by} does not count: {event.because}"


def _delivered(event: ev.Delivered) -> tuple[str, str, str]:
    where = f" on {event.remote}" if event.remote else ""
    return "[green]✓[/]", "delivered", f"{event.branch} at {event.commit[:12]}{where}"


def _retried(event: ev.StepRetried) -> tuple[str, str, str]:
    return "[yellow]![/]", "", f"{event.step} failed ({event.error}), attempt {event.attempt}"


def _noted(event: ev.Noted) -> tuple[str, str, str]:
    return "", "note", event.text


def _taken_over(event: ev.RunTakenOver) -> tuple[str, str, str]:
    return "[yellow]![/]", "", f"continued by {event.worker} after {event.previous_worker} fell silent"


def _finished(event: ev.RunFinished) -> tuple[str, str, str]:
    mark = "[green]✓[/]" if event.status in (Status.DELIVERED, Status.DEPLOYED) else "[red]✗[/]"
    return mark, "finished", f"{event.status.value}{': ' + event.reason if event.reason else ''}"


_LINES: dict[type[Any], Callable[[Any], tuple[str, str, str] | None]] = {
    ev.RunStarted: _started,
    ev.StatusChanged: _status,
    ev.EnvironmentPrepared: _environment,
    ev.SuiteMeasured: _measured,
    ev.QuestionAsked: _asked,
    ev.FunctionsSuspected: _suspected,
    ev.LessonsLearned: _learned,
    ev.HypothesisTried: _tried,
    ev.CandidatesCompared: _compared,
    ev.ModelAnswered: _answered,
    ev.ModelNudged: _nudged,
    ev.WorkPaused: _paused,
    ev.WorkResumed: _resumed,
    ev.StrategyChosen: _strategy,
    ev.AttemptsCompared: _attempts,
    ev.ChangeHandedOver: _handed_over,
    ev.EngineerAbstained: _abstained,
    ev.ReviewFinished: _reviewed,
    ev.RiskAssessed: _assessed,
    ev.GateFinished: _gate,
    ev.ScoreComputed: _scored,
    ev.DecisionMade: _decided,
    ev.DeliveryAnnounced: _announced,
    ev.ApprovalRefused: _refused,
    ev.Delivered: _delivered,
    ev.StepRetried: _retried,
    ev.RunTakenOver: _taken_over,
    ev.Noted: _noted,
    ev.RunFinished: _finished,
}
