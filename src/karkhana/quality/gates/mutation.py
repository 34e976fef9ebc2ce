"""Gate ``mutation``: would the tests notice if the changed lines were wrong?

Puts small faults (``behaviour.mutation``) into the changed lines that tests reach, one at a time, in a running
program, and runs only the tests that reach the line. A fault that no test notices is a finding. Faults that make no
other program are left out; one that lets a test run out of time is noticed. Where tests need the change, its parts are
taken back one at a time too (``behaviour.parts``): a part that no test needs is one that nobody asked for, as far as
tests can ask. Before that, each group of tests is run once on another program that does the same: when they do not pass
then, nothing is concluded from them.

Knows nothing of whether the change is right: only how much green tests say about it. Faults in lines outside of
functions are not tried.
"""

from collections.abc import Iterable

import msgspec

from karkhana.behaviour.mutation import Mutant, mutants, sample, unchanged
from karkhana.behaviour.parts import parts
from karkhana.behaviour.validation import CRASHES, FAILS, NEAR, OVERTIME, PASSES, Proposal, Target, apply, validate
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.suites import Outcome
from karkhana.ports import GateContext
from karkhana.quality import reach
from karkhana.quality.changed import ChangedFunction
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural
from karkhana.quality.suite import Measurement
from karkhana.syntax import Unparsable

NAME = "mutation"
_KILLED = frozenset((FAILS, NEAR, OVERTIME, CRASHES))


class _Trial(msgspec.Struct, frozen=True):
    """One fault, or one part of the change taken back, or both in one, and by which of the targets it is run.

    Neither is there for the same program.
    """

    function: ChangedFunction
    mutant: Mutant | None
    part: Mutant | None
    proposal: Proposal


_Row = tuple[ChangedFunction, Mutant, tuple[str, ...]]
"""A fault or a part of a function, and the names of the tests that are asked."""


class Mutation:
    """Counts the faults in changed lines that tests notice."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        try:
            functions = [f for file in reach.changed_files(context) for f in file.functions if f.lines]
        except Unparsable as error:
            return _unknown(f"the changed code cannot be read: {error}")
        if not functions:
            code = reach.python_code(context)
            return _unknown("no function changed") if code else _nothing()
        measurement = reach.measured(context, after=True)
        taken, count = _parts(context, functions, measurement)
        trials, targets, tests = _plan(context, functions, measurement, taken)
        if not trials:
            return _unknown("no test that passes is known to reach a changed line that could be made wrong")
        answers = _run(context, trials, targets, tests)
        return _result(trials, answers, count)


def _unknown(summary: str) -> GateResult:
    return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=summary)


def _nothing() -> GateResult:
    return GateResult(
        gate=NAME,
        status=GateStatus.PASSED,
        summary="the change has no code outside tests",
        measures={"mutants": 0.0, "killed": 0.0, "survived": 0.0, "score": 1.0},
    )


def _plan(
    context: GateContext, functions: list[ChangedFunction], measurement: Measurement | None, taken: list[_Row]
) -> tuple[list[_Trial], list[Target], list[str]]:
    """What to run, on what, by which tests (numbers in the targets are places in that list)."""
    found: list[_Row] = []
    for function in functions:
        for one in mutants(function.text, first_line=function.place.start, lines=frozenset(function.lines)):
            tests = reach.tests_reaching(measurement, function.path, [one.line])
            if tests:
                found.append((function, one, _quickest(context, tests)))
    # Mutants of several files share line numbers, which only means that they take turns.
    chosen = set(map(id, sample([m for _, m, _ in found], int(limits(NAME)["mutants"]), seed=0)))
    found = [row for row in found if id(row[1]) in chosen]
    back = {(f, apply(f.text, [part.edit])): part for f, part, _ in taken}
    faults = {(f, apply(f.text, [fault.edit])): fault for f, fault, _ in found}
    # Parts come first: of two that make the same program the first is run.
    found = taken + [(f, fault, tests) for f, fault, tests in found if (f, apply(f.text, [fault.edit])) not in back]
    names = {name for _, _, tests in found for name in tests}
    order = [r.name for r in context.result.results if r.name in names]
    numbers = {name: n for n, name in enumerate(order)}
    trials: list[_Trial] = []
    targets: list[Target] = []
    for function in dict.fromkeys(f for f, _, _ in found):
        rows = [(m, tests) for f, m, tests in found if f == function]
        same = unchanged(function.text, function.place.start)
        if same is None:
            continue
        for shared in dict.fromkeys(tests for _, tests in rows):
            number = len(targets)
            targets.append(_target(function, shared, numbers))
            trials.append(_Trial(function, None, None, Proposal(number, (same,))))
            for one in (m for m, tests in rows if tests == shared):
                key = (function, apply(function.text, [one.edit]))
                trials.append(_Trial(function, faults.get(key), back.get(key), Proposal(number, (one.edit,))))
    return trials, targets, order


def _parts(
    context: GateContext, functions: list[ChangedFunction], measurement: Measurement | None
) -> tuple[list[_Row], int]:
    """What takes back the parts of a change that tests need, and which tests to ask; and how many parts there are."""
    if not reach.target_tests(context):
        return [], 0
    found, count, most = list[_Row](), 0, int(limits(NAME)["parts"])
    for function in functions:
        if function.swappable and function.old is not None:
            back = parts(function.old, function.text, first_line=function.place.start, most=most + 1)
            count += len(back)
            if tests := reach.tests_reaching(measurement, function.path, function.lines):
                quickest = _quickest(context, tests)
                found += [(function, one, quickest) for one in back[:most]]
    return found, count


def _target(function: ChangedFunction, tests: Iterable[str], numbers: dict[str, int]) -> Target:
    passing = tuple(numbers[name] for name in tests)
    return Target(path=function.path, text=function.text, place=function.place, failing=(), passing=passing)


def _quickest(context: GateContext, tests: frozenset[str]) -> tuple[str, ...]:
    """Tests to run for one line, those that need the change first, then the quickest, as far as time goes."""
    wanted = reach.target_tests(context)
    rows = [r for r in context.result.results if r.name in tests]
    rows.sort(key=lambda r: (r.name not in wanted, r.duration_s))
    left, chosen = float(limits(NAME)["tests_s"]), set[str]()
    for row in rows:
        left -= row.duration_s
        if chosen and left < 0:
            break
        chosen.add(row.name)
    # In the order of the suite, which some tests rely on.
    return tuple(r.name for r in context.result.results if r.name in chosen)


def _run(context: GateContext, trials: list[_Trial], targets: list[Target], tests: list[str]) -> str:
    rule = limits(NAME)
    durations = {r.name: r.duration_s for r in context.result.results if r.outcome is Outcome.PASSED}
    seconds = min(rule["most_s"], max(rule["least_s"], rule["suites"] * context.result.duration_s))
    return validate(
        reach.run_in(context.after),
        arguments=reach.arguments_for(context, tests),
        tests=tests,
        limits=[max(rule["shortest_s"], rule["times"] * durations[name]) for name in tests],
        targets=targets,
        proposals=[t.proposal for t in trials],
        seconds=seconds,
        wall_seconds=10 * seconds + 30,
        beyond=len(trials),
        beyond_seconds=seconds,
    ).statuses


def _result(trials: list[_Trial], answers: str, parts: int) -> GateResult:
    """``parts``: of the change, tried or not."""
    both = list(zip(trials, answers, strict=True))
    sound = {t.proposal.target for t, letter in both if not t.mutant and not t.part and letter == PASSES}
    both = [(t, letter) for t, letter in both if t.proposal.target in sound]
    both = [(t, letter) for t, letter in both if letter in _KILLED or letter == PASSES]
    # Where all that can be made wrong is the change itself, taking it back is the fault.
    judged = [(t, letter) for t, letter in both if t.mutant] or [(t, letter) for t, letter in both if t.part]
    needed = [t.part for t, letter in both if t.part and letter != PASSES]
    idle = [(t.function, t.part) for t, letter in both if t.part and letter == PASSES]
    killed = [t for t, letter in judged if letter != PASSES]
    survived = [t for t, letter in judged if letter == PASSES]
    count = len(killed) + len(survived)
    if not count:
        why = "its tests do not pass when they are run one by one" if not sound else "none could be run in time"
        return _unknown(f"no fault could be tried in the changed lines: {why}")
    score = len(killed) / count
    summary = f"tests notice {len(killed)} of {plural(count, 'small fault')} in the changed lines"
    if needed or idle:
        summary += f", and need {len(needed)} of {plural(len(needed) + len(idle), 'part')} of the change"
    untried = parts - len(needed) - len(idle)
    if untried:
        summary += f"; {plural(untried, 'part')} could not be tried"
    return GateResult(
        gate=NAME,
        status=GateStatus.PASSED if score >= limits(NAME)["score"] else GateStatus.FAILED,
        summary=summary,
        measures={
            "mutants": float(count),
            "killed": float(len(killed)),
            "survived": float(len(survived)),
            "score": round(score, 4),
            "parts": float(len(needed) + len(idle)),
            "idle_parts": float(len(idle)),
            "untried_parts": float(untried),
        },
        findings=tuple(
            Finding(
                rule="mutation:idle-part",
                message=f"no test needs {part.told} in line {part.line}",
                severity=Severity.INFO,
                path=function.path,
                line=part.line,
            )
            for function, part in idle
        )
        + tuple(
            Finding(
                rule="mutation:survived",
                message=f"no test notices {t.mutant.told} in line {t.mutant.line}",
                severity=Severity.INFO,
                path=t.function.path,
                line=t.mutant.line,
            )
            for t in survived
            if t.mutant
        ),
    )
