"""What a model is shown of a tool's result: bounded, readable, and fenced as material.

>>> shown(Fence("m"), EditResult("a.py", "-1\\n+2\\n"))
'done\\n<m>\\n-1\\n+2\\n</m>'
"""

from typing import Any

from karkhana.domain.suites import Outcome, TestReport
from karkhana.domain.tools import (
    CommandResult,
    DiffResult,
    EditResult,
    FileText,
    ForeignResult,
    ListFilesResult,
    PushResult,
    SearchResult,
)
from karkhana.engineers.llm.fencing import Fence

LONGEST = 24_000
"""Characters of one result; about 7,000 tokens."""
_FAILURES = 12
"""Failing tests that are shown with their tracebacks."""
_TRACEBACK = 1_800


def shown(fence: Fence, result: Any) -> str:
    """A tool's result as text."""
    match result:
        case FileText():
            said = f"{result.total_lines} lines in all" + (", cut here" if result.truncated else "")
            return f"{said}\n{fence.around(clipped(result.text))}"
        case ListFilesResult():
            more = "\n(there are more)" if result.truncated else ""
            return fence.around(clipped("\n".join(result.paths) or "(none)")) + more
        case SearchResult():
            lines = "\n".join(f"{match.path}:{match.line}: {match.text[:300]}" for match in result.matches)
            return fence.around(clipped(lines or "(no match)")) + ("\n(there are more)" if result.truncated else "")
        case EditResult():
            return f"done\n{fence.around(clipped(result.diff))}" if result.diff else "done; nothing changed"
        case DiffResult():
            return fence.around(clipped(result.patch)) if result.patch else "nothing is changed"
        case TestReport():
            return _report(fence, result)
        case CommandResult():
            return _command(fence, result)
        case ForeignResult():
            said = "it says that it failed\n" if result.failed else ""
            return said + fence.around(clipped(result.text))
        case PushResult():
            return "handed over"
    return fence.around(clipped(str(result)))


def clipped(text: str, longest: int = LONGEST) -> str:
    """The beginning and the end of a text that is too long."""
    if len(text) <= longest:
        return text
    left = len(text) - longest
    return f"{text[: longest // 2]}\n… {left} characters are left out …\n{text[-(longest // 2) :]}"


def _command(fence: Fence, result: CommandResult) -> str:
    ended = "it was ended: its time was over" if result.timed_out else f"exit code {result.exit_code}"
    parts = [result.stdout.decode("utf-8", "replace"), result.stderr.decode("utf-8", "replace")]
    text = "\n".join(part.rstrip("\n") for part in parts if part)
    return f"{ended}\n{fence.around(clipped(text))}" if text else f"{ended}, no output"


def _report(fence: Fence, report: TestReport) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in report.counts().items() if count) or "no test ran"
    ended = "; ended: the time was over" if report.timed_out else ""
    if report.green:
        return counts
    failed = [each for each in report.results if each.outcome in (Outcome.FAILED, Outcome.ERROR)]
    parts = [f"{each.name}: {each.message}\n{each.traceback[-_TRACEBACK:]}".strip() for each in failed[:_FAILURES]]
    if len(failed) > _FAILURES:
        parts.append(
            f"… and {len(failed) - _FAILURES} more: " + ", ".join(each.name for each in failed[_FAILURES:])[:2000]
        )
    text = "\n\n".join(parts) or report.output
    return f"{counts}{ended}\n{fence.around(clipped(text))}" if text else f"{counts}{ended}"
