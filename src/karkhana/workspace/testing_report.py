"""Read what a run of tests left behind: the JUnit report, the progress lines, the exit status.

Everything here was written by code of the target, so it is bounded, parsed defensively and never believed beyond
the run it speaks of. Knows nothing of how the run was started.
"""

import json
import shlex
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from karkhana.domain.suites import Outcome, TestResult
from karkhana.domain.tools import CommandResult

MESSAGE_MAX = 2_000
TRACEBACK_MAX = 20_000
PROPERTY = "karkhana_nodeid"
SESSION = "<test session>"
"""Name of the result that stands for the run as a whole when it ended before its report was complete."""

_RANK = {Outcome.FAILED: 3, Outcome.ERROR: 2, Outcome.PASSED: 1, Outcome.SKIPPED: 0}
_TAGS = {"failure": Outcome.FAILED, "error": Outcome.ERROR, "skipped": Outcome.SKIPPED}
_WORDS = {"passed": Outcome.PASSED, "failed": Outcome.FAILED, "skipped": Outcome.SKIPPED, "error": Outcome.ERROR}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known after the command ended."""

    command: tuple[str, ...]
    done: CommandResult
    progress: bytes
    xml: bytes
    limit_s: float | None


class Progress:
    """The progress lines, sorted out."""

    def __init__(self, data: bytes) -> None:
        self.begun = self.ended = False
        self.notes: list[str] = []
        self.broken: dict[str, str] = {}
        self.running: dict[str, None] = {}
        self.seconds: dict[str, float] = {}
        self.phases: list[tuple[str, str, str, float, str]] = []
        for line in data.splitlines():
            try:
                kind, *values = json.loads(line)
                self._take(kind, values)
            except (ValueError, TypeError, RecursionError):
                continue  # half a line, or forged: it tells nothing

    def _take(self, kind: str, values: list[Any]) -> None:
        match kind, values:
            case "begin", _:
                self.begun = True
            case "end", _:
                self.ended = True
            case "note", [str(text)]:
                self.notes.append(text[:MESSAGE_MAX])
            case "broken", [str(name), str(text)]:
                self.broken[name] = text
            case "start", [str(name)]:
                self.running[name] = None
            case "finish", [str(name), float() | int() as seconds]:
                self.running.pop(name, None)
                self.seconds[name] = _seconds(str(seconds))
            case "phase", [str(name), str(when), str(outcome), float() | int() as seconds, str(text)]:
                self.phases.append((name, when, outcome, _seconds(str(seconds)), text))

    def results(self) -> Iterator[TestResult]:
        for name, when, word, seconds, text in self.phases:
            outcome = _WORDS.get(word, Outcome.ERROR)
            if outcome is Outcome.FAILED and when != "call":
                outcome = Outcome.ERROR
            yield _result(name, outcome, seconds, "", text)


def results_of(evidence: Evidence) -> tuple[tuple[TestResult, ...], tuple[str, ...]]:
    """The results, one per test in the order they ran, and remarks for a person."""
    progress = Progress(evidence.progress)
    cases = _cases(evidence.xml)
    if not progress.begun and not cases:
        return _as_one_test(evidence), ()
    complete = bool(evidence.xml) and not evidence.done.timed_out
    results = cases if complete and cases else list(progress.results())
    broken = [_result(name, Outcome.ERROR, 0.0, "", text) for name, text in progress.broken.items()]
    merged = tuple(_timed(result, progress.seconds) for result in merge([*broken, *results]))
    return merged + tuple(_unfinished(evidence, progress, merged)), tuple(progress.notes)


def _timed(result: TestResult, seconds: dict[str, float]) -> TestResult:
    """With the exact duration where it is known."""
    if result.name not in seconds:
        return result
    return TestResult(result.name, result.outcome, seconds[result.name], result.message, result.traceback)


def merge(results: Iterable[TestResult]) -> tuple[TestResult, ...]:
    """One result per name: the worst outcome with its message, durations added up."""
    by_name: dict[str, TestResult] = {}
    for result in results:
        known = by_name.get(result.name)
        if known is None:
            by_name[result.name] = result
            continue
        worst = result if _RANK[result.outcome] > _RANK[known.outcome] else known
        seconds = known.duration_s + result.duration_s
        by_name[result.name] = TestResult(worst.name, worst.outcome, seconds, worst.message, worst.traceback)
    return tuple(by_name.values())


def _unfinished(evidence: Evidence, progress: Progress, known: tuple[TestResult, ...]) -> Iterator[TestResult]:
    """What was running when the process ended too early."""
    done = evidence.done
    if progress.ended and not done.timed_out:
        return
    if done.timed_out:
        limit = f"of {evidence.limit_s:g} s " if evidence.limit_s is not None else ""
        reason = f"still running when the time limit {limit}was reached"
    else:
        reason = f"the test process ended ({_exit(done.exit_code)}) before its report was complete"
    running = [name for name in progress.running if name not in {r.name for r in known}] or [SESSION]
    for name in running:
        yield TestResult(name, Outcome.ERROR, 0.0, reason)


def _as_one_test(evidence: Evidence) -> tuple[TestResult, ...]:
    """A command without any report is one test; one that no program could be found for is none."""
    done = evidence.done
    name = shlex.join(evidence.command)
    if "pytest" in name or "unittest" in name or done.exit_code in (126, 127):
        return ()  # the runner did not even start
    ok = done.exit_code == 0 and not done.timed_out
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    message = "" if ok else "timed out" if done.timed_out else _exit(done.exit_code)
    outcome = Outcome.PASSED if ok else Outcome.FAILED
    return (TestResult(name, outcome, done.duration_s, message, "" if ok else text[-TRACEBACK_MAX:]),)


def _exit(code: int) -> str:
    return f"signal {code - 128}" if 128 < code < 193 else f"exit code {code}"


def _cases(xml: bytes) -> list[TestResult]:
    if not xml:
        return []
    try:
        suite = fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError):
        return []  # cut off or forged; the progress lines remain
    return [case for element in suite.iter("testcase") if (case := _case(element)) is not None]


def _case(element: Element) -> TestResult | None:
    name = _name(element)
    outcome, message, text = Outcome.PASSED, "", ""
    for child in element:
        found = _TAGS.get(child.tag)
        if found is not None and (outcome is Outcome.PASSED or _RANK[found] > _RANK[outcome]):
            outcome, message, text = found, child.get("message", ""), child.text or ""
    if name is None:
        if message == "collection failure":
            return None  # the progress lines have it with its exact name
        name = "::".join(part for part in (element.get("classname"), element.get("name")) if part)
    return _result(name, outcome, _seconds(element.get("time")), message, text)


def _name(element: Element) -> str | None:
    for item in element.iter("property"):
        if item.get("name") == PROPERTY:
            try:
                value = json.loads(item.get("value", ""))
            except (ValueError, RecursionError):
                return None
            return value if isinstance(value, str) else None
    return None


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or 0.0)
    except ValueError:
        return 0.0
    return seconds if 0.0 <= seconds < 1e9 else 0.0


def _result(name: str, outcome: Outcome, seconds: float, message: str, text: str) -> TestResult:
    return TestResult(
        name, outcome, seconds, (message or _headline(text, outcome))[:MESSAGE_MAX], text[-TRACEBACK_MAX:]
    )


def _headline(text: str, outcome: Outcome) -> str:
    """The line of a pytest or plain traceback that says what went wrong."""
    if outcome is Outcome.PASSED:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or [line.strip() for line in lines[-1:]] or [""])[0]
