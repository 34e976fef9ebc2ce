"""The Protocols that rooms meet at. Implementations are registered and composed in ``karkhana.factory``.

Each has one to five methods. Nothing here knows how any of them is done.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from karkhana.domain.changes import Change, FileChange
from karkhana.domain.chat import ChatAnswer, ChatRequest, Tool
from karkhana.domain.events import AnyEvent
from karkhana.domain.evidence import Finding, GateResult
from karkhana.domain.lessons import Credit, Lesson
from karkhana.domain.money import Money
from karkhana.domain.strategies import Strategy
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget, TaskType, Ticket
from karkhana.domain.tools import CommandResult, ForeignResult, ToolCall

R = TypeVar("R")


class Trail(Protocol):
    """Where a run's events go. Append-only."""

    def record(self, event: AnyEvent) -> None:
        """Store one event durably before returning. Raises ``LeaseLost`` when the run is no longer ours."""

    def keep(self, content: bytes) -> str:
        """Store ``content`` by its SHA-256 (hex), redacted like everything else, and return that."""


class Workspace(Protocol):
    """A writable checkout of one commit, inside a sandbox.

    Paths are relative to the repository's root, with ``/``. All refuse a path that leaves the workspace, or
    passes through a symbolic link, with ``ToolRefused``.
    """

    @property
    def root(self) -> str:
        """Absolute path of the repository as processes inside the sandbox see it."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult:
        """Run a program in the sandbox, in ``root``; kills everything it left behind.

        ``env`` adds to the cleared environment. Raises ``InfrastructureFailure`` when the sandbox itself broke.
        """

    def read(self, path: str) -> bytes | None:
        """Bytes of a file, ``None`` when there is none."""

    def write(self, path: str, content: bytes | None, *, executable: bool = False) -> None:
        """Create, replace or (``None``) delete a file."""

    def changes(self) -> tuple[tuple[FileChange, bytes | None, bytes | None], ...]:
        """Every file that differs from the base commit, sorted by path, with its bytes before and after.

        Files that the repository ignores (``.gitignore`` of the base commit) and git's own folder are left out.
        """


class Workspaces(Protocol):
    """Opens workspaces."""

    def open(self, repository: str, commit: str, *, record: Trail) -> AbstractContextManager[Workspace]:
        """Prepare the environment if need be, and open a workspace on ``commit``.

        Raises ``SandboxUnavailable``, ``EnvironmentFailure`` or ``InfrastructureFailure``.
        """


class Tools(Protocol):
    """The engineer's hands: validated, budgeted, logged before and after."""

    def call(self, call: ToolCall[R]) -> R:
        """Carry out one tool call.

        Raises ``ToolRefused`` with the reason (the engineer may go on), ``BudgetExhausted`` or ``RunCancelled``
        (it must stop).
        """


@runtime_checkable
class ForeseeingTools(Tools, Protocol):
    """Tools that may be told what comes next."""

    def foresee(self, calls: Sequence[ToolCall[Any]]) -> None:
        """The next calls will be these, and they only look: they may be carried out at the same time."""


class ForeignTools(Protocol):
    """The user's own tools."""

    def call(self, server: str, name: str, arguments: str) -> ForeignResult:
        """Raises ``ToolRefused``."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answered, and at what price."""

    answer: ChatAnswer
    place: str = ""
    """Who answered: ``PROVIDER/MODEL``."""
    cost: Money | None = None
    """US dollars; ``None``: nobody knows the price."""
    recalled: bool = False
    """It was given before, and costs nothing now."""


class ChatModel(Protocol):
    """A language model, whoever serves it."""

    @property
    def name(self) -> str: ...

    @property
    def context(self) -> int:
        """Tokens that prompt and answer may have together."""

    @property
    def calls_tools(self) -> bool:
        """Whether it can be told of tools and call them."""

    def ask(self, request: ChatRequest) -> Said:
        """The whole answer; the request's ``model`` is filled in.

        Raises ``ModelUnavailable`` when nobody answers, ``PromptTooLong``, and what forbids the call (a budget).
        """


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What an engineer is given."""

    ticket: Ticket
    baseline: TestReport
    """The suite before any change."""
    budget: Budget
    root: str
    """Absolute path of the repository as programs inside the sandbox see it."""
    test_command: tuple[str, ...]
    type: TaskType = TaskType.BUGFIX
    model: ChatModel | None = None
    """A language model, where one is configured."""
    reviewer: ChatModel | None = None
    """The one that reviews the change; often the same."""
    checks: Callable[[], tuple[Finding, ...]] | None = None
    """What rules object to in the change as it stands in the workspace."""
    strategy: Strategy | None = None
    """How the model is told to work; ``None``: as usual."""
    foreign: tuple[Tool, ...] = ()
    """The user's own tools, named ``SERVER__TOOL``."""
    explain: bool = False
    lessons: tuple[Lesson, ...] = ()
    """What past outcomes taught, here and elsewhere."""
    recent: Mapping[str, Mapping[int, int]] = {}
    """Path → line → how many commits ago it was changed (0: the base commit), for the lines of the last few."""


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """How an engineer's work ended. ``solved`` means that it called ``push_changes``."""

    solved: bool
    reason: str
    """Why it abstained, or one sentence on what it did."""
    title: str = ""
    summary: str = ""
    tried: tuple[str, ...] = ()
    question: str = ""
    """What the reporter could answer to make it solvable."""
    reproduction: str = ""
    """Name of the failing test that the engineer wrote from the ticket, if it did."""
    alternatives: int = 0
    disagreement: float = 0.0
    probability: float | None = None
    """The engineer's calibrated probability, in [0,1], that the change is right; ``None`` when it has none."""
    objections: tuple[Finding, ...] = ()
    """What the engineer's own review objected to and what still stands."""
    credits: tuple[Credit, ...] = ()
    """What its outcome will teach, once it is known."""


class Engineer(Protocol):
    """Works on one ticket through the tools and nothing else."""

    @property
    def name(self) -> str: ...

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover: ...


class GateContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate may look at: the change and two workspaces that stand before and after it."""

    change: Change
    ticket: Ticket
    contents: Mapping[str, tuple[bytes | None, bytes | None]]
    """Path → bytes before and after, for each changed file."""
    before: Workspace
    after: Workspace
    test_command: tuple[str, ...]
    baseline: TestReport
    result: TestReport
    """The whole suite after the change."""


class Gate(Protocol):
    """Measures one aspect of a change."""

    @property
    def name(self) -> str: ...

    def check(self, context: GateContext) -> GateResult: ...


class DeliveryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be delivered. The same request always gives the same commit."""

    repository: str
    change: Change
    contents: Mapping[str, bytes | None]
    """Path → bytes after the change; ``None`` deletes."""
    branch: str
    message: str
    at: int
    """Seconds since the epoch, for author and committer."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Where a change went."""

    branch: str
    commit: str
    remote: str | None


class Forge(Protocol):
    """Where changes are delivered to."""

    def deliver(self, request: DeliveryRequest) -> Receipt:
        """Make the commit and put the branch where people find it; idempotent. Raises ``DeliveryFailed``."""


class Engine(Protocol):
    """Durable execution: a workflow's finished steps are never run again."""

    def start(self, run_id: str) -> None:
        """Begin, or take over, the durable workflow of a run. Returns at once."""

    def step(self, name: str, function: Callable[[], R]) -> R:
        """Inside a workflow: run ``function`` once; its (JSON-able) result survives a crash."""

    def wait(self, topic: str, timeout_s: float | None) -> str | None:
        """Inside a workflow: wait durably for a message."""

    def send(self, run_id: str, topic: str, message: str) -> None:
        """From anywhere: deliver a message to a waiting workflow, once."""

    def join(self, run_ids: Iterable[str], timeout_s: float | None) -> bool:
        """Wait for workflows to end; whether all did."""
