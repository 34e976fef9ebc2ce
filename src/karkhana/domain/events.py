"""The things that happen in a run, one struct per kind.

The tag is the event's type in the trail. Text longer than the store's limit is moved to the content-addressed
store by the event log, not here.
"""

from typing import Any

import msgspec

from karkhana.domain.autonomy import LevelChange, Standing
from karkhana.domain.changes import Change, FileChange
from karkhana.domain.confidence import Confidence
from karkhana.domain.evidence import Finding, GateResult
from karkhana.domain.lessons import Credit, Lesson, Verdict
from karkhana.domain.outcomes import Sign
from karkhana.domain.policy import Decision
from karkhana.domain.risks import Risk
from karkhana.domain.strategies import Strategy
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Order, Status
from karkhana.domain.understanding import Understanding


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of all events."""


class RunStarted(Event, frozen=True, kw_only=True, tag="run.started"):
    """The first event of a run: the whole order and the version that carries it out."""

    task_id: str
    order: Order
    version: str


class StatusChanged(Event, frozen=True, kw_only=True, tag="run.status"):
    """The run entered another station of the line."""

    status: Status
    worker: str = ""


class TicketUnderstood(Event, frozen=True, kw_only=True, tag="ticket.understood"):
    """What was understood of the ticket before anybody works on it, with the repository looked at."""

    understanding: Understanding


class QuestionAsked(Event, frozen=True, kw_only=True, tag="question.asked"):
    """The ticket does not say enough: its reporter is asked, once, and the run waits."""

    question: str
    missing: str
    until: float
    """When the wait is over, seconds since the epoch."""
    sent: bool = False
    """Whether it goes to where the ticket came from; otherwise it is only shown."""


class QuestionAnswered(Event, frozen=True, kw_only=True, tag="question.answered"):
    """The reply; as untrusted as the ticket, which it is a part of from here on."""

    reply: str
    by: str
    suspicions: tuple[str, ...] = ()


class QuestionExpired(Event, frozen=True, kw_only=True, tag="question.expired"):
    """Nobody answered in time; policy says what becomes of the ticket."""

    rejected: bool


class EnvironmentPrepared(Event, frozen=True, kw_only=True, tag="environment.prepared"):
    """The dependencies of the target repository are installed."""

    key: str
    """Hash of its dependency files."""
    cached: bool
    python: str
    duration_s: float
    notes: tuple[str, ...] = ()


class WorkspaceOpened(Event, frozen=True, kw_only=True, tag="workspace.opened"):
    """An engineer starts on a fresh checkout of the base commit; earlier edits of this run are gone with theirs."""

    commit: str
    engineer: str
    limits: tuple[str, ...] = ()
    """The limits of the sandbox that are in force on this host."""
    attempt: int = 1
    """Which of the run's independent attempts this is."""


class SuiteMeasured(Event, frozen=True, kw_only=True, tag="suite.measured"):
    """The whole suite, before any change or after the change."""

    after_change: bool
    report: TestReport


class ToolCalled(Event, frozen=True, kw_only=True, tag="tool.called"):
    """Logged before the call is carried out."""

    turn: int
    call: dict[str, Any]
    """The tool call as plain data, with its ``tool`` tag."""


class ToolReturned(Event, frozen=True, kw_only=True, tag="tool.returned"):
    """Logged after the call, with everything it changed in the workspace."""

    turn: int
    result: Any = None
    error: str | None = None
    """Reason of a refusal."""
    duration_s: float = 0.0
    changed: tuple[FileChange, ...] = ()
    """Each file that this call changed: before the call and after it."""


class LessonsRecalled(Event, frozen=True, kw_only=True, tag="lessons.recalled"):
    """What past outcomes taught was given to the engineer."""

    here: int
    """Lessons of this repository."""
    elsewhere: int
    sha256: str
    """All of them, as canonical JSON in the content-addressed store."""


class LessonsLearned(Event, frozen=True, kw_only=True, tag="lessons.learned"):
    """What the outcome of this run teaches the next ones."""

    verdict: Verdict
    lessons: tuple[Lesson, ...]
    credits: tuple[Credit, ...] = ()
    """What they were made from, so that another verdict can be drawn later."""


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """A function that may hold the fault, and what speaks for that."""

    place: str
    """E.g. ``cart.py:41``."""
    function: str
    score: float
    """Sum of ``signals``."""
    signals: dict[str, float]
    """Signal → weight times value, for those that say something; the weightiest first."""
    because: str
    """The same for a person."""


class FunctionsSuspected(Event, frozen=True, kw_only=True, tag="functions.suspected"):
    """Where an engineer looks for the fault, most suspicious first."""

    suspects: tuple[Suspicion, ...]


class HypothesisTried(Event, frozen=True, kw_only=True, tag="hypothesis.tried"):
    """A group of explanations that an engineer tested and what came of it."""

    place: str
    """E.g. ``cart.py:41``."""
    kind: str
    """Template or strategy."""
    tried: int
    passing: int
    note: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A change that passes the selected tests, standing for those that behave like it."""

    patch: str
    """Unified diff; it applies to the base commit."""
    place: str
    """E.g. ``cart.py:41``."""
    kind: str
    """Template or strategy."""
    alike: int = 1
    """Passing candidates that behave like it, itself included."""
    probability: float | None = None
    reasons: tuple[str, ...] = ()
    """What speaks for and against it, the weightiest first."""
    features: dict[str, float] = {}
    """The evidence as numbers, by name."""


class CandidatesCompared(Event, frozen=True, kw_only=True, tag="candidates.compared"):
    """Passing candidates, and how far they disagree in behaviour."""

    passing: int
    classes: int
    """Behaviour classes among them."""
    disagreement: float
    """In [0,1]."""
    chosen: str
    reasons: tuple[str, ...] = ()
    distinguishing_input: str = ""
    probability: float | None = None
    """Calibrated probability that the chosen one is right."""
    candidates: tuple[Candidate, ...] = ()
    """The best of each behaviour class, the chosen one first; not all when there are many."""


class ModelAnswered(Event, frozen=True, kw_only=True, tag="model.answered"):
    """A model answered."""

    turn: int
    """Answers so far in this attempt, for this purpose."""
    purpose: str
    """``work``, ``review`` or ``propose``."""
    model: str
    place: str = ""
    """Who served it: ``PROVIDER/MODEL``."""
    answer: dict[str, Any]
    """The whole answer as plain data."""
    cost_usd: str = ""
    """Exact, in US dollars; empty when nobody knows the price."""
    duration_s: float = 0.0
    recalled: bool = False
    """It was given before, and is only repeated so that the work goes on where it was."""


class ModelNudged(Event, frozen=True, kw_only=True, tag="model.nudged"):
    """The model did not get on and was told so, once."""

    pattern: str
    count: int


class ConversationCompacted(Event, frozen=True, kw_only=True, tag="conversation.compacted"):
    """Old results were shortened and old turns forgotten, to fit into the model's context."""

    before: int
    after: int
    """Tokens, estimated."""
    shortened: int
    forgotten: int
    """Turns."""


class AcceptanceTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test that failed before the feature was built."""

    name: str
    criteria: tuple[int, ...] = ()
    """Numbers, from 1, of the criteria that it names."""
    failed: str = ""
    """How it failed: the first line."""


class AcceptanceTestsWritten(Event, frozen=True, kw_only=True, tag="acceptance.written"):
    """The acceptance tests of a feature stand, and were seen to fail; from now on code may be edited."""

    criteria: tuple[str, ...]
    source: str
    """Where the criteria are from: ``ticket``, ``model``, or ``title`` when neither lists any."""
    tests: tuple[AcceptanceTest, ...]
    passing: tuple[str, ...] = ()
    """New tests that passed before anything was built: they show nothing."""


class AcceptanceTestsChecked(Event, frozen=True, kw_only=True, tag="acceptance.checked"):
    """Before the hand-over: whether the acceptance tests pass, stand as they were, and can fail."""

    failing: tuple[str, ...] = ()
    weakened: dict[str, str] = {}
    """Test → what became weaker."""
    noticed: str = ""
    """The first wrong version of the new code that made one fail."""
    unnoticed: tuple[str, ...] = ()
    """Wrong versions with which all passed."""


class StrategyChosen(Event, frozen=True, kw_only=True, tag="strategy.chosen"):
    """The way in which a model is told to work in one attempt."""

    engineer: str
    attempt: int
    strategy: Strategy
    """The whole of it, so that it can be seen later what the model was told."""
    model: str
    propensity: float
    """How likely this choice was, above 0; 1 if somebody named it."""
    options: tuple[str, ...]
    """Keys of those that it was chosen from."""


class AttemptSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One of a run's independent attempts, beside the others."""

    number: int
    engineer: str
    group: int = 0
    """Attempts with the same number, from 1, behave alike; 0: it came to nothing."""
    whole: bool = False
    """Whether no test fails with its change that passed before, and the failing ones are mended."""
    broken: tuple[str, ...] = ()
    """Tests that passed before and do not pass with it."""
    probability: float | None = None
    lines: int = 0
    """Lines that its patch adds and removes."""
    failure: str = ""
    """Why it came to nothing."""


class AttemptsCompared(Event, frozen=True, kw_only=True, tag="attempts.compared"):
    """What came of a run's independent attempts, and which of their changes goes on."""

    attempts: tuple[AttemptSeen, ...]
    chosen: int
    """Number of the attempt."""
    engineer: str
    """Who made it."""
    reasons: tuple[str, ...]
    inputs: int = 0
    """Calls and tests on which the changes were observed; 0: only the suite was run."""
    disagreement: float = 0.0
    """Largest share of the inputs on which another attempt's change differs from the chosen one, in [0,1]."""
    distinguishing_input: str = ""


class ChangeHandedOver(Event, frozen=True, kw_only=True, tag="change.handed_over"):
    """The engineer pushed its change."""

    change: Change


class EngineerAbstained(Event, frozen=True, kw_only=True, tag="engineer.abstained"):
    """The engineer found nothing that it would put its name to."""

    reason: str
    tried: tuple[str, ...] = ()
    question: str = ""


class ReviewFinished(Event, frozen=True, kw_only=True, tag="review.finished"):
    """The engineer's critique of its own diff."""

    findings: tuple[Finding, ...]


class RiskAssessed(Event, frozen=True, kw_only=True, tag="risk.assessed"):
    """What the history and the lines of the change say of it before any gate runs."""

    risk: Risk


class GateFinished(Event, frozen=True, kw_only=True, tag="gate.finished"):
    """One gate measured the change."""

    result: GateResult


class ScoreComputed(Event, frozen=True, kw_only=True, tag="score.computed"):
    """Evidence became confidence. With the gates and the review, what is here makes the same score again."""

    confidence: Confidence
    alternatives: int = 0
    disagreement: float = 0.0
    probability: float | None = None
    risk: float | None = None
    risk_reasons: tuple[str, ...] = ()


class AutonomyConsulted(Event, frozen=True, kw_only=True, tag="autonomy.consulted"):
    """How far the factory may decide alone on this change: the level, the guarantee, the exceptions."""

    standing: Standing
    protected: tuple[str, ...] = ()
    """Places that always need a person, with the reason."""
    audited: bool = False
    """Drawn for the audit: a person decides although nobody would have to."""


class DecisionMade(Event, frozen=True, kw_only=True, tag="decision.made"):
    """Policy turned confidence into a decision."""

    decision: Decision


class WorkPaused(Event, frozen=True, kw_only=True, tag="work.paused"):
    """The engineer cannot go on for now: no model answers, or a budget is used up. Nothing of its work is lost."""

    reason: str
    next: str = ""


class WorkResumed(Event, frozen=True, kw_only=True, tag="work.resumed"):
    """Somebody let the engineer go on."""

    by: str
    turns: int = 0
    """More tool calls than the order allows."""
    usd: float = 0.0
    """More dollars."""


class ApprovalRequested(Event, frozen=True, kw_only=True, tag="approval.requested"):
    """The run waits for a person; bound to the exact patch."""

    patch_sha256: str
    until: float | None = None
    """Seconds since the epoch; without an answer by then the run ends. ``None``: it waits for good."""


class ApprovalGiven(Event, frozen=True, kw_only=True, tag="approval.given"):
    """A person approved or rejected."""

    approved: bool
    by: str
    comment: str = ""
    patch_sha256: str = ""
    account: str = ""
    """Of the operating system, that the answer came from; ``by`` is what the person says."""


class ApprovalRefused(Event, frozen=True, kw_only=True, tag="approval.refused"):
    """Somebody answered and that did not count: another diff, or somebody who may not approve it. The run waits on."""

    by: str
    because: str
    account: str = ""
    patch_sha256: str = ""
    """Of the diff that the answer was about."""


class ApprovalExpired(Event, frozen=True, kw_only=True, tag="approval.expired"):
    """Nobody answered in time: what was measured is too old by now, and nothing is delivered."""

    patch_sha256: str


class DeliveryAnnounced(Event, frozen=True, kw_only=True, tag="delivery.announced"):
    """The change goes ahead alone at a time, unless a person rejects it before; bound to the exact patch."""

    patch_sha256: str
    until: float
    """Seconds since the epoch."""


class Delivered(Event, frozen=True, kw_only=True, tag="change.delivered"):
    """The change is where its reader will find it."""

    branch: str
    commit: str
    remote: str | None = None


class Noted(Event, frozen=True, kw_only=True, tag="note"):
    """A remark for whoever reads the trail: a fallback taken, a retry, a limit reached."""

    text: str


class StepRetried(Event, frozen=True, kw_only=True, tag="step.retried"):
    """The machinery failed and the step is tried again."""

    step: str
    attempt: int
    error: str


class RunTakenOver(Event, frozen=True, kw_only=True, tag="run.taken_over"):
    """Another worker continues the run after its worker died."""

    worker: str
    previous_worker: str


class RunRepeated(Event, frozen=True, kw_only=True, tag="run.repeated"):
    """After the run: somebody had its order put into the queue once more."""

    task_id: str
    """Of the new task."""
    by: str
    turn: int = 0
    """Answers of the model that are taken over; 0: it begins anew."""


class ChangeLanded(Event, frozen=True, kw_only=True, tag="change.landed"):
    """The delivered change came into the main line of its repository; seen after the run has ended."""

    commit: str
    """The commit of the main line that brought it."""
    at: float
    """Seconds since the epoch."""


class OutcomeObserved(Event, frozen=True, kw_only=True, tag="outcome.observed"):
    """Something was seen of the change after the run has ended: a revert, a fix of it, a rollback, a person's word."""

    sign: Sign


class AutonomyChanged(Event, frozen=True, kw_only=True, tag="autonomy.changed"):
    """What became of this run's change moved the level of its repository and type of task; after the run has ended."""

    change: LevelChange


class RunFinished(Event, frozen=True, kw_only=True, tag="run.finished"):
    """The last event of a run's work; only what is seen of its change later comes after it."""

    status: Status
    reason: str = ""
    next: str = ""
    """The step that helps, when it failed."""
    code: str = ""
    """Stable name of the error that ended it."""
    turns: int = 0
    cost_usd: float = 0.0


AnyEvent = (
    RunStarted
    | StatusChanged
    | TicketUnderstood
    | QuestionAsked
    | QuestionAnswered
    | QuestionExpired
    | EnvironmentPrepared
    | WorkspaceOpened
    | SuiteMeasured
    | LessonsRecalled
    | LessonsLearned
    | FunctionsSuspected
    | ToolCalled
    | ToolReturned
    | HypothesisTried
    | CandidatesCompared
    | ModelAnswered
    | ModelNudged
    | ConversationCompacted
    | AcceptanceTestsWritten
    | AcceptanceTestsChecked
    | StrategyChosen
    | AttemptsCompared
    | ChangeHandedOver
    | EngineerAbstained
    | ReviewFinished
    | RiskAssessed
    | GateFinished
    | ScoreComputed
    | AutonomyConsulted
    | DecisionMade
    | WorkPaused
    | WorkResumed
    | ApprovalRequested
    | ApprovalGiven
    | ApprovalRefused
    | ApprovalExpired
    | DeliveryAnnounced
    | Delivered
    | Noted
    | StepRetried
    | RunTakenOver
    | RunFinished
    | RunRepeated
    | ChangeLanded
    | OutcomeObserved
    | AutonomyChanged
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the trail."""

    run_id: str
    seq: int
    """1, 2, 3, … within the run."""
    at: str
    """UTC, RFC 3339 with microseconds."""
    type: str
    event: AnyEvent
    previous_hash: str
    hash: str
