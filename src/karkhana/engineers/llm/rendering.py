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
"""Failing tests that are shown with their tracebacks, of a report of the greatest length."""
_TRACEBACK = 1_800
_LEAST = 300
"""Characters of a traceback, however short the report."""


def shown(fence: Fence, result: Any, longest: int = LONGEST) -> str:
    """A tool's result as text, of at most so many characters."""
    match result:
        case FileText():
            said = f"{result.total_lines} lines in all" + (", cut here" if result.truncated else "")
            return f"{said}\n{fence.around(clipped(result.text, longest))}"
        case ListFilesResult():
            more = "\n(there are more)" if result.truncated else ""
            return fence.around(clipped("\n".join(result.paths) or "(none)", longest)) + more
        case SearchResult():
            lines = "\n".join(f"{match.path}:{match.line}: {match.text[:300]}" for match in result.matches)
            return fence.around(clipped(lines or "(no match)", longest)) + (
                "\n(there are more)" if result.truncated else ""
            )
        case EditResult():
            return f"done\n{fence.around(clipped(result.diff, longest))}" if result.diff else "done; nothing changed"
        case DiffResult():
            return fence.around(clipped(result.patch, longest)) if result.patch else "nothing is changed"
        case TestReport():
            return _report(fence, result, longest)
        case CommandResult():
            return _command(fence, result, longest)
        case ForeignResult():
            said = "it says that it failed\n" if result.failed else ""
            return said + fence.around(clipped(result.text, longest))
        case PushResult():
            return "handed over"
    return fence.around(clipped(str(result), longest))


def clipped(text: str, longest: int = LONGEST) -> str:
    """The beginning and the end of a text that is too long."""
    if len(text) <= longest:
        return text
    left = len(text) - longest
    return f"{text[: longest // 2]}\n… {left} characters are left out …\n{text[-(longest // 2) :]}"


def _command(fence: Fence, result: CommandResult, longest: int) -> str:
    ended = "it was ended: its time was over" if result.timed_out else f"exit code {result.exit_code}"
    parts = [result.stdout.decode("utf-8", "replace"), result.stderr.decode("utf-8", "replace")]
    text = "\n".join(part.rstrip("\n") for part in parts if part)
    return f"{ended}\n{fence.around(clipped(text, longest))}" if text else f"{ended}, no output"


def _report(fence: Fence, report: TestReport, longest: int) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in report.counts().items() if count) or "no test ran"
    ended = "; ended: the time was over" if report.timed_out else ""
    if report.green:
        return counts
    failed = [each for each in report.results if each.outcome in (Outcome.FAILED, Outcome.ERROR)]
    traceback = max(_LEAST, min(_TRACEBACK, longest // 4))
    most = max(2, min(_FAILURES, longest // traceback))
    parts = [f"{each.name}: {each.message}\n{each.traceback[-traceback:]}".strip() for each in failed[:most]]
    if len(failed) > most:
        parts.append(f"… and {len(failed) - most} more: " + ", ".join(each.name for each in failed[most:])[:2000])
    text = "\n\n".join(parts) or report.output
    return f"{counts}{ended}\n{fence.around(clipped(text, longest))}" if text else f"{counts}{ended}"
