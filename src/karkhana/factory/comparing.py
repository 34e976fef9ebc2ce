"""Several independent attempts at one ticket: which of their changes goes on.

Those that break no test and mend what failed come first; among them those that behave alike on the suite and on inputs
like those of the tests speak for each other: the largest group is chosen, and of it the change that its engineer
believes in most, then the smallest. Knows nothing of how the changes came about.
"""

from collections.abc import Sequence

import msgspec

from karkhana.behaviour.observation import Observations, compare
from karkhana.behaviour.running import ProbeFailed, pytest_arguments
from karkhana.behaviour.spectra import Spectrum, measure
from karkhana.behaviour.validation import Edit, Proposal, Target
from karkhana.domain.changes import FileEdit
from karkhana.domain.errors import NothingToFix, RunFailure
from karkhana.domain.events import AttemptsCompared, AttemptSeen, ChangeHandedOver, Noted
from karkhana.domain.lessons import Verdict
from karkhana.domain.suites import TestReport
from karkhana.domain.tools import CommandResult
from karkhana.factory.changes import restore
from karkhana.factory.job import Job
from karkhana.factory.records import Attempted, Built, Failed, Plan
from karkhana.factory.strategies import record_strategy
from karkhana.factory.writing_changes import write_after
from karkhana.ports import Workspace
from karkhana.workspace.testing import run_tests

_TESTS = 60
"""Tests on each side of a file that inputs are taken from, the quickest."""
_OBSERVED_S = 20.0
"""CPU seconds."""
_LIMIT_S = 1.0
"""CPU seconds of one test, at least."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One change and what the suite says of it."""

    built: Built
    report: TestReport
    broken: tuple[str, ...]
    whole: bool

    @property
    def lines(self) -> int:
        """Lines that are added and removed."""
        patch = self.built.change.patch.splitlines()
        return sum(line[:1] in "+-" and line[:3] not in ("+++", "---") for line in patch if line)


def choose(job: Job, plan: Plan, tried: Sequence[Attempted]) -> Built:
    """The change that goes on, with how far the others disagree with it.

    Raises ``RunFailure`` or ``NothingToFix`` with the last attempt's reason when none gave a change.
    """
    made = [each.built for each in tried if each.built is not None]
    if not made:
        failed = tried[-1].failed or Failed(reason="no attempt came to anything")
        raise (NothingToFix if failed.nothing_to_fix else RunFailure)(failed.reason, failed.next)
    seen = [_seen(job, plan, built) for built in made]
    found = _observed(job, plan, seen) if len(seen) > 1 else None
    groups = group(seen, found)
    best, reasons = _best(seen, groups)
    disagreement, example = _disagreement(seen, groups, found, best)
    for each in seen:
        if not each.whole:
            record_strategy(job, each.built.change.engineer, each.built.attempt, Verdict.BAD)
    for number, attempted in enumerate(tried, 1):
        if attempted.exhausted:
            for name in job.rooms.engineers:
                record_strategy(job, name, number, Verdict.BAD)
    chosen = seen[best].built
    job.trail.record(
        AttemptsCompared(
            attempts=_told(tried, seen, groups),
            chosen=chosen.attempt,
            engineer=chosen.change.engineer,
            reasons=reasons,
            inputs=len(found.inputs) if found is not None else 0,
            disagreement=disagreement,
            distinguishing_input=example,
        )
    )
    job.trail.record(ChangeHandedOver(change=chosen.change))
    handover = msgspec.structs.replace(
        chosen.handover,
        alternatives=max(chosen.handover.alternatives, len(seen) - 1),
        disagreement=max(chosen.handover.disagreement, disagreement),
    )
    return msgspec.structs.replace(chosen, handover=handover)


def group(seen: Sequence[Seen], found: Observations | None) -> list[int]:
    """For each change the number of its group, from 1: alike are those with the same outcome of every test and the
    same behaviour on every input; where nothing was observed, those that are the same change.
    """
    classes: dict[int, int] = {}
    if found is not None:
        classes = {n: number for number, members in enumerate(found.classes()) for n in members if found.seen(n)}
    numbers: dict[object, int] = {}
    rows = []
    for n, each in enumerate(seen):
        outcomes = tuple(sorted((result.name, result.outcome.value) for result in each.report.results))
        behaviour: object = classes.get(n, each.built.digest)
        rows.append(numbers.setdefault((outcomes, behaviour), len(numbers) + 1))
    return rows


def _best(seen: Sequence[Seen], groups: Sequence[int]) -> tuple[int, tuple[str, ...]]:
    def rank(n: int) -> tuple[bool, int, float, int, int]:
        each = seen[n]
        probability = each.built.handover.probability
        return each.whole, groups.count(groups[n]), probability or 0.0, -each.lines, -n

    best = max(range(len(seen)), key=rank)
    alike = groups.count(groups[best])
    reasons = [
        f"{alike} of {len(seen)} changes behave alike" if len(seen) > 1 else "the only change",
        "the suite is whole with it" if seen[best].whole else "none of them leaves the suite whole",
    ]
    probability = seen[best].built.handover.probability
    if probability is not None:
        reasons.append(f"its engineer gives it {probability:.0%}")
    return best, tuple(reasons)


def _disagreement(
    seen: Sequence[Seen], groups: Sequence[int], found: Observations | None, best: int
) -> tuple[float, str]:
    """Of the sound changes that behave otherwise: the largest share of inputs, and one on which it shows."""
    others = [n for n, each in enumerate(seen) if each.whole and groups[n] != groups[best]]
    if not others:
        return 0.0, ""
    if found is None or not all(found.seen(n) for n in (*others, best)):
        return len(others) / len(seen), ""
    furthest = max(others, key=lambda n: found.difference(best, n))
    example = found.distinguishing(best, furthest)
    told = f"{example[0]}: {example[1][1:]} or {example[2][1:]}" if example is not None else ""
    return found.difference(best, furthest), told[:500]


def _told(tried: Sequence[Attempted], seen: Sequence[Seen], groups: Sequence[int]) -> tuple[AttemptSeen, ...]:
    rows = {
        each.built.attempt: AttemptSeen(
            number=each.built.attempt,
            engineer=each.built.change.engineer,
            group=groups[n],
            whole=each.whole,
            broken=each.broken[:20],
            probability=each.built.handover.probability,
            lines=each.lines,
        )
        for n, each in enumerate(seen)
    }
    for number, attempted in enumerate(tried, 1):
        if attempted.failed is not None:
            rows[number] = AttemptSeen(number=number, engineer="", failure=attempted.failed.reason)
    return tuple(rows[number] for number in sorted(rows))


# -- behaviour


def _seen(job: Job, plan: Plan, built: Built) -> Seen:
    with job.open_workspace() as workspace:
        write_after(workspace, built.edits, restore(job.order.repository, built.change.base, built.edits))
        report = run_tests(workspace, plan.test_command)
    broken = tuple(sorted(set(plan.baseline.passed) - set(report.passed)))
    mended = set(plan.baseline.failing) - set(report.failing)
    whole = not broken and (bool(mended) or not plan.baseline.failing)
    return Seen(built=built, report=report, broken=broken, whole=whole)


def _observed(job: Job, plan: Plan, seen: Sequence[Seen]) -> Observations | None:
    """What the changes do on inputs like those of the tests; ``None`` (and a note) where that cannot be seen."""
    paths = [_only_file(job, each.built) for each in seen]
    if not any(paths):
        job.trail.record(Noted(text="the attempts are compared by the suite alone: none changes just one Python file"))
        return None
    try:
        with job.open_workspace() as workspace:
            return _compare(workspace, plan, seen, paths)
    except ProbeFailed as error:
        job.trail.record(Noted(text=f"the attempts are compared by the suite alone: {error.message}"))
        return None


def _compare(workspace: Workspace, plan: Plan, seen: Sequence[Seen], paths: Sequence[str]) -> Observations | None:
    def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
        return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

    arguments = pytest_arguments(plan.test_command)
    spectrum = measure(run, arguments=arguments, everything=True)
    targets = {path: _target(workspace, spectrum, path) for path in dict.fromkeys(filter(None, paths))}
    numbers = {path: n for n, path in enumerate(targets)}
    proposals = [
        Proposal(numbers[path], _edits(targets[path].text, each.built.edits[0]), fresh=True)
        for each, path in zip(seen, paths, strict=True)
        if path
    ]
    found = compare(
        run,
        arguments=arguments,
        tests=[test.name for test in spectrum.tests],
        limits=[max(6 * test.seconds, _LIMIT_S) for test in spectrum.tests],
        targets=list(targets.values()),
        variants=proposals,
        seconds=_OBSERVED_S,
    )
    return None if found is None else _spread(found, paths)


def _spread(found: Observations, paths: Sequence[str]) -> Observations:
    """The observations with a row for every change; of those that were left out nothing is known."""
    rows, examples = iter(found.variants), iter(found.examples)
    unknown, kept = ("?",) * len(found.inputs), found.examples_before
    pairs = [(next(rows), next(examples)) if path else (unknown, kept) for path in paths]
    return msgspec.structs.replace(
        found, variants=tuple(row for row, _ in pairs), examples=tuple(example for _, example in pairs)
    )


def _target(workspace: Workspace, spectrum: Spectrum, path: str) -> Target:
    content = workspace.read(path) or b""
    covering = set(spectrum.covering(path, 1, content.count(b"\n") + 1))

    def quickest(numbers: Sequence[int]) -> tuple[int, ...]:
        ordered = sorted((n for n in numbers if n in covering), key=lambda n: spectrum.tests[n].seconds)
        return tuple(ordered[:_TESTS])

    text = content.decode("utf-8", "surrogateescape")
    failing, passing = quickest(spectrum.failing), quickest(spectrum.passing)
    return Target(path=path, text=text, place=None, failing=failing, passing=passing)


def _only_file(job: Job, built: Built) -> str:
    """The one Python file that a change edits and neither makes nor deletes; empty if it is another kind of change."""
    path = built.edits[0].path
    before, after = restore(job.order.repository, built.change.base, built.edits)[path]
    ours = len(built.edits) == 1 and path.endswith(".py") and before is not None and after is not None
    return path if ours and before != after else ""


def _edits(text: str, edit: FileEdit) -> tuple[Edit, ...]:
    starts = [0]
    # Hunks count lines of bytes, which are fewer than those of text.
    for line in text.encode("utf-8", "surrogateescape").splitlines(keepends=True):
        starts.append(starts[-1] + len(line.decode("utf-8", "surrogateescape")))
    return tuple(
        Edit(starts[hunk.start], starts[hunk.end], hunk.lines.decode("utf-8", "surrogateescape")) for hunk in edit.hunks
    )
