"""Tickets, tasks and runs: what was asked, its place in the queue, and one attempt at it.

>>> Ticket(text="total() ignores the discount\\n\\nSteps: ...").title
'total() ignores the discount'
"""

import enum
from datetime import datetime

import msgspec


class TaskType(enum.StrEnum):
    """The kind of work; engineers, strategies and autonomy are chosen by it."""

    BUGFIX = "bugfix"
    REFACTOR = "refactor"
    FEATURE = "feature"
    TESTS = "tests"
    DEPS = "deps"


class Status(enum.StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    PLANNING = "planning"
    BUILDING = "building"
    REVIEWING = "reviewing"
    VERIFYING = "verifying"
    WAITING_FOR_REVIEW = "waiting_for_review"
    CANARY = "canary"
    DEPLOYED = "deployed"
    DELIVERED = "delivered"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to the task by itself."""
        return self in _FINISHED

    @property
    def satisfied(self) -> bool:
        """Whether tasks that depend on this one may start."""
        return self in (Status.DELIVERED, Status.DEPLOYED)


_FINISHED = frozenset(
    {Status.DEPLOYED, Status.DELIVERED, Status.ROLLED_BACK, Status.REJECTED, Status.FAILED, Status.CANCELLED}
)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, in the words of whoever asked. Untrusted input, always."""

    text: str
    source: str = "text"
    """The door it came in by: ``text``, ``github``, ``slack``, …"""
    reference: str = ""
    """Where to answer, e.g. an issue URL."""

    @property
    def title(self) -> str:
        """The first line with anything on it, at most 120 characters."""
        for line in self.text.splitlines():
            if line.strip():
                return line.strip()[:120]
        return "(empty ticket)"


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bounds of one run. The first one reached ends the work."""

    turns: int = 200
    """Tool calls that the engineer may make."""
    seconds: float = 600.0
    """Wall-clock seconds for the engineer's work."""
    usd: float = 2.0
    """US dollars for model calls."""


class Rewind(msgspec.Struct, frozen=True, kw_only=True):
    """Work is to begin where another run was."""

    run_id: str
    turn: int
    """Answers of the model that are taken over."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the line needs to work on a ticket; stored with the task, so any worker can take it."""

    ticket: Ticket
    repository: str
    """Absolute path of a local git repository, or a clone URL."""
    commit: str
    """Full object name of the base commit."""
    type: TaskType = TaskType.BUGFIX
    test_command: str | None = None
    """Shell words that run the tests; detected when absent."""
    engineer: str = "auto"
    budget: Budget = Budget()
    attempts: int = 1
    auto: bool = False
    """Deliver without waiting for approval where policy allows."""
    explain: bool = False
    sandbox: str = "bubblewrap"
    model: str = ""
    """The model that works on it; empty: the one of the settings."""
    strategy: str = ""
    """The strategy that a model works by, ``NAME`` or ``NAME@VERSION``; empty: drawn by past outcomes."""
    rewind: Rewind | None = None
    by: str = ""
    """Who ordered it; empty: not known."""
    suspicions: tuple[str, ...] = ()
    """Why its ticket may be meant to mislead whoever works on it; with any, a person decides on what comes of it."""
    asks: bool = False
    """Whether somebody is there to answer one question when the ticket does not say enough; the run waits for it."""
    trial: str = ""
    """A strategy on trial, as JSON: the model works by it, nothing is delivered, and nothing is learnt from the run."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A queue entry."""

    task_id: str
    """E.g. ``BUILD-2026-05-12-047``."""
    product: str
    type: TaskType
    title: str
    priority: int = 5
    """1-10, 10 first."""
    generated_by: str = "human"
    assigned_to: str | None = None
    """The worker that holds it."""
    dependencies: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """Capabilities that a worker needs to take it."""
    estimated_duration: float | None = None
    """Seconds."""
    actual_duration: float | None = None
    """Seconds."""
    status: Status = Status.QUEUED
    human_review: bool | None = None
    quality_score: float | None = None
    created_at: datetime


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a task."""

    run_id: str
    task_id: str
    status: Status
    engineer: str | None = None
    started_at: datetime
    finished_at: datetime | None = None
    cost_usd: float = 0.0
