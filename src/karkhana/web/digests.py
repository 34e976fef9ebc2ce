"""What a run's page says of it, folded from its events and continued where the last look ended.

A trail only grows, so each event is read once however often the page is looked at. Knows nothing of HTML.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock
from typing import Any

import msgspec

from karkhana.domain import events as ev
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.tasks import Order, Status
from karkhana.storage.event_log import EventLog, Stored
from karkhana.web.lean import NOTHING_OF, lean, reads

REMEMBERED = 64
"""Runs."""
MOST_FAILURES = 2000
"""Places of failures that are kept of a run, for "next failure"."""
STATIONS = ("plan", "build", "review", "verify", "score", "ship")
_STATION_OF = {
    Status.PLANNING: "plan",
    Status.BUILDING: "build",
    Status.REVIEWING: "review",
    Status.VERIFYING: "verify",
    Status.WAITING_FOR_REVIEW: "ship",
}


@dataclass
class Station:
    """One part of the line as a run went through it."""

    name: str
    seq: int
    """Of its first event."""
    since: datetime
    until: datetime | None = None
    failed: bool = False


@dataclass
class ModelUse:
    """What was asked of one model."""

    calls: int = 0
    recalled: int = 0
    """Answers that were given before, and cost nothing now."""
    usd: Decimal = Decimal(0)
    unpriced: int = 0
    """Calls whose price nobody knows."""
    seconds: float = 0.0


@dataclass
class Digest:
    """Everything but the trail itself."""

    seq: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    order: Order | None = None
    version: str = ""
    worker: str = ""
    status: Status = Status.QUEUED
    stations: dict[str, Station] = field(default_factory=dict)
    engineers: list[str] = field(default_factory=list)
    before: ev.SuiteMeasured | None = None
    after: ev.SuiteMeasured | None = None
    handed_over: ev.ChangeHandedOver | None = None
    compared: ev.CandidatesCompared | None = None
    review: tuple[Finding, ...] = ()
    gates: dict[str, GateResult] = field(default_factory=dict)
    gate_seqs: dict[str, int] = field(default_factory=dict)
    scored: ev.ScoreComputed | None = None
    autonomy: ev.AutonomyConsulted | None = None
    decided: ev.DecisionMade | None = None
    requested: str = ""
    """Hash of the change that waits for a person."""
    requested_at: datetime | None = None
    until: datetime | None = None
    """When that change goes ahead alone; ``None``: never."""
    expires: datetime | None = None
    """When the question ends without an answer; ``None``: never."""
    paused: ev.WorkPaused | None = None
    given: ev.ApprovalGiven | None = None
    delivered: ev.Delivered | None = None
    finished: ev.RunFinished | None = None
    signs: list[ev.OutcomeObserved] = field(default_factory=list)
    repeats: list[ev.RunRepeated] = field(default_factory=list)
    models: dict[str, ModelUse] = field(default_factory=dict)
    turns: int = 0
    extra_usd: float = 0.0
    """Dollars beyond the order's budget, since somebody let it go on."""
    failures: list[int] = field(default_factory=list)
    """Numbers of the events that are failures, in order."""
    newest: str = ""
    """Type of the last event."""

    @property
    def usd(self) -> Decimal | None:
        """What all models did cost; ``None`` when one of the prices is not known."""
        if any(use.unpriced for use in self.models.values()):
            return None
        return sum((use.usd for use in self.models.values()), Decimal(0))

    @property
    def findings(self) -> list[Finding]:
        """Of the review and of all gates."""
        return [*self.review, *(finding for gate in self.gates.values() for finding in gate.findings)]

    @property
    def seconds(self) -> float | None:
        """From the first event to the last."""
        if self.first_at is None or self.last_at is None:
            return None
        return (self.last_at - self.first_at).total_seconds()

    def take(self, row: Stored, event: ev.AnyEvent | None) -> None:
        """Go on by one event; ``None``: by one of which nothing but its place matters."""
        at = datetime.fromisoformat(row.at)
        self.seq, self.newest, self.last_at = row.seq, row.type, at
        if self.first_at is None:
            self.first_at = at
        if event is None:
            return
        if is_failure(event) and len(self.failures) < MOST_FAILURES:
            self.failures.append(row.seq)
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(self, event, row.seq, at)

    def copy(self) -> "Digest":
        """The same, untouched by events that are taken later."""
        return replace(
            self,
            stations={name: replace(station) for name, station in self.stations.items()},
            engineers=list(self.engineers),
            gates=dict(self.gates),
            gate_seqs=dict(self.gate_seqs),
            signs=list(self.signs),
            repeats=list(self.repeats),
            models={name: replace(use) for name, use in self.models.items()},
            failures=list(self.failures),
        )

    def enter(self, name: str, seq: int, at: datetime) -> None:
        """Another station begins; the one before ends."""
        for station in self.stations.values():
            if station.until is None and station.name != name:
                station.until = at
        self.stations.setdefault(name, Station(name, seq, at))


def is_failure(event: ev.AnyEvent) -> bool:
    """Whether something went wrong that somebody who looks for the cause wants to see."""
    match event:
        case ev.ToolReturned(error=error, result=result):
            return error is not None or (isinstance(result, dict) and result.get("exit_code", 0) != 0)
        case ev.GateFinished(result=gate):
            return gate.status is GateStatus.FAILED
        case ev.SuiteMeasured(after_change=after, report=report):
            return after and not report.green
        case ev.ReviewFinished(findings=findings):
            return any(finding.severity is Severity.ERROR for finding in findings)
        case ev.RunFinished(status=status):
            return status in (Status.FAILED, Status.ROLLED_BACK)
        case ev.EngineerAbstained() | ev.StepRetried() | ev.WorkPaused():
            return True
    return False


def _started(digest: Digest, event: ev.RunStarted, seq: int, at: datetime) -> None:
    digest.order, digest.version = event.order, event.version


def _status(digest: Digest, event: ev.StatusChanged, seq: int, at: datetime) -> None:
    digest.status, digest.worker = event.status, event.worker or digest.worker
    name = _STATION_OF.get(event.status)
    # a paused run waits where it is, and has not come to the end of the line
    if name is not None and not (event.status is Status.WAITING_FOR_REVIEW and digest.paused is not None):
        digest.enter(name, seq, at)


def _opened(digest: Digest, event: ev.WorkspaceOpened, seq: int, at: datetime) -> None:
    if event.engineer not in digest.engineers:
        digest.engineers.append(event.engineer)


def _measured(digest: Digest, event: ev.SuiteMeasured, seq: int, at: datetime) -> None:
    if event.after_change:
        digest.after = event
    else:
        digest.before = event


def _returned(digest: Digest, event: ev.ToolReturned, seq: int, at: datetime) -> None:
    digest.turns = max(digest.turns, event.turn)


def _answered(digest: Digest, event: ev.ModelAnswered, seq: int, at: datetime) -> None:
    use = digest.models.setdefault(event.place or event.model, ModelUse())
    if event.recalled:
        use.recalled += 1
        return
    use.calls += 1
    use.seconds += event.duration_s
    if event.cost_usd:
        use.usd += Decimal(event.cost_usd)
    else:
        use.unpriced += 1


def _handed_over(digest: Digest, event: ev.ChangeHandedOver, seq: int, at: datetime) -> None:
    digest.handed_over = event


def _compared(digest: Digest, event: ev.CandidatesCompared, seq: int, at: datetime) -> None:
    digest.compared = event


def _reviewed(digest: Digest, event: ev.ReviewFinished, seq: int, at: datetime) -> None:
    digest.review = event.findings


def _gate(digest: Digest, event: ev.GateFinished, seq: int, at: datetime) -> None:
    digest.gates[event.result.gate] = event.result
    digest.gate_seqs[event.result.gate] = seq


def _scored(digest: Digest, event: ev.ScoreComputed, seq: int, at: datetime) -> None:
    digest.scored = event
    digest.enter("score", seq, at)


def _consulted(digest: Digest, event: ev.AutonomyConsulted, seq: int, at: datetime) -> None:
    digest.autonomy = event


def _decided(digest: Digest, event: ev.DecisionMade, seq: int, at: datetime) -> None:
    digest.decided = event
    digest.enter("ship", seq, at)


def _requested(digest: Digest, event: ev.ApprovalRequested, seq: int, at: datetime) -> None:
    digest.requested, digest.requested_at, digest.paused, digest.given = event.patch_sha256, at, None, None
    digest.until = None
    digest.expires = None if event.until is None else datetime.fromtimestamp(event.until, UTC)


def _announced(digest: Digest, event: ev.DeliveryAnnounced, seq: int, at: datetime) -> None:
    digest.requested, digest.requested_at, digest.paused, digest.given = event.patch_sha256, at, None, None
    digest.until, digest.expires = datetime.fromtimestamp(event.until, UTC), None


def _given(digest: Digest, event: ev.ApprovalGiven, seq: int, at: datetime) -> None:
    digest.given = event


def _paused(digest: Digest, event: ev.WorkPaused, seq: int, at: datetime) -> None:
    digest.paused = event


def _resumed(digest: Digest, event: ev.WorkResumed, seq: int, at: datetime) -> None:
    digest.paused = None
    digest.extra_usd += event.usd


def _delivered(digest: Digest, event: ev.Delivered, seq: int, at: datetime) -> None:
    digest.delivered = event


def _finished(digest: Digest, event: ev.RunFinished, seq: int, at: datetime) -> None:
    digest.finished, digest.status = event, event.status
    last = None
    for station in digest.stations.values():
        if station.until is None:
            station.until, last = at, station
    if last is not None:
        last.failed = event.status is Status.FAILED


def _observed(digest: Digest, event: ev.OutcomeObserved, seq: int, at: datetime) -> None:
    digest.signs.append(event)


def _repeated(digest: Digest, event: ev.RunRepeated, seq: int, at: datetime) -> None:
    digest.repeats.append(event)


def _taken_over(digest: Digest, event: ev.RunTakenOver, seq: int, at: datetime) -> None:
    digest.worker = event.worker


_FOLDS: dict[type[Any], Callable[[Digest, Any, int, datetime], None]] = {
    ev.RunStarted: _started,
    ev.StatusChanged: _status,
    ev.WorkspaceOpened: _opened,
    ev.SuiteMeasured: _measured,
    ev.ToolReturned: _returned,
    ev.ModelAnswered: _answered,
    ev.ChangeHandedOver: _handed_over,
    ev.CandidatesCompared: _compared,
    ev.ReviewFinished: _reviewed,
    ev.GateFinished: _gate,
    ev.ScoreComputed: _scored,
    ev.AutonomyConsulted: _consulted,
    ev.DecisionMade: _decided,
    ev.ApprovalRequested: _requested,
    ev.DeliveryAnnounced: _announced,
    ev.ApprovalGiven: _given,
    ev.WorkPaused: _paused,
    ev.WorkResumed: _resumed,
    ev.Delivered: _delivered,
    ev.RunFinished: _finished,
    ev.OutcomeObserved: _observed,
    ev.RunRepeated: _repeated,
    ev.RunTakenOver: _taken_over,
}


class Digests:
    """The digests of the runs that were looked at lately. Thread-safe."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[Lock, Digest]] = OrderedDict()

    def of(self, run_id: str, events: int = 0) -> Digest:
        """The digest, up to the newest event, and the caller's own: another thread may go on while it is rendered.

        ``events``: how many the run has, for a caller who knows it: when these were read, nothing is asked for.
        Raises ``UnknownRun``, or ``InvalidInput`` for an unreadable event.
        """
        with self._lock:
            lock, digest = self._kept.setdefault(run_id, (Lock(), Digest()))
            self._kept.move_to_end(run_id)
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        with lock:
            known = 0 < events <= digest.seq
            for row in () if known else self._log.stored(run_id, digest.seq, bare=NOTHING_OF):
                digest.take(row, self._read(row))
            return digest.copy()

    def _read(self, row: Stored) -> ev.AnyEvent | None:
        if not reads(row.type):
            return self._log.event(row)
        try:
            return lean(row.type, row.payload)
        except msgspec.DecodeError:
            # says what is wrong with it, or can read it after all
            return self._log.event(row)
