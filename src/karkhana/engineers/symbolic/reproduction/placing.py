"""Puts a test into the repository and sees it fail for the ticket's reason; else takes it away again.

Acts through the tools only. Knows claims and how the repository keeps its tests; knows nothing of the ticket's words.
"""

import re
from collections.abc import Sequence

import msgspec

from karkhana.behaviour.running import pytest_arguments
from karkhana.behaviour.spectra import Spectrum
from karkhana.domain.errors import ToolRefused
from karkhana.domain.suites import Outcome as TestOutcome
from karkhana.domain.suites import TestReport, TestResult
from karkhana.domain.tools import ListFiles, ReadFile, RunCommand, RunTests, WriteFile
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.localisation.targets import Targets
from karkhana.engineers.symbolic.reproduction import names
from karkhana.engineers.symbolic.reproduction.asking import Findings
from karkhana.engineers.symbolic.reproduction.claims import Claim
from karkhana.engineers.symbolic.reproduction.manner import closest, manner, test_files
from karkhana.engineers.symbolic.reproduction.names import Imports, Index
from karkhana.engineers.symbolic.reproduction.trial import Trial
from karkhana.engineers.symbolic.reproduction.writing import Manner, Written, write

_WRITTEN_S = 0.5
"""Seconds that a written test is taken to need; one that needs more is traced as far as it goes."""


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """A failing test that was written from the ticket and stands in the workspace."""

    path: str
    names: tuple[str, ...]
    """As pytest names them."""
    told: str
    """What it holds and what happens now, in words."""

    def added_to(self, baseline: TestReport) -> TestReport:
        """The baseline as it would be if the written tests had been there."""
        failing = tuple(TestResult(name, TestOutcome.FAILED, _WRITTEN_S) for name in self.names)
        return msgspec.structs.replace(baseline, results=(*baseline.results, *failing))

    def targets(self, spectrum: Spectrum) -> Targets:
        """Its tests among those of a traced run. Raises ``Abstention`` when they do not fail there."""
        functions = {name.rsplit("::", 1)[-1] for name in self.names}
        chosen = tuple(
            n
            for n in spectrum.failing
            if spectrum.tests[n].name.startswith(self.path) and spectrum.tests[n].name.rsplit("::", 1)[-1] in functions
        )
        if not chosen:
            raise Abstention("the test that was written from the ticket passes when all tests run together")
        others = tuple(n for n in spectrum.failing if n not in set(chosen))
        return Targets(chosen=chosen, others=others, why="written from the ticket")


def put(hands: Hands, claims: Sequence[Claim], findings: Findings, text: str) -> Reproduction | None:
    """Write the test and run it; take it away again when it does not fail for the reason that the ticket tells."""
    claims = [_with_own_imports(claim, findings.index, text) for claim in claims]
    sources = [path for claim in claims for path in claim.trial.paths]
    baseline = hands.assignment.baseline
    every = [result.name for result in baseline.results]
    first = manner(every, hands.assignment.test_command, sources)
    first = _as_classes(hands, first, test_files(every))
    taken = hands.tools.call(ListFiles(glob="*.py", limit=10_000)).paths
    for way in (first, _appending(first, every, sources)):
        if way is None:
            continue
        existing = _read(hands, way.append) if way.append else ""
        if existing is None:
            continue
        written = write(claims, hands.assignment.ticket.title, way, findings.index, existing=existing, taken=taken)
        try:
            hands.tools.call(WriteFile(path=written.path, content=written.text))
        except ToolRefused as refusal:
            findings.rejected.append(f"the test was not written: {refusal.message}")
            return None
        verdict = _verdict(hands, written, claims)
        if not verdict:
            return _done(hands, written, claims)
        findings.rejected.append(verdict)
        _take_back(hands, written, existing if way.append else None)
        if verdict != _NOT_COLLECTED:
            return None
    return None


_NOT_COLLECTED = "the new test file is not collected by the test command"


def _with_own_imports(claim: Claim, index: Index, text: str) -> Claim:
    """Imports for what the test holds only."""
    scene = claim.trial.scene
    expected = claim.expected if claim.kind == "equal" else ""
    needed: Imports = names.resolve("\n".join((*scene.setup, scene.subject, expected)), index, text)
    return msgspec.structs.replace(claim, trial=Trial(scene, needed.lines, needed.modules or claim.trial.paths))


def _appending(way: Manner, every: Sequence[str], sources: Sequence[str]) -> Manner | None:
    near = closest(test_files(every), sources)
    return None if way.append or not near else Manner(folder=way.folder, append=near, unittest=way.unittest)


def _as_classes(hands: Hands, way: Manner, files: Sequence[str]) -> Manner:
    """unittest classes where the repository's tests are nothing else."""
    if way.unittest or not files:
        return way
    texts = [t for t in (_read(hands, path) for path in files[:3]) if t]
    plain = any(re.search(r"^(?:async )?def test|^import pytest|^from pytest", t, re.M) for t in texts)
    classes = all(re.search(r"\bTestCase\b", t) for t in texts)
    return msgspec.structs.replace(way, unittest=bool(texts) and classes and not plain)


def _read(hands: Hands, path: str) -> str | None:
    try:
        read = hands.tools.call(ReadFile(path=path))
    except ToolRefused:
        return None
    return None if read.truncated else read.text


def _take_back(hands: Hands, written: Written, before: str | None) -> None:
    if before is not None:
        hands.tools.call(WriteFile(path=written.path, content=before))
        return
    hands.tools.call(RunCommand(argv=("rm", "-f", "--", written.path)))


def _verdict(hands: Hands, written: Written, claims: Sequence[Claim]) -> str:
    """Empty when each test fails for its claim's reason; else what is wrong with it."""
    report = hands.tools.call(RunTests(tests=_runner_names(written, hands.assignment.test_command), timeout_s=90.0))
    for function, claim in zip(written.functions, claims, strict=True):
        result = next((r for r in report.results if r.name.endswith(function)), None)
        if result is None or result.message == "no test of this name was run":
            broken = next((r for r in report.results if r.outcome is TestOutcome.ERROR and r.traceback), None)
            return f"the new test cannot be collected: {_last(broken)}" if broken else _NOT_COLLECTED
        if result.outcome is TestOutcome.PASSED:
            return f"{claim.wanted}, and in a test it does"
        if not _for_the_reason(result, claim):
            return f"the test of {claim.wanted} fails for another reason: {_last(result)}"
    return ""


def _runner_names(written: Written, command: tuple[str, ...]) -> tuple[str, ...]:
    if "unittest" not in command or pytest_arguments(command) == ():
        return written.names
    return tuple(n.replace(".py::", ".").replace("::", ".").replace("/", ".") for n in written.names)


def _for_the_reason(result: TestResult, claim: Claim) -> bool:
    told = f"{result.message}\n{result.traceback}"
    raised = claim.outcome.raised
    if claim.outcome.stage == "late":
        return True
    if raised is not None:
        return raised.type in told
    if claim.kind == "raises":
        return "DID NOT RAISE" in told or "not raised" in told
    return "AssertionError" in told or "assert" in told


def _last(result: TestResult | None) -> str:
    lines = [line for line in (result.message if result else "").strip().splitlines() if line.strip()]
    return (lines or [""])[0][:200]


def _done(hands: Hands, written: Written, claims: Sequence[Claim]) -> Reproduction:
    told = "; ".join(f"{claim.wanted}, and now {claim.now}" for claim in claims)
    hands.note(f"reproduced by {', '.join(written.names)}, written from the ticket: {told}")
    return Reproduction(path=written.path, names=written.names, told=told)
