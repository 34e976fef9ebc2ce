"""The tools that run, look and hand over: ``list_files``, ``search``, ``run_tests``, ``run_command``,
``review_diff``, ``push_changes``. Knows nothing of budgets or the trail.
"""

import contextlib
from collections.abc import Iterable
from typing import Any

from karkhana.domain.errors import ToolRefused
from karkhana.domain.suites import TestReport
from karkhana.domain.tools import (
    CallForeign,
    CommandResult,
    DiffResult,
    ForeignResult,
    ListFiles,
    ListFilesResult,
    PushChanges,
    PushResult,
    ReviewDiff,
    RunCommand,
    RunTests,
    Search,
    SearchResult,
    ToolCall,
)
from karkhana.git import make_patch
from karkhana.workspace.finding import Job, files_found, files_job, lines_found, lines_job
from karkhana.workspace.testing import run_tests as run_suite
from karkhana.workspace.toolbox_context import ToolContext

WORD_MAX = 100_000  # the kernel takes 128 KiB per argument
WORDS_MAX = 1_000_000
STDIN_MAX = 64 << 20
TITLE_MAX = 200
SUMMARY_MAX = 20_000


def list_files(context: ToolContext, call: ListFiles) -> ListFilesResult:
    """Paths of the workspace's files, sorted."""
    return ListFilesResult(*files_found(context.foreseen.ask, call.glob, call.limit))


def search(context: ToolContext, call: Search) -> SearchResult:
    """Lines that match a regular expression."""
    return SearchResult(*lines_found(context.foreseen.ask, call.pattern, call.glob, call.limit))


def jobs_of(calls: Iterable[ToolCall[Any]]) -> list[Job]:
    """The searches among calls; those that will be refused are left out."""
    jobs = []
    for call in calls:
        with contextlib.suppress(ToolRefused):
            if isinstance(call, ListFiles):
                jobs.append(files_job(call.glob, call.limit))
            elif isinstance(call, Search):
                jobs.append(lines_job(call.pattern, call.glob, call.limit))
    return jobs


def run_command(context: ToolContext, call: RunCommand) -> CommandResult:
    """Run a program in the sandbox."""
    if not call.argv or not call.argv[0]:
        raise ToolRefused("there is no program to run", "argv names the program and its arguments")
    if any("\0" in word for word in call.argv):
        raise ToolRefused("an argument holds a NUL character", "leave it out")
    if max(map(len, call.argv)) > WORD_MAX or sum(map(len, call.argv)) > WORDS_MAX or len(call.stdin) > STDIN_MAX:
        raise ToolRefused("the arguments or the input are too long", "write them to a file, or shorten them")
    return context.workspace.run(call.argv, stdin=call.stdin, timeout_s=context.time_limit(call.timeout_s))


def run_tests(context: ToolContext, call: RunTests) -> TestReport:
    """Run the suite, or only the named tests."""
    if not context.test_command:
        raise ToolRefused("no test command is known for this repository", "use run_command")
    return run_suite(context.workspace, context.test_command, call.tests, timeout_s=context.time_limit(call.timeout_s))


def review_diff(context: ToolContext, call: ReviewDiff) -> DiffResult:
    """The whole difference from the base commit."""
    rows = context.workspace.changes()
    patch = make_patch(
        {
            file.path: (
                None if file.before is None or old is None else (file.before.mode, old),
                None if file.after is None or new is None else (file.after.mode, new),
            )
            for file, old, new in rows
        }
    )
    return DiffResult(patch, tuple(file.path for file, _, _ in rows))


def call_foreign(context: ToolContext, call: CallForeign) -> ForeignResult:
    """Call a tool of the user's own."""
    if context.foreign is None:
        raise ToolRefused(f"there is no tool {call.name}", "use one of the known tools")
    return context.foreign.call(call.server, call.name, call.arguments)


def push_changes(context: ToolContext, call: PushChanges) -> PushResult:
    """Hand the change over."""
    if not call.title.strip() or not call.summary.strip():
        raise ToolRefused("the change needs a title and a summary", "say what was wrong and what was changed")
    if len(call.title) > TITLE_MAX or "\n" in call.title.strip() or len(call.summary) > SUMMARY_MAX:
        raise ToolRefused(
            "the title or the summary is too long", f"one line of {TITLE_MAX} and {SUMMARY_MAX} characters at most"
        )
    if not context.workspace.changes():
        raise ToolRefused("nothing differs from the base commit", "change something first, or give up with a reason")
    context.handed_over = True
    return PushResult(accepted=True)
