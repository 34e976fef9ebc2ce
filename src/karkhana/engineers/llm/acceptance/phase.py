"""Holds a feature's work to its acceptance tests: written first, seen to fail, kept as they are, passing, able to fail.

What is believed is what the suite said through the tools, never what the model says. Knows nothing of models.

>>> # acceptance = Acceptance(criteria, tools, trail, baseline)
>>> # acceptance.refusal(WriteFile(path="cart.py", content="…"))   # "Not carried out: the acceptance tests come first…"
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from karkhana.domain.errors import ToolRefused
from karkhana.domain.events import AcceptanceTest, AcceptanceTestsChecked, AcceptanceTestsWritten, Noted
from karkhana.domain.evidence import Finding, Severity
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tools import (
    CommandResult,
    EditFile,
    EditResult,
    PushChanges,
    ReadFile,
    RunCommand,
    RunTests,
    ToolCall,
    WriteFile,
)
from karkhana.engineers.llm.acceptance.criteria import Criteria
from karkhana.engineers.llm.acceptance.proof import Proof, prove
from karkhana.engineers.llm.acceptance.written import WrittenTest, is_test_file, numbers, read_tests, weakened
from karkhana.engineers.llm.prompting import told
from karkhana.ports import Tools, Trail

ROUNDS = 2
"""Times that the model is told the same kind of thing before the work goes on with a finding."""
_BROKEN = re.compile(r"\bfixture '[^']*' not found|\b(?:SyntaxError|IndentationError|TabError)\b")
_BAD = (Outcome.FAILED, Outcome.ERROR)


class Acceptance:
    """Of one attempt at a feature."""

    def __init__(
        self,
        criteria: Criteria,
        tools: Tools,
        trail: Trail,
        baseline: TestReport,
        around: Callable[[str], str] = str,
    ) -> None:
        """``around`` marks material."""
        self.standing: tuple[Finding, ...] = ()
        """What is wrong with them all the same, when the change is handed over."""
        self._criteria, self._tools, self._trail, self._around = criteria, tools, trail, around
        self._before = {result.name: result.outcome for result in baseline.results}
        self._command = baseline.command
        self._tests: dict[str, WrittenTest] = {}
        self._files: dict[str, None] = {}
        self._report: TestReport | None = None
        """Of the whole suite, after the last edit."""
        self._proof: Proof | None = None
        self._told: dict[str, int] = {}

    @property
    def written(self) -> bool:
        """Whether they stand and were seen to fail."""
        return bool(self._tests)

    def refusal(self, wanted: ToolCall[Any]) -> str:
        """Why a call is not carried out yet; empty when it may be. Raises what the tools raise."""
        if self.written or not isinstance(wanted, EditFile | WriteFile) or is_test_file(wanted.path):
            return ""
        refused = self._look(wanted.path)
        if refused:
            self._trail.record(Noted(text=f"{wanted.path[:200]} was not edited: {refused[:300]}"))
        return refused

    def held(self, wanted: ToolCall[Any]) -> ToolCall[Any]:
        """The call as it may be carried out: before the tests stand, what a command changes is undone."""
        if self.written or not isinstance(wanted, RunCommand):
            return wanted
        return msgspec.structs.replace(wanted, discard=True)

    def saw(self, wanted: ToolCall[Any], result: Any) -> None:
        """One call that was carried out."""
        match result:
            case EditResult():
                self._report = self._proof = None
                if is_test_file(result.path):
                    self._files[result.path] = None
            case CommandResult() if result.changed:
                self._report = self._proof = None
            case TestReport() if isinstance(wanted, RunTests) and not wanted.tests:
                self._report = result

    def objection(self, push: PushChanges) -> str:
        """What the author is told instead of handing over; empty when nothing, or nothing new, is to be said.

        Raises what the tools raise.
        """
        if not self.written:
            return told("acceptance", "unwritten")
        failing, changed = self._failing(), self._weakened()
        proof = Proof() if failing else self._proved()
        self._trail.record(
            AcceptanceTestsChecked(failing=failing, weakened=changed, noticed=proof.noticed, unnoticed=proof.unnoticed)
        )
        unexplained = {name: how for name, how in changed.items() if _function(name) not in push.summary}
        self.standing = tuple(_findings(failing, changed, unexplained, proof))
        said = []
        if failing and self._again("failing"):
            said.append(told("acceptance", "failing", listed=self._listed(failing)))
        if unexplained and self._again("weakened"):
            listed = self._listed(f"{name} {how}" for name, how in unexplained.items())
            said.append(told("acceptance", "weakened", listed=listed))
        if proof.blind and self._again("blind"):
            said.append(told("acceptance", "blind", count=len(proof.unnoticed)))
        return "\n".join(said)

    # -- before the work

    def _look(self, path: str) -> str:
        """Whether the tests stand; else what is told."""
        if not self._files:
            return told("acceptance", "first", path=self._around(path[:200]))
        fresh = [result for result in self._suite().results if self._is_new(result)]
        failing = [result for result in fresh if result.outcome in _BAD]
        passing = [result.name for result in fresh if result.outcome is Outcome.PASSED]
        broken = [result for result in failing if _BROKEN.search(f"{result.message}\n{result.traceback}")]
        if broken:
            return told("acceptance", "broken", listed=self._listed(f"{each.name}: {each.message}" for each in broken))
        if passing and (not failing or self._again("passing")):
            return told("acceptance", "passing", listed=self._listed(passing))
        if not failing:
            return told("acceptance", "first", path=self._around(path[:200]))
        tests = self._named(failing)
        open_ = self._uncovered(tests)
        if open_ and self._again("uncovered", 1):
            return told("acceptance", "uncovered", listed=self._listed(open_))
        self._stand(tests, failing, passing)
        return ""

    def _is_new(self, result: TestResult) -> bool:
        before = self._before.get(result.name)
        return before is None or (before is Outcome.PASSED and result.outcome in _BAD)

    def _named(self, failing: list[TestResult]) -> dict[str, WrittenTest]:
        """The failing tests as they are written. A file that cannot even be imported stands for all of its tests."""
        written = self._read()
        found: dict[str, WrittenTest] = {}
        for result in failing:
            name = result.name.partition("[")[0]
            inside = {each: test for each, test in written.items() if each == name or each.startswith(f"{name}::")}
            found |= inside or {name: WrittenTest(name, numbers(name), ())}
        return found

    def _uncovered(self, tests: dict[str, WrittenTest]) -> list[str]:
        named = {number for test in tests.values() for number in test.criteria}
        listed = self._criteria.listed().splitlines()
        return [text for number, text in enumerate(listed, 1) if number not in named] if len(listed) > 1 else []

    def _stand(self, tests: dict[str, WrittenTest], failing: list[TestResult], passing: list[str]) -> None:
        self._tests = tests
        how = {result.name.partition("[")[0]: _first(result) for result in failing}
        self._trail.record(
            AcceptanceTestsWritten(
                criteria=self._criteria.texts,
                source=self._criteria.source,
                tests=tuple(
                    AcceptanceTest(
                        name=name,
                        criteria=test.criteria,
                        failed=how.get(name) or how.get(name.partition("::")[0], ""),
                    )
                    for name, test in tests.items()
                ),
                passing=tuple(passing),
            )
        )

    # -- after the work

    def _failing(self) -> tuple[str, ...]:
        """Acceptance tests that did not run and pass."""
        outcomes: dict[str, set[Outcome]] = {}
        for result in self._suite().results:
            outcomes.setdefault(result.name.partition("[")[0], set()).add(result.outcome)
        return tuple(name for name in self._tests if outcomes.get(name) != {Outcome.PASSED})

    def _weakened(self) -> dict[str, str]:
        known = {name: test for name, test in self._tests.items() if test.statements}
        return weakened(known, self._read()) if known else {}

    def _proved(self) -> Proof:
        if self._proof is None:
            self._proof = prove(self._tools, self._command, tuple(self._tests))
        return self._proof

    # -- both

    def _suite(self) -> TestReport:
        if self._report is None:
            self._report = self._tools.call(RunTests())
        return self._report

    def _read(self) -> dict[str, WrittenTest]:
        """The tests of the files of tests that were edited, as they are now."""
        found: dict[str, WrittenTest] = {}
        for path in self._files:
            if path.endswith(".py"):
                try:
                    found |= read_tests(path, self._tools.call(ReadFile(path=path)).text)
                except ToolRefused:
                    continue  # the file is gone, and its tests with it
        return found

    def _again(self, what: str, rounds: int = ROUNDS) -> bool:
        self._told[what] = self._told.get(what, 0) + 1
        return self._told[what] <= rounds

    def _listed(self, lines: Iterable[str]) -> str:
        return self._around("\n".join(line[:300] for line in lines))


def _findings(
    failing: tuple[str, ...], changed: dict[str, str], unexplained: dict[str, str], proof: Proof
) -> Iterable[Finding]:
    for name in failing:
        yield _finding("acceptance-failing", f"the acceptance test {name} does not pass", Severity.ERROR, name)
    for name, how in changed.items():
        severity = Severity.ERROR if name in unexplained else Severity.WARNING
        reason = "no reason is given" if name in unexplained else "the summary gives a reason"
        said = f"the acceptance test {name} was changed after it had been seen to fail ({reason}): it {how}"
        yield _finding("acceptance-weakened", said, severity, name)
    if proof.blind:
        said = f"the acceptance tests cannot fail: they pass with {'; '.join(proof.unnoticed[:3])}"
        yield Finding(rule="acceptance-blind", message=said, severity=Severity.ERROR)
    elif proof.unknown:
        said = f"whether the acceptance tests can fail is not known: {proof.unknown}"
        yield Finding(rule="acceptance-unproven", message=said)


def _finding(rule: str, message: str, severity: Severity, name: str) -> Finding:
    return Finding(rule=rule, message=message, severity=severity, path=name.partition("::")[0])


def _function(name: str) -> str:
    return name.rpartition("::")[2]


def _first(result: TestResult) -> str:
    return (result.message.strip() or result.traceback.strip()).partition("\n")[0][:300]
