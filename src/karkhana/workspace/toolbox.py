"""The engineer's hands: every tool call is checked, budgeted, and written to the trail before and after.

What a call changed in the workspace is part of its entry, with the bytes kept, so the final difference can be
rebuilt from the trail alone. Litter of test runs is put back. This module knows nothing of engineers or models.

>>> # tools = Toolbox(workspace, trail, budget=Budget(turns=20), test_command=("python", "-m", "pytest"))
>>> # tools.call(ReadFile(path="cart.py")).text
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec

from karkhana.domain.changes import FileChange
from karkhana.domain.errors import BudgetExhausted, InfrastructureFailure, RunCancelled, ToolRefused
from karkhana.domain.events import ToolCalled, ToolReturned
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget
from karkhana.domain.tools import (
    CallForeign,
    CommandResult,
    DiffResult,
    EditFile,
    EditResult,
    FileText,
    ForeignResult,
    ListFiles,
    ListFilesResult,
    PushChanges,
    PushResult,
    ReadFile,
    ReviewDiff,
    RunCommand,
    RunTests,
    Search,
    SearchResult,
    ToolCall,
    WriteFile,
)
from karkhana.ports import ForeignTools, Trail, Workspace
from karkhana.workspace import toolbox_editing as editing
from karkhana.workspace import toolbox_running as running
from karkhana.workspace.python_gate import PythonGate
from karkhana.workspace.toolbox_context import ChangeTracker, ToolContext

R = TypeVar("R")
C = TypeVar("C")


class _Tool(msgspec.Struct, Generic[C], frozen=True):
    """How one kind of call is carried out, and what it does to the workspace."""

    carry_out: Callable[[ToolContext, C], Any]
    changes: bool = False
    """Its changes belong to the run."""
    litters: Callable[[C], bool] = lambda call: False
    """Whether its changes are by-products, and are undone."""
    may_change: bool = True
    """Whether files may be others afterwards."""


TOOLS: dict[type, _Tool[Any]] = {
    ListFiles: _Tool(running.list_files, may_change=False),
    ReadFile: _Tool(editing.read_file, may_change=False),
    Search: _Tool(running.search, may_change=False),
    EditFile: _Tool(editing.edit_file, changes=True),
    WriteFile: _Tool(editing.write_file, changes=True),
    RunTests: _Tool(running.run_tests, litters=lambda call: True),
    RunCommand: _Tool(running.run_command, changes=True, litters=lambda call: call.discard),
    ReviewDiff: _Tool(running.review_diff, may_change=False),
    CallForeign: _Tool(running.call_foreign),
    PushChanges: _Tool(running.push_changes),
}


class Toolbox:
    """Implements :class:`karkhana.ports.Tools` over one workspace and one trail.

    ``cancelled`` is asked before and after every call; ``python_version`` is the target's, for checking edits
    (by default the one that the workspace tells, if it does).
    """

    def __init__(
        self,
        workspace: Workspace,
        trail: Trail,
        *,
        budget: Budget,
        test_command: tuple[str, ...] = (),
        cancelled: Callable[[], bool] = lambda: False,
        python_version: tuple[int, int] | None = None,
        foreign: ForeignTools | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.turns = 0
        """Calls made so far."""
        self._trail = trail
        self._budget = budget
        self._cancelled = cancelled
        self._clock = clock
        self._started = clock()
        self._tracker = ChangeTracker(workspace, trail.keep)
        version = python_version or getattr(workspace, "python_version", None)
        self._context = ToolContext(
            workspace,
            test_command=test_command,
            gate=PythonGate(version),
            remaining_s=self.remaining_s,
            foreign=foreign,
        )

    @property
    def handed_over(self) -> bool:
        """Whether ``push_changes`` was accepted."""
        return self._context.handed_over

    def remaining_s(self) -> float:
        """Wall-clock seconds left of the budget."""
        return self._budget.seconds - (self._clock() - self._started)

    def foresee(self, calls: Sequence[ToolCall[Any]]) -> None:
        """These calls come next: the searches among them are carried out together, at the first of them.

        Each is still permitted, logged and answered in its turn; the time of the first is that of all.
        """
        self._context.foreseen.announce(running.jobs_of(calls))

    def call(self, call: ToolCall[R]) -> R:
        """Carry out one tool call. Raises ``ToolRefused``, ``BudgetExhausted``, ``RunCancelled``."""
        tool = TOOLS.get(type(call))
        if tool is None:
            raise ToolRefused(f"there is no tool {type(call).__name__}", "use one of the known tools")
        self._permit()
        self.turns += 1
        self._trail.record(ToolCalled(turn=self.turns, call=as_data(call)))
        if tool.may_change:
            self._context.foreseen.forget()
        started = self._clock()
        try:
            if self.handed_over:
                raise ToolRefused("the change is handed over already", "the work is finished")
            result = tool.carry_out(self._context, call)
        except ToolRefused as refusal:
            self._returned(call, tool, started, error=f"{refusal.message}\n{refusal.next}".rstrip())
            raise
        except InfrastructureFailure as failure:
            if self._cancelled():
                raise RunCancelled("the run was cancelled") from failure
            self._trail.record(ToolReturned(turn=self.turns, error=failure.message, duration_s=self._clock() - started))
            raise
        changed = self._returned(call, tool, started, result=result)
        if self._cancelled():
            raise RunCancelled("the run was cancelled")
        return cast(R, _with_changes(result, changed))

    def recall(self, call: ToolCall[R], returned: ToolReturned, content: Callable[[str], bytes]) -> R:
        """Take a call's result from a trail instead of carrying it out; the files become what they were after it.

        ``content`` gives the bytes of a file's version by their SHA-256. The call counts as a turn. Raises
        ``ToolRefused`` where the call did, ``BudgetExhausted`` and ``RunCancelled``.
        """
        self._permit()
        self.turns += 1
        self._trail.record(ToolCalled(turn=self.turns, call=as_data(call)))
        # What stands where a folder was, or will be, goes first.
        for change in sorted(returned.changed, key=lambda change: change.after is not None):
            self._tracker.restore(change.path, change.after, content(change.after.sha256) if change.after else None)
        self._trail.record(
            ToolReturned(
                turn=self.turns,
                result=returned.result,
                error=returned.error,
                duration_s=returned.duration_s,
                changed=self._tracker.changed() if returned.changed else (),
            )
        )
        if returned.error is not None:
            raise ToolRefused(returned.error)
        if isinstance(call, PushChanges):
            self._context.handed_over = True
        return cast(R, _with_changes(_typed(call, returned.result), returned.changed))

    def _permit(self) -> None:
        if self._cancelled():
            raise RunCancelled("the run was cancelled")
        if self.turns >= self._budget.turns:
            raise BudgetExhausted(f"all {self._budget.turns} tool calls are used up", "give it more with --max-turns")
        if self.remaining_s() <= 0:
            raise BudgetExhausted(f"all {self._budget.seconds:g} s are used up", "give it more with --timeout")

    def _returned(
        self, call: ToolCall[Any], tool: _Tool[Any], started: float, result: Any = None, error: str | None = None
    ) -> tuple[FileChange, ...]:
        duration = self._clock() - started
        changed: tuple[FileChange, ...] = ()
        if tool.litters(call):
            self._tracker.undo()
        elif tool.changes:
            changed = self._tracker.changed()
        self._trail.record(
            ToolReturned(turn=self.turns, result=_readable(result), error=error, duration_s=duration, changed=changed)
        )
        return changed


def as_data(call: ToolCall[Any]) -> dict[str, Any]:
    """The call as plain data. Bytes stay bytes, so that the trail can look for secrets in them."""
    return cast(dict[str, Any], msgspec.to_builtins(call, builtin_types=(bytes,)))


_RESULTS: dict[type, type] = {
    ListFiles: ListFilesResult,
    ReadFile: FileText,
    Search: SearchResult,
    EditFile: EditResult,
    WriteFile: EditResult,
    RunTests: TestReport,
    ReviewDiff: DiffResult,
    CallForeign: ForeignResult,
    PushChanges: PushResult,
}


def _typed(call: ToolCall[Any], result: Any) -> Any:
    """A result as the trail keeps it, as the call returned it."""
    if isinstance(call, RunCommand):
        streams = {name: result[name].encode() for name in ("stdout", "stderr")}
        return msgspec.convert({**result, **streams}, CommandResult)
    return msgspec.convert(result, _RESULTS[type(call)])


def _with_changes(result: Any, changed: tuple[FileChange, ...]) -> Any:
    if not changed or not isinstance(result, CommandResult):
        return result
    return msgspec.structs.replace(result, changed=tuple(change.path for change in changed))


def _readable(result: Any) -> Any:
    """What the trail keeps of a result: output as text, for people and for the search for secrets."""
    if not isinstance(result, CommandResult):
        return result
    return {
        "exit_code": result.exit_code,
        "stdout": result.stdout.decode("utf-8", "replace"),
        "stderr": result.stderr.decode("utf-8", "replace"),
        "duration_s": result.duration_s,
        "cpu_s": result.cpu_s,
        "timed_out": result.timed_out,
        "truncated": result.truncated,
    }
