"""Turns a ticket's text into a failing test, or says what is missing to do so.

Read the ticket → find its names in the repository → try its examples in the sandbox → write a test of what
contradicts the ticket → see it fail for that reason. Acts through the tools only.
"""

import ast
import re
import sys
from collections.abc import Sequence

import msgspec

from karkhana.behaviour.running import pytest_arguments
from karkhana.behaviour.spectra import Spectrum
from karkhana.domain.errors import ToolRefused
from karkhana.domain.suites import Outcome as TestOutcome
from karkhana.domain.suites import TestReport, TestResult
from karkhana.domain.tools import ListFiles, ReadFile, RunCommand, RunTests, WriteFile
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.localisation.localise import words_of
from karkhana.engineers.symbolic.localisation.targets import Targets
from karkhana.engineers.symbolic.reproduction import names
from karkhana.engineers.symbolic.reproduction.expectations import contradiction
from karkhana.engineers.symbolic.reproduction.hopeless import Kind, kind_of_request, refuse_hopeless
from karkhana.engineers.symbolic.reproduction.manner import closest, manner, test_files
from karkhana.engineers.symbolic.reproduction.names import Imports, Index
from karkhana.engineers.symbolic.reproduction.scenes import Scene, scenes
from karkhana.engineers.symbolic.reproduction.ticket import blocks, parsed
from karkhana.engineers.symbolic.reproduction.trial import Trial, attempt, look_up
from karkhana.engineers.symbolic.reproduction.verdict import Claim, Judgement, chosen, judge
from karkhana.engineers.symbolic.reproduction.writing import Manner, Written, write
from karkhana.ports import Handover

_WRITTEN_S = 0.5
"""Seconds that a written test is taken to need; one that needs more is traced as far as it goes."""
_TRIES = 3
"""Tests that are written and run until one fails as it should."""


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


def kept(handover: Handover, written: Reproduction | None) -> Handover:
    """A handover that says what was reproduced, when something was."""
    if written is None:
        return handover
    if handover.solved:
        return msgspec.structs.replace(handover, reproduction=written.names[0])
    reason = (
        f"reproduced but not repaired ({written.told}); the failing test {written.names[0]} is in the trail. "
        f"{handover.reason}"
    )
    return msgspec.structs.replace(handover, reproduction=written.names[0], reason=reason)


class Findings(msgspec.Struct, kw_only=True):
    """What was learned from a ticket's examples."""

    scenes: tuple[Scene, ...] = ()
    refused: list[str] = []
    unknown: list[str] = []
    judgement: Judgement = Judgement()
    index: Index = Index()
    rejected: list[str] = []
    """Why tests that were written did not do."""


def reproduce(hands: Hands) -> Reproduction | None:
    """Write a test that fails because of what the ticket tells.

    ``None`` when failing tests of the suite already fit the ticket, or nothing in it can be checked although tests
    fail. Raises ``Abstention`` when no test fails and the ticket gives nothing to check, or is settled already.
    """
    baseline = hands.assignment.baseline
    text = hands.assignment.ticket.text
    findings = Findings(scenes=scenes(blocks(text)))
    red = bool(baseline.failing) or baseline.timed_out
    kind = kind_of_request(hands.assignment.ticket.title)
    if red:
        refuse_hopeless(hands)
        if kind is not None and not fits(baseline, text, findings.scenes, strictly=True):
            raise _other_request(kind, baseline)
        if not findings.scenes or fits(baseline, text, findings.scenes):
            return None
    if findings.scenes:
        written = _written(hands, findings, text)
        if written is not None:
            return written
        for line in findings.rejected:
            hands.note(line)
    if red and (not findings.judgement.agreeing or _related(baseline, text)):
        return None
    raise abstention(findings, kind)


def _other_request(kind: Kind, baseline: TestReport) -> Abstention:
    failing = ", ".join(baseline.failing[:3])
    return Abstention(
        f"the ticket asks for {kind.name}, and the failing tests ({failing}) are about something else", kind.next
    )


def fits(baseline: TestReport, text: str, found: Sequence[Scene], *, strictly: bool = False) -> bool:
    """Whether a failing test is about what the ticket's examples are about.

    Without any example it is taken to be, unless ``strictly``.
    """
    called = {name for scene in found for name in _called(scene)}
    for result in baseline.results:
        if result.outcome not in (TestOutcome.FAILED, TestOutcome.ERROR):
            continue
        function = result.name.split("[")[0].rsplit("::", 1)[-1]
        if result.name in text or (len(function) > 5 and function in text):
            return True
        told = f"{result.message}\n{result.traceback}"
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", told) or _named_after(function, name) for name in called):
            return True
    return not called and not strictly


def _related(baseline: TestReport, text: str) -> bool:
    """Whether failing tests share any word with the ticket by their names."""
    return bool(words_of(text) & words_of(" ".join(baseline.failing)))


def _named_after(function: str, name: str) -> bool:
    return bool(words_of(name)) and words_of(name) <= words_of(function)


def _called(scene: Scene) -> set[str]:
    code = "\n".join((*scene.setup, scene.subject))
    return set(names.attributes(code)) | {n for n in names.missing(code) if len(n) > 1}


# -- the way to a test ---------------------------------------------------------------------------------------------


def _written(hands: Hands, findings: Findings, text: str) -> Reproduction | None:
    trials = _trials(hands, findings, text)
    if not trials:
        return None
    outcomes = attempt(hands.run, trials)
    findings.judgement = judge(trials, outcomes)
    claims = findings.judgement.claims
    _refuse_contradiction(hands, claims)
    for _ in range(_TRIES):
        group = chosen(claims)
        if not group:
            return None
        done = _write(hands, group, findings, text)
        if done is not None:
            return done
        claims = tuple(c for c in claims if c not in group)
    return None


def _refuse_contradiction(hands: Hands, claims: Sequence[Claim]) -> None:
    """Raises ``Abstention`` when a passing test asks for something else than the ticket."""
    for claim in chosen(tuple(claims)):
        if claim.kind != "equal" or claim.form:
            continue
        subject = claim.trial.scene.subject
        found = contradiction(hands, hands.assignment.baseline.passed, subject, claim.expected)
        if found is not None:
            raise Abstention(
                f"the ticket contradicts a test that passes: it asks for `{subject}` to give `{claim.expected}`, and "
                f"{found.test} (line {found.line}) for `{found.expected}`",
                f"Which is right, `{claim.expected}` or `{found.expected}`? If the ticket is, that test has to change.",
            )


def _trials(hands: Hands, findings: Findings, text: str) -> list[Trial]:
    """Scenes that are complete and harmless, each with its imports."""
    safe: list[Scene] = []
    for scene in findings.scenes:
        why = names.refusal("\n".join((*scene.setup, scene.subject)))
        if why:
            findings.refused.append(f"`{scene.subject.splitlines()[0][:80]}` is not tried: {why}")
        else:
            safe.append(scene)
    if not safe:
        return []
    codes = [c for s in safe for c in (*s.setup, s.subject, *(said.text for said in s.said))]
    findings.index = look_up(hands.run, names.wanted(codes))
    trials: list[Trial] = []
    for scene in safe:
        code = "\n".join((*scene.setup, scene.subject))
        needed = names.resolve(code, findings.index, text)
        foreign = _foreign(code, findings.index)
        if needed.unknown or foreign:
            findings.unknown += [*needed.unknown, *foreign]
            continue
        said = tuple(s for s in scene.said if not s.text or not names.refusal(s.text))
        more = [names.resolve(s.text, findings.index, text) for s in said if s.kind == "value" and s.text]
        lines = dict.fromkeys([*needed.lines, *(line for m in more if not m.unknown for line in m.lines)])
        scene = msgspec.structs.replace(scene, said=said)  # noqa: PLW2901
        trials.append(Trial(scene, tuple(lines), needed.modules))
    return list({(t.scene.setup, t.scene.subject): t for t in reversed(trials)}.values())[::-1]


def _foreign(code: str, index: Index) -> list[str]:
    """Packages that an example imports and the repository knows nothing of."""
    tree = parsed(code)
    known = {*index.packages, *index.imported, *sys.stdlib_module_names}
    tops = [
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0]
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for alias in node.names
    ]
    return [top for top in dict.fromkeys(tops) if top and top not in known]


def _write(hands: Hands, claims: Sequence[Claim], findings: Findings, text: str) -> Reproduction | None:
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


# -- what to say when there is none --------------------------------------------------------------------------------


def abstention(findings: Findings, kind: Kind | None) -> Abstention:
    """Why no test was written, and the one question that would help most."""
    judgement = findings.judgement
    if kind is not None and not judgement.agreeing and not findings.rejected:
        return Abstention(
            f"the ticket asks for {kind.name}, and no test fails that would show when it is done", kind.next
        )
    if judgement.agreeing and not findings.rejected:
        return Abstention(
            f"what the ticket asks for is so already: {'; '.join(judgement.agreeing[:3])}",
            "Which call still goes wrong, and in which version? If this is settled, close the ticket.",
        )
    if findings.rejected:
        return Abstention(
            f"the ticket's example could not be made into a test: {findings.rejected[0]}",
            "Which call gives a wrong result in a fresh process, and what should it give?",
        )
    unknown = list(dict.fromkeys(findings.unknown))
    if unknown:
        listed = ", ".join(f"`{name}`" for name in unknown[:4])
        return Abstention(
            f"no test fails, and the ticket's example uses {listed}, which nothing in this repository defines",
            f"Where does {listed} come from? An example that runs as it stands, with its imports, would show the bug.",
        )
    if judgement.broken:
        return Abstention(
            f"no test fails, and the ticket's example cannot be run: {judgement.broken[0]}", "Which import is meant?"
        )
    if judgement.silent:
        return Abstention(
            f"no test fails, and the ticket does not say what its example should give; {judgement.silent[0]} now",
            f"What should {judgement.silent[0].split('` ')[0]}` give instead?",
        )
    if findings.refused:
        return Abstention(
            f"no test fails, and the ticket's example is not made into a test: {findings.refused[0]}",
            "Which call into this repository alone shows it, without files, processes or the network?",
        )
    return Abstention(
        "no test fails, and the ticket shows no call with its result, so there is nothing to check",
        "Which call goes wrong, what does it give, and what should it give? A failing test would do as well.",
    )
